//! The gradients of Squeeze-and-Excitation.
//!
//! ```text
//! u   = output_gradient, with a residual only where output > 0             kernel channel_scale_backward, with s below
//! dg  = sum of u * x over each plane, + gate_gradient                      kernel channel_scale_backward_join
//! t   = expand_weight a + expand_bias, dt = gate'(t) * dg                  kernels dense, dense_backward
//! da  = dt expand_weight, expand_weight_gradient = sum over n of dt a      kernels dense_backward_input, .._weight
//! dv  = activation'(v) * da, where v = reduce_weight s + reduce_bias       kernel dense_backward
//! ds  = dv reduce_weight, reduce_weight_gradient = sum over n of dv s      kernels dense_backward_input, .._weight
//! dx  = u * gate + ds / (h * w)                                            kernel channel_scale_backward_apply
//! ```
//!
//! Source: the chain rule of Squeeze-and-Excitation's Eqs. 2 to 4 (Hu et al. 2018, arXiv:1709.01507). The gradients of the biases are the
//! sums of `dv` and `dt` over the batch. [`Epilogue::ScaleAdd`](crate::Epilogue::ScaleAdd) adds `u` to `dx`, and [`Epilogue::Residual`](crate::Epilogue::Residual) has `identity_gradient = u`.
//!
//! With [`Squeeze::Max`](crate::Squeeze::Max) the whole of `ds` goes to one pixel of the plane: the first in row order that holds the maximum, as in `PyTorch`'s
//! `adaptive_max_pool2d`. A NaN counts as the largest number. With [`Squeeze::MeanAndMax`](crate::Squeeze::MeanAndMax) each vector passes both layers, so the weights'
//! gradients add up over both, and `expand_bias` counts twice.
//!
//! # Example
//!
//! ```no_run
//! use visual_attention::host::Gpu;
//! use visual_attention::{
//!     Element, Nchw, SqueezeExciteBackward, SqueezeExciteBackwardBuffers, SqueezeExciteOptions, SqueezeExciteShape,
//! };
//!
//! let gpu = Gpu::open()?;
//! let shape = SqueezeExciteShape { features: Nchw::new(1, 256, 56, 56), reduced: 16 };
//! let features = gpu.upload("features", &vec![0.5f32; 256 * 56 * 56])?;
//! let weights = gpu.upload("weights", &vec![0.1f32; 256 * 16])?;
//! let output_gradient = gpu.upload("gradient of the output", &vec![1.0f32; 256 * 56 * 56])?;
//! let features_gradient = gpu.buffer("gradient of the features", 256 * 56 * 56 * 4)?;
//! let reduce_weight_gradient = gpu.buffer("gradient of the first weight", 256 * 16 * 4)?;
//! let expand_weight_gradient = gpu.buffer("gradient of the second weight", 256 * 16 * 4)?;
//!
//! let operator = SqueezeExciteBackward::new(&gpu.device, SqueezeExciteOptions::STANDARD, Element::F32)?;
//! let buffers = SqueezeExciteBackwardBuffers {
//!     features: features.slice(..),
//!     reduce_weight: weights.slice(..),
//!     reduce_bias: None,
//!     expand_weight: weights.slice(..),
//!     expand_bias: None,
//!     output: None,
//!     output_gradient: Some(output_gradient.slice(..)),
//!     gate_gradient: None,
//!     features_gradient: Some(features_gradient.slice(..)),
//!     identity_gradient: None,
//!     reduce_weight_gradient: Some(reduce_weight_gradient.slice(..)),
//!     reduce_bias_gradient: None,
//!     expand_weight_gradient: Some(expand_weight_gradient.slice(..)),
//!     expand_bias_gradient: None,
//! };
//! let recording = operator.bind(&gpu.device, shape, buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok::<(), visual_attention::Error>(())
//! ```
//!
//! # Memory and errors
//!
//! Of the forward pass only the output of a residual unit has to be kept. Pooled vectors, hidden vector and gate are computed again, from the
//! read of the features that the gate's gradient needs anyway. A forward pass in place overwrites the features: training needs a separate
//! output. Features and upstream gradient move four times in all, with a residual six times.
//!
//! Gradients of the parameters are f32, whatever the element type. They are sums over the batch, image by image in order, so the bits do not
//! depend on how the work is divided. The scratch holds up to `[n, c]` f32 seven times and `[n, r]` f32 four times, with both statistics
//! up to twice that, and 16 bytes for each part of a plane. [`SqueezeExciteBackward::bind`] lists the errors,
//! [`SqueezeExciteBackward::cost`] counts bytes and operations.
//!
//! Kernels: [`channel_scale_backward`](crate::shaders::CHANNEL_SCALE_BACKWARD),
//! [`channel_scale_backward_join`](crate::shaders::CHANNEL_SCALE_BACKWARD_JOIN),
//! [`channel_scale_backward_apply`](crate::shaders::CHANNEL_SCALE_BACKWARD_APPLY), and those of
//! [`dense_backward`](super::dense_backward). Reference: [`reference::squeeze_excite_backward`](crate::reference::squeeze_excite_backward).

