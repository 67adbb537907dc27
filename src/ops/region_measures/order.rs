//! The order of rows: by area or by sum, from labels to the row of every label.

use bytemuck::Zeroable;

use super::options::RegionOrder;
use super::walk::{REGION_MEASURES_PEAKS, REGION_MEASURES_SUMS, Walk, clear, kernel, linear_groups, walk_params};
use crate::Error;
use crate::kernel::shader::{NO_OR_YES, PLAIN, Shader, group, params, shader};
use crate::kernel::{Compiler, Dispatch, Kernel, Tensor, tensor};

walk_params!(AreasParams { labels_base: u32, count_base: u32 } {});
params!(KeysParams { origin: u32, labels: u32, label_stride: u32 });
params!(MergeParams { origin: u32, count_base: u32, level: u32, label_stride: u32, stride: u32 });
params!(SlotsParams { origin: u32, count_base: u32, label_stride: u32, stride: u32 });

/// Invocations of a workgroup that ranks labels, the workgroups that are enough for most images, and the most labels of an invocation. Few
/// images have a label for each pixel, so an invocation takes several labels rather than find that there is none.
const RANK_GROUP: u32 = 256;
const RANK_GROUPS: u32 = 256;
const MOST_LABELS: u32 = 512;

pub(crate) const REGION_MEASURES_AREAS: Shader = shader!(
    "region_measures_areas",
    AreasParams,
    PLAIN,
    &[],
    [labels: Read, areas: Write, count: Write],
    ["region_walk"],
);

pub(crate) const REGION_MEASURES_KEYS: Shader = shader!(
    "region_measures_keys",
    KeysParams,
    PLAIN,
    &[],
    [tally: Read, areas: Write],
    ["region_total", "region_key"],
);

pub(crate) const REGION_MEASURES_MERGE: Shader = shader!(
    "region_measures_merge",
    MergeParams,
    PLAIN,
    &[group(&["FIRST"], NO_OR_YES)],
    [keys: Read, count: Read, before: Read, after: Write],
    [],
);

pub(crate) const REGION_MEASURES_SLOTS: Shader = shader!(
    "region_measures_slots",
    SlotsParams,
    PLAIN,
    &[],
    [order: Read, count: Read, slots: Write],
    [],
);

/// A buffer of one word for each label.
fn by_label(buffer: &wgpu::Buffer, stride: u64) -> Tensor<'_> {
    Tensor::divided(buffer.slice(..), stride, 4)
}

/// The kernels that rank the labels of an image.
#[derive(Clone, Debug)]
pub(super) struct Ranking {
    op: &'static str,
    areas: Kernel,
    /// Magnitudes, sums and keys, where the order is that of the sums.
    by_sum: Option<[Kernel; 3]>,
    first_merge: Kernel,
    merge: Kernel,
    slots: Kernel,
}

/// The labels in the order of rows, and the row of each label, both from 0.
pub(crate) struct Ranks {
    order: wgpu::Buffer,
    slots: wgpu::Buffer,
    label_stride: u64,
}

impl Ranks {
    /// Words of an image, of both.
    pub(crate) fn label_stride(&self) -> u32 {
        // The ranking has checked that it fits.
        self.label_stride as u32
    }

    pub(crate) fn order(&self) -> Tensor<'_> {
        by_label(&self.order, self.label_stride)
    }

    pub(crate) fn slots(&self) -> Tensor<'_> {
        by_label(&self.slots, self.label_stride)
    }
}

impl Ranking {
    /// `None` in raster order, where labels are ranks.
    pub(super) fn new(op: &'static str, compiler: Compiler<'_>, order: RegionOrder) -> Result<Option<Self>, Error> {
        let of = |shader, group, constants: &[_]| kernel(op, compiler, shader, group, constants);
        let by_label = [("RANKED", 0.0), ("TABLE", 0.0)];
        let by_sum = match order {
            RegionOrder::Raster => return Ok(None),
            RegionOrder::Area => None,
            RegionOrder::Sum => Some([
                of(&REGION_MEASURES_PEAKS, 64, &by_label)?,
                of(&REGION_MEASURES_SUMS, 64, &by_label)?,
                of(&REGION_MEASURES_KEYS, 256, &[])?,
            ]),
        };
        Ok(Some(Self {
            op,
            areas: of(&REGION_MEASURES_AREAS, 64, &[])?,
            by_sum,
            first_merge: of(&REGION_MEASURES_MERGE, 256, &[("FIRST", 1.0)])?,
            merge: of(&REGION_MEASURES_MERGE, 256, &[("FIRST", 0.0)])?,
            slots: of(&REGION_MEASURES_SLOTS, 256, &[])?,
        }))
    }

