pub(crate) mod axes;
mod logits;
mod refusals;

use visual_attention::host::Gpu;
use visual_attention::{
    Border, Element, Nchw, Ncthw, PositionTables, QueryPosition, RelativePosition, Size, WindowAttention,
    WindowAttentionBuffers, WindowAttentionOptions, WindowWeightsBuffers, reference, wgpu,
};

use crate::common::{
    self, Precision, Random, TestGpu, assert_within_tolerance_with_room, log_sum_exp_room, rounded, softmax_room, wide,
};
use crate::compiler;

/// Inputs of one case, as they are once stored.
pub(crate) struct Inputs {
    pub(crate) q: Vec<f32>,
    pub(crate) k: Vec<f32>,
    pub(crate) v: Vec<f32>,
    /// Tables of frames, rows and columns. A bias table takes the place of the rows' table.
    pub(crate) tables: [Vec<f32>; 3],
}

struct Outputs {
    y: Vec<f32>,
    log_sum_exp: Vec<f32>,
}

/// Sizes of the tables, from their definition.
fn table_sizes(options: &WindowAttentionOptions) -> [u32; 3] {
    let keys = options.axes.map(|axis| axis.keys);
    let with_tables = keys.iter().filter(|&&keys| keys > 1).count().max(1) as u32;
    let each =
        |channels: u32, entries: fn(u32) -> u32| keys.map(|keys| if keys > 1 { channels * entries(keys) } else { 0 });
    match options.relative {
        RelativePosition::None => [0; 3],
        RelativePosition::PerHead => each(options.head_dim / with_tables, |keys| keys),
        RelativePosition::WholeChannel => each(options.channels() / with_tables, |keys| keys),
        RelativePosition::Sum => each(options.head_dim, |keys| 2 * keys - 1),
        _ => [0, keys.iter().fold(options.heads, |size, keys| size * (2 * keys - 1)), 0],
    }
}

impl Inputs {
    /// Logits deviate by about 1.5, so that the softmax is neither flat nor one-hot.
    pub(crate) fn random(
        seed: u64,
        options: &WindowAttentionOptions,
        shape: impl Into<Ncthw>,
        element: Element,
    ) -> Self {
        let shape = shape.into();
        let mut random = Random::new(seed);
        let deviation = 1.2 / (f32::from(options.head_dim as u16).sqrt() * options.scale.abs().max(0.05)).sqrt();
        let mut numbers = |len: u64, factor: f32| -> Vec<f32> {
            let numbers: Vec<f32> = random.normal(len as usize).iter().map(|number| number * factor).collect();
            rounded(&numbers, element)
        };
        let len = shape.elements().unwrap();
        let values = Ncthw { channels: options.value_channels(), ..shape };
        let (q, k, v) = (numbers(len, deviation), numbers(len, deviation), numbers(values.elements().unwrap(), 1.0));
        let tables = table_sizes(options).map(|size| numbers(size.into(), if size == 0 { 0.0 } else { 0.5 }));
        Self { q, k, v, tables }
    }

    pub(crate) fn reference<T: num_traits::Float>(
        &self,
        options: &WindowAttentionOptions,
        shape: impl Into<Ncthw>,
    ) -> reference::WindowAttentionResult<T> {
        let cast = |values: &[f32]| -> Vec<T> { values.iter().map(|&value| T::from(value).unwrap()).collect() };
        let cast_tables = [0, 1, 2].map(|table| cast(&self.tables[table]));
        let tables = tables(options, [0, 1, 2].map(|table| cast_tables[table].as_slice()));
        reference::window_attention(shape, options, &cast(&self.q), &cast(&self.k), &cast(&self.v), tables)
    }
}

pub(crate) fn tables<T>(options: &WindowAttentionOptions, [frames, rows, columns]: [T; 3]) -> PositionTables<T> {
    let [along, down, across] = options.axes.map(|axis| axis.keys > 1);
    match options.relative {
        RelativePosition::None => PositionTables::None,
        RelativePosition::Bias => PositionTables::Bias(rows),
        _ => PositionTables::Axes {
            frames: along.then_some(frames),
            rows: down.then_some(rows),
            columns: across.then_some(columns),
        },
    }
}

fn run(
    gpu: &TestGpu,
    operator: &WindowAttention,
    shape: impl Into<Ncthw>,
    element: Element,
    inputs: &Inputs,
) -> Outputs {
    let (shape, options) = (shape.into(), operator.options());
    let [q, k, v] = [&inputs.q, &inputs.k, &inputs.v].map(|values| gpu.input(values, element));
    let buffers = [0, 1, 2].map(|table| gpu.input(&inputs.tables[table], element));
    let y_shape = options.output(shape);
    let y = gpu.output(y_shape.elements().unwrap() as usize, element.bytes());
    let log_sum_exp = gpu.output((y_shape.elements().unwrap() / u64::from(options.value_dim)) as usize, 4);
    let buffers = WindowAttentionBuffers {
        q: q.slice(..),
        k: k.slice(..),
        v: v.slice(..),
        tables: tables(options, [0, 1, 2].map(|table| buffers[table].slice(..))),
        y: y.slice(),
        log_sum_exp: Some(log_sum_exp.slice()),
    };
    gpu.recording(&operator.bind(&gpu.device, shape, buffers).unwrap());
    Outputs { y: gpu.floats(&y, element), log_sum_exp: gpu.words(&log_sum_exp) }
}

