//! Gradients of attention to windows: keys and values unfolded, products, softmax, and sums over the windows that read a key.

use visual_attention::{Ncthw, PositionTables, RelativePosition, WindowAttentionOptions, reference, wgpu};

use super::attention::Attended;
use super::gather::Gather;
use super::{Join, Unfused};
use crate::common::Bench;

/// For each entry and query the position of the key, -1 outside, -2 where it is left out: `[entries, positions]`.
pub(crate) fn places(shape: Ncthw, options: &WindowAttentionOptions) -> Vec<f32> {
    per_entry(shape, options, |entries| {
        if entries.iter().any(|entry| entry.left_out) {
            return -2.0;
        }
        let extents = [shape.frames, shape.height, shape.width];
        let key = entries
            .iter()
            .zip(extents)
            .try_fold(0, |at, (entry, extent)| entry.key.map(|key| at * extent as usize + key));
        key.map_or(-1.0, |key| key as f32)
    })
}

/// For each entry and query the index in a bias table of one head, -1 where the key is left out.
fn offsets(shape: Ncthw, options: &WindowAttentionOptions) -> Vec<f32> {
    per_entry(shape, options, |entries| {
        if entries.iter().any(|entry| entry.left_out) {
            return -1.0;
        }
        let axes = entries.iter().zip(options.axes);
        axes.fold(0, |at, (entry, axis)| at * (2 * i64::from(axis.keys) - 1) + entry.offset) as f32
    })
}

fn per_entry(
    shape: Ncthw,
    options: &WindowAttentionOptions,
    number: impl Fn([&reference::WindowEntry; 3]) -> f32,
) -> Vec<f32> {
    let extents = [shape.frames, shape.height, shape.width];
    let windows = [0, 1, 2].map(|axis| -> Vec<_> {
        (0..extents[axis]).map(|at| reference::window_entries(at, extents[axis], options.axes[axis])).collect()
    });
    let positions = shape.positions() as u32;
    let entries = options.keys() as u32;
    let mut numbers = Vec::with_capacity((entries * positions) as usize);
    for entry in 0..entries {
        for query in 0..positions {
            let at = [query / (shape.height * shape.width), query / shape.width % shape.height, query % shape.width];
            let [frames, rows, columns] = [0, 1, 2].map(|axis| &windows[axis][at[axis] as usize]);
            let [kh, kw] = [rows.len() as u32, columns.len() as u32];
            let [frame, row, column] = [entry / (kh * kw), entry / kw % kh, entry % kw].map(|index| index as usize);
            numbers.push(number([&frames[frame], &rows[row], &columns[column]]));
        }
    }
    numbers
}

/// For each of `positions` the entries and queries whose place it is.
pub(crate) fn readers(places: &[f32], positions: u64) -> Vec<Vec<(u32, f32)>> {
    let mut readers = vec![Vec::new(); positions as usize];
    for (source, &place) in places.iter().enumerate().filter(|(_, place)| **place >= 0.0) {
        readers[place as usize].push((source as u32, 1.0));
    }
    readers
}

/// What a framework keeps of the forward pass of attention to windows, and where the gradients are added up.
pub(crate) struct Windows {
    kept: Attended,
    fold: Gather,
    /// Of a bias table.
    biases: Option<Gather>,
    options: WindowAttentionOptions,
}

