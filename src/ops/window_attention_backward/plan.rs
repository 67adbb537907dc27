//! Sizes, strides and tensors that several kernels have in common, and the two walks.

use super::buffers::WindowAttentionBackwardBuffers;
use std::ops::Range;

use super::kernels::{GROUP, Kernels, KeyParams, PrepareParams, QueryParams};
use crate::cost::{Count, count};
use crate::kernel::tuning::{self, WalkTile};
use crate::kernel::{Dispatch, Grid, Tensor, check};
use crate::ops::window_attention::{
    Geometry, GeometryParams, QUERIES, RelativePosition, WindowAttentionOptions, head_elements,
};
use crate::{Element, Error, Ncthw};

/// The variants of the walks over queries and over keys.
pub(super) fn tiles(options: &WindowAttentionOptions, software: bool) -> [WalkTile; 2] {
    let [frames, rows, columns] = options.kernel_axes();
    let deepest = options.head_dim.max(options.value_dim);
    let steps = [frames.keys, rows.sharing().rows, columns.keys];
    let holders = [frames.holders(1), rows.holders(QUERIES), columns.holders(1)];
    [
        tuning::walk_tile(software, [deepest, options.head_dim], 1, steps),
        tuning::walk_tile(software, [deepest, deepest], 2, holders),
    ]
}

/// An operator with its kernels.
#[derive(Clone, Debug)]
pub(super) struct Core {
    pub(super) op: &'static str,
    pub(super) options: WindowAttentionOptions,
    pub(super) element: Element,
    pub(super) inner: Element,
    /// Of the walks over queries and over keys.
    pub(super) tiles: [WalkTile; 2],
    pub(super) kernels: Kernels,
}

/// What every dispatch of one `bind` needs.
pub(super) struct Walked<'a> {
    pub(super) device: &'a wgpu::Device,
    pub(super) buffers: &'a WindowAttentionBackwardBuffers<'a>,
    pub(super) tables: Option<&'a wgpu::Buffer>,
    pub(super) records: &'a wgpu::Buffer,
}

/// Some queries, and scratch for the gradients of their logits.
pub(super) struct Turn<'a> {
    pub(super) marginals: &'a wgpu::Buffer,
    /// Numbers of the scratch buffer that a turn uses at most.
    pub(super) elements: u64,
    /// Heads of images, frames of queries, and workgroups of a frame.
    pub(super) planes: Range<u32>,
    pub(super) frames: Range<u32>,
    pub(super) groups: Range<u32>,
    /// Frames of a head, invocations of a frame, and rows of offsets, as the scratch buffer has them.
    pub(super) most_frames: u32,
    pub(super) slots: u32,
    pub(super) cells: u32,
}

impl Turn<'_> {
    pub(super) fn tensor(&self) -> Tensor<'_> {
        Tensor::whole(self.marginals.slice(..), self.elements, 4)
    }

    fn grid(&self) -> Grid {
        Grid { units: self.planes.clone(), x: self.groups.clone(), y: self.frames.clone() }
    }
}

/// What a walk over queries is for.
#[derive(Clone, Copy)]
pub(super) enum Purpose<'a> {
    /// Only the part of `D` that needs no output.
    Delta,
    /// The gradient of the queries, and the sums for the gradients of the axes' tables.
    Gradients(Option<&'a wgpu::Buffer>),
    /// The gradients of the queries and of the logits of a turn, for the gradient of a bias table.
    Logits(&'a Turn<'a>),
}

/// All that follows from options and shape.
pub(super) struct Plan<'a> {
    pub(super) core: &'a Core,
    pub(super) shape: Ncthw,
    pub(super) geometry: GeometryParams,
    /// Heads of all images.
    pub(super) planes: u32,
    pub(super) out_positions: u32,
    pub(super) out_frames: u32,
    /// Numbers of a query's record.
    pub(super) fields: u32,
    /// Elements of the tables of frames, rows and columns, as the kernels take the axes. A bias table takes the place of the rows'.
    pub(super) tables: [u32; 3],
    /// Columns of four queries of a frame: invocations of the walk over queries.
    pub(super) lanes: u32,
}

