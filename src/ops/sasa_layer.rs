//! The layer of Stand-Alone Self-Attention (SASA), which replaces a convolution: 1x1 projections, then windowed attention.
//!
//! ```text
//! q, k, v = three 1x1 projections of x       PointwiseConv, one dispatch
//! y       = attention of q, k, v             WindowAttention
//! ```
//!
//! The layer is that of Ramachandran et al. 2019, arXiv:1906.05909, Sec. 3.1. In the paper's downsampling blocks a
//! [`WindowPool`](crate::WindowPool) with 2x2 means follows.
//!
//! ```no_run
//! use visual_attention::{
//!     Element, Nchw, Ncthw, PositionTables, SasaLayer, SasaLayerBuffers, SasaLayerOptions, WindowAttentionOptions,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let gpu = visual_attention::host::Gpu::open()?;
//! let options = SasaLayerOptions::new(64, WindowAttentionOptions::new(8, 8, 7));
//! let layer = SasaLayer::new(&gpu.device, options, Element::F32)?;
//!
//! let x = gpu.upload("x", &vec![0.5f32; 64 * 56 * 56])?;
//! let projections = gpu.upload("projections", &[0.1f32; 3 * 64 * 64])?;
//! let table = gpu.upload("row and column", &[0.1f32; 4 * 7])?;
//! let y = gpu.buffer("y", 64 * 56 * 56 * 4)?;
//! let buffers = SasaLayerBuffers {
//!     x: x.slice(..),
//!     projections: projections.slice(..),
//!     tables: PositionTables::rows_and_columns(table.slice(..), table.slice(..)),
//!     y: y.slice(..),
//!     log_sum_exp: None,
//! };
//! let recording = layer.bind(&gpu.device, Nchw::new(1, 64, 56, 56), buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok(())
//! # }
//! ```
//!
//! # Options and tensors
//!
//! [`SasaLayerOptions::new`] takes the options of the attention, and projects all channels densely. Its channels are those of the output.
//!
//! `x [n, inputs, h, w] -> y [n, heads*d, ho, wo]`. [`SasaLayer::tensors`] lists the tensors. `log_sum_exp` is that of the attention, and
//! spares [`SasaLayerBackward`](crate::SasaLayerBackward) the attention. Queries, keys and values are scratch of
//! `3 * n * heads*d * h * w` f32, which the [`Recording`] keeps.
//!
//! # Errors and cost
//!
//! [`SasaLayerOptions::check`] checks options and shape without a device. Other errors are those of projections and attention.
//! [`SasaLayer::cost`] adds up both kernels: queries, keys and values are written once and read once.
//!
//! Kernels [`POINTWISE_CONV`](crate::shaders::POINTWISE_CONV) or
//! [`POINTWISE_CONV_VEC4`](crate::shaders::POINTWISE_CONV_VEC4), and [`WINDOW_ATTENTION`](crate::shaders::WINDOW_ATTENTION);
//! reference [`reference::sasa_layer`](crate::reference::sasa_layer).

use super::pointwise_conv::{PointwiseConv, PointwiseConvBuffers, PointwiseConvOptions};
use super::window_attention::{PositionTables, WindowAttention, WindowAttentionBuffers, WindowAttentionOptions};
use crate::kernel::{Compiler, check, tensor};
use crate::{Cost, Element, Error, Nchw, Ncthw, Recording, TensorSpec};

const OP: &str = "sasa_layer";

/// Options of a [`SasaLayer`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct SasaLayerOptions {
    /// Channels of `x`.
    pub inputs: u32,
    /// Groups of channels that are projected separately; 1, as in the paper, is dense.
    pub groups: u32,
    /// The attention; its channels are those of the output.
    pub attention: WindowAttentionOptions,
}

impl SasaLayerOptions {
    /// Dense projections of `inputs` channels, then this attention.
    #[must_use]
    pub const fn new(inputs: u32, attention: WindowAttentionOptions) -> Self {
        Self { inputs, groups: 1, attention }
    }

    /// With groups of channels.
    #[must_use]
    pub const fn with_groups(self, groups: u32) -> Self {
        Self { groups, ..self }
    }

    /// Options of the three projections, stacked.
    #[must_use]
    pub const fn projections(&self) -> PointwiseConvOptions {
        PointwiseConvOptions::new(self.inputs, self.attention.channels()).with_groups(self.groups).with_stack(3)
    }

    /// Checks the options, and that they fit an `x` of this shape. It needs no device, and serves the reference, which checks
    /// nothing.
    ///
    /// # Errors
    ///
    /// As [`SasaLayer::new`] and [`SasaLayer::bind`], without what depends on a device or a buffer.
    pub fn check(&self, shape: Nchw) -> Result<(), Error> {
        self.check_within(OP, shape)
    }

    /// As [`Self::check`], for the operator of this name.
    pub(crate) fn check_within(&self, op: &'static str, shape: Nchw) -> Result<(), Error> {
        self.check_attention(op)?;
        self.projections().check(op)?;
        if shape.channels != self.inputs {
            let needed = format!("{} channels", self.inputs);
            return Err(Error::InvalidShape { op, binding: "x", given: shape.to_string(), needed });
        }
        self.attention.check_shape(op, Nchw { channels: self.attention.channels(), ..shape }.into())
    }

    /// Checks the attention. The projections are equally large, so that values have as many channels as queries.
    pub(crate) fn check_attention(&self, op: &'static str) -> Result<(), Error> {
        self.attention.check_options(op)?;
        if self.attention.value_dim != self.attention.head_dim {
            let given = self.attention.value_dim.to_string();
            let needed = format!("{}, the head_dim", self.attention.head_dim);
            return Err(Error::InvalidParameter { op, parameter: "value_dim", given, needed });
        }
        Ok(())
    }

