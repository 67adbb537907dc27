//! The gradients of CBAM's spatial gate.
//!
//! ```text
//! dt(y, x)           = gate_gradient + sum over c of g[c] * features[c], times gate * (1 - gate)
//! dz                 = dt, or dt * norm.weight / sqrt(norm.variance + epsilon)
//! weight_gradient    = sum over n, y, x of dz(y, x) * planes(y + a - r, x + b - r)
//! bias_gradient      = sum over n, y, x of dt                                                    also norm.bias_gradient
//! norm.weight_gradient = sum over n, y, x of dt * (z - norm.mean) / sqrt(norm.variance + epsilon)
//! planes_gradient    = dz convolved with the flipped kernel
//! features_gradient  = g * gate [+ g] + planes_gradient of the mean / C + that of the maximum at the first channel that holds it
//! identity_gradient  = g
//!
//! g = output_gradient; in a residual unit where output > 0, else 0
//! ```
//!
//! Source: the chain rule of CBAM's Eq. 3 (Woo et al. 2018, arXiv:1807.06521). Mean and variance of the norm are constants. A NaN counts as
//! the largest number.
//!
//! ```no_run
//! use visual_attention::{
//!     Element, Epilogue, Nchw, SpatialGateBackward, SpatialGateBackwardBuffers, SpatialGateShape,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let gpu = visual_attention::host::Gpu::open()?;
//! let shape = SpatialGateShape { features: Nchw::new(1, 64, 56, 56), kernel: 7 };
//! let features = gpu.upload("features", &vec![0.5f32; 64 * 56 * 56])?;
//! let weight = gpu.upload("weight", &vec![0.1f32; 2 * 7 * 7])?;
//! let output_gradient = gpu.upload("gradient of the output", &vec![1.0f32; 64 * 56 * 56])?;
//! let features_gradient = gpu.buffer("gradient of the features", 64 * 56 * 56 * 4)?;
//! let weight_gradient = gpu.buffer("gradient of the weight", 2 * 7 * 7 * 4)?;
//!
//! let operator = SpatialGateBackward::new(&gpu.device, Epilogue::Scale, Element::F32)?;
//! let buffers = SpatialGateBackwardBuffers {
//!     features: features.slice(..),
//!     weight: weight.slice(..),
//!     bias: None,
//!     norm: None,
//!     output: None,
//!     output_gradient: Some(output_gradient.slice(..)),
//!     gate_gradient: None,
//!     features_gradient: Some(features_gradient.slice(..)),
//!     identity_gradient: None,
//!     weight_gradient: Some(weight_gradient.slice(..)),
//!     bias_gradient: None,
//!     norm_weight_gradient: None,
//!     norm_bias_gradient: None,
//! };
//! let recording = operator.bind(&gpu.device, shape, buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok(())
//! # }
//! ```
//!
//! # Passes, order and memory
//!
//! Features and upstream gradient are read once for the sums over channels, which also give the two planes again. The gate follows from the
//! planes, so nothing of the forward pass is kept but the output of a residual unit. A last pass reads the upstream gradient again and
//! writes the gradient of the features.
//!
//! Gradients of parameters are f32. They are summed in slices of 4,096 pixels of an image, and the slices in order, so the bits do not
//! depend on how the work is divided. Scratch takes 36 bytes for each pixel of a map `[n, h, w]`, and `2 * k * k + 1` numbers of f32 for
//! each slice. [`SpatialGateBackward::bind`] lists the errors, [`SpatialGateBackward::cost`] counts bytes and operations.
//!
//! Kernels [`SPATIAL_GATE_BACKWARD_SQUEEZE`](crate::shaders::SPATIAL_GATE_BACKWARD_SQUEEZE),
//! [`SPATIAL_GATE_CONV`](crate::shaders::SPATIAL_GATE_CONV), [`SPATIAL_GATE_BACKWARD_TAPS`](crate::shaders::SPATIAL_GATE_BACKWARD_TAPS),
//! [`PART_SUM`](crate::shaders::PART_SUM), [`SPATIAL_GATE_BACKWARD_PARAMETERS`](crate::shaders::SPATIAL_GATE_BACKWARD_PARAMETERS),
//! [`SPATIAL_GATE_BACKWARD_PLANES`](crate::shaders::SPATIAL_GATE_BACKWARD_PLANES) and
//! [`SPATIAL_GATE_BACKWARD_APPLY`](crate::shaders::SPATIAL_GATE_BACKWARD_APPLY); reference
//! [`reference::spatial_gate_backward`](crate::reference::spatial_gate_backward).

mod kernels;
mod passes;

use crate::cost::count;
use crate::kernel::{Compiler, check, tensor};
use crate::ops::dense_backward::NORM_GRADIENTS;
use crate::ops::global_pool::PlaneGrid;
use crate::ops::part_sum::PartSum;
use crate::ops::spatial_gate::{Convolution, ConvolutionNames, SpatialGateShape, spatially_squeezable};
use crate::{BatchNorm, Cost, Element, Epilogue, Error, Nchw, Recording, TensorSpec};

