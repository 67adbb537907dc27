//! The gradients of BiSeNet's attention.
//!
//! ```text
//! u  = output_gradient, with a residual only where output > 0    kernel channel_scale_backward, with s below
//! dg = sum of u * f over each plane, + gate_gradient             kernel channel_scale_backward_join
//! z  = weight s, t = norm(z), dt = gate * (1 - gate) * dg        kernels dense, dense_backward
//! dz = dt * norm.weight / sqrt(norm.variance + epsilon)
//! ds = dz weight, weight_gradient = sum over n of dz s           kernels dense_backward_input, dense_backward_weight
//! df = u * gate + ds / (h * w)                                   kernel channel_scale_backward_apply
//! ```
//!
//! Source: the chain rule of BiSeNet's attention (Yu et al. 2018, arXiv:1808.00897, Fig. 2b and 2c). `s` is the mean of each plane. The
//! gradients of the norm are those of [`dense_backward`](super::dense_backward): mean and variance are constants. [`Epilogue::ScaleAdd`] adds
//! `u` to `df`, and [`Epilogue::Residual`] has `identity_gradient = u`.
//!
//! # Example
//!
//! ```no_run
//! use visual_attention::host::Gpu;
//! use visual_attention::{
//!     BatchNorm, BiSeNetAttentionBackward, BiSeNetAttentionBackwardBuffers, Element, Epilogue, Nchw,
//! };
//!
//! let gpu = Gpu::open()?;
//! let features = gpu.upload("features", &vec![0.5f32; 128 * 32 * 32])?;
//! let weight = gpu.upload("weight", &vec![0.1f32; 128 * 128])?;
//! let ones = gpu.upload("ones", &vec![1.0f32; 128])?;
//! let zeros = gpu.upload("zeros", &vec![0.0f32; 128])?;
//! let output_gradient = gpu.upload("gradient of the output", &vec![1.0f32; 128 * 32 * 32])?;
//! let features_gradient = gpu.buffer("gradient of the features", 128 * 32 * 32 * 4)?;
//! let weight_gradient = gpu.buffer("gradient of the weight", 128 * 128 * 4)?;
//!
//! let norm = BatchNorm {
//!     weight: ones.slice(..),
//!     bias: zeros.slice(..),
//!     mean: zeros.slice(..),
//!     variance: ones.slice(..),
//!     epsilon: 1e-5,
//! };
//! let operator = BiSeNetAttentionBackward::new(&gpu.device, Epilogue::Scale, Element::F32)?;
//! let buffers = BiSeNetAttentionBackwardBuffers {
//!     features: features.slice(..),
//!     weight: weight.slice(..),
//!     norm,
//!     output: None,
//!     output_gradient: Some(output_gradient.slice(..)),
//!     gate_gradient: None,
//!     features_gradient: Some(features_gradient.slice(..)),
//!     identity_gradient: None,
//!     weight_gradient: Some(weight_gradient.slice(..)),
//!     norm_weight_gradient: None,
//!     norm_bias_gradient: None,
//! };
//! let recording = operator.bind(&gpu.device, Nchw::new(1, 128, 32, 32), buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok::<(), visual_attention::Error>(())
//! ```
//!
//! Of the forward pass only the output of a residual unit has to be kept: means and gates are computed again, from the read of the features
//! that the gate's gradient needs anyway. A forward pass in place overwrites the features: training needs a separate output. Features and
//! upstream gradient move four times in all, with a residual six times.
//!
//! Gradients of the parameters are f32, whatever the element type. They are sums over the batch, image by image in order, so the bits do not
//! depend on how the work is divided. The scratch holds `[n, c]` f32 up to seven times, and 16 bytes for each part of a plane.
//! [`BiSeNetAttentionBackward::bind`] lists the errors, [`BiSeNetAttentionBackward::cost`] counts bytes and operations.
//!
//! Kernels: [`channel_scale_backward`](crate::shaders::CHANNEL_SCALE_BACKWARD),
//! [`channel_scale_backward_join`](crate::shaders::CHANNEL_SCALE_BACKWARD_JOIN),
//! [`channel_scale_backward_apply`](crate::shaders::CHANNEL_SCALE_BACKWARD_APPLY), and those of
//! [`dense_backward`](super::dense_backward). Reference: [`reference::bisenet_backward`](crate::reference::bisenet_backward).

use super::batch_norm::BatchNorm;
use super::channel_scale_backward::{Gate, Upstream, gate_cost};
use super::dense::{DenseShape, Join};
use super::dense_backward::{Activate, Extents, Finish, LayerBackward, NORM_GRADIENTS, layer_cost};
use super::global_pool::{PlaneGrid, squeezable};
use crate::kernel::{Compiler, check, tensor};
use crate::ops::part_sum::PartSum;
use crate::{Activation, Cost, Element, Epilogue, Error, Nchw, Recording, Squeeze, TensorSpec};