    /// As [`SasaLayer::cost`], without a device.
    #[must_use]
    pub fn cost(&self, shape: Nchw, element: Element) -> Cost {
        let projected = Nchw { channels: self.attention.channels(), ..shape };
        self.projections().cost(shape, element, Element::F32)
            + self.attention.cost(projected.into(), element, Element::F32)
    }
}

/// Layer of stand-alone self-attention; the [page](self) has formula and example.
#[doc(alias = "SASA")]
#[doc(alias = "self-attention")]
#[derive(Clone, Debug)]
pub struct SasaLayer {
    options: SasaLayerOptions,
    element: Element,
    projections: PointwiseConv,
    attention: WindowAttention,
}

/// Tensors of a [`SasaLayer`], of its element type; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct SasaLayerBuffers<'a> {
    /// In: `[n, inputs, h, w]`.
    pub x: wgpu::BufferSlice<'a>,
    /// In: `[3, heads*d, inputs/groups]`, the matrices for queries, keys and values.
    pub projections: wgpu::BufferSlice<'a>,
    /// In: the tables of the options' relative term.
    pub tables: PositionTables<wgpu::BufferSlice<'a>>,
    /// Out: `[n, heads*d, ho, wo]`.
    pub y: wgpu::BufferSlice<'a>,
    /// Out, optional: `[n, heads, ho, wo]` f32, of the logits of the attention.
    pub log_sum_exp: Option<wgpu::BufferSlice<'a>>,
}

impl SasaLayer {
    /// Compiles for tensors of type `element`. Queries, keys and values are f32 for every element type.
    ///
    /// # Errors
    ///
    /// As [`WindowAttention::new`] and [`PointwiseConv::new`], and [`Error::InvalidParameter`]: another `value_dim` than `head_dim`.
    pub fn new<'a>(
        compiler: impl Into<Compiler<'a>>,
        options: SasaLayerOptions,
        element: Element,
    ) -> Result<Self, Error> {
        let compiler = compiler.into();
        options.check_attention(OP)?;
        let projections = PointwiseConv::new_within(OP, compiler, options.projections(), element, Element::F32)?;
        let attention = WindowAttention::new_within(OP, compiler, options.attention, element, Element::F32)?;
        Ok(Self { options, element, projections, attention })
    }

    /// The options it was compiled with.
    #[must_use]
    pub fn options(&self) -> &SasaLayerOptions {
        &self.options
    }

    /// The tensors of one [`Self::bind`], in the order in which they are checked.
    ///
    /// # Errors
    ///
    /// Whatever [`Self::bind`] refuses about a shape.
    pub fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        check::elements(OP, "x", shape)?;
        self.options.check(shape)?;
        let attention = &self.options.attention;
        let projected = Nchw { channels: attention.channels(), ..shape };
        check::elements(OP, "y", projected)?;
        let Ncthw { height, width, .. } = attention.output(shape);
        let PointwiseConvOptions { inputs, outputs, groups, stack, .. } = self.options.projections();
        let mut specs = vec![
            TensorSpec::input("x", shape, self.element),
            TensorSpec::input("projections", [stack, outputs, inputs / groups], self.element),
            TensorSpec::output("y", Nchw { height, width, ..projected }, self.element),
        ];
        let log_sum_exp = Nchw { channels: attention.heads, height, width, ..shape };
        specs.push(TensorSpec::output("log_sum_exp", log_sum_exp, Element::F32).optional());
        specs.extend(attention.table_specs(self.element));
        Ok(specs)
    }

    /// Checks the buffers against the shape of `x` and binds them.
    ///
    /// # Errors
    ///
    /// As [`WindowAttention::bind`] and [`PointwiseConv::bind`].
    pub fn bind(&self, device: &wgpu::Device, shape: Nchw, buffers: SasaLayerBuffers<'_>) -> Result<Recording, Error> {
        let specs = self.tensors(shape)?;
        let projected = Nchw { channels: self.options.attention.channels(), ..shape };
        if shape.is_empty() {
            return Ok(Recording::default());
        }
        // Before the scratch is created: a caller's mistake is refused before any call to wgpu.
        let mut given = vec![
            ("x", Some(buffers.x)),
            ("projections", Some(buffers.projections)),
            ("y", Some(buffers.y)),
            ("log_sum_exp", buffers.log_sum_exp),
        ];
        given.extend(self.options.attention.table_slices(OP, buffers.tables)?);
        check::slices(OP, device, &specs, &given)?;

        let scratch = |label| {
            let elements = projected.elements().unwrap_or(u64::MAX);
            tensor::scratch(OP, device, label, elements.saturating_mul(Element::F32.bytes()))
        };
        let (q, k, v) = (scratch("q")?, scratch("k")?, scratch("v")?);
        let mut recording = self.projections.bind(
            device,
            shape,
            PointwiseConvBuffers {
                x: buffers.x,
                weights: buffers.projections,
                bias: None,
                y: [Some(q.slice(..)), Some(k.slice(..)), Some(v.slice(..))],
            },
        )?;
        recording.extend(self.attention.bind(
            device,
            projected,
            WindowAttentionBuffers {
                q: q.slice(..),
                k: k.slice(..),
                v: v.slice(..),
                tables: buffers.tables,
                y: buffers.y,
                log_sum_exp: buffers.log_sum_exp,
            },
        )?);
        Ok(recording)
    }

    /// What one run moves and computes.
    #[must_use]
    pub fn cost(&self, shape: Nchw) -> Cost {
        self.options.cost(shape, self.element)
    }
}
