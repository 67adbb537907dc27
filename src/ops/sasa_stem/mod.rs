//! The stem of Stand-Alone Self-Attention (SASA): attention whose values are mixed by their position in the window.
//!
//! Entry `(a, b)` of the window of the query at `(i, j)` is the pixel `(i - padding + a, j - padding + b)`. Pixels outside the image
//! are zero.
//!
//! ```text
//! q, k, v_1 .. v_m = 1x1 projections of x
//! p[m, a, b]       = softmax over m of sum over e of mix[m, e] * (row[e, a] + column[e, b])
//! y                = sum over (a, b) of softmax(scale * q . k(a, b)) * sum over m of p[m, a, b] * v_m(a, b)
//! ```
//!
//! The formula is Sec. 3.2 of Ramachandran et al. 2019, arXiv:1906.05909. In the paper batch norm and a
//! [`WindowPool`](crate::WindowPool) with 4x4 maxima follow.
//!
//! ```no_run
//! use visual_attention::{Element, Nchw, SasaStem, SasaStemBuffers, SasaStemOptions};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let gpu = visual_attention::host::Gpu::open()?;
//! let stem = SasaStem::new(&gpu.device, SasaStemOptions::new(8, 8, 16), Element::F32)?;
//!
//! let x = gpu.upload("x", &vec![0.5f32; 3 * 224 * 224])?;
//! let projections = gpu.upload("projections", &[0.1f32; 6 * 64 * 3])?;
//! let tables = gpu.upload("row, column and mix", &[0.1f32; 16 * 4])?;
//! let y = gpu.buffer("y", 64 * 224 * 224 * 4)?;
//! let buffers = SasaStemBuffers {
//!     x: x.slice(..),
//!     projections: projections.slice(..),
//!     row: tables.slice(..),
//!     column: tables.slice(..),
//!     mix: tables.slice(..),
//!     y: y.slice(..),
//! };
//! let recording = stem.bind(&gpu.device, Nchw::new(1, 3, 224, 224), buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok(())
//! # }
//! ```
//!
//! # Options and tensors
//!
//! [`SasaStemOptions::new`] is for images of 3 channels, with 4x4 windows. Setters change channels, window, padding, mixtures and scale.
//!
//! `x [n, inputs, h, w] -> y [n, heads*d, h, w]`. [`SasaStem::tensors`] lists the tensors. The projections are scratch of
//! `(2 + m) * n * heads*d * h * w` f32, which the [`Recording`] keeps. A query whose logits are all -infinite gives zeros.
//!
//! # Errors and cost
//!
//! Work is divided over images, so the projections of one image must fit a binding of the device. On a software adapter, `new` refuses
//! options that take more loop iterations than one invocation may run there.
//!
//! [`SasaStem::cost`] counts projections, products of queries and keys, mixtures of values, and products of weights and values. It omits
//! both softmaxes.
//!
//! Kernels [`POINTWISE_CONV`](crate::shaders::POINTWISE_CONV) or
//! [`POINTWISE_CONV_VEC4`](crate::shaders::POINTWISE_CONV_VEC4), [`SASA_STEM_MIXTURE`](crate::shaders::SASA_STEM_MIXTURE) and
//! [`SASA_STEM_ATTENTION`](crate::shaders::SASA_STEM_ATTENTION); reference
//! [`reference::sasa_stem`](crate::reference::sasa_stem).

mod mixture;

use bytemuck::Zeroable;

use super::pointwise_conv::{PointwiseConv, PointwiseConvBuffers, PointwiseConvOptions};
use super::window_attention::shrink;
use crate::cost::count;
use crate::kernel::check::{MAX_EXTENT, signed};
use crate::kernel::shader::{STEM, Shader, Variant, params, shader};
use crate::kernel::{Build, Compiler, Kernel, Tensor, check, tensor};
use crate::{Cost, Element, Error, Nchw, Recording, Size, TensorSpec};

pub(crate) use mixture::{Embeddings, Mixture, SASA_STEM_MIXTURE};

const OP: &str = "sasa_stem";
/// Queries of a workgroup on each axis.
const GROUP: u32 = 8;
/// Channels of one invocation, `CHUNK` in WGSL.
const CHUNK: u32 = 8;

params!(Params {
    origin_x: u32,
    origin_y: u32,
    projected_base: u32,
    y_base: u32,
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
    shrink: f32,
});

pub(crate) const SASA_STEM_ATTENTION: Shader = shader!(
    "sasa_stem_attention",
    Params,
    STEM,
    &[],
    [projected: Read, mixture: Read, y: Write],
    [],
);

