//! The kernels of the stem's gradients between its projections and theirs.

use bytemuck::Zeroable;

use crate::cost::{Count, count};
use crate::kernel::check::signed;
use crate::kernel::rounds::{MAX_ROUNDS, summed};
use crate::kernel::shader::{ELEMENTS, Shader, Variant, params, shader};
use crate::kernel::{Build, Compiler, Dispatch, Kernel, Tensor, check, rounds as bounds, tensor};
use crate::ops::part_sum::{PartSum, Parts};
use crate::ops::sasa_stem::{Embeddings, SasaStemOptions};
use crate::{Element, Error, Nchw};

/// Queries of a workgroup on each axis.
const GROUP: u32 = 8;
/// Channels of one invocation, `CHUNK` in WGSL.
const CHUNK: u32 = 8;
/// Invocations of a workgroup that sums over a tile of queries, and most queries of each.
const LANES: u32 = 64;
const STEPS: u32 = 64;

params!(MeansParams {
    origin_x: u32,
    origin_y: u32,
    projected_base: u32,
    y_gradient_base: u32,
    statistics_base: u32,
    heads: u32,
    head_dim: u32,
    mixtures: u32,
    height: i32,
    width: i32,
    window_height: i32,
    window_width: i32,
    padding_height: i32,
    padding_width: i32,
    head_groups: u32,
    scale: f32,
});

pub(crate) const SASA_STEM_BACKWARD_MEANS: Shader = shader!(
    "sasa_stem_backward_means",
    MeansParams,
    ELEMENTS,
    &[],
    [projected: Read, mixture: Read, y_gradient: Read, statistics: Write],
    ["stem_score", "stem_values"],
);

params!(WalkParams {
    origin_x: u32,
    origin_y: u32,
    projected_base: u32,
    statistics_base: u32,
    y_gradient_base: u32,
    projected_gradient_base: u32,
    heads: u32,
    head_dim: u32,
    mixtures: u32,
    height: i32,
    width: i32,
    window_height: i32,
    window_width: i32,
    padding_height: i32,
    padding_width: i32,
    chunk_groups: u32,
    chunks: u32,
    scale: f32,
});

pub(crate) const SASA_STEM_BACKWARD: Shader = shader!(
    "sasa_stem_backward",
    WalkParams,
    ELEMENTS,
    &[],
    [projected: Read, mixture: Read, statistics: Read, y_gradient: Read, projected_gradient: Write],
    ["stem_score", "stem_values"],
);

params!(MixtureParams {
    origin_x: u32,
    origin_y: u32,
    projected_base: u32,
    statistics_base: u32,
    y_gradient_base: u32,
    parts_base: u32,
    heads: u32,
    head_dim: u32,
    mixtures: u32,
    height: i32,
    width: i32,
    window_height: i32,
    window_width: i32,
    padding_height: i32,
    padding_width: i32,
    steps: u32,
    tiles: u32,
    scale: f32,
});

pub(crate) const SASA_STEM_BACKWARD_MIXTURE: Shader = shader!(
    "sasa_stem_backward_mixture",
    MixtureParams,
    ELEMENTS,
    &[],
    [projected: Read, statistics: Read, y_gradient: Read, parts: Write],
    ["stem_score"],
);

params!(TablesParams {
    origin: u32,
    mixtures: u32,
    embeddings: u32,
    window_height: u32,
    window_width: u32,
    with_row_gradient: u32,
    with_column_gradient: u32,
    with_mix_gradient: u32,
});

pub(crate) const SASA_STEM_BACKWARD_TABLES: Shader = shader!(
    "sasa_stem_backward_tables",
    TablesParams,
    ELEMENTS,
    &[],
    [
        row: Read,
        column: Read,
        mix_table: Read,
        mixture: Read,
        mixture_gradient: Read,
        row_gradient: Write,
        column_gradient: Write,
        mix_gradient: Write,
    ],
    [],
);

