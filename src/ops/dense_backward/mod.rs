//! The gradients of a dense layer.
//!
//! ```text
//! z  = weight [input[n], second[n]]                        t = z + bias, or norm(z)
//! dt = activation'(t) * output_gradient[n]                 dz = dt, or dt * norm.weight / sqrt(norm.variance + epsilon)
//!
//! input_gradient, second_gradient [n, i] = sum over o of dz[n, o] * weight[o, i]
//! weight_gradient[o, i]                  = sum over n of dz[n, o] * [input[n], second[n]][i]
//! bias_gradient[o], norm.bias_gradient   = sum over n of dt[n, o]
//! norm.weight_gradient[o]                = sum over n of dt[n, o] * (z[n, o] - norm.mean[o]) / sqrt(norm.variance[o] + epsilon)
//! ```
//!
//! Source: the chain rule of Squeeze-and-Excitation's Eq. 3 (Hu et al. 2018, arXiv:1709.01507). Mean and variance of a batch norm are
//! constants, as in its evaluation form.
//!
//! # Example
//!
//! ```no_run
//! use visual_attention::host::Gpu;
//! use visual_attention::{Activation, DenseBackward, DenseBackwardBuffers, DenseShape, Element};
//!
//! let gpu = Gpu::open()?;
//! let shape = DenseShape { batch: 8, inputs: 256, second_inputs: 0, outputs: 16 };
//! let input = gpu.upload("input", &vec![0.5f32; 8 * 256])?;
//! let weight = gpu.upload("weight", &vec![0.1f32; 16 * 256])?;
//! let output_gradient = gpu.upload("gradient of the output", &vec![1.0f32; 8 * 16])?;
//! let weight_gradient = gpu.buffer("gradient of the weight", 16 * 256 * 4)?;
//!
//! let operator = DenseBackward::new(&gpu.device, Activation::Relu, Element::F32)?;
//! let buffers = DenseBackwardBuffers {
//!     input: input.slice(..),
//!     second: None,
//!     weight: weight.slice(..),
//!     bias: None,
//!     norm: None,
//!     output_gradient: output_gradient.slice(..),
//!     input_gradient: None,
//!     second_gradient: None,
//!     weight_gradient: Some(weight_gradient.slice(..)),
//!     bias_gradient: None,
//!     norm_weight_gradient: None,
//!     norm_bias_gradient: None,
//! };
//! let recording = operator.bind(&gpu.device, shape, buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok::<(), visual_attention::Error>(())
//! ```
//!
//! Nothing of the forward pass has to be kept: the sums `z` are computed again. So the weights are read twice at most, and a gradient that
//! is not given is not computed. [`Activation::derivative`] has the derivatives and what they are at a kink.
//!
//! Gradients of weights, biases and norms are f32, whatever the element type. They are sums over the batch, image by image in order, so the
//! bits do not depend on how the work is divided. Over an empty batch they are 0. The scratch holds `[n, out]` f32 up to three times.
//! [`DenseBackward::bind`] lists the errors, [`DenseBackward::cost`] counts bytes and operations.
//!
//! Kernels: [`dense`](crate::shaders::DENSE), [`dense_backward`](crate::shaders::DENSE_BACKWARD),
//! [`dense_backward_input`](crate::shaders::DENSE_BACKWARD_INPUT), [`dense_backward_weight`](crate::shaders::DENSE_BACKWARD_WEIGHT),
//! [`dense_backward_bias`](crate::shaders::DENSE_BACKWARD_BIAS). Reference:
//! [`reference::dense_backward`](crate::reference::dense_backward).

mod batch_sums;
mod layer;

use super::batch_norm::BatchNorm;
use super::dense::{Dense, DenseShape, Join};
use crate::cost::count;
use crate::kernel::tensor::Between;
use crate::kernel::{Compiler, check, tensor};
use crate::ops::part_sum::PartSum;
use crate::{Activation, Cost, Element, Error, Recording, TensorSpec};

pub(crate) use batch_sums::DENSE_BACKWARD_BIAS;
pub(crate) use layer::{
    Activate, DENSE_BACKWARD, DENSE_BACKWARD_INPUT, DENSE_BACKWARD_WEIGHT, Extents, Finish, LayerBackward,
};

const OP: &str = "dense_backward";

/// The gradients of a [`Dense`] layer. The [page of the module](self) has the formulas and an example.
#[doc(alias = "linear")]
#[derive(Clone, Debug)]
pub struct DenseBackward {
    activation: Activation,
    element: Element,
    layer: LayerBackward,
    zeros: PartSum,
}