/// Options of a [`SasaStem`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct SasaStemOptions {
    /// Channels of `x`.
    pub inputs: u32,
    /// Heads; channels `g*d .. (g+1)*d` belong to head `g`.
    pub heads: u32,
    /// Channels of a head, `d`.
    pub head_dim: u32,
    /// Keys of a window, `kh` x `kw`, even or odd; 4x4 in the paper.
    pub window: Size,
    /// Pixels from entry 0 of a window to its query.
    pub padding: Size,
    /// Value projections that are mixed, `m`.
    pub mixtures: u32,
    /// Length of the position embeddings, `e`.
    pub embeddings: u32,
    /// Factor of the product of query and key.
    pub scale: f32,
}

impl SasaStemOptions {
    /// For images of 3 channels: windows of 4x4 keys with padding 2, 4 mixtures, scale 1.
    #[must_use]
    pub const fn new(heads: u32, head_dim: u32, embeddings: u32) -> Self {
        Self {
            inputs: 3,
            heads,
            head_dim,
            window: Size::new(4, 4),
            padding: Size::new(2, 2),
            mixtures: 4,
            embeddings,
            scale: 1.0,
        }
    }

    /// With an `x` of this number of channels.
    #[must_use]
    pub const fn with_inputs(self, inputs: u32) -> Self {
        Self { inputs, ..self }
    }

    /// With windows of this size.
    #[must_use]
    pub const fn with_window(self, window: Size) -> Self {
        Self { window, ..self }
    }

    /// With this padding.
    #[must_use]
    pub const fn with_padding(self, padding: Size) -> Self {
        Self { padding, ..self }
    }

    /// With this number of value projections.
    #[must_use]
    pub const fn with_mixtures(self, mixtures: u32) -> Self {
        Self { mixtures, ..self }
    }

    /// With this factor of the product of query and key.
    #[must_use]
    pub const fn with_scale(self, scale: f32) -> Self {
        Self { scale, ..self }
    }

    /// Options of all projections as one matrix: queries, keys and the mixed values.
    #[must_use]
    pub const fn projections(&self) -> PointwiseConvOptions {
        PointwiseConvOptions::new(self.inputs, self.mixtures.saturating_add(2).saturating_mul(self.channels()))
    }

    /// Channels of the output: `heads * d`.
    #[must_use]
    pub const fn channels(&self) -> u32 {
        self.heads.saturating_mul(self.head_dim)
    }

    /// Checks the options. It needs no device, and serves the reference, which checks nothing.
    ///
    /// # Errors
    ///
    /// As [`SasaStem::new`], without what depends on a device.
    pub fn check(&self) -> Result<(), Error> {
        self.check_as(OP)
    }

    /// As [`Self::check`], with errors under the name `op`.
    pub(crate) fn check_as(&self, op: &'static str) -> Result<(), Error> {
        for (parameter, value) in [
            ("inputs", self.inputs),
            ("heads", self.heads),
            ("head_dim", self.head_dim),
            ("window.height", self.window.height),
            ("window.width", self.window.width),
            ("mixtures", self.mixtures),
            ("embeddings", self.embeddings),
        ] {
            if value == 0 {
                let needed = "at least 1".into();
                return Err(Error::InvalidParameter { op, parameter, given: "0".into(), needed });
            }
        }
        check::finite(op, "scale", self.scale)?;
        let outputs =
            u64::from(self.heads).saturating_mul(self.head_dim.into()).saturating_mul(u64::from(self.mixtures) + 2);
        check::to_u32(op, "channels of queries, keys and values", outputs)?;
        Ok(())
    }

    /// Checks the shape of `x`.
    pub(crate) fn check_shape(&self, op: &'static str, shape: Nchw) -> Result<(), Error> {
        check::elements(op, "x", shape)?;
        if shape.channels != self.inputs {
            let needed = format!("{} channels", self.inputs);
            return Err(Error::InvalidShape { op, binding: "x", given: shape.to_string(), needed });
        }
        check::elements(op, "projected", Nchw { channels: self.projections().outputs, ..shape })?;
        for (limit, extent, window, padding) in [
            ("height + window + padding", shape.height, self.window.height, self.padding.height),
            ("width + window + padding", shape.width, self.window.width, self.padding.width),
        ] {
            let needed = u64::from(extent) + u64::from(window) + u64::from(padding);
            if needed > MAX_EXTENT {
                return Err(Error::LimitExceeded { op, limit, needed, given: MAX_EXTENT });
            }
        }
        Ok(())
    }

