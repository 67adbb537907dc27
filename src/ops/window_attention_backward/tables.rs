//! The gradients of the position tables, from the sums that the walk over queries wrote.

use bytemuck::Zeroable;

use super::buffers::Tables;
use super::kernels::{GROUP, ProductParams, SumParams};
use super::plan::{Plan, Walked};
use crate::Error;
use crate::kernel::{Dispatch, Tensor, check, rounds, tensor};

/// Queries of a slice of a frame, about. One invocation adds up the queries of a slice.
const SLICE: u32 = 256;

/// Rows of partial sums: for each image and head, `slices` rows of `row` numbers.
pub(super) struct Partials {
    pub(super) buffer: wgpu::Buffer,
    pub(super) slices: u32,
    row: u32,
}

impl Partials {
    pub(super) fn new(plan: &Plan<'_>, device: &wgpu::Device, slices: u64, row: u64) -> Result<Self, Error> {
        let op = plan.core.op;
        let all = slices.saturating_mul(row).saturating_mul(u64::from(plan.planes));
        check::to_u32(op, "partial sums of a table", all)?;
        let buffer = tensor::scratch(op, device, "partial sums", all.saturating_mul(4))?;
        // Both are at most `all`.
        Ok(Self { buffer, slices: slices as u32, row: row as u32 })
    }

    pub(super) fn unit(&self) -> u64 {
        u64::from(self.slices) * u64::from(self.row)
    }
}

/// The gradients of the tables of the axes.
pub(super) fn table_gradients(
    plan: &Plan<'_>,
    walked: &Walked<'_>,
    marginals: &wgpu::Buffer,
    mut gradients: Tables<'_>,
) -> Result<Vec<Dispatch>, Error> {
    if plan.exchanged() {
        gradients.swap(1, 2);
    }
    let mut dispatches = Vec::new();
    for (axis, (_, gradient)) in (0..).zip(gradients) {
        if let Some(gradient) = gradient {
            dispatches.extend(axis_gradient(plan, walked, marginals, axis, gradient)?);
        }
    }
    Ok(dispatches)
}

fn axis_gradient(
    plan: &Plan<'_>,
    walked: &Walked<'_>,
    marginals: &wgpu::Buffer,
    axis: u32,
    gradient: wgpu::BufferSlice<'_>,
) -> Result<Vec<Dispatch>, Error> {
    let (options, g) = (&plan.core.options, &plan.geometry);
    let keys = options.kernel_axes()[axis as usize];
    let entries = if options.by_offset() { keys.offsets() } else { keys.keys };
    let slice_columns = g.out_width.min(SLICE);
    let slice_rows = (SLICE / slice_columns).min(g.out_height);
    let [row_slices, column_slices] = [g.out_height.div_ceil(slice_rows), g.out_width.div_ceil(slice_columns)];
    let slices = u64::from(plan.out_frames) * u64::from(row_slices) * u64::from(column_slices);
    let row = u64::from(options.head_dim) * u64::from(entries);
    let partials = Partials::new(plan, walked.device, slices, row)?;
    let (slices, row) = (partials.slices, partials.row);
    let tensors = [
        plan.queries(walked.buffers.q),
        plan.records(walked.records),
        plan.marginals(Some(marginals)),
        Tensor::divided(partials.buffer.slice(..), partials.unit(), 4),
    ];
    let [first, end] = [
        [g.frame_table_begin, g.frame_table_end],
        [g.row_table_begin, g.row_table_end],
        [g.column_table_begin, g.column_table_end],
    ][axis as usize];
    // Fewer than the partial sums.
    let tiles = slices * options.head_dim.div_ceil(4) * entries.div_ceil(4);
    let kernel = &plan.core.kernels.product;
    let groups = [tiles.div_ceil(GROUP), 1];
    let mut dispatches = kernel.bind(walked.device, plan.planes, groups, &tensors, None, |part| ProductParams {
        plane: part.units.start,
        heads: options.heads,
        head_dim: options.head_dim,
        table_begin: first,
        table_end: end,
        whole_channel: options.whole_channel().into(),
        fields: plan.fields,
        marginals: plan.fields - 2,
        axis,
        entries,
        by_offset: g.by_offset,
        slice_rows,
        slice_columns,
        row_slices,
        column_slices,
        slices,
        positions: g.channel_stride,
        out_positions: plan.out_positions,
        out_height: g.out_height,
        out_width: g.out_width,
        out_frame_stride: g.out_frame_stride,
        out_row_stride: g.out_row_stride,
        out_column_stride: g.out_column_stride,
        frame_stride: g.frame_stride,
        row_stride: g.row_stride,
        column_stride: g.column_stride,
        ..ProductParams::windows(g.axes())
    })?;
    let heads = if options.whole_channel() { options.heads } else { 1 };
    let params = SumParams {
        width: entries,
        first,
        head_rows: if options.whole_channel() { options.head_dim } else { u32::MAX },
        head_stride: slices * row,
        outer: plan.planes / heads,
        outer_stride: heads * slices * row,
        inner: slices,
        inner_stride: row,
        ..Zeroable::zeroed()
    };
    dispatches.extend(sum(plan, walked, &partials, plan.tables[axis as usize], params, gradient)?);
    Ok(dispatches)
}

pub(super) fn sum(
    plan: &Plan<'_>,
    walked: &Walked<'_>,
    partials: &Partials,
    elements: u32,
    params: SumParams,
    gradient: wgpu::BufferSlice<'_>,
) -> Result<Vec<Dispatch>, Error> {
    rounds::check(plan.core.op, rounds::nested(params.outer, params.inner))?;
    let tensors = [
        Tensor::whole(partials.buffer.slice(..), u64::from(plan.planes) * partials.unit(), 4),
        Tensor::whole(gradient, elements.into(), 4),
    ];
    let groups = [elements.div_ceil(GROUP), 1];
    plan.core.kernels.sum.bind(walked.device, 1, groups, &tensors, None, |_| SumParams { elements, ..params })
}
