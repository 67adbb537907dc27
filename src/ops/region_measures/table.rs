//! From labels to the rows of a table.

use bytemuck::Zeroable;

use super::options::{RegionMeasuresOptions, RegionOrder};
use super::order::{Ranking, Ranks};
use super::walk::{
    REGION_MEASURES_CLEAR, REGION_MEASURES_PEAKS, REGION_MEASURES_SUMS, Walk, clear, kernel, linear_groups, walk_params,
};
use crate::kernel::shader::{NO_OR_YES, PLAIN, Shader, group, params, shader};
use crate::kernel::{Compiler, Dispatch, Kernel, Tensor, check, tensor};
use crate::{Error, Nhw};

/// Words of a row of the tally.
const TALLY: u64 = 16;

walk_params!(ExtentsParams { labels_base: u32, count_base: u32 } { row_stride: u32 });
params!(TableParams {
    origin: u32,
    count_base: u32,
    regions_base: u32,
    areas_base: u32,
    boxes_base: u32,
    centroids_base: u32,
    height: u32,
    width: u32,
    rows: u32,
    row_stride: u32,
    label_stride: u32,
    written: u32,
});
params!(ValuesParams {
    origin: u32,
    sums_base: u32,
    maxima_base: u32,
    positions_base: u32,
    width: u32,
    rows: u32,
    row_stride: u32,
    written: u32,
});

pub(crate) const REGION_MEASURES_EXTENTS: Shader = shader!(
    "region_measures_extents",
    ExtentsParams,
    PLAIN,
    &[group(&["RANKED"], NO_OR_YES)],
    [labels: Read, slots: Read, tally: Write, count: Write],
    ["region_walk"],
);

pub(crate) const REGION_MEASURES_TABLE: Shader = shader!(
    "region_measures_table",
    TableParams,
    PLAIN,
    // Only the attended region, whose rows are ranked, gives the whole image for a region that is missing.
    &[group(&["RANKED", "WHOLE"], &[&[0.0, 0.0], &[1.0, 0.0], &[1.0, 1.0]])],
    [tally: Read, order: Read, count: Read, regions: Write, areas: Write, boxes: Write, centroids: Write],
    [],
);

pub(crate) const REGION_MEASURES_VALUES: Shader = shader!(
    "region_measures_values",
    ValuesParams,
    PLAIN,
    &[],
    [tally: Read, sums: Write, maxima: Write, positions: Write],
    ["region_total", "region_key"],
);

/// The columns of the table that the caller wants.
#[derive(Clone, Copy, Default)]
pub(crate) struct Columns<'a> {
    pub(crate) regions: Option<wgpu::BufferSlice<'a>>,
    pub(crate) areas: Option<wgpu::BufferSlice<'a>>,
    pub(crate) boxes: Option<wgpu::BufferSlice<'a>>,
    pub(crate) centroids: Option<wgpu::BufferSlice<'a>>,
    pub(crate) sums: Option<wgpu::BufferSlice<'a>>,
    pub(crate) maxima: Option<wgpu::BufferSlice<'a>>,
    pub(crate) positions: Option<wgpu::BufferSlice<'a>>,
}

/// One bit for each slice that is given.
fn written(slices: &[Option<wgpu::BufferSlice<'_>>]) -> u32 {
    slices.iter().rev().fold(0, |bits, slice| bits << 1 | u32::from(slice.is_some()))
}

/// The kernels from labels to a table, for one operator.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    op: &'static str,
    options: RegionMeasuresOptions,
    clear: Kernel,
    ranking: Option<Ranking>,
    extents: Kernel,
    peaks: Kernel,
    sums: Kernel,
    table: Kernel,
    values: Kernel,
}

impl Table {
    /// `whole`: a row without a region has the whole image as its box.
    pub(crate) fn new(
        op: &'static str,
        compiler: Compiler<'_>,
        options: RegionMeasuresOptions,
        whole: bool,
    ) -> Result<Self, Error> {
        let ranked = ("RANKED", f64::from(u8::from(options.order != RegionOrder::Raster)));
        let of_table = [ranked, ("TABLE", 1.0)];
        // Kernels that read a map are compiled at first use.
        let with_map = |shader, constants: &[_]| kernel(op, compiler.at_first_use(), shader, 64, constants);
        Ok(Self {
            op,
            options,
            clear: kernel(op, compiler, &REGION_MEASURES_CLEAR, 256, &[])?,
            ranking: Ranking::new(op, compiler, options.order)?,
            extents: kernel(op, compiler, &REGION_MEASURES_EXTENTS, 64, &[ranked])?,
            peaks: with_map(&REGION_MEASURES_PEAKS, &of_table)?,
            sums: with_map(&REGION_MEASURES_SUMS, &of_table)?,
            table: {
                let constants = [ranked, ("WHOLE", f64::from(u8::from(whole)))];
                kernel(op, compiler, &REGION_MEASURES_TABLE, 64, &constants)?
            },
            values: with_map(&REGION_MEASURES_VALUES, &[])?,
        })
    }

