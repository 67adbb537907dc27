//! The gradients of the attention stem of Stand-Alone Self-Attention (SASA).
//!
//! With the queries `q`, keys `k`, values `v_m` and mixture `p` of [the forward operator](super::sasa_stem), for each head:
//!
//! ```text
//! P(a, b)   = softmax over (a, b) of scale * q . k(a, b)
//! dP(a, b)  = g . sum over m of p[m, a, b] * v_m(a, b)                 g = y_gradient
//! dS(a, b)  = P * (dP - sum over (a, b) of P * dP)
//! dq        = scale * sum over (a, b) of dS * k(a, b)
//! dk(r)     = scale * sum over the queries and (a, b) whose key is r of dS * q
//! dv_m(r)   = sum over the queries and (a, b) whose key is r of p[m, a, b] * P * g
//! dp[m,a,b] = sum over images, heads and queries of P(a, b) * (g . v_m(a, b))
//! dl[m,a,b] = p * (dp - sum over m of p * dp)
//! drow[e,a] = sum over m, b of mix[m, e] * dl,    dcolumn[e,b] = sum over m, a of mix[m, e] * dl
//! dmix[m,e] = sum over a, b of (row[e, a] + column[e, b]) * dl
//! ```
//!
//! Gradients of `x` and of the projections follow as in [`PointwiseConvBackward`]. Source: the chain rule of Sec. 3.2 of Ramachandran et
//! al. 2019, arXiv:1906.05909.
//!
//! # Example
//!
//! ```no_run
//! use visual_attention::host::Gpu;
//! use visual_attention::{Element, Nchw, SasaStemBackward, SasaStemBackwardBuffers, SasaStemOptions};
//!
//! let gpu = Gpu::open()?;
//! let stem = SasaStemBackward::new(&gpu.device, SasaStemOptions::new(8, 8, 16), Element::F32)?;
//!
//! let x = gpu.upload("x", &vec![0.5f32; 3 * 56 * 56])?;
//! let projections = gpu.upload("projections", &[0.1f32; 6 * 64 * 3])?;
//! let tables = gpu.upload("row, column and mix", &[0.1f32; 16 * 4])?;
//! let y_gradient = gpu.upload("gradient of y", &vec![1f32; 64 * 56 * 56])?;
//! let projections_gradient = gpu.buffer("gradient of the projections", 6 * 64 * 3 * 4)?;
//! let buffers = SasaStemBackwardBuffers {
//!     x: x.slice(..),
//!     projections: projections.slice(..),
//!     row: tables.slice(..),
//!     column: tables.slice(..),
//!     mix: tables.slice(..),
//!     y_gradient: y_gradient.slice(..),
//!     x_gradient: None,
//!     projections_gradient: Some(projections_gradient.slice(..)),
//!     row_gradient: None,
//!     column_gradient: None,
//!     mix_gradient: None,
//! };
//! let recording = stem.bind(&gpu.device, Nchw::new(1, 3, 56, 56), buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok::<(), visual_attention::Error>(())
//! ```
//!
//! # Options and tensors
//!
//! `x [n, inputs, h, w]`, `y_gradient [n, heads*d, h, w]`, and the parameters of the forward operator. The gradient of `x` has the
//! operator's element type, those of parameters are f32. [`SasaStemBackward::tensors`] lists the tensors. Nothing is saved: projections,
//! mixture and softmax are computed again. A query whose logits are all -infinite takes no part.
//!
//! Scratch is f32: `2 * (2 + m) * heads*d + 3 * heads` numbers for each pixel of each image, and `m * kh * kw` for each head and each tile
//! of up to 4096 queries.
//!
//! # Errors and cost
//!
//! Nothing is added atomically: a pixel sums over the entries of the window, and tiles of queries are summed in order. So the bits do not
//! depend on how work is divided. Work is divided over images, so the projections of one image must fit a binding of the device. On a
//! software adapter, `new` refuses options that take more loop iterations than one invocation may run there.
//!
//! [`SasaStemBackward::cost`] counts the projections three times, and for each query and entry the products above.
//!
//! Kernels [`SASA_STEM_BACKWARD_MEANS`](crate::shaders::SASA_STEM_BACKWARD_MEANS),
//! [`SASA_STEM_BACKWARD`](crate::shaders::SASA_STEM_BACKWARD),
//! [`SASA_STEM_BACKWARD_MIXTURE`](crate::shaders::SASA_STEM_BACKWARD_MIXTURE),
//! [`SASA_STEM_BACKWARD_TABLES`](crate::shaders::SASA_STEM_BACKWARD_TABLES) and those of [`PointwiseConv`] and
//! [`PointwiseConvBackward`]; reference [`reference::sasa_stem_backward`](crate::reference::sasa_stem_backward).