impl Windows {
    /// Runs the forward pass. `None` where an unfolded tensor exceeds a binding.
    pub(crate) fn new(
        bench: &Bench,
        shape: Ncthw,
        options: &WindowAttentionOptions,
        [q, k, v]: [&wgpu::Buffer; 3],
        tables: PositionTables<&wgpu::Buffer>,
    ) -> Option<Self> {
        let positions = shape.positions();
        let [heads, depth, entries, pixels] =
            [shape.batch * options.heads, options.head_dim, options.keys() as u32, positions as u32];
        let len = u64::from(heads * depth * entries) * positions;
        if len * 4 > bench.gpu.device.limits().max_storage_buffer_binding_size {
            return None;
        }
        let numbers = places(shape, options);
        let places = bench.gpu.upload("places", &numbers).expect("places");
        let window = entries * pixels;
        let mut forward = Unfused::new(&bench.gpu);
        let q = forward.each(&format!("a[i] * {}f", options.scale), &[q], q.size() / 4);
        let place = format!("b[i % #{window}]");
        let gathered = format!("select(0.0, a[i / #{window} * #{pixels} + u32(max({place}, 0.0))], {place} >= 0.0)");
        let [mut keys, values] = [k, v].map(|tensor| forward.each(&gathered, &[tensor, &places], len));
        if let PositionTables::Axes { rows: Some(rows), columns: Some(columns), .. } = tables {
            let [_, height, width] = options.axes.map(|axis| axis.keys);
            let (half, entry) = (depth / 2, format!("i / #{pixels} % #{entries}"));
            let channel = format!("i / #{window} % #{depth}");
            let of_row = format!("b[{channel} % #{half} * #{height} + {entry} / #{width}]");
            let of_column = format!("c[{channel} % #{half} * #{width} + {entry} % #{width}]");
            let embedded = format!("a[i] + select({of_row}, {of_column}, {channel} >= #{half})");
            keys = forward.each(&embedded, &[&keys, rows, columns], len);
        }
        let mut weights = forward.scores(&q, &keys, heads, [depth, entries, pixels]);
        let scores_len = weights.size() / 4;
        let mut biases = None;
        if let PositionTables::Bias(table) = tables {
            let factor = if options.scale_relative { options.scale } else { 1.0 };
            let numbers = offsets(shape, options);
            let offsets = bench.gpu.upload("offsets", &numbers).expect("offsets");
            let biases_of_head = table.size() / 4 / u64::from(options.heads);
            let bias =
                format!("b[i / #{window} % #{} * #{biases_of_head} + u32(max(c[i % #{window}], 0.0))]", options.heads);
            weights = forward.each(&format!("a[i] + {bias} * {factor}f"), &[&weights, table, &offsets], scores_len);
            let mut lists = readers(&numbers, biases_of_head);
            lists.iter_mut().flatten().for_each(|(_, weight)| *weight = factor);
            biases = Some(Gather::new(&bench.gpu, &lists));
        }
        // The lowest logit counts as left out beside any other.
        let left_out = format!("select(a[i], -3e38, b[i % #{window}] < -1.5)");
        weights = forward.each(&left_out, &[&weights, &places], scores_len);
        forward.softmax(&weights, entries, pixels);
        bench.gpu.run(|pass| forward.record(pass)).expect("run");
        let fold = Gather::new(&bench.gpu, &readers(&numbers, positions));
        let kept = Attended { q, keys, values, weights, heads, depth, entries, pixels };
        Some(Self { kept, fold, biases, options: *options })
    }

    /// The gradients of queries, keys and values, and those of tables by their names.
    pub(crate) fn backward(
        &self,
        unfused: &mut Unfused,
        upstream: &wgpu::Buffer,
    ) -> ([wgpu::Buffer; 3], Vec<(&'static str, wgpu::Buffer)>) {
        let Attended { heads, depth, entries, .. } = self.kept;
        let found = unfused.attend_backward(&self.kept, upstream);
        let q = unfused.each(&format!("a[i] * {}f", self.options.scale), &[&found.q], found.q.size() / 4);
        let planes = u64::from(heads * depth);
        let [k, v] = [&found.keys, &found.values].map(|unfolded| unfused.gather_sum(unfolded, &self.fold, planes));
        let mut tables = Vec::new();
        if self.options.relative == RelativePosition::PerHead {
            let [_, height, width] = self.options.axes.map(|axis| axis.keys);
            let sums = unfused.rows(Join::Sum, &found.keys, planes * u64::from(entries));
            let embedded = unfused.across(Join::Sum, &sums, heads, u64::from(depth * entries));
            let half = u64::from(depth / 2 * entries);
            let of_rows = unfused.each("a[i]", &[&embedded], half);
            let of_columns = unfused.each(&format!("a[i + #{half}]"), &[&embedded], half);
            tables.push(("tables.rows_gradient", unfused.rows(Join::Sum, &of_rows, u64::from(depth / 2 * height))));
            tables.push(("tables.columns_gradient", unfused.across(Join::Sum, &of_columns, height, width.into())));
        }
        if let Some(biases) = &self.biases {
            let of_heads = unfused.gather_sum(&found.scores, biases, heads.into());
            let of_head = of_heads.size() / 4 / u64::from(heads) * u64::from(self.options.heads);
            let batch = heads / self.options.heads;
            tables.push(("tables.bias_gradient", unfused.across(Join::Sum, &of_heads, batch, of_head)));
        }
        ([q, k, v], tables)
    }
}