pub(crate) use self::kernels::{
    SPATIAL_GATE_BACKWARD_APPLY, SPATIAL_GATE_BACKWARD_PARAMETERS, SPATIAL_GATE_BACKWARD_PLANES,
    SPATIAL_GATE_BACKWARD_SQUEEZE, SPATIAL_GATE_BACKWARD_TAPS,
};
pub(crate) use self::passes::{ChannelPart, Given, ParameterGradients, Passes};

const OP: &str = "spatial_gate_backward";

/// The gradients of a [`SpatialGate`](crate::SpatialGate); the [page](self) has formulas and example.
#[derive(Clone, Debug)]
pub struct SpatialGateBackward {
    epilogue: Epilogue,
    element: Element,
    passes: Passes,
    zeros: PartSum,
}

/// Tensors of a [`SpatialGateBackward`]; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct SpatialGateBackwardBuffers<'a> {
    /// In: `[n, c, h, w]`, the operator's element type.
    pub features: wgpu::BufferSlice<'a>,
    /// In: `[1, 2, k, k]`, the operator's element type.
    pub weight: wgpu::BufferSlice<'a>,
    /// In: `[1]`, the operator's element type.
    pub bias: Option<wgpu::BufferSlice<'a>>,
    /// Batch norm of the one channel, instead of a bias.
    pub norm: Option<BatchNorm<'a>>,
    /// In: `[n, c, h, w]`, the operator's element type, as the forward operator wrote it. Only [`Epilogue::Residual`] reads it.
    pub output: Option<wgpu::BufferSlice<'a>>,
    /// In: `[n, c, h, w]`, the operator's element type. [`Epilogue::GateOnly`] has no output.
    pub output_gradient: Option<wgpu::BufferSlice<'a>>,
    /// In: `[n, h, w]` f32, the gradient of the loss with respect to the gate. Required by [`Epilogue::GateOnly`], optional otherwise.
    pub gate_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, c, h, w]`, the operator's element type.
    pub features_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out, only for [`Epilogue::Residual`]: `[n, c, h, w]`, the operator's element type.
    pub identity_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[1, 2, k, k]` f32.
    pub weight_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out, only with a bias: `[1]` f32.
    pub bias_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out, only with a norm: `[1]` f32.
    pub norm_weight_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out, only with a norm: `[1]` f32.
    pub norm_bias_gradient: Option<wgpu::BufferSlice<'a>>,
}

/// Names of the upstream gradients and of the forward operator's output.
const UPSTREAM: [&str; 3] = ["output", "output_gradient", "gate_gradient"];