    /// Extents of the embeddings, of type `element`.
    pub(crate) const fn extents(&self, element: Element) -> Embeddings {
        Embeddings { window: self.window, mixtures: self.mixtures, embeddings: self.embeddings, element }
    }

    /// Loop iterations for one query, and for the mixture of one entry.
    fn rounds(&self) -> [u64; 2] {
        let (head_dim, mixtures) = (u64::from(self.head_dim), u64::from(self.mixtures));
        let sums = head_dim.min(CHUNK.into()).saturating_mul(mixtures + 1);
        let entry = head_dim + sums + 1;
        let query = self.window.pixels().saturating_mul(entry).saturating_add(u64::from(self.window.height) + 8);
        [query, mixtures.saturating_mul(u64::from(self.embeddings) + 3)]
    }

    /// As [`SasaStem::cost`], without a device.
    #[must_use]
    pub fn cost(&self, shape: Nchw, element: Element) -> Cost {
        let outputs = count(shape.plane().elements()) * count(u64::from(self.channels()));
        let mixtures = u64::from(self.mixtures);
        let lengths = u64::from(self.window.height) + u64::from(self.window.width) + mixtures;
        let tables = count(u64::from(self.embeddings)) * count(lengths);
        let bytes = (2 + mixtures) * Element::F32.bytes() + element.bytes();
        let attention = Cost::new(
            outputs * count(bytes) + tables * count(element.bytes()),
            outputs * count(self.window.pixels()) * count(4 + 2 * mixtures),
            tables,
        );
        self.projections().cost(shape, element, Element::F32) + attention
    }
}

/// Attention stem; the [page](self) has formula and example.
#[doc(alias = "SASA")]
#[doc(alias = "self-attention")]
#[derive(Clone, Debug)]
pub struct SasaStem {
    options: SasaStemOptions,
    element: Element,
    projections: PointwiseConv,
    mixture: Mixture,
    attention: Kernel,
}

/// Tensors of a [`SasaStem`], of its element type; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct SasaStemBuffers<'a> {
    /// In: `[n, inputs, h, w]`.
    pub x: wgpu::BufferSlice<'a>,
    /// In: `[2+m, heads*d, inputs]`, the matrices for queries, keys and the `m` values.
    pub projections: wgpu::BufferSlice<'a>,
    /// In: row embeddings `[e, kh]`.
    pub row: wgpu::BufferSlice<'a>,
    /// In: column embeddings `[e, kw]`.
    pub column: wgpu::BufferSlice<'a>,
    /// In: mixture embeddings `[m, e]`.
    pub mix: wgpu::BufferSlice<'a>,
    /// Out: `[n, heads*d, h, w]`.
    pub y: wgpu::BufferSlice<'a>,
}