/// Weights of chosen queries.
fn weights(
    gpu: &TestGpu,
    operator: &WindowAttention,
    shape: impl Into<Ncthw>,
    element: Element,
    inputs: &Inputs,
    queries: &[QueryPosition],
) -> Vec<f32> {
    let options = operator.options();
    let [q, k] = [&inputs.q, &inputs.k].map(|values| gpu.input(values, element));
    let buffers = [0, 1, 2].map(|table| gpu.input(&inputs.tables[table], element));
    let len = queries.len() * options.heads as usize * options.keys() as usize;
    let weights = gpu.output(len, 4);
    let buffers = WindowWeightsBuffers {
        q: q.slice(..),
        k: k.slice(..),
        tables: tables(options, [0, 1, 2].map(|table| buffers[table].slice(..))),
        weights: weights.slice(),
    };
    gpu.recording(&operator.bind_weights(&gpu.device, shape, queries, buffers).unwrap());
    gpu.words(&weights)
}

fn check(gpu: &TestGpu, operator: &WindowAttention, shape: impl Into<Ncthw>, element: Element, seed: u64) {
    let (shape, options) = (shape.into(), operator.options());
    let inputs = Inputs::random(seed, options, shape, element);
    let exact = inputs.reference::<f64>(options, shape);
    let baseline = inputs.reference::<f32>(options, shape);
    let actual = run(gpu, operator, shape, element, &inputs);
    let what = format!("seed {seed} {element:?} {shape} {options:?}");
    let largest = inputs.v.iter().fold(0.0f64, |largest, &value| largest.max(f64::from(value).abs()));
    let room = softmax_room(options.keys(), largest);
    assert_within_tolerance_with_room(&actual.y, &exact.y, &baseline.y, element.into(), room, format!("y of {what}"));
    let (exact_lse, baseline_lse) = (&exact.log_sum_exp, &baseline.log_sum_exp);
    let room = log_sum_exp_room(options.keys());
    let lse = format!("log_sum_exp of {what}");
    assert_within_tolerance_with_room(&actual.log_sum_exp, exact_lse, baseline_lse, Precision::F32, room, lse);

    let out = options.output(shape);
    let mut random = Random::new(seed);
    let queries: Vec<QueryPosition> = (0..3)
        .map(|_| QueryPosition {
            image: random.below(shape.batch),
            frame: random.below(out.frames),
            row: random.below(out.height),
            column: random.below(out.width),
        })
        .collect();
    let actual = weights(gpu, operator, shape, element, &inputs, &queries);
    let entries = options.keys() as usize;
    let at = |query: &QueryPosition, head: u32| {
        let plane = (query.image * options.heads + head) * out.frames + query.frame;
        ((plane * out.height + query.row) * out.width + query.column) as usize
    };
    let chosen: Vec<usize> = queries
        .iter()
        .flat_map(|query| (0..options.heads).map(move |head| (query, head)))
        .map(|(q, h)| at(q, h))
        .collect();
    let exact_weights: Vec<f64> =
        chosen.iter().flat_map(|&row| exact.weights[row * entries..][..entries].to_vec()).collect();
    let baseline: Vec<f32> =
        chosen.iter().flat_map(|&row| baseline.weights[row * entries..][..entries].to_vec()).collect();
    let room = softmax_room(options.keys(), 1.0);
    let weights = format!("weights of {what}");
    assert_within_tolerance_with_room(&actual, &exact_weights, &baseline, Precision::F32, room, weights);
    for (row, &query) in actual.chunks(entries).zip(&chosen) {
        let sum: f64 = wide(row).iter().sum();
        // A query without keys has no weights.
        let expected = if exact.log_sum_exp[query] == f64::NEG_INFINITY { 0.0 } else { 1.0 };
        assert!((sum - expected).abs() < 1e-5, "weights of {what}: they sum to {sum}");
    }
}