const OP: &str = "bisenet_backward";

/// The gradients of [`BiSeNetAttention`](crate::BiSeNetAttention). The [page of the module](self) has the formulas and an example.
#[derive(Clone, Debug)]
pub struct BiSeNetAttentionBackward {
    epilogue: Epilogue,
    element: Element,
    gate: Gate,
    layer: LayerBackward,
    zeros: PartSum,
}

/// Tensors of a [`BiSeNetAttentionBackward`]; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct BiSeNetAttentionBackwardBuffers<'a> {
    /// In: `[n, c, h, w]`, the operator's element type.
    pub features: wgpu::BufferSlice<'a>,
    /// In: `[c, c]`, the operator's element type.
    pub weight: wgpu::BufferSlice<'a>,
    /// Batch norm over `c` channels.
    pub norm: BatchNorm<'a>,
    /// In: `[n, c, h, w]`, the operator's element type, as the forward operator wrote it. Only [`Epilogue::Residual`] reads it.
    pub output: Option<wgpu::BufferSlice<'a>>,
    /// In: `[n, c, h, w]`, the operator's element type, the gradient of the loss with respect to the output. [`Epilogue::GateOnly`] has no
    /// output.
    pub output_gradient: Option<wgpu::BufferSlice<'a>>,
    /// In: `[n, c]` f32, the gradient of the loss with respect to the gate. Required by [`Epilogue::GateOnly`], optional otherwise.
    pub gate_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, c, h, w]`, the operator's element type.
    pub features_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out, only for [`Epilogue::Residual`]: `[n, c, h, w]`, the operator's element type.
    pub identity_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[c, c]` f32.
    pub weight_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[c]` f32.
    pub norm_weight_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[c]` f32.
    pub norm_bias_gradient: Option<wgpu::BufferSlice<'a>>,
}

