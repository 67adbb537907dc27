//! The attention weights of chosen queries.

use super::axis::extents;
use super::options::{OP, WindowAttentionOptions};
use super::relative::PositionTables;
use crate::kernel::shader::{INNER, Shader, THREE_CODES, Variant, group, params, shader};
use crate::kernel::{Build, Compiler, Kernel, Tensor, check, tensor};
use crate::{Element, Error, Ncthw, Recording, TensorSpec, cost};

/// Invocations of a workgroup.
const GROUP: u32 = 64;

params!(windows Params {
    origin: u32,
    weights_base: u32,
    queries_base: u32,
    heads: u32,
    head_dim: u32,
    frame_table_begin: u32,
    frame_table_end: u32,
    row_table_begin: u32,
    row_table_end: u32,
    column_table_begin: u32,
    column_table_end: u32,
    whole_channel: u32,
    by_offset: u32,
    scale: f32,
    relative_scale: f32,
});

pub(crate) const WINDOW_ATTENTION_WEIGHTS: Shader = shader!(
    "window_attention_weights",
    Params,
    INNER,
    &[group(&["RELATIVE"], THREE_CODES)],
    [q: Read, k: Read, frame_table: Read, row_table: Read, column_table: Read, queries: Read, weights: Write],
    ["window"],
);

/// Tensors of [`WindowAttention::bind_weights`](super::WindowAttention::bind_weights); each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct WindowWeightsBuffers<'a> {
    /// In: queries `[n, heads*d, t, h, w]`.
    pub q: wgpu::BufferSlice<'a>,
    /// In: keys `[n, heads*d, t, h, w]`.
    pub k: wgpu::BufferSlice<'a>,
    /// In: the tables of the options' relative term.
    pub tables: PositionTables<wgpu::BufferSlice<'a>>,
    /// Out: `[queries, heads, kt*kh*kw]` f32.
    pub weights: wgpu::BufferSlice<'a>,
}

/// A query: a position of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct QueryPosition {
    /// Index of the image or video, below `n`.
    pub image: u32,
    /// Frame of the output, below `to`: 0 for images.
    pub frame: u32,
    /// Row of the output, below `ho`.
    pub row: u32,
    /// Column of the output, below `wo`.
    pub column: u32,
}

/// The kernel, with what it was compiled for.
#[derive(Clone, Debug)]
pub(super) struct Weights {
    options: WindowAttentionOptions,
    element: Element,
    inner: Element,
    kernel: Kernel,
}

impl Weights {
    /// `relative` is the value of the kernel's override.
    pub(super) fn new(
        op: &'static str,
        compiler: Compiler<'_>,
        options: WindowAttentionOptions,
        relative: f64,
        [element, inner]: [Element; 2],
    ) -> Result<Self, Error> {
        let build = Build {
            op,
            shader: &WINDOW_ATTENTION_WEIGHTS,
            variant: Variant { inner, ..Variant::new(element, 1) },
            constants: &[("RELATIVE", relative)],
            workgroup: [GROUP, 1, 1],
            workgroup_bytes: GROUP * 4,
        };
        Ok(Self { options, element, inner, kernel: Kernel::new(compiler.at_first_use(), &build)? })
    }

    pub(super) fn tensors(&self, shape: Ncthw, queries: u32) -> Result<Vec<TensorSpec>, Error> {
        let options = &self.options;
        check::elements(OP, "q", shape)?;
        options.check_shape(OP, shape)?;
        let entries = check::to_u32(OP, "keys of a window", options.keys())?;
        let mut specs = Vec::from(["q", "k"].map(|name| TensorSpec::input(name, shape, self.inner)));
        specs.extend(options.table_specs(self.element));
        specs.push(TensorSpec::output("weights", [queries, options.heads, entries], Element::F32));
        Ok(specs)
    }

    pub(super) fn bind(
        &self,
        device: &wgpu::Device,
        shape: Ncthw,
        queries: &[QueryPosition],
        buffers: WindowWeightsBuffers<'_>,
    ) -> Result<Recording, Error> {
        let options = &self.options;
        let count = check::to_u32(OP, "queries", queries.len() as u64)?;
        let specs = self.tensors(shape, count)?;
        let tables = options.table_slices(OP, buffers.tables)?;
        let out = options.output(shape);
        for (parameter, given, end) in queries.iter().flat_map(|query| {
            [
                ("query.image", query.image, shape.batch),
                ("query.frame", query.frame, out.frames),
                ("query.row", query.row, out.height),
                ("query.column", query.column, out.width),
            ]
        }) {
            if given >= end {
                let needed = format!("below {end}");
                return Err(Error::InvalidParameter { op: OP, parameter, given: given.to_string(), needed });
            }
        }
        if queries.is_empty() {
            return Ok(Recording::default());
        }
        let elements = shape.elements().unwrap_or(u64::MAX);
        let unit = u64::from(options.heads) * options.keys();
        let mut given = vec![("q", Some(buffers.q)), ("k", Some(buffers.k)), ("weights", Some(buffers.weights))];
        given.extend(tables);
        check::slices(OP, device, &specs, &given)?;
        check::to_u32(OP, "elements of q", elements)?;
        let positions: Vec<[u32; 4]> =
            queries.iter().map(|query| [query.image, query.frame, query.row, query.column]).collect();
        let positions = tensor::filled(
            OP,
            device,
            "window_attention_weights queries",
            bytemuck::cast_slice(&positions),
            wgpu::BufferUsages::STORAGE,
        )?;
        let [frame, row, column] = options.table_tensors(tables, self.element);
        let [frame_table, row_table, column_table] = options.table_channels();
        let [along, down, across] = options.axes;
        let [frames, height, width] = extents(shape);
        let tensors = [
            Tensor::whole(buffers.q, elements, self.inner.bytes()),
            Tensor::whole(buffers.k, elements, self.inner.bytes()),
            frame,
            row,
            column,
            Tensor::divided(positions.slice(..), 4, 4),
            Tensor::divided(buffers.weights, unit, Element::F32.bytes()),
        ];
        // A factor for the relative term.
        let flops = cost::count(unit) * cost::count(4 * u64::from(options.head_dim));
        let dispatches =
            self.kernel.bind_costly(device, count, [options.heads, 1], flops, &tensors, None, |_| Params {
                heads: options.heads,
                head_dim: options.head_dim,
                frame_table_begin: frame_table[0],
                frame_table_end: frame_table[1],
                row_table_begin: row_table[0],
                row_table_end: row_table[1],
                column_table_begin: column_table[0],
                column_table_end: column_table[1],
                whole_channel: options.whole_channel().into(),
                by_offset: options.by_offset().into(),
                scale: options.scale,
                relative_scale: options.relative_scale(),
                ..Params::windows([along.for_kernel(frames), down.for_kernel(height), across.for_kernel(width)])
            })?;
        Ok(Recording::new(dispatches))
    }
}