/// Queries that one invocation sums over for the mixture: as many as keep the bound on rounds.
fn steps(options: &SasaStemOptions) -> u32 {
    let query = 2 * u64::from(options.head_dim) + 1;
    let fits = |steps: &u32| u64::from(*steps).saturating_mul(query) + 8 <= MAX_ROUNDS;
    (0..=STEPS.ilog2()).rev().map(|power| 1 << power).find(fits).unwrap_or(1)
}

/// Loop rounds of one invocation: of the kernels that loop over a window, and of those that loop over the mixture.
pub(super) fn rounds(options: &SasaStemOptions) -> [u64; 2] {
    let (head_dim, mixtures) = (u64::from(options.head_dim), u64::from(options.mixtures));
    let entries = options.window.pixels();
    let [height, width] = [options.window.height, options.window.width].map(u64::from);
    let value = head_dim.saturating_mul(1 + mixtures);
    // The logit once more, for the largest one of all.
    let means = entries.saturating_mul(2 * head_dim + 2 + value).saturating_add(2 * height);
    let walk = entries.saturating_mul(head_dim + 1 + value + u64::from(CHUNK)).saturating_add(height + 8);
    let mixture = u64::from(steps(options)).saturating_mul(2 * head_dim + 1) + 8;
    let line = height.max(width).saturating_mul(mixtures + 1).saturating_add(1);
    let tables = mixtures.saturating_mul(line).max(entries.saturating_mul(mixtures + 1).saturating_add(height));
    let embeddings = mixtures.saturating_mul(u64::from(options.embeddings) + 3);
    [means.max(walk).max(mixture), tables.max(embeddings)]
}

/// What the kernels need to know of a shape.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work {
    options: SasaStemOptions,
    extents: Embeddings,
    shape: Nchw,
    /// Elements of an image's projections, of its statistics, and of the mixture.
    pub(super) projected: u64,
    pub(super) statistics: u64,
    pub(super) weights: u64,
    steps: u32,
    tiles: u32,
}

impl Work {
    /// Workgroups along both axes of an image, `planes` times.
    fn groups(&self, op: &'static str, planes: u64) -> Result<[u32; 2], Error> {
        let rows = planes.saturating_mul(self.shape.height.div_ceil(GROUP).into());
        Ok([self.shape.width.div_ceil(GROUP), check::to_u32(op, "rows of workgroups", rows)?])
    }

    /// Operations of one image that takes `products` multiplications and additions for each channel, query and entry of the window.
    fn flops(&self, products: u64) -> Count {
        let channels = u64::from(self.options.channels()) * self.shape.size().pixels();
        count(2) * count(channels) * count(self.options.window.pixels()) * count(products)
    }
}

/// Projections, mixture, statistics and the gradient of the output.
pub(super) type Inputs<'a> = [wgpu::BufferSlice<'a>; 4];

/// The kernels, for one operator.
#[derive(Clone, Debug)]
pub(super) struct Walks {
    op: &'static str,
    means: Kernel,
    walk: Kernel,
    mixture: Kernel,
    tables: Kernel,
    part_sum: PartSum,
}

impl Walks {
    pub(super) fn new(op: &'static str, compiler: Compiler<'_>, element: Element) -> Result<Self, Error> {
        let kernel = |shader, workgroup, workgroup_bytes| {
            let variant = Variant::new(element, 1);
            Kernel::new(compiler, &Build { op, shader, variant, constants: &[], workgroup, workgroup_bytes })
        };
        Ok(Self {
            op,
            means: kernel(&SASA_STEM_BACKWARD_MEANS, [GROUP, GROUP, 1], 0)?,
            walk: kernel(&SASA_STEM_BACKWARD, [GROUP, GROUP, 1], 0)?,
            mixture: kernel(&SASA_STEM_BACKWARD_MIXTURE, [LANES, 1, 1], 4 * LANES)?,
            tables: kernel(&SASA_STEM_BACKWARD_TABLES, [64, 1, 1], 0)?,
            part_sum: PartSum::new(op, compiler)?,
        })
    }