    /// Rows of an image, rounded up to 256 bytes.
    fn row_stride(&self) -> u64 {
        u64::from(self.options.capacity).next_multiple_of(4)
    }

    pub(crate) fn image_bytes(&self, shape: Nhw) -> u64 {
        let ranking = Ranking::image_bytes(self.options.order, Walk::label_stride(shape));
        ranking.saturating_add(self.row_stride() * TALLY * 4)
    }

    /// Appends the dispatches from labels to columns. An order by area or by sum gives the ranks of the labels, too.
    #[expect(clippy::too_many_arguments, reason = "two inputs, two kinds of outputs, and where they go")]
    pub(crate) fn bind(
        &self,
        device: &wgpu::Device,
        shape: Nhw,
        labels: wgpu::BufferSlice<'_>,
        map: Option<wgpu::BufferSlice<'_>>,
        count: wgpu::BufferSlice<'_>,
        columns: &Columns<'_>,
        dispatches: &mut Vec<Dispatch>,
    ) -> Result<Option<Ranks>, Error> {
        let op = self.op;
        let batch = shape.batch;
        let walk = Walk::new(op, shape, labels, map)?;
        let (rows, stride) = (self.options.capacity, self.row_stride());
        check::to_u32(op, "words of a table", stride * TALLY)?;
        let (row_stride, label_stride) = (stride as u32, walk.label_stride as u32);
        let count = Tensor::divided(count, 1, 4);
        let tally = tensor::scratch(op, device, "tally", stride * TALLY * 4 * u64::from(batch))?;
        let tally = Tensor::divided(tally.slice(..), stride * TALLY, 4);
        dispatches.extend(clear(&self.clear, device, batch, count)?);
        dispatches.extend(clear(&self.clear, device, batch, tally)?);
        let ranking = self.ranking.as_ref();
        let ranks = ranking.map(|ranking| ranking.bind(device, &self.clear, walk, count, dispatches)).transpose()?;
        let walk = Walk { slots: ranks.as_ref().map(Ranks::slots), ..walk };
        let tensors = [walk.labels, walk.slots(), tally, count];
        dispatches.extend(self.extents.bind(device, batch, walk.groups(), &tensors, None, |_| ExtentsParams {
            slots_used: rows,
            row_stride,
            ..ExtentsParams::new(&walk)
        })?);
        let Columns { regions, areas, boxes, centroids, sums, maxima, positions } = *columns;
        let units = u64::from(rows);
        let column = |slice, words| Tensor::divided(slice, units * words, 4);
        let order = ranks.as_ref().map_or(Tensor::divided(None, walk.label_stride, 4), Ranks::order);
        let groups = linear_groups(rows, 64);
        let by_four = tally.by_lanes(4);
        let outputs = [column(regions, 1), column(areas, 1), column(boxes, 4), column(centroids, 2)];
        let tensors = [by_four, order, count, outputs[0], outputs[1], outputs[2], outputs[3]];
        dispatches.extend(self.table.bind(device, batch, groups, &tensors, None, |_| TableParams {
            height: shape.height,
            width: shape.width,
            rows,
            row_stride,
            label_stride,
            written: written(&[regions, areas, boxes, centroids]),
            ..Zeroable::zeroed()
        })?);
        let values = [sums, maxima, positions];
        if values.iter().any(Option::is_some) {
            walk.bind_sums(device, [&self.peaks, &self.sums], tally, rows, row_stride, dispatches)?;
            let tensors = [by_four, column(sums, 1), column(maxima, 1), column(positions, 2)];
            dispatches.extend(self.values.bind(device, batch, groups, &tensors, None, |_| ValuesParams {
                width: shape.width,
                rows,
                row_stride,
                written: written(&values),
                ..Zeroable::zeroed()
            })?);
        }
        Ok(ranks)
    }
}
