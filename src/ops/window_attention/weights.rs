//! The attention weights of chosen queries.

use bytemuck::Zeroable;

use super::options::{OP, PositionTables, WindowAttentionOptions};
use crate::kernel::check::signed;
use crate::kernel::shader::{INNER, Shader, THREE_CODES, Variant, group, params, shader};
use crate::kernel::{Build, Compiler, Kernel, Tensor, check, tensor};
use crate::{Element, Error, Nchw, Recording, TensorSpec};

/// Invocations of a workgroup.
const GROUP: u32 = 64;

params!(Params {
    origin: u32,
    weights_base: u32,
    queries_base: u32,
    heads: u32,
    head_dim: u32,
    height: i32,
    width: i32,
    window_height: i32,
    window_width: i32,
    dilation_height: i32,
    dilation_width: i32,
    border: u32,
    whole_channel: u32,
    scale: f32,
    relative_scale: f32,
});

pub(crate) const WINDOW_ATTENTION_WEIGHTS: Shader = shader!(
    "window_attention_weights",
    Params,
    INNER,
    &[group(&["RELATIVE"], THREE_CODES)],
    [q: Read, k: Read, row_table: Read, column_table: Read, queries: Read, weights: Write],
    ["window"],
);

/// Tensors of [`WindowAttention::bind_weights`](super::WindowAttention::bind_weights); each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct WindowWeightsBuffers<'a> {
    /// In: queries `[n, heads*d, h, w]`.
    pub q: wgpu::BufferSlice<'a>,
    /// In: keys `[n, heads*d, h, w]`.
    pub k: wgpu::BufferSlice<'a>,
    /// In: the tables of the options' relative term.
    pub tables: PositionTables<wgpu::BufferSlice<'a>>,
    /// Out: `[queries, heads, kh*kw]` f32.
    pub weights: wgpu::BufferSlice<'a>,
}

/// A query: a pixel of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct QueryPosition {
    /// Index of the image, below `n`.
    pub image: u32,
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

    pub(super) fn tensors(&self, shape: Nchw, queries: u32) -> Result<Vec<TensorSpec>, Error> {
        let options = &self.options;
        check::elements(OP, "q", shape)?;
        options.check_shape(OP, shape)?;
        let entries = check::to_u32(OP, "keys of a window", options.window.pixels())?;
        let mut specs = Vec::from(["q", "k"].map(|name| TensorSpec::input(name, shape, self.inner)));
        specs.extend(options.table_specs(self.element));
        specs.push(TensorSpec::output("weights", [queries, options.heads, entries], Element::F32));
        Ok(specs)
    }

    pub(super) fn bind(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        queries: &[QueryPosition],
        buffers: WindowWeightsBuffers<'_>,
    ) -> Result<Recording, Error> {
        let options = &self.options;
        let count = check::to_u32(OP, "queries", queries.len() as u64)?;
        let specs = self.tensors(shape, count)?;
        let tables = options.table_slices(OP, buffers.tables)?;
        let out = options.output(shape.size());
        for (parameter, given, end) in queries.iter().flat_map(|query| {
            [
                ("query.image", query.image, shape.batch),
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
        let unit = u64::from(options.heads) * options.window.pixels();
        let mut given = vec![("q", Some(buffers.q)), ("k", Some(buffers.k)), ("weights", Some(buffers.weights))];
        given.extend(tables);
        check::slices(OP, device, &specs, &given)?;
        check::to_u32(OP, "elements of q", elements)?;
        // Pixels are within `check::MAX_EXTENT`, so the products don't overflow.
        let positions: Vec<[u32; 3]> = queries
            .iter()
            .map(|query| [query.image, query.row * options.stride.height, query.column * options.stride.width])
            .collect();
        let positions = tensor::filled(
            OP,
            device,
            "window_attention_weights queries",
            bytemuck::cast_slice(&positions),
            wgpu::BufferUsages::STORAGE,
        )?;
        let [row, column] = options.table_tensors(tables, self.element);
        let tensors = [
            Tensor::whole(buffers.q, elements, self.inner.bytes()),
            Tensor::whole(buffers.k, elements, self.inner.bytes()),
            row,
            column,
            Tensor::divided(positions.slice(..), 3, 4),
            Tensor::divided(buffers.weights, unit, Element::F32.bytes()),
        ];
        let dispatches = self.kernel.bind(device, count, [options.heads, 1], &tensors, None, |_| Params {
            heads: options.heads,
            head_dim: options.head_dim,
            height: signed(shape.height),
            width: signed(shape.width),
            window_height: signed(options.window.height),
            window_width: signed(options.window.width),
            dilation_height: signed(options.dilation.height),
            dilation_width: signed(options.dilation.width),
            border: options.border.code(),
            whole_channel: options.whole_channel().into(),
            scale: options.scale,
            relative_scale: options.relative_scale(),
            ..Zeroable::zeroed()
        })?;
        Ok(Recording::new(dispatches))
    }
}