    /// Bytes of scratch of an image: areas, two orders, and with sums four words of each label.
    pub(super) fn image_bytes(order: RegionOrder, label_stride: u64) -> u64 {
        let words: u64 = match order {
            RegionOrder::Raster => 0,
            RegionOrder::Area => 3,
            RegionOrder::Sum => 7,
        };
        words.saturating_mul(4).saturating_mul(label_stride)
    }

    /// Appends the dispatches from labels to ranks. `count` starts at 0, and holds the largest label afterwards.
    pub(super) fn bind(
        &self,
        device: &wgpu::Device,
        clearing: &Kernel,
        walk: Walk<'_>,
        count: Tensor<'_>,
        dispatches: &mut Vec<Dispatch>,
    ) -> Result<Ranks, Error> {
        let batch = walk.shape.batch;
        let words = walk.label_stride;
        // Fits, as the pixels of an image do: see `Walk::new`.
        let (labels, label_stride) = (walk.pixels(), words as u32);
        let scratch = |label, each: u64| tensor::scratch(self.op, device, label, each * words * 4 * u64::from(batch));
        let areas = scratch("areas", 1)?;
        dispatches.extend(clear(clearing, device, batch, by_label(&areas, words))?);
        let tensors = [walk.labels, by_label(&areas, words), count];
        let slots_used = labels;
        dispatches.extend(self.areas.bind(device, batch, walk.groups(), &tensors, None, |_| AreasParams {
            slots_used,
            ..AreasParams::new(&walk)
        })?);
        let groups = linear_groups(labels, 256);
        if let Some([peaks, sums, keys]) = &self.by_sum {
            let tally = scratch("tally of labels", 4)?;
            let of_labels = Tensor::divided(tally.slice(..), 4 * words, 4);
            dispatches.extend(clear(clearing, device, batch, of_labels)?);
            let walk = Walk { slots: None, ..walk };
            walk.bind_sums(device, [peaks, sums], of_labels, labels, label_stride, dispatches)?;
            let tensors = [of_labels.by_lanes(4), by_label(&areas, words)];
            dispatches.extend(keys.bind(device, batch, groups, &tensors, None, |_| KeysParams {
                labels,
                label_stride,
                ..Zeroable::zeroed()
            })?);
        }
        let rank_groups = labels.div_ceil(RANK_GROUP);
        let rank_groups = rank_groups.min(RANK_GROUPS.max(rank_groups.div_ceil(MOST_LABELS)));
        let (ranks, stride) = ([rank_groups, 1], rank_groups * RANK_GROUP);
        // Runs of 1 label, then of 2, until one run holds all labels that an image can have.
        let (mut before, mut after) = (scratch("order", 1)?, scratch("other order", 1)?);
        let levels = labels.next_power_of_two().trailing_zeros().max(1);
        for level in 0..levels {
            std::mem::swap(&mut before, &mut after);
            let kernel = if level == 0 { &self.first_merge } else { &self.merge };
            let source = Tensor { slice: (level > 0).then_some(before.slice(..)), ..by_label(&before, words) };
            let tensors = [by_label(&areas, words), count, source, by_label(&after, words)];
            dispatches.extend(kernel.bind(device, batch, ranks, &tensors, None, |_| MergeParams {
                level,
                label_stride,
                stride,
                ..Zeroable::zeroed()
            })?);
        }
        let tensors = [by_label(&after, words), count, by_label(&before, words)];
        dispatches.extend(self.slots.bind(device, batch, ranks, &tensors, None, |_| SlotsParams {
            label_stride,
            stride,
            ..Zeroable::zeroed()
        })?);
        Ok(Ranks { order: after, slots: before, label_stride: words })
    }
}