impl SasaStem {
    /// Compiles for tensors of type `element`. The projections are f32 for every element type.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidParameter`]: a count of 0, a scale that is not finite.
    /// - [`Error::LimitExceeded`]: `(2 + m) * heads*d` overflows `u32`, or more than 31,774 input channels.
    /// - [`Error::TooManyRounds`]: windows, heads, mixtures or embeddings that are too large for a software adapter.
    /// - [`Error::MissingFeature`]: f16 on a device without it.
    pub fn new<'a>(
        compiler: impl Into<Compiler<'a>>,
        options: SasaStemOptions,
        element: Element,
    ) -> Result<Self, Error> {
        let compiler = compiler.into();
        options.check()?;
        let [query, mixture] = options.rounds();
        compiler.check_rounds(OP, query, "make the window smaller, or the heads less deep, or take fewer mixtures")?;
        compiler.check_rounds(OP, mixture, "take fewer mixtures or embeddings")?;
        let projections = PointwiseConv::new_within(OP, compiler, options.projections(), element, Element::F32)?;
        let mixture = Mixture::new(OP, compiler, element)?;
        let build = Build {
            op: OP,
            shader: &SASA_STEM_ATTENTION,
            variant: Variant { inner: Element::F32, ..Variant::new(element, 1) },
            constants: &[],
            workgroup: [GROUP, GROUP, 1],
            workgroup_bytes: 0,
        };
        let attention = Kernel::new(compiler, &build)?;
        Ok(Self { options, element, projections, mixture, attention })
    }

    /// The options it was compiled with.
    #[must_use]
    pub fn options(&self) -> &SasaStemOptions {
        &self.options
    }

    /// The tensors of one [`Self::bind`], in the order in which they are checked.
    ///
    /// # Errors
    ///
    /// Whatever [`Self::bind`] refuses about a shape.
    pub fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        let options = &self.options;
        options.check_shape(OP, shape)?;
        let (channels, element) = (options.channels(), self.element);
        Ok(vec![
            TensorSpec::input("x", shape, element),
            TensorSpec::input("projections", [2 + options.mixtures, channels, options.inputs], element),
            TensorSpec::input("row", [options.embeddings, options.window.height], element),
            TensorSpec::input("column", [options.embeddings, options.window.width], element),
            TensorSpec::input("mix", [options.mixtures, options.embeddings], element),
            TensorSpec::output("y", Nchw { channels, ..shape }, element),
        ])
    }

    /// Checks the buffers against the shape of `x` and binds them.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidShape`]: the channels of `x` are not those of the options.
    /// - [`Error::LimitExceeded`]: one image, or its projections, exceed a binding of the device.
    /// - What [every operator refuses](crate#what-is-refused) about its buffers.
    pub fn bind(&self, device: &wgpu::Device, shape: Nchw, buffers: SasaStemBuffers<'_>) -> Result<Recording, Error> {
        let options = &self.options;
        let specs = self.tensors(shape)?;
        let conv = options.projections();
        let projected = Nchw { channels: conv.outputs, ..shape };
        if shape.is_empty() {
            return Ok(Recording::default());
        }
        let pixels = shape.size().pixels();
        let (bytes, entries) = (self.element.bytes(), options.window.pixels());
        let y = Tensor::divided(buffers.y, u64::from(options.channels()) * pixels, bytes);
        // Before the scratch is created: a caller's mistake is refused before any call to wgpu.
        let given = [
            ("x", Some(buffers.x)),
            ("projections", Some(buffers.projections)),
            ("row", Some(buffers.row)),
            ("column", Some(buffers.column)),
            ("mix", Some(buffers.mix)),
            ("y", Some(buffers.y)),
        ];
        check::slices(OP, device, &specs, &given)?;
        let unit = u64::from(projected.channels) * pixels;
        check::to_u32(OP, "elements of an image's projections", unit)?;
        let chunks = options.head_dim.div_ceil(CHUNK);
        let chunk_groups = shape.height.div_ceil(GROUP);
        let rows = u64::from(options.heads) * u64::from(chunks) * u64::from(chunk_groups);
        let groups = [shape.width.div_ceil(GROUP), check::to_u32(OP, "rows of workgroups", rows)?];

        let elements = projected.elements().unwrap_or(u64::MAX);
        let scratch = tensor::scratch(OP, device, "projected", elements.saturating_mul(4))?;
        let extents = options.extents(self.element);
        let mixture_elements = extents.weights();
        let mixture = tensor::scratch(OP, device, "mixture", mixture_elements * 4)?;

        let mut recording = self.projections.bind(
            device,
            shape,
            PointwiseConvBuffers {
                x: buffers.x,
                weights: buffers.projections,
                bias: None,
                y: [Some(scratch.slice(..)), None, None],
            },
        )?;
        let tables = [buffers.row, buffers.column, buffers.mix];
        let dispatches = self.mixture.dispatches(device, extents, tables, mixture.slice(..))?;
        recording.extend(Recording::new(dispatches));
        let tensors =
            [Tensor::divided(scratch.slice(..), unit, 4), Tensor::whole(mixture.slice(..), mixture_elements, 4), y];
        let flops = count(unit) * count(entries) * count(4 + 2 * u64::from(options.mixtures));
        let dispatches =
            self.attention.bind_costly(device, shape.batch, groups, flops, &tensors, None, |_| Params {
                heads: options.heads,
                head_dim: options.head_dim,
                mixtures: options.mixtures,
                height: signed(shape.height),
                width: signed(shape.width),
                window_height: signed(options.window.height),
                window_width: signed(options.window.width),
                padding_height: signed(options.padding.height),
                padding_width: signed(options.padding.width),
                chunk_groups,
                chunks,
                scale: options.scale,
                shrink: shrink(options.window.pixels()),
                ..Zeroable::zeroed()
            })?;
        recording.extend(Recording::new(dispatches));
        Ok(recording)
    }

    /// What one run moves and computes. Parameters are weights and embeddings.
    #[must_use]
    pub fn cost(&self, shape: Nchw) -> Cost {
        self.options.cost(shape, self.element)
    }
}