/// Tensors of a [`DenseBackward`]; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct DenseBackwardBuffers<'a> {
    /// In: `[n, in]` f32.
    pub input: wgpu::BufferSlice<'a>,
    /// In: `[n, second_inputs]` f32, to the right of `input`.
    pub second: Option<wgpu::BufferSlice<'a>>,
    /// In: `[out, in + second_inputs]`, the operator's element type.
    pub weight: wgpu::BufferSlice<'a>,
    /// In: `[out]`, the operator's element type.
    pub bias: Option<wgpu::BufferSlice<'a>>,
    /// Batch norm instead of a bias.
    pub norm: Option<BatchNorm<'a>>,
    /// In: `[n, out]` f32, the gradient of the loss with respect to the output.
    pub output_gradient: wgpu::BufferSlice<'a>,
    /// Out: `[n, in]` f32.
    pub input_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out, only with a second input: `[n, second_inputs]` f32.
    pub second_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[out, in + second_inputs]` f32.
    pub weight_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out, only with a bias: `[out]` f32.
    pub bias_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out, only with a norm: `[out]` f32.
    pub norm_weight_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out, only with a norm: `[out]` f32.
    pub norm_bias_gradient: Option<wgpu::BufferSlice<'a>>,
}

/// Names of the gradients of a norm's weight and bias.
pub(crate) const NORM_GRADIENTS: [&str; 2] = ["norm.weight_gradient", "norm.bias_gradient"];

impl DenseBackward {
    /// Compiles the kernels for weights of type `element`; vectors are f32.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidParameter`] for a slope or an offset of the activation that is not finite.
    /// - [`Error::MissingFeature`] for f16 on a device without it.
    /// - [`Error::LimitExceeded`] if the device's workgroups hold fewer than 256 invocations.
    pub fn new<'a>(compiler: impl Into<Compiler<'a>>, activation: Activation, element: Element) -> Result<Self, Error> {
        activation.check(OP, "activation")?;
        let compiler = compiler.into();
        Ok(Self {
            activation,
            element,
            layer: LayerBackward::new(OP, compiler, element)?,
            zeros: PartSum::new(OP, compiler.at_first_use())?,
        })
    }

    /// The activation that the operator was built with.
    #[must_use]
    pub const fn activation(&self) -> Activation {
        self.activation
    }

    /// The tensors for this shape, in the order in which `bind` checks them.
    ///
    /// # Errors
    ///
    /// What [`Self::bind`] refuses about the shape.
    pub fn tensors(&self, shape: DenseShape) -> Result<Vec<TensorSpec>, Error> {
        let DenseShape { batch, inputs, second_inputs, outputs } = shape;
        let mut specs = Dense::inputs(OP, shape, self.element)?;
        let gradient = |name, shape: &[u32]| TensorSpec::output(name, shape, Element::F32).optional();
        specs.push(TensorSpec::input("output_gradient", [batch, outputs], Element::F32));
        specs.push(gradient("input_gradient", &[batch, inputs]));
        if second_inputs > 0 {
            specs.push(gradient("second_gradient", &[batch, second_inputs]));
        }
        // The sum fits: it was checked with the weights.
        specs.push(gradient("weight_gradient", &[outputs, inputs + second_inputs]));
        specs.push(gradient("bias_gradient", &[outputs]));
        specs.extend(NORM_GRADIENTS.map(|name| gradient(name, &[outputs])));
        Ok(specs)
    }

    /// Checks the buffers against the shape and binds them. Without any gradient there is nothing to compute.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidShape`] for a shape without inputs.
    /// - [`Error::InvalidParameter`] if `second` does not match `second_inputs`, for a bias beside a batch norm, and for a `norm.epsilon`
    ///   that is negative or not finite.
    /// - [`Error::InvalidParameter`] for the gradient of a bias or norm that is not given.
    /// - [`Error::LimitExceeded`] for 2^32 weights or more, for more inputs or outputs than the loops of one invocation take, and for the
    ///   gradient of a parameter over more than 31,774 vectors.
    /// - [What every operator refuses](crate#what-is-refused).
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: DenseShape,
        buffers: DenseBackwardBuffers<'_>,
    ) -> Result<Recording, Error> {
        let DenseShape { batch, inputs, second_inputs, outputs } = shape;
        let DenseBackwardBuffers { input, second, weight, bias, norm, output_gradient, .. } = buffers;
        let DenseBackwardBuffers { input_gradient, second_gradient, weight_gradient, bias_gradient, .. } = buffers;
        let norm_gradients = [buffers.norm_weight_gradient, buffers.norm_bias_gradient];
        let reason = format!("second_inputs is {second_inputs}");
        check::presence(OP, "second", second.is_some(), second_inputs > 0, &reason)?;
        BatchNorm::check(norm, OP, bias.is_some())?;
        of_parameters(OP, norm.is_some(), norm_gradients)?;
        if bias.is_none() {
            check::presence(OP, "bias_gradient", bias_gradient.is_some(), false, "there is no bias")?;
        }
        let specs = self.tensors(shape)?;
        let mut given = vec![
            ("input", Some(input)),
            ("second", second),
            ("weight", Some(weight)),
            ("bias", bias),
            ("output_gradient", Some(output_gradient)),
            ("input_gradient", input_gradient),
            ("second_gradient", second_gradient),
            ("weight_gradient", weight_gradient),
            ("bias_gradient", bias_gradient),
        ];
        given.extend(BatchNorm::slices(norm, BatchNorm::NAMES));
        given.extend(NORM_GRADIENTS.into_iter().zip(norm_gradients));
        check::slices(OP, device, &specs, &given)?;
        if batch == 0 || outputs == 0 {
            return self.zeros.zeros(device, &specs, &given);
        }

        let extents = Extents { batch, vectors: 1, joined: true, inputs, second_inputs, outputs };
        let of_inputs = input_gradient.is_some() || second_gradient.is_some();
        let of_norm = norm_gradients.iter().any(Option::is_some);
        let of_batch = weight_gradient.is_some() || bias_gradient.is_some() || of_norm;
        if of_batch {
            extents.check(OP)?;
        }
        if !of_inputs && !of_batch {
            return Ok(Recording::default());
        }
        let finish = Finish { bias, norm, activation: self.activation };
        let bytes = u64::from(batch).saturating_mul(outputs.into()).saturating_mul(4);
        let scratch = |label| tensor::scratch(OP, device, label, bytes);
        let mut dispatches = Vec::new();
        let linear = self.activation == Activation::None && norm.is_none();
        let given = if linear { Some(output_gradient) } else { None };
        let gradient = Between::new(given, OP, device, "gradient of the sums", bytes)?;
        let gradient = gradient.slice();
        if !linear {
            let join = second.map_or(Join::One, Join::SideBySide);
            let sums = scratch("sums")?;
            let sums = sums.slice(..);
            dispatches.extend(self.layer.sums(device, &extents, (input, join), weight, sums)?);
            let activate =
                Activate { sums, output_gradient: Some(output_gradient), output: None, gradient: None, scaled: true };
            if of_inputs || weight_gradient.is_some() || bias_gradient.is_some() {
                let activate = Activate { gradient: Some(gradient), ..activate };
                dispatches.extend(self.layer.activate(device, &extents, finish, activate)?);
            }
            if let Some(norm) = norm.filter(|_| of_norm) {
                let unscaled = scratch("gradient of the norm")?;
                let unscaled = unscaled.slice(..);
                let activate = Activate { gradient: Some(unscaled), scaled: false, ..activate };
                dispatches.extend(self.layer.activate(device, &extents, finish, activate)?);
                let [of_weight, of_bias] = norm_gradients;
                let norm = Some((norm, sums));
                dispatches.extend(self.layer.biases(device, &extents, unscaled, norm, [of_bias, of_weight])?);
            }
        }
        let of_inputs = [input_gradient, second_gradient];
        dispatches.extend(self.layer.inputs(device, &extents, gradient, weight, of_inputs)?);
        if let Some(output) = weight_gradient {
            dispatches.extend(self.layer.weights(device, &extents, gradient, (input, second), output)?);
        }
        dispatches.extend(self.layer.biases(device, &extents, gradient, None, [bias_gradient, None])?);
        Ok(Recording::new(dispatches))
    }

    /// What one run with every gradient moves and computes, for a layer with a bias (`bias` true) or without. A batch norm is counted as the
    /// bias that it can be folded into. The weights are read twice, except by a layer without activation.
    #[must_use]
    pub fn cost(&self, shape: DenseShape, bias: bool) -> Cost {
        layer_cost(shape, bias, self.activation, self.element)
    }
}

/// Refuses the gradients of a norm that is not there.
pub(crate) fn of_parameters(
    op: &'static str,
    norm: bool,
    gradients: [Option<wgpu::BufferSlice<'_>>; 2],
) -> Result<(), Error> {
    let mut all = NORM_GRADIENTS.into_iter().zip(gradients);
    all.try_for_each(|(name, gradient)| {
        check::presence(op, name, gradient.is_some(), norm && gradient.is_some(), "there is no norm")
    })
}

pub(crate) fn layer_cost(shape: DenseShape, bias: bool, activation: Activation, element: Element) -> Cost {
    let width = count(u64::from(shape.inputs) + u64::from(shape.second_inputs));
    let [batch, outputs] = [shape.batch, shape.outputs].map(|extent| count(u64::from(extent)));
    let parameters = outputs * width + if bias { outputs } else { count(0) };
    let products = if activation == Activation::None { 2 } else { 3 };
    let bytes = outputs * width * count(element.bytes()) * count(products - 1)
        + parameters * count(4)
        + batch * (width * count(2) + outputs) * count(4);
    Cost::new(bytes, batch * outputs * width * count(2 * products), parameters)
}