impl SpatialGateBackward {
    /// Compiles for features and weights of type `element`.
    ///
    /// # Errors
    ///
    /// - [`Error::MissingFeature`]: f16 on a device without it.
    /// - [`Error::LimitExceeded`]: a device whose workgroups hold fewer than 256 invocations.
    pub fn new<'a>(compiler: impl Into<Compiler<'a>>, epilogue: Epilogue, element: Element) -> Result<Self, Error> {
        let compiler = compiler.into();
        Ok(Self {
            epilogue,
            element,
            passes: Passes::new(OP, compiler, epilogue, element)?,
            zeros: PartSum::new(OP, compiler.at_first_use())?,
        })
    }

    /// The tensors of one [`Self::bind`], in the order in which they are checked.
    ///
    /// # Errors
    ///
    /// Whatever [`Self::bind`] refuses about a shape.
    pub fn tensors(&self, shape: SpatialGateShape) -> Result<Vec<TensorSpec>, Error> {
        let SpatialGateShape { features: shape, kernel } = shape;
        check::elements(OP, "features", shape)?;
        Convolution::check_kernel(OP, kernel)?;
        let mut specs = vec![TensorSpec::input("features", shape, self.element)];
        specs.extend(Convolution::specs(ConvolutionNames::OWN, kernel, self.element));
        let [output, output_gradient, gate_gradient] = UPSTREAM;
        if self.epilogue != Epilogue::GateOnly {
            let saved = TensorSpec::input(output, shape, self.element);
            specs.push(saved.optional_if(self.epilogue != Epilogue::Residual));
            specs.push(TensorSpec::input(output_gradient, shape, self.element));
        }
        let of_gate = TensorSpec::input(gate_gradient, shape.plane(), Element::F32);
        specs.push(of_gate.optional_if(self.epilogue != Epilogue::GateOnly));
        specs.push(TensorSpec::output("features_gradient", shape, self.element).optional());
        if self.epilogue == Epilogue::Residual {
            specs.push(TensorSpec::output("identity_gradient", shape, self.element).optional());
        }
        let parameter = |name, shape: &[u32]| TensorSpec::output(name, shape, Element::F32).optional();
        specs.push(parameter("weight_gradient", &[1, 2, kernel, kernel]));
        specs.push(parameter("bias_gradient", &[1]));
        specs.extend(NORM_GRADIENTS.map(|name| parameter(name, &[1])));
        Ok(specs)
    }

    /// Checks the buffers against the shape and binds them. What is not wanted is not computed.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidParameter`]: a kernel that is even or above 127; a bias beside a batch norm; a `norm.epsilon` that is negative or
    ///   not finite.
    /// - [`Error::InvalidParameter`]: the gradient of a bias or norm that is not given; a tensor that is missing, or that the [`Epilogue`]
    ///   does not take.
    /// - [`Error::InvalidShape`]: pixels without channels.
    /// - [`Error::LimitExceeded`]: more than 31,774 channels, or an image that exceeds a binding of the device.
    /// - What [every operator refuses](crate#what-is-refused) about its buffers.
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: SpatialGateShape,
        buffers: SpatialGateBackwardBuffers<'_>,
    ) -> Result<Recording, Error> {
        let specs = self.tensors(shape)?;
        let SpatialGateShape { features: shape, kernel } = shape;
        let SpatialGateBackwardBuffers { features, weight, bias, norm, output, output_gradient, gate_gradient, .. } =
            buffers;
        let SpatialGateBackwardBuffers { features_gradient, identity_gradient, weight_gradient, .. } = buffers;
        let SpatialGateBackwardBuffers { bias_gradient, norm_weight_gradient, norm_bias_gradient, .. } = buffers;
        let convolution = Convolution { kernel, weight, bias, norm };
        convolution.check_norm(OP)?;
        for (parameter, gradient, there) in [
            ("bias_gradient", bias_gradient, bias.is_some()),
            (NORM_GRADIENTS[0], norm_weight_gradient, norm.is_some()),
            (NORM_GRADIENTS[1], norm_bias_gradient, norm.is_some()),
        ] {
            let wanted = gradient.is_some() && there;
            check::presence(OP, parameter, gradient.is_some(), wanted, "the forward operator has no such parameter")?;
        }
        let empty = !spatially_squeezable(OP, shape)?;
        let mut given = vec![
            ("features", Some(features)),
            ("features_gradient", features_gradient),
            ("identity_gradient", identity_gradient),
            ("weight_gradient", weight_gradient),
            ("bias_gradient", bias_gradient),
            (NORM_GRADIENTS[0], norm_weight_gradient),
            (NORM_GRADIENTS[1], norm_bias_gradient),
        ];
        given.extend(UPSTREAM.into_iter().zip([output, output_gradient, gate_gradient]));
        given.extend(convolution.slices(ConvolutionNames::OWN));
        check::slices(OP, device, &specs, &given)?;
        if empty {
            return self.zeros.zeros(device, &specs, &given);
        }

        let gradients = ParameterGradients {
            weight: weight_gradient,
            bias: bias_gradient.or(norm_bias_gradient),
            norm_weight: norm_weight_gradient,
        };
        let grid = PlaneGrid::new(OP, device, shape, self.element)?;
        let bytes = shape.plane().elements().unwrap_or(u64::MAX).saturating_mul(16);
        let maps = features_gradient.map(|_| tensor::scratch(OP, device, "maps", bytes)).transpose()?;
        let maps = maps.as_ref().map(|buffer| buffer.slice(..));
        let mut dispatches = Vec::new();
        if maps.is_some() || gradients.any() {
            let given = Given { features, channel_gate: None, convolution, output, output_gradient, gate_gradient };
            dispatches.extend(self.passes.first(device, shape, &grid, given, maps, gradients)?);
        }
        if features_gradient.is_some() || identity_gradient.is_some() {
            let upstream = [output, output_gradient];
            let last =
                self.passes.last(device, shape, &grid, upstream, maps, None, features_gradient, identity_gradient)?;
            dispatches.extend(last);
        }
        Ok(Recording::new(dispatches))
    }

    /// What one run with every gradient moves and computes. Features are read once, the upstream gradient twice and in a residual unit the
    /// output twice; the gradients are written. The parameters are the taps and one bias.
    #[must_use]
    pub fn cost(&self, shape: SpatialGateShape) -> Cost {
        let SpatialGateShape { features: shape, kernel } = shape;
        cost(shape, kernel, self.epilogue, self.element)
    }
}

/// The cost of all passes.
pub(crate) fn cost(shape: Nchw, kernel: u32, epilogue: Epilogue, element: Element) -> Cost {
    let (features, pixels) = (count(shape.elements()), count(shape.plane().elements()));
    let taps = count(2) * count(u64::from(kernel)) * count(u64::from(kernel));
    let tensors = match epilogue {
        Epilogue::Scale | Epilogue::ScaleAdd => 4,
        Epilogue::Residual => 7,
        Epilogue::GateOnly => 2,
    };
    let parameters = taps + count(1);
    Cost::new(
        features * count(tensors) * count(element.bytes()) + parameters * count(element.bytes() + 4),
        features * count(7) + pixels * taps * count(6),
        parameters,
    )
}