mod layers;

use super::channel_scale_backward::{Gate, Upstream, gate_cost, vectors};
use super::dense::DenseShape;
use super::dense_backward::layer_cost;
use super::global_pool::{PlaneGrid, squeezable};
use super::squeeze_excite::{Excitation, SqueezeExciteOptions, SqueezeExciteShape};
use crate::kernel::{Compiler, check};
use crate::ops::part_sum::PartSum;
use crate::{Cost, Element, Error, Nchw, Recording, TensorSpec};

pub(crate) use self::layers::{LayerGradients, LayerShape, Layers};

const OP: &str = "squeeze_excite_backward";

/// The gradients of [`SqueezeExcite`](crate::SqueezeExcite). The [page of the module](self) has the formulas and an example.
#[derive(Clone, Debug)]
pub struct SqueezeExciteBackward {
    options: SqueezeExciteOptions,
    element: Element,
    gate: Gate,
    layers: Layers,
    zeros: PartSum,
}

/// Tensors of a [`SqueezeExciteBackward`]; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct SqueezeExciteBackwardBuffers<'a> {
    /// In: `[n, c, h, w]`, the operator's element type.
    pub features: wgpu::BufferSlice<'a>,
    /// In: `[r, c]`, the operator's element type.
    pub reduce_weight: wgpu::BufferSlice<'a>,
    /// In: `[r]`, the operator's element type.
    pub reduce_bias: Option<wgpu::BufferSlice<'a>>,
    /// In: `[c, r]`, the operator's element type.
    pub expand_weight: wgpu::BufferSlice<'a>,
    /// In: `[c]`, the operator's element type.
    pub expand_bias: Option<wgpu::BufferSlice<'a>>,
    /// In: `[n, c, h, w]`, the operator's element type, as the forward operator wrote it. Only [`Epilogue::Residual`](crate::Epilogue::Residual) reads it.
    pub output: Option<wgpu::BufferSlice<'a>>,
    /// In: `[n, c, h, w]`, the operator's element type, the gradient of the loss with respect to the output. [`Epilogue::GateOnly`](crate::Epilogue::GateOnly) has no
    /// output.
    pub output_gradient: Option<wgpu::BufferSlice<'a>>,
    /// In: `[n, c]` f32, the gradient of the loss with respect to the gate. Required by [`Epilogue::GateOnly`](crate::Epilogue::GateOnly), optional otherwise.
    pub gate_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, c, h, w]`, the operator's element type.
    pub features_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out, only for [`Epilogue::Residual`](crate::Epilogue::Residual): `[n, c, h, w]`, the operator's element type.
    pub identity_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[r, c]` f32.
    pub reduce_weight_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out, only with this bias: `[r]` f32.
    pub reduce_bias_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[c, r]` f32.
    pub expand_weight_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out, only with this bias: `[c]` f32.
    pub expand_bias_gradient: Option<wgpu::BufferSlice<'a>>,
}

impl SqueezeExciteBackward {
    /// Compiles the kernels for features and weights of type `element`.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidParameter`] for a slope or an offset of an activation that is not finite.
    /// - [`Error::MissingFeature`] for f16 on a device without it.
    /// - [`Error::LimitExceeded`] if the device's workgroups hold fewer than 256 invocations.
    pub fn new<'a>(
        compiler: impl Into<Compiler<'a>>,
        options: SqueezeExciteOptions,
        element: Element,
    ) -> Result<Self, Error> {
        let compiler = compiler.into();
        Ok(Self {
            options,
            element,
            gate: Gate::new(OP, compiler, options.epilogue, options.squeeze, element)?,
            layers: Layers::new(OP, compiler, [options.activation, options.gate], element)?,
            zeros: PartSum::new(OP, compiler.at_first_use())?,
        })
    }

    /// The options that the operator was built with.
    #[must_use]
    pub const fn options(&self) -> &SqueezeExciteOptions {
        &self.options
    }

    /// The tensors for this shape, in the order in which `bind` checks them.
    ///
    /// # Errors
    ///
    /// What [`Self::bind`] refuses about the shape.
    pub fn tensors(&self, shape: SqueezeExciteShape) -> Result<Vec<TensorSpec>, Error> {
        let SqueezeExciteShape { features: shape, reduced } = shape;
        let Nchw { channels, .. } = shape;
        check::elements(OP, "features", shape)?;
        Excitation::check(OP, channels, reduced)?;
        let mut specs = vec![TensorSpec::input("features", shape, self.element)];
        specs.extend(Excitation::specs(channels, reduced, self.element));
        specs.extend(Upstream::specs(shape, self.element, self.options.epilogue));
        specs.push(Upstream::gate_spec(shape, self.options.epilogue));
        specs.extend(Upstream::result_specs(shape, self.element, self.options.epilogue));
        let gradient = |name, shape: &[u32]| TensorSpec::output(name, shape, Element::F32).optional();
        specs.push(gradient("reduce_weight_gradient", &[reduced, channels]));
        specs.push(gradient("reduce_bias_gradient", &[reduced]));
        specs.push(gradient("expand_weight_gradient", &[channels, reduced]));
        specs.push(gradient("expand_bias_gradient", &[channels]));
        Ok(specs)
    }

    /// Checks the buffers against the shape and binds them. Without any gradient there is nothing to compute.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidParameter`] for a reduced width of zero, for the gradient of a bias that is not given, or if `output`,
    ///   `output_gradient`, `gate_gradient` or `identity_gradient` does not match the operator's [`Epilogue`](crate::Epilogue).
    /// - [`Error::InvalidShape`] for planes without pixels.
    /// - [`Error::LimitExceeded`] if one plane or the weights exceed a binding of the device, and for more than 31,774 vectors in the batch:
    ///   one for each image and statistic.
    /// - [What every operator refuses](crate#what-is-refused).
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: SqueezeExciteShape,
        buffers: SqueezeExciteBackwardBuffers<'_>,
    ) -> Result<Recording, Error> {
        let specs = self.tensors(shape)?;
        let SqueezeExciteShape { features: shape, reduced } = shape;
        let SqueezeExciteOptions { squeeze, epilogue, .. } = self.options;
        let SqueezeExciteBackwardBuffers { features, reduce_weight, reduce_bias, expand_weight, expand_bias, .. } =
            buffers;
        let SqueezeExciteBackwardBuffers { output, output_gradient, gate_gradient, .. } = buffers;
        let SqueezeExciteBackwardBuffers { features_gradient, identity_gradient, .. } = buffers;
        let SqueezeExciteBackwardBuffers { reduce_weight_gradient, reduce_bias_gradient, .. } = buffers;
        let SqueezeExciteBackwardBuffers { expand_weight_gradient, expand_bias_gradient, .. } = buffers;
        let upstream = Upstream { output, output_gradient, gate_gradient };
        upstream.check(OP, epilogue, identity_gradient.is_some())?;
        for (name, bias, gradient) in [
            ("reduce_bias_gradient", reduce_bias, reduce_bias_gradient),
            ("expand_bias_gradient", expand_bias, expand_bias_gradient),
        ] {
            check::presence(
                OP,
                name,
                gradient.is_some(),
                gradient.is_some() && bias.is_some(),
                "there is no such bias",
            )?;
        }
        let empty = !squeezable(OP, shape)?;
        let excitation = Excitation { reduced, reduce_weight, reduce_bias, expand_weight, expand_bias };
        let mut given = vec![
            ("features", Some(features)),
            ("features_gradient", features_gradient),
            ("identity_gradient", identity_gradient),
            ("reduce_weight_gradient", reduce_weight_gradient),
            ("reduce_bias_gradient", reduce_bias_gradient),
            ("expand_weight_gradient", expand_weight_gradient),
            ("expand_bias_gradient", expand_bias_gradient),
        ];
        given.extend(excitation.slices());
        given.extend(upstream.slices());
        check::slices(OP, device, &specs, &given)?;
        if empty {
            return self.zeros.zeros(device, &specs, &given);
        }

        let gradients = LayerGradients {
            reduce_weight: reduce_weight_gradient,
            reduce_bias: reduce_bias_gradient,
            expand_weight: expand_weight_gradient,
            expand_bias: expand_bias_gradient,
        };
        let layers = LayerShape { batch: shape.batch, channels: shape.channels, vectors: vectors(squeeze) };
        self.layers.check(layers, reduced)?;
        let grid = PlaneGrid::new(OP, device, shape, self.element)?;
        let upstream = upstream.read_by(epilogue);
        let needed = features_gradient.is_some() || gradients.any();
        let mut first =
            self.gate.first(device, shape, &grid, needed.then_some(features), upstream, identity_gradient)?;
        let mut dispatches = std::mem::take(&mut first.dispatches);
        if !needed {
            return Ok(Recording::new(dispatches));
        }
        let squeezed = first.squeezed();
        let (forward, excited) = self.layers.forward(device, layers, squeezed, &excitation)?;
        dispatches.extend(forward);
        let through = features_gradient.is_some();
        let of_gate = first.gate_gradient();
        let (backward, of_squeezed) =
            self.layers.backward(device, layers, squeezed, &excited, &excitation, of_gate, gradients, through)?;
        dispatches.extend(backward);
        if let (Some(features_gradient), Some(of_squeezed)) = (features_gradient, of_squeezed) {
            let of_squeezed = of_squeezed.slice(..);
            let last = first.apply(upstream, identity_gradient, excited.gate(), of_squeezed, features_gradient);
            dispatches.extend(self.gate.last(device, shape, &grid, last)?);
        }
        Ok(Recording::new(dispatches))
    }

    /// What one run with every gradient has to move and to compute, without biases.
    ///
    /// Features and upstream gradient are read once, the gradient once more, and the gradient of the features is written. A residual unit
    /// moves two tensors more. The weights are read twice, and their gradients are written.
    #[must_use]
    pub fn cost(&self, shape: SqueezeExciteShape) -> Cost {
        let SqueezeExciteShape { features: shape, reduced } = shape;
        let SqueezeExciteOptions { squeeze, activation, gate, epilogue } = self.options;
        let layer = |inputs, outputs, vectors: u32, activation| {
            let shape = DenseShape { batch: shape.batch.saturating_mul(vectors), inputs, second_inputs: 0, outputs };
            layer_cost(shape, false, activation, self.element)
        };
        gate_cost(shape, epilogue, self.element)
            + layer(shape.channels, reduced, vectors(squeeze), activation)
            + layer(reduced, shape.channels, 1, gate)
    }
}