mod kernels;

use self::kernels::Walks;
use super::pointwise_conv::{PointwiseConv, PointwiseConvBuffers};
use super::pointwise_conv_backward::{PointwiseConvBackward, PointwiseConvBackwardBuffers};
use super::sasa_stem::{Mixture, SasaStemOptions};
use crate::cost::count;
use crate::kernel::{Compiler, check, tensor};
use crate::{Cost, Element, Error, Nchw, Recording, TensorSpec};

pub(crate) use self::kernels::{
    SASA_STEM_BACKWARD, SASA_STEM_BACKWARD_MEANS, SASA_STEM_BACKWARD_MIXTURE, SASA_STEM_BACKWARD_TABLES,
};

const OP: &str = "sasa_stem_backward";

/// The gradients of [`SasaStem`](crate::SasaStem); the [page](self) has formulas and example.
#[derive(Clone, Debug)]
pub struct SasaStemBackward {
    options: SasaStemOptions,
    element: Element,
    projections: PointwiseConv,
    mixture: Mixture,
    walks: Walks,
    convolution: PointwiseConvBackward,
}

/// Tensors of a [`SasaStemBackward`]; each needs `BufferUsages::STORAGE`. Inputs and the gradient of `x` have its element type.
#[derive(Clone, Copy, Debug)]
pub struct SasaStemBackwardBuffers<'a> {
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
    /// In: the gradient of the output, `[n, heads*d, h, w]`.
    pub y_gradient: wgpu::BufferSlice<'a>,
    /// Out: `[n, inputs, h, w]`.
    pub x_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[2+m, heads*d, inputs]` f32.
    pub projections_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[e, kh]` f32.
    pub row_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[e, kw]` f32.
    pub column_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[m, e]` f32.
    pub mix_gradient: Option<wgpu::BufferSlice<'a>>,
}