impl BiSeNetAttentionBackward {
    /// Compiles the kernels for features and weights of type `element`.
    ///
    /// # Errors
    ///
    /// - [`Error::MissingFeature`] for f16 on a device without it.
    /// - [`Error::LimitExceeded`] if the device's workgroups hold fewer than 256 invocations.
    pub fn new<'a>(compiler: impl Into<Compiler<'a>>, epilogue: Epilogue, element: Element) -> Result<Self, Error> {
        let compiler = compiler.into();
        Ok(Self {
            epilogue,
            element,
            gate: Gate::new(OP, compiler, epilogue, Squeeze::Mean, element)?,
            layer: LayerBackward::new(OP, compiler, element)?,
            zeros: PartSum::new(OP, compiler.at_first_use())?,
        })
    }

    /// The epilogue that the operator was built with.
    #[must_use]
    pub const fn epilogue(&self) -> Epilogue {
        self.epilogue
    }

    /// The tensors for this shape, in the order in which `bind` checks them.
    ///
    /// # Errors
    ///
    /// What [`Self::bind`] refuses about the shape.
    pub fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        let channels = shape.channels;
        check::elements(OP, "features", shape)?;
        check::to_u32(OP, "weights", u64::from(channels) * u64::from(channels))?;
        let mut specs = vec![TensorSpec::input("features", shape, self.element)];
        specs.push(TensorSpec::input("weight", [channels, channels], self.element));
        let norm = BatchNorm::specs(BatchNorm::NAMES, channels, self.element);
        specs.extend(norm.map(|spec| spec.optional_if(false)));
        specs.extend(Upstream::specs(shape, self.element, self.epilogue));
        specs.push(Upstream::gate_spec(shape, self.epilogue));
        specs.extend(Upstream::result_specs(shape, self.element, self.epilogue));
        specs.push(TensorSpec::output("weight_gradient", [channels, channels], Element::F32).optional());
        specs.extend(NORM_GRADIENTS.map(|name| TensorSpec::output(name, [channels], Element::F32).optional()));
        Ok(specs)
    }

    /// Checks the buffers against the shape and binds them. Without any gradient there is nothing to compute.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidParameter`] for a `norm.epsilon` that is negative or not finite, or if `output`, `output_gradient`,
    ///   `gate_gradient` or `identity_gradient` does not match the operator's [`Epilogue`].
    /// - [`Error::InvalidShape`] for planes without pixels.
    /// - [`Error::LimitExceeded`] if one plane or the weights exceed a binding of the device, and for more than 31,774 images.
    /// - [What every operator refuses](crate#what-is-refused).
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        buffers: BiSeNetAttentionBackwardBuffers<'_>,
    ) -> Result<Recording, Error> {
        let BiSeNetAttentionBackwardBuffers { features, weight, norm, .. } = buffers;
        let BiSeNetAttentionBackwardBuffers { output, output_gradient, gate_gradient, .. } = buffers;
        let BiSeNetAttentionBackwardBuffers { features_gradient, identity_gradient, weight_gradient, .. } = buffers;
        let norm_gradients = [buffers.norm_weight_gradient, buffers.norm_bias_gradient];
        let specs = self.tensors(shape)?;
        let upstream = Upstream { output, output_gradient, gate_gradient };
        upstream.check(OP, self.epilogue, identity_gradient.is_some())?;
        BatchNorm::check(Some(norm), OP, false)?;
        let empty = !squeezable(OP, shape)?;
        let mut given = vec![
            ("features", Some(features)),
            ("weight", Some(weight)),
            ("features_gradient", features_gradient),
            ("identity_gradient", identity_gradient),
            ("weight_gradient", weight_gradient),
        ];
        given.extend(upstream.slices());
        given.extend(BatchNorm::slices(Some(norm), BatchNorm::NAMES));
        given.extend(NORM_GRADIENTS.into_iter().zip(norm_gradients));
        check::slices(OP, device, &specs, &given)?;
        if empty {
            return self.zeros.zeros(device, &specs, &given);
        }

        let Nchw { batch, channels, .. } = shape;
        let extents =
            Extents { batch, vectors: 1, joined: true, inputs: channels, second_inputs: 0, outputs: channels };
        extents.check(OP)?;
        let of_norm = norm_gradients.iter().any(Option::is_some);
        let through = features_gradient.is_some() || weight_gradient.is_some();
        let needed = through || of_norm;
        let grid = PlaneGrid::new(OP, device, shape, self.element)?;
        let upstream = upstream.read_by(self.epilogue);
        let mut first =
            self.gate.first(device, shape, &grid, needed.then_some(features), upstream, identity_gradient)?;
        let mut dispatches = std::mem::take(&mut first.dispatches);
        if !needed {
            return Ok(Recording::new(dispatches));
        }
        let bytes = u64::from(batch).saturating_mul(channels.into()).saturating_mul(4);
        let scratch = |label| tensor::scratch(OP, device, label, bytes);
        let [sums, gate, of_sums] = [scratch("sums")?, scratch("gate")?, scratch("gradient of the sums")?];
        let [sums, gate, of_sums] = [&sums, &gate, &of_sums].map(|buffer| buffer.slice(..));
        let finish = Finish { bias: None, norm: Some(norm), activation: Activation::Sigmoid };
        let layer = &self.layer;
        dispatches.extend(layer.sums(device, &extents, (first.squeezed(), Join::One), weight, sums)?);
        let activate = Activate {
            sums,
            output_gradient: Some(first.gate_gradient()),
            output: Some(gate),
            gradient: Some(of_sums),
            scaled: true,
        };
        if through {
            dispatches.extend(layer.activate(device, &extents, finish, activate)?);
        }
        if of_norm {
            let of_logits = scratch("gradient of the logits")?;
            let of_logits = of_logits.slice(..);
            let activate = Activate { output: None, gradient: Some(of_logits), scaled: false, ..activate };
            dispatches.extend(layer.activate(device, &extents, finish, activate)?);
            let [of_weight, of_bias] = norm_gradients;
            let norm = Some((norm, sums));
            dispatches.extend(layer.biases(device, &extents, of_logits, norm, [of_bias, of_weight])?);
        }
        if let Some(gradient) = weight_gradient {
            dispatches.extend(layer.weights(device, &extents, of_sums, (first.squeezed(), None), gradient)?);
        }
        if let Some(features_gradient) = features_gradient {
            let of_means = scratch("gradient of the means")?;
            let of_means = of_means.slice(..);
            dispatches.extend(layer.inputs(device, &extents, of_sums, weight, [Some(of_means), None])?);
            let last = first.apply(upstream, identity_gradient, gate, of_means, features_gradient);
            dispatches.extend(self.gate.last(device, shape, &grid, last)?);
        }
        Ok(Recording::new(dispatches))
    }

    /// What one run with every gradient has to move and to compute. The batch norm is counted as a bias, into which it can be folded.
    #[must_use]
    pub fn cost(&self, shape: Nchw) -> Cost {
        let layer =
            DenseShape { batch: shape.batch, inputs: shape.channels, second_inputs: 0, outputs: shape.channels };
        gate_cost(shape, self.epilogue, self.element) + layer_cost(layer, true, Activation::Sigmoid, self.element)
    }
}