/// Depths around every length of private array and chunk, windows up to 31 and larger than the image, one head per channel.
#[test]
fn corners_match_reference() {
    let Some(gpu) = common::gpu() else { return };
    let base = WindowAttentionOptions::new(1, 8, 3);
    let with = |heads, head_dim, k| WindowAttentionOptions::new(heads, head_dim, k);
    let plain = |heads, head_dim, k| with(heads, head_dim, k).with_relative(RelativePosition::None);
    let cases = [
        (Nchw::new(1, 2, 1, 1), with(1, 2, 7)),
        (Nchw::new(2, 6, 3, 2), with(1, 6, 31)),
        (Nchw::new(1, 8, 3, 5), with(1, 8, 31).with_border(Border::Mask)),
        (Nchw::new(1, 16, 6, 7), with(16, 1, 3).with_relative(RelativePosition::WholeChannel)),
        (Nchw::new(1, 17, 5, 9), plain(17, 1, 5)),
        (Nchw::new(1, 33, 9, 10), plain(1, 33, 3)),
        (Nchw::new(1, 31, 9, 10), plain(1, 31, 5)),
        (Nchw::new(1, 64, 9, 10), with(1, 64, 3)),
        (Nchw::new(2, 128, 6, 5), with(1, 128, 3)),
        (Nchw::new(1, 127, 6, 5), plain(1, 127, 3)),
        (Nchw::new(1, 128, 4, 3), plain(1, 128, 31)),
        (
            Nchw::new(1, 8, 31, 40),
            with(2, 4, 31).with_border(Border::Shift).with_relative(RelativePosition::Bias).with_scale_relative(false),
        ),
        // Heads that several invocations of a GPU have between them, some of which get none of the channels.
        (Nchw::new(1, 32, 9, 10), with(1, 32, 7)),
        (Nchw::new(1, 48, 5, 17), with(2, 24, 5).with_border(Border::Mask)),
        (Nchw::new(1, 96, 9, 9), with(2, 48, 3).with_relative(RelativePosition::WholeChannel)),
        (Nchw::new(2, 80, 8, 11), with(2, 40, 5).with_border(Border::Shift).with_relative(RelativePosition::Bias)),
        (Nchw::new(1, 64, 30, 9), plain(1, 64, 5).with_dilation(Size::new(3, 2)).with_stride(Size::new(2, 1))),
        (Nchw::new(1, 72, 9, 10), with(1, 72, 3)),
        (Nchw::new(1, 8, 1, 70), base.with_window(Size::new(1, 15))),
        (Nchw::new(1, 8, 70, 1), base.with_window(Size::new(15, 1))),
        (Nchw::new(1, 8, 40, 9), base.with_stride(Size::new(7, 2))),
        (Nchw::new(2, 8, 40, 9), base.with_stride(Size::new(2, 9))),
        (Nchw::new(1, 8, 40, 9), base.with_stride(Size::new(1_000_000, u32::MAX))),
        (Nchw::new(1, 8, 30, 9), base.with_stride(Size::new(6, 1)).with_dilation(Size::new(4, 2))),
    ];
    for (seed, (shape, options)) in (1000..).zip(cases) {
        let operator = WindowAttention::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
        check(gpu, &operator, shape, Element::F32, seed);
    }
}

#[test]
fn a_window_of_one_returns_the_values() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nchw::new(2, 12, 7, 9);
    for border in [Border::Zero, Border::Mask, Border::Shift] {
        let options = WindowAttentionOptions::new(3, 4, 1).with_border(border);
        let operator = WindowAttention::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
        let inputs = Inputs::random(1, &options, shape, Element::F32);
        let y = run(gpu, &operator, shape, Element::F32, &inputs).y;
        let room = softmax_room(1, 4.0);
        assert_within_tolerance_with_room(&y, &wide(&inputs.v), &inputs.v, Precision::F32, room, format!("{border:?}"));
    }
}

/// The same bits whether a batch fits one dispatch or not.
#[test]
fn a_split_changes_nothing() {
    if common::gpu().is_none() {
        return;
    }
    let shape = Nchw::new(5, 18, 19, 23);
    let options = WindowAttentionOptions::new(3, 6, 5).with_relative(RelativePosition::Bias);
    let inputs = Inputs::random(6, &options, shape, Element::F32);
    let run = |limits: &wgpu::Limits| -> (Vec<u32>, usize) {
        let gpu = Gpu::open_with(wgpu::Features::empty(), limits).unwrap();
        let operator = WindowAttention::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
        let [q, k, v, bias] =
            [&inputs.q, &inputs.k, &inputs.v, &inputs.tables[1]].map(|values| gpu.upload("input", values).unwrap());
        let y = gpu.buffer("y", shape.elements().unwrap() * 4).unwrap();
        let buffers = WindowAttentionBuffers {
            q: q.slice(..),
            k: k.slice(..),
            v: v.slice(..),
            tables: PositionTables::Bias(bias.slice(..)),
            y: y.slice(..),
            log_sum_exp: None,
        };
        let recording = operator.bind(&gpu.device, shape, buffers).unwrap();
        gpu.run(|pass| recording.record(pass)).unwrap();
        (gpu.read(y.slice(..)).unwrap(), recording.dispatches().len())
    };
    let (whole, one) = run(&wgpu::Limits::default());
    let (parts, several) = run(&wgpu::Limits {
        max_storage_buffer_binding_size: 32 << 10,
        max_compute_workgroups_per_dimension: 1,
        ..wgpu::Limits::default()
    });
    assert_eq!(one, 1);
    assert!(several > 15, "{several}");
    assert!(whole == parts);
}
