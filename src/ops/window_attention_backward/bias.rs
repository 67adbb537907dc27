//! The gradient of a bias table.
//!
//! The walk over queries writes the gradients of the logits, and a kernel adds up those of each offset. Both take some queries at a time, a
//! turn, and all turns share one scratch buffer. A slice of the queries is added up together. Its length depends on the shape alone, so
//! the turns, which depend on the device's limits, do not change the bits.

use super::kernels::{BiasParams, GROUP, SumParams};
use super::plan::{Plan, Purpose, Turn, Walked};
use super::tables::{Partials, sum};
use crate::Error;
use crate::cost::count;
use crate::kernel::divide::ranges;
use crate::kernel::{Dispatch, Grid, Tensor, check, tensor};
use crate::ops::window_attention::QUERIES;

/// Bytes of the gradients of a turn's logits, at most. One slice of one head may need more.
const MOST_SCRATCH: u64 = 32 << 20;
/// Slices of a frame, at most. One invocation adds up a slice for one entry of the table.
const MOST_SLICES: u32 = 8;

/// How the queries are divided into slices and turns.
struct Turns {
    slice_slots: u32,
    /// Slices of a frame.
    slices: u32,
    /// Rows of offsets.
    cells: u32,
    /// Heads, frames, and slices of a frame, of one turn.
    together: [u32; 3],
    /// Numbers of the scratch buffer.
    elements: u64,
}

impl Turns {
    fn new(plan: &Plan<'_>, limits: &wgpu::Limits) -> Self {
        let [frames, rows, columns] = plan.core.options.kernel_axes();
        let block = 4 * plan.core.tiles[0].blocks;
        let sharing = rows.sharing();
        // The walk writes whole blocks of keys. A key has other offsets from the first query than from the last of four.
        let keys = sharing.rows.div_ceil(block).saturating_mul(block);
        let cells = keys.saturating_add(sharing.step.saturating_mul(QUERIES - 1));
        let numbers = |extents: &[u32]| extents.iter().fold(1, |all: u64, &extent| all.saturating_mul(extent.into()));
        let group = numbers(&[frames.keys, cells, columns.keys, GROUP, QUERIES]);
        let groups = plan.lanes.div_ceil(GROUP);
        let fit = |most: u64, numbers: u64| u32::try_from((most / 4 / numbers).max(1)).unwrap_or(u32::MAX);
        let slice_groups = groups.div_ceil(MOST_SLICES).min(fit(MOST_SCRATCH, group));
        let slices = groups.div_ceil(slice_groups);

        let most = MOST_SCRATCH.min(limits.max_storage_buffer_binding_size);
        let slice = group.saturating_mul(slice_groups.into());
        let slices_together = fit(most, slice).min(slices);
        let frame = slice.saturating_mul(slices_together.into());
        let frames_together = if slices_together == slices { fit(most, frame).min(plan.out_frames) } else { 1 };
        let plane = frame.saturating_mul(frames_together.into());
        let whole = slices_together == slices && frames_together == plan.out_frames;
        let planes_together = if whole { fit(most, plane).min(plan.planes) } else { 1 };
        Self {
            slice_slots: slice_groups * GROUP,
            slices,
            cells,
            together: [planes_together, frames_together, slices_together],
            elements: plane.saturating_mul(planes_together.into()),
        }
    }
}

/// The gradient of the table, and that of the queries if it is wanted.
pub(super) fn walk_queries(
    plan: &Plan<'_>,
    walked: &Walked<'_>,
    gradient: wgpu::BufferSlice<'_>,
) -> Result<Vec<Dispatch>, Error> {
    let (op, options, device) = (plan.core.op, &plan.core.options, walked.device);
    let turns = Turns::new(plan, &device.limits());
    check::to_u32(op, "gradients of logits", turns.elements)?;
    let marginals = tensor::scratch(op, device, "marginals", turns.elements.saturating_mul(4))?;
    let entries = plan.tables[1] / options.heads;
    let slices = u64::from(plan.out_frames) * u64::from(turns.slices);
    let partials = Partials::new(plan, device, slices, entries.into())?;

    let [planes_together, frames_together, slices_together] = turns.together;
    let slice_groups = turns.slice_slots / GROUP;
    let mut dispatches = Vec::new();
    for planes in ranges(plan.planes, planes_together) {
        for frames in ranges(plan.out_frames, frames_together) {
            for groups in ranges(plan.lanes.div_ceil(GROUP), slices_together * slice_groups) {
                let turn = Turn {
                    marginals: &marginals,
                    elements: turns.elements,
                    planes: planes.clone(),
                    frames: frames.clone(),
                    groups,
                    most_frames: frames_together,
                    slots: slices_together * turns.slice_slots,
                    cells: turns.cells,
                };
                dispatches.extend(plan.walk_queries(walked, Purpose::Logits(&turn))?);
                dispatches.extend(add_up(plan, walked, &turns, &turn, &partials)?);
            }
        }
    }
    let slices = partials.slices;
    let params = SumParams {
        width: entries,
        head_rows: 1,
        head_stride: slices * entries,
        outer: plan.shape.batch,
        outer_stride: options.heads * slices * entries,
        inner: slices,
        inner_stride: entries,
        ..bytemuck::Zeroable::zeroed()
    };
    dispatches.extend(sum(plan, walked, &partials, plan.tables[1], params, gradient)?);
    Ok(dispatches)
}

/// The partial sums of a turn.
fn add_up(
    plan: &Plan<'_>,
    walked: &Walked<'_>,
    turns: &Turns,
    turn: &Turn<'_>,
    partials: &Partials,
) -> Result<Vec<Dispatch>, Error> {
    let (options, g) = (&plan.core.options, &plan.geometry);
    let [_, row_entries, column_entries] = options.kernel_axes().map(|axis| axis.offsets());
    let entries = plan.tables[1] / options.heads;
    let turn_slices = (turn.groups.len() as u32).div_ceil(turns.slice_slots / GROUP);
    let tensors = [turn.tensor().by_lanes(4), Tensor::divided(partials.buffer.slice(..), partials.unit(), 4)];
    let y = turn.frames.len() as u32 * turn_slices;
    let grid = Grid { units: turn.planes.clone(), x: 0..entries.div_ceil(GROUP), y: 0..y };
    plan.core.kernels.bias.bind_grid(walked.device, &grid, count(0), &tensors, None, |part| BiasParams {
        entries,
        row_entries,
        column_entries,
        cells: turns.cells,
        first_slot: turn.groups.start * GROUP,
        turn_slots: turn.slots,
        first_frame: turn.frames.start,
        turn_frames: turn.most_frames,
        turn_planes: part.units.start - turn.planes.start,
        slots: plan.lanes,
        slice_slots: turns.slice_slots,
        turn_slices,
        slices: turns.slices,
        out_frames: plan.out_frames,
        out_height: g.out_height,
        out_width: g.out_width,
        query_step: g.query_step,
        classes: g.classes,
        tiles: g.tiles,
        group_queries: g.group_queries,
        group_tiles: g.group_tiles,
        group_lead: g.group_lead,
        along_rows: g.along_rows,
        ..BiasParams::windows(g.axes())
    })
}