impl SasaStemBackward {
    /// Compiles for tensors of type `element`. The options are those of the forward operator.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidParameter`]: a count of 0, a scale that is not finite.
    /// - [`Error::LimitExceeded`]: more than 31,774 input channels, or channels of queries, keys and values.
    /// - [`Error::TooManyRounds`]: windows, heads, mixtures or embeddings that are too large for a software adapter.
    /// - [`Error::MissingFeature`]: f16 on a device without it.
    pub fn new<'a>(
        compiler: impl Into<Compiler<'a>>,
        options: SasaStemOptions,
        element: Element,
    ) -> Result<Self, Error> {
        let compiler = compiler.into();
        options.check_as(OP)?;
        let [walk, tables] = kernels::rounds(&options);
        compiler.check_rounds(OP, walk, "make the window smaller, or the heads less deep, or take fewer mixtures")?;
        compiler.check_rounds(OP, tables, "make the window smaller, or take fewer mixtures or embeddings")?;
        let (conv, inner) = (options.projections(), Element::F32);
        Ok(Self {
            options,
            element,
            projections: PointwiseConv::new_within(OP, compiler, conv, element, inner)?,
            mixture: Mixture::new(OP, compiler, element)?,
            walks: Walks::new(OP, compiler, element)?,
            convolution: PointwiseConvBackward::new_within(OP, compiler, conv, element, inner)?,
        })
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
        let (channels, element, real) = (options.channels(), self.element, Element::F32);
        let projections = [2 + options.mixtures, channels, options.inputs];
        let row = [options.embeddings, options.window.height];
        let column = [options.embeddings, options.window.width];
        let mix = [options.mixtures, options.embeddings];
        Ok(vec![
            TensorSpec::input("x", shape, element),
            TensorSpec::input("projections", projections, element),
            TensorSpec::input("row", row, element),
            TensorSpec::input("column", column, element),
            TensorSpec::input("mix", mix, element),
            TensorSpec::input("y_gradient", Nchw { channels, ..shape }, element),
            TensorSpec::output("x_gradient", shape, element).optional(),
            TensorSpec::output("projections_gradient", projections, real).optional(),
            TensorSpec::output("row_gradient", row, real).optional(),
            TensorSpec::output("column_gradient", column, real).optional(),
            TensorSpec::output("mix_gradient", mix, real).optional(),
        ])
    }

    /// Checks the buffers against the shape of `x` and binds them. Gradients that are not given are not computed. Of an empty `x`, the
    /// gradients of the parameters are 0.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidShape`]: the channels of `x` are not those of the options.
    /// - [`Error::LimitExceeded`]: one image, or its projections, exceed a binding of the device; more than 31,774 tiles of queries.
    /// - What [every operator refuses](crate#what-is-refused) about its buffers.
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        buffers: SasaStemBackwardBuffers<'_>,
    ) -> Result<Recording, Error> {
        let options = &self.options;
        let specs = self.tensors(shape)?;
        let given = [
            ("x", Some(buffers.x)),
            ("projections", Some(buffers.projections)),
            ("row", Some(buffers.row)),
            ("column", Some(buffers.column)),
            ("mix", Some(buffers.mix)),
            ("y_gradient", Some(buffers.y_gradient)),
            ("x_gradient", buffers.x_gradient),
            ("projections_gradient", buffers.projections_gradient),
            ("row_gradient", buffers.row_gradient),
            ("column_gradient", buffers.column_gradient),
            ("mix_gradient", buffers.mix_gradient),
        ];
        // Before scratch is created: a caller's mistake is refused before any call to wgpu.
        check::slices(OP, device, &specs, &given)?;
        let with_walk = buffers.x_gradient.is_some() || buffers.projections_gradient.is_some();
        let tables = [buffers.row_gradient, buffers.column_gradient, buffers.mix_gradient];
        let with_tables = tables.iter().any(Option::is_some);
        let mut recording = Recording::default();
        if !with_walk && !with_tables {
            return Ok(recording);
        }
        let work = self.walks.work(options, shape, self.element)?;
        let elements = work.projected.saturating_mul(shape.batch.into());
        let scratch = |label, elements: u64| tensor::scratch(OP, device, label, elements.saturating_mul(4));
        let projected = scratch("projected", elements)?;
        let mixture = scratch("mixture", work.weights)?;
        let statistics = scratch("statistics", work.statistics.saturating_mul(shape.batch.into()))?;

        if !shape.is_empty() {
            recording = self.projections.bind(
                device,
                shape,
                PointwiseConvBuffers {
                    x: buffers.x,
                    weights: buffers.projections,
                    bias: None,
                    y: [Some(projected.slice(..)), None, None],
                },
            )?;
        }
        if !shape.is_empty() || with_tables {
            let given = [buffers.row, buffers.column, buffers.mix];
            let extents = options.extents(self.element);
            let dispatches = self.mixture.dispatches(device, extents, given, mixture.slice(..))?;
            recording.extend(Recording::new(dispatches));
        }
        let inputs = [projected.slice(..), mixture.slice(..), statistics.slice(..), buffers.y_gradient];
        if !shape.is_empty() {
            recording.extend(Recording::new(self.walks.bind_means(device, &work, inputs)?));
        }
        if with_walk {
            let gradient = scratch("gradient of projected", elements)?;
            if !shape.is_empty() {
                let dispatches = self.walks.bind_walk(device, &work, inputs, gradient.slice(..))?;
                recording.extend(Recording::new(dispatches));
            }
            let buffers = PointwiseConvBackwardBuffers {
                x: Some(buffers.x),
                weights: Some(buffers.projections),
                y_gradient: [Some(gradient.slice(..)), None, None],
                x_gradient: buffers.x_gradient,
                weights_gradient: buffers.projections_gradient,
                bias_gradient: None,
            };
            recording.extend(self.convolution.bind(device, shape, buffers)?);
        }
        if with_tables {
            let given = [buffers.row, buffers.column, buffers.mix];
            recording.extend(Recording::new(self.walks.bind_tables(device, &work, inputs, given, tables)?));
        }
        Ok(recording)
    }

    /// What one run moves and computes, with all gradients. Parameters are weights and embeddings.
    #[must_use]
    pub fn cost(&self, shape: Nchw) -> Cost {
        let options = &self.options;
        let outputs = count(shape.plane().elements()) * count(u64::from(options.channels()));
        let mixtures = u64::from(options.mixtures);
        let lengths = u64::from(options.window.height) + u64::from(options.window.width) + mixtures;
        let tables = count(u64::from(options.embeddings)) * count(lengths);
        // The projections are written, read by three walks, and their gradient is written. Three walks read the gradient of the output.
        let bytes = count(4 * (2 + mixtures) * Element::F32.bytes() + 3 * self.element.bytes());
        // Logits and the mixed values' products in two walks; then the sums of queries, keys, values and mixture.
        let products = count(2 * (2 * (1 + 1 + mixtures) + 2 + 2 * mixtures));
        let attention = Cost::new(
            outputs * bytes + tables * count(self.element.bytes() + Element::F32.bytes()),
            outputs * count(options.window.pixels()) * products,
            tables,
        );
        let forward = options.projections().cost(shape, self.element, Element::F32);
        forward + self.convolution.cost(shape) + attention
    }
}