impl<'a> Plan<'a> {
    /// For a shape that was checked.
    pub(super) fn new(core: &'a Core, shape: Ncthw) -> Result<Self, Error> {
        let (op, options) = (core.op, &core.options);
        let out = options.output(shape);
        let planes = check::to_u32(op, "heads of a batch", u64::from(shape.batch) * u64::from(options.heads))?;
        let deepest = options.head_dim.max(options.value_dim);
        check::to_u32(op, "elements of a head", head_elements(deepest, shape))?;
        let Geometry { params: geometry, lanes } = Geometry::new(options, shape, None);
        let axes = options.kernel_axes();
        let entries =
            if options.tables_of_axes() { axes.iter().fold(0, |sum: u64, axis| sum + u64::from(axis.keys)) } else { 0 };
        let fields = check::to_u32(op, "entries of the axes", 2 + entries)?;
        check::to_u32(op, "records of a head", head_elements(fields, out))?;
        let elements = |table: Option<&crate::TensorSpec>| {
            check::to_u32(op, "elements of a table", table.and_then(crate::TensorSpec::elements).unwrap_or(0))
        };
        let specs = options.table_specs(Element::F32);
        let of = |name| elements(specs.iter().find(|spec| spec.name == name));
        let mut tables = [of("tables.frames")?, of("tables.rows")?, of("tables.columns")?];
        if options.transposed() {
            tables.swap(1, 2);
        }
        if options.relative == RelativePosition::Bias {
            tables[1] = of("tables.bias")?;
        }
        Ok(Self {
            core,
            shape,
            geometry,
            planes,
            out_positions: geometry.out_channel_stride,
            out_frames: out.frames,
            fields,
            tables,
            lanes: check::to_u32(op, "invocations of a frame", lanes)?,
        })
    }

    fn options(&self) -> &WindowAttentionOptions {
        &self.core.options
    }

    /// Whether the kernels take the table of columns for that of rows.
    pub(super) fn exchanged(&self) -> bool {
        self.options().transposed() && self.options().tables_of_axes()
    }

    pub(super) fn strided(&self) -> bool {
        self.options().axes.iter().any(|axis| axis.stride > 1)
    }

    pub(super) fn head_elements(&self) -> u64 {
        head_elements(self.options().head_dim, self.shape)
    }

    pub(super) fn record_bytes(&self) -> u64 {
        u64::from(self.planes).saturating_mul(self.record_elements()).saturating_mul(4)
    }

    fn record_elements(&self) -> u64 {
        u64::from(self.fields) * u64::from(self.out_positions)
    }

    /// Sums of one head of one image for the gradients of the axes' tables.
    pub(super) fn marginal_elements(&self) -> u64 {
        u64::from(self.fields - 2) * u64::from(self.out_positions)
    }

    pub(super) fn marginal_bytes(&self, op: &'static str) -> Result<u64, Error> {
        check::to_u32(op, "sums of a head", self.marginal_elements())?;
        Ok(u64::from(self.planes).saturating_mul(self.marginal_elements()).saturating_mul(4))
    }