    /// For an `x` of this shape, which was checked.
    pub(super) fn work(&self, options: &SasaStemOptions, shape: Nchw, element: Element) -> Result<Work, Error> {
        let pixels = shape.size().pixels();
        let projected = u64::from(options.projections().outputs).saturating_mul(pixels);
        check::to_u32(self.op, "elements of an image's projections", projected)?;
        let statistics = 3 * u64::from(options.heads) * pixels;
        check::to_u32(self.op, "elements of an image's statistics", statistics)?;
        let extents = options.extents(element);
        let steps = steps(options);
        let tiles = check::to_u32(self.op, "tiles of queries", pixels.div_ceil(u64::from(steps * LANES)))?;
        Ok(Work { options: *options, extents, shape, projected, statistics, weights: extents.weights(), steps, tiles })
    }

    fn tensors<'a>(&self, work: &Work, [projected, mixture, statistics, upstream]: Inputs<'a>) -> [Tensor<'a>; 4] {
        let output = u64::from(work.options.channels()) * work.shape.size().pixels();
        [
            Tensor::divided(projected, work.projected, 4),
            Tensor::whole(mixture, work.weights, 4),
            Tensor::divided(statistics, work.statistics, 4),
            Tensor::divided(upstream, output, work.extents.element.bytes()),
        ]
    }

    /// The softmax of each query, and the mean gradient of its weights.
    pub(super) fn bind_means(
        &self,
        device: &wgpu::Device,
        work: &Work,
        inputs: Inputs<'_>,
    ) -> Result<Vec<Dispatch>, Error> {
        let options = &work.options;
        let [projected, mixture, statistics, upstream] = self.tensors(work, inputs);
        let groups = work.groups(self.op, options.heads.into())?;
        let flops = work.flops(3 + u64::from(options.mixtures));
        let tensors = [projected, mixture, upstream, statistics];
        self.means.bind_costly(device, work.shape.batch, groups, flops, &tensors, None, |_| MeansParams {
            heads: options.heads,
            head_dim: options.head_dim,
            mixtures: options.mixtures,
            height: signed(work.shape.height),
            width: signed(work.shape.width),
            window_height: signed(options.window.height),
            window_width: signed(options.window.width),
            padding_height: signed(options.padding.height),
            padding_width: signed(options.padding.width),
            head_groups: work.shape.height.div_ceil(GROUP),
            scale: options.scale,
            ..Zeroable::zeroed()
        })
    }

    /// The gradients of queries, keys and values.
    pub(super) fn bind_walk(
        &self,
        device: &wgpu::Device,
        work: &Work,
        inputs: Inputs<'_>,
        gradient: wgpu::BufferSlice<'_>,
    ) -> Result<Vec<Dispatch>, Error> {
        let (options, mixtures) = (&work.options, u64::from(work.options.mixtures));
        let [projected, mixture, statistics, upstream] = self.tensors(work, inputs);
        let chunks = options.head_dim.div_ceil(CHUNK);
        let planes = (2 + mixtures).saturating_mul(u64::from(options.heads) * u64::from(chunks));
        let groups = work.groups(self.op, planes)?;
        let flops = work.flops((2 * (3 + mixtures) + 2 * mixtures).saturating_mul(chunks.into()));
        let tensors = [projected, mixture, statistics, upstream, Tensor::divided(gradient, work.projected, 4)];
        self.walk.bind_costly(device, work.shape.batch, groups, flops, &tensors, None, |_| WalkParams {
            heads: options.heads,
            head_dim: options.head_dim,
            mixtures: options.mixtures,
            height: signed(work.shape.height),
            width: signed(work.shape.width),
            window_height: signed(options.window.height),
            window_width: signed(options.window.width),
            padding_height: signed(options.padding.height),
            padding_width: signed(options.padding.width),
            chunk_groups: work.shape.height.div_ceil(GROUP),
            chunks,
            scale: options.scale,
            ..Zeroable::zeroed()
        })
    }

    /// The gradients of the embeddings that are wanted. `given` and `wanted` are those of rows, columns and mixtures.
    pub(super) fn bind_tables(
        &self,
        device: &wgpu::Device,
        work: &Work,
        inputs: Inputs<'_>,
        given: [wgpu::BufferSlice<'_>; 3],
        wanted: [Option<wgpu::BufferSlice<'_>>; 3],
    ) -> Result<Vec<Dispatch>, Error> {
        let (op, options, weights) = (self.op, &work.options, work.weights);
        let unit = u64::from(options.heads).saturating_mul(work.tiles.into());
        let parts = Parts::new(unit.saturating_mul(work.shape.batch.into()), weights);
        // Before the scratch is created.
        bounds::check(op, summed(parts.count))?;
        let bytes = parts.count.saturating_mul(weights).saturating_mul(4);
        let sums = tensor::scratch(op, device, "sums of tiles", bytes)?;
        let gradient = tensor::scratch(op, device, "gradient of the mixture", weights * 4)?;
        let mut dispatches = Vec::new();
        if parts.count > 0 {
            dispatches.extend(self.bind_mixture(device, work, inputs, sums.slice(..))?);
        }
        let filled = (parts.count > 0).then(|| sums.slice(..));
        dispatches.extend(self.part_sum.dispatches(device, parts, filled, gradient.slice(..))?);

        let (extents, [_, mixture, ..]) = (work.extents, inputs);
        let [row, column, mix] = extents.tables(given);
        let results = [options.window.height, options.window.width, options.mixtures].map(u64::from);
        let elements = u64::from(options.embeddings).saturating_mul(results.iter().sum());
        let [rows, columns, mixes] =
            [0, 1, 2].map(|index| Tensor::whole(wanted[index], u64::from(options.embeddings) * results[index], 4));
        let (mixture, gradient) = (Tensor::whole(mixture, weights, 4), Tensor::whole(gradient.slice(..), weights, 4));
        let tensors = [row, column, mix, mixture, gradient, rows, columns, mixes];
        let elements = check::to_u32(op, "elements of the embeddings", elements)?;
        let params = TablesParams {
            mixtures: options.mixtures,
            embeddings: options.embeddings,
            window_height: options.window.height,
            window_width: options.window.width,
            with_row_gradient: wanted[0].is_some().into(),
            with_column_gradient: wanted[1].is_some().into(),
            with_mix_gradient: wanted[2].is_some().into(),
            ..Zeroable::zeroed()
        };
        dispatches.extend(self.tables.bind(device, 1, [elements.div_ceil(64), 1], &tensors, None, |_| params)?);
        Ok(dispatches)
    }

    /// The gradient of the mixture, for each tile of queries.
    fn bind_mixture(
        &self,
        device: &wgpu::Device,
        work: &Work,
        inputs: Inputs<'_>,
        sums: wgpu::BufferSlice<'_>,
    ) -> Result<Vec<Dispatch>, Error> {
        let options = &work.options;
        let [projected, _, statistics, upstream] = self.tensors(work, inputs);
        let all = u64::from(options.heads).saturating_mul(work.weights);
        let groups = [work.tiles, check::to_u32(self.op, "entries of the mixture", all)?];
        let flops = work.flops(2 * u64::from(options.mixtures));
        let unit = all.saturating_mul(work.tiles.into());
        let tensors = [projected, statistics, upstream, Tensor::divided(sums, unit, 4)];
        self.mixture.bind_costly(device, work.shape.batch, groups, flops, &tensors, None, |_| MixtureParams {
            heads: options.heads,
            head_dim: options.head_dim,
            mixtures: options.mixtures,
            height: signed(work.shape.height),
            width: signed(work.shape.width),
            window_height: signed(options.window.height),
            window_width: signed(options.window.width),
            padding_height: signed(options.padding.height),
            padding_width: signed(options.padding.width),
            steps: work.steps,
            tiles: work.tiles,
            scale: options.scale,
            ..Zeroable::zeroed()
        })
    }
}