    /// A tensor of queries or keys.
    pub(super) fn queries<'b>(&self, slice: impl Into<Option<wgpu::BufferSlice<'b>>>) -> Tensor<'b> {
        Tensor::divided(slice, self.head_elements(), self.core.inner.bytes())
    }

    fn values<'b>(&self, slice: impl Into<Option<wgpu::BufferSlice<'b>>>) -> Tensor<'b> {
        let elements = head_elements(self.options().value_dim, self.shape);
        Tensor::divided(slice, elements, self.core.inner.bytes())
    }

    pub(super) fn outputs<'b>(&self, slice: impl Into<Option<wgpu::BufferSlice<'b>>>) -> Tensor<'b> {
        let elements = u64::from(self.options().value_dim) * u64::from(self.out_positions);
        Tensor::divided(slice, elements, self.core.element.bytes())
    }

    pub(super) fn statistics<'b>(&self, slice: impl Into<Option<wgpu::BufferSlice<'b>>>) -> Tensor<'b> {
        Tensor::divided(slice, self.out_positions.into(), Element::F32.bytes())
    }

    pub(super) fn records<'b>(&self, buffer: &'b wgpu::Buffer) -> Tensor<'b> {
        Tensor::divided(buffer.slice(..), self.record_elements(), Element::F32.bytes())
    }

    pub(super) fn marginals<'b>(&self, buffer: Option<&'b wgpu::Buffer>) -> Tensor<'b> {
        Tensor::divided(buffer.map(|buffer| buffer.slice(..)), self.marginal_elements(), Element::F32.bytes())
    }

    pub(super) fn tables<'b>(&self, buffer: Option<&'b wgpu::Buffer>) -> Tensor<'b> {
        let elements = self.tables.iter().map(|&elements| u64::from(elements)).sum();
        Tensor::whole(buffer.map(|buffer| buffer.slice(..)), elements, Element::F32.bytes())
    }

    /// Operations of one head of one image, for `products` numbers multiplied for each query and key, for `groups` workgroups.
    fn flops(&self, groups: u32, products: u64) -> Count {
        let queries = u64::from(groups) * u64::from(GROUP * QUERIES);
        count(queries.min(self.out_positions.into())) * count(self.options().keys()) * count(2) * count(products)
    }

    pub(super) fn prepare(&self) -> PrepareParams {
        let g = &self.geometry;
        PrepareParams {
            heads: g.heads,
            head_dim: g.head_dim,
            value_dim: g.value_dim,
            fields: self.fields,
            positions: g.channel_stride,
            out_positions: self.out_positions,
            out_frame_stride: g.out_frame_stride,
            out_line: g.out_row_stride.max(g.out_column_stride),
            frame_stride: g.frame_stride,
            row_stride: g.row_stride,
            column_stride: g.column_stride,
            along_rows: g.along_rows,
            frame_table_begin: g.frame_table_begin,
            frame_table_end: g.frame_table_end,
            row_table_begin: g.row_table_begin,
            row_table_end: g.row_table_end,
            column_table_begin: g.column_table_begin,
            column_table_end: g.column_table_end,
            row_table_first: self.tables[0],
            column_table_first: self.tables[0] + self.tables[1],
            whole_channel: g.whole_channel,
            by_offset: g.by_offset,
            ..PrepareParams::windows(g.axes())
        }
    }

    fn query(&self) -> QueryParams {
        let g = &self.geometry;
        QueryParams {
            heads: g.heads,
            head_dim: g.head_dim,
            value_dim: g.value_dim,
            fields: self.fields,
            channel_stride: g.channel_stride,
            frame_stride: g.frame_stride,
            row_stride: g.row_stride,
            column_stride: g.column_stride,
            out_height: g.out_height,
            out_width: g.out_width,
            out_channel_stride: g.out_channel_stride,
            out_frame_stride: g.out_frame_stride,
            out_row_stride: g.out_row_stride,
            out_column_stride: g.out_column_stride,
            query_step: g.query_step,
            row_steps: g.union_rows,
            classes: g.classes,
            tiles: g.tiles,
            group_queries: g.group_queries,
            group_tiles: g.group_tiles,
            group_lead: g.group_lead,
            along_rows: g.along_rows,
            frame_table_begin: g.frame_table_begin,
            frame_table_end: g.frame_table_end,
            row_table_begin: g.row_table_begin,
            row_table_end: g.row_table_end,
            column_table_begin: g.column_table_begin,
            column_table_end: g.column_table_end,
            row_table_first: self.tables[0],
            column_table_first: self.tables[0] + self.tables[1],
            whole_channel: g.whole_channel,
            by_offset: g.by_offset,
            scale: g.scale,
            relative_scale: g.relative_scale,
            ..QueryParams::windows(g.axes())
        }
    }

    pub(super) fn walk_queries(&self, walked: &Walked<'_>, purpose: Purpose<'_>) -> Result<Vec<Dispatch>, Error> {
        let (buffers, options) = (walked.buffers, self.options());
        let all = || Grid { units: 0..self.planes, x: 0..self.lanes.div_ceil(GROUP), y: 0..self.out_frames };
        let (q_gradient, marginals, grid) = match purpose {
            Purpose::Delta => (None, self.marginals(None), all()),
            Purpose::Gradients(marginals) => (buffers.q_gradient, self.marginals(marginals), all()),
            Purpose::Logits(turn) => (buffers.q_gradient, turn.tensor(), turn.grid()),
        };
        let tensors = [
            self.queries(buffers.q),
            self.queries(buffers.k),
            self.values(buffers.v),
            self.outputs(buffers.y_gradient),
            self.tables(walked.tables),
            self.records(walked.records),
            self.queries(q_gradient),
            marginals,
        ];
        let chunks = if q_gradient.is_some() { options.head_dim.div_ceil(self.core.tiles[0].length) } else { 1 };
        check::to_u32(self.core.op, "chunks of all frames", u64::from(chunks) * u64::from(self.out_frames))?;
        let groups = (grid.x.len() as u32).saturating_mul(grid.y.len() as u32);
        let products = u64::from(chunks) * (u64::from(options.head_dim) + u64::from(options.value_dim));
        let flops = self.flops(groups, products + u64::from(options.head_dim));
        let params = match purpose {
            Purpose::Logits(turn) => QueryParams {
                cells: turn.cells,
                turn_slots: turn.slots,
                turn_frames: turn.most_frames,
                first_slot: turn.groups.start * GROUP,
                first_frame: turn.frames.start,
                ..self.query()
            },
            Purpose::Delta | Purpose::Gradients(_) => self.query(),
        };
        let grid = Grid { y: grid.y.start * chunks..grid.y.end * chunks, ..grid };
        let kernel = &self.core.kernels.query;
        kernel.bind_grid(walked.device, &grid, flops, &tensors, None, |part| QueryParams {
            with_delta: matches!(purpose, Purpose::Delta).into(),
            with_q_gradient: q_gradient.is_some().into(),
            with_marginals: marginals.slice.is_some().into(),
            plane: part.units.start,
            turn_planes: part.units.start - grid.units.start,
            chunks,
            ..params
        })
    }

    pub(super) fn walk_keys(&self, walked: &Walked<'_>) -> Result<Vec<Dispatch>, Error> {
        let (buffers, options) = (walked.buffers, self.options());
        let tensors = [
            self.queries(buffers.q),
            self.queries(buffers.k),
            self.values(buffers.v),
            self.outputs(buffers.y_gradient),
            self.tables(walked.tables),
            self.records(walked.records),
            self.queries(buffers.k_gradient),
            self.values(buffers.v_gradient),
        ];
        let g = &self.geometry;
        let [frames, rows, columns] = g.axes();
        let classes = rows.dilation.min(rows.extent);
        let tiles = ((rows.extent + classes - 1) / classes).unsigned_abs().div_ceil(QUERIES);
        let (classes, columns) = (classes.unsigned_abs(), columns.extent.unsigned_abs());
        let lanes = u64::from(classes) * u64::from(tiles) * u64::from(columns);
        let lanes = check::to_u32(self.core.op, "invocations of a frame", lanes)?;
        let channels = if buffers.k_gradient.is_none() {
            options.value_dim
        } else if buffers.v_gradient.is_none() {
            options.head_dim
        } else {
            options.head_dim.max(options.value_dim)
        };
        let chunks = channels.div_ceil(self.core.tiles[1].length);
        let of_frames = u64::from(chunks) * u64::from(frames.extent.unsigned_abs());
        let of_frames = check::to_u32(self.core.op, "chunks of all frames", of_frames)?;
        let both = u64::from(options.head_dim) + u64::from(options.value_dim);
        let flops = self.flops(u32::MAX, (u64::from(chunks) + 1) * both);
        let groups = [lanes.div_ceil(GROUP), of_frames];
        self.core.kernels.key.bind_costly(walked.device, self.planes, groups, flops, &tensors, None, |part| KeyParams {
            with_k_gradient: buffers.k_gradient.is_some().into(),
            with_v_gradient: buffers.v_gradient.is_some().into(),
            plane: part.units.start,
            heads: g.heads,
            head_dim: g.head_dim,
            value_dim: g.value_dim,
            chunks,
            fields: self.fields,
            channel_stride: g.channel_stride,
            frame_stride: g.frame_stride,
            row_stride: g.row_stride,
            column_stride: g.column_stride,
            out_channel_stride: g.out_channel_stride,
            out_frame_stride: g.out_frame_stride,
            out_row_stride: g.out_row_stride,
            out_column_stride: g.out_column_stride,
            classes,
            tiles,
            along_rows: g.along_rows,
            scale: g.scale,
            relative_scale: g.relative_scale,
            ..KeyParams::windows(g.axes())
        })
    }
}
