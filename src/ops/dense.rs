//! Fully connected layers on pooled vectors.

use crate::pipeline::{self, Access, Build, Compiler, Dispatch, Kernel, MAX_ROUNDS, Tensor};
use crate::plan::{self, Team};
use crate::shaders::{self, Variant, params};
use crate::{Cost, Element, Error, Recording};

const OP: &str = "dense";

params!(Params {
    origin: u32,
    input_base: u32,
    second_base: u32,
    output_base: u32,
    inputs: u32,
    second_inputs: u32,
    outputs: u32,
    parts: u32,
    join: u32,
    maxima: u32,
    has_bias: u32,
    has_norm: u32,
    epsilon: f32,
    activation: u32,
    slope: f32,
    offset: f32,
});

/// What a layer does to each of its sums `t`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Activation {
    /// `t`.
    None,
    /// `max(t, 0)`.
    Relu,
    /// `clamp(t, 0, 6)` (`MobileNet`, Howard et al. 2017).
    Relu6,
    /// `t`, or `slope * t` below 0.
    LeakyRelu {
        /// Below 0; finite.
        slope: f32,
    },
    /// `t * sigmoid(t)`, also called swish.
    Silu,
    /// `t * clamp(t / 6 + 1/2, 0, 1)` (`MobileNetV3`, Howard et al. 2019, arXiv:1905.02244, Sec. 5.2).
    HardSwish,
    /// `1 / (1 + exp(-t))`.
    Sigmoid,
    /// `clamp(slope * t + offset, 0, 1)`; see [`HARD_SIGMOID`](Self::HARD_SIGMOID) and
    /// [`HARD_SIGMOID_ONNX`](Self::HARD_SIGMOID_ONNX).
    HardSigmoid {
        /// Factor of `t`; finite.
        slope: f32,
        /// The value at 0; finite.
        offset: f32,
    },
    /// The hyperbolic tangent.
    Tanh,
    /// `t / 2 * (1 + erf(t / sqrt 2))` (Hendrycks and Gimpel 2016, arXiv:1606.08415, Sec. 2).
    Gelu,
    /// `t / 2 * (1 + tanh(sqrt(2 / pi) * (t + 0.044715 t^3)))`: GELU's approximation (arXiv:1606.08415, Sec. 2).
    GeluTanh,
}

impl Activation {
    /// `clamp(t / 6 + 1/2, 0, 1)`: that of `PyTorch` and of `MobileNetV3`.
    pub const HARD_SIGMOID: Self = Self::HardSigmoid { slope: 1.0 / 6.0, offset: 0.5 };
    /// `clamp(0.2 t + 1/2, 0, 1)`: ONNX's default, that of Keras before version 3, and of `PaddlePaddle`'s networks.
    pub const HARD_SIGMOID_ONNX: Self = Self::HardSigmoid { slope: 0.2, offset: 0.5 };

    /// Every activation; [`LeakyRelu`](Self::LeakyRelu) with slope 0.01, and both usual hard sigmoids.
    pub const ALL: [Self; 12] = [
        Self::None,
        Self::Relu,
        Self::Relu6,
        Self::LeakyRelu { slope: 0.01 },
        Self::Silu,
        Self::HardSwish,
        Self::Sigmoid,
        Self::HARD_SIGMOID,
        Self::HARD_SIGMOID_ONNX,
        Self::Tanh,
        Self::Gelu,
        Self::GeluTanh,
    ];

    /// The number that `shared/activation.wgsl` knows it by.
    pub(crate) const fn code(self) -> u32 {
        match self {
            Self::None => 0,
            Self::Relu => 1,
            Self::Silu => 2,
            Self::Sigmoid => 3,
            Self::HardSigmoid { .. } => 4,
            Self::Tanh => 5,
            Self::Relu6 => 6,
            Self::LeakyRelu { .. } => 7,
            Self::HardSwish => 8,
            Self::Gelu => 9,
            Self::GeluTanh => 10,
        }
    }

    /// 0 for those that have none.
    pub(crate) const fn slope(self) -> f32 {
        match self {
            Self::LeakyRelu { slope } | Self::HardSigmoid { slope, .. } => slope,
            _ => 0.0,
        }
    }

    /// 0 for those that have none.
    pub(crate) const fn offset(self) -> f32 {
        match self {
            Self::HardSigmoid { offset, .. } => offset,
            _ => 0.0,
        }
    }

    /// Refuses a slope or an offset that is not finite.
    pub(crate) fn check(self, op: &'static str, parameter: &'static str) -> Result<(), Error> {
        pipeline::check_finite(op, parameter, self.slope())?;
        pipeline::check_finite(op, parameter, self.offset())?;
        Ok(())
    }
}

/// Batch norm in its evaluation form, `(t - mean) / sqrt(variance + epsilon) * weight + bias` for each output. It takes the
/// place of a bias: one of the layer's own would be part of `mean`.
#[derive(Clone, Copy, Debug)]
pub struct BatchNorm<'a> {
    /// In: `[out]`, the operator's element type.
    pub weight: wgpu::BufferSlice<'a>,
    /// In: `[out]`, the operator's element type.
    pub bias: wgpu::BufferSlice<'a>,
    /// In: `[out]`, the operator's element type: the running mean.
    pub mean: wgpu::BufferSlice<'a>,
    /// In: `[out]`, the operator's element type: the running variance.
    pub variance: wgpu::BufferSlice<'a>,
    /// Added to the variance; 0 or more.
    pub epsilon: f32,
}

impl<'a> BatchNorm<'a> {
    /// The four tensors of a norm that may be absent, in the order weight, bias, mean, variance; `bias` is the layer's own
    /// where there is no norm.
    pub(crate) fn tensors(
        norm: Option<Self>,
        bias: Option<wgpu::BufferSlice<'a>>,
        outputs: u64,
        bytes: u64,
    ) -> [Tensor<'a>; 4] {
        [
            Tensor::read_whole_if("norm.weight", norm.map(|norm| norm.weight), outputs, bytes),
            match norm {
                Some(norm) => Tensor::read_whole("norm.bias", norm.bias, outputs, bytes),
                None => Tensor::read_whole_if("bias", bias, outputs, bytes),
            },
            Tensor::read_whole_if("norm.mean", norm.map(|norm| norm.mean), outputs, bytes),
            Tensor::read_whole_if("norm.variance", norm.map(|norm| norm.variance), outputs, bytes),
        ]
    }

    /// Refuses an epsilon that is no number to add, and a bias beside the norm's.
    pub(crate) fn check(norm: Option<Self>, op: &'static str, bias: bool) -> Result<(), Error> {
        let Some(norm) = norm else { return Ok(()) };
        pipeline::check_presence(op, "bias", bias, false, "the batch norm has its own")?;
        let epsilon = pipeline::check_finite(op, "norm.epsilon", norm.epsilon)?;
        if epsilon < 0.0 {
            let (given, needed) = (epsilon.to_string(), "0 or more".into());
            return Err(Error::InvalidParameter { op, parameter: "norm.epsilon", given, needed });
        }
        Ok(())
    }
}

/// Fully connected layer `input [n, in] -> output [n, out]`: `activation(weight input + bias)`, or batch norm in the place of
/// the bias (Squeeze-and-Excitation, Hu et al. 2018, arXiv:1709.01507, Eq. 3). A 1x1 convolution of pooled vectors is the same.
///
/// With a `second` input the two lie side by side, as one vector of `in + second_inputs` numbers, without a copy. With
/// [`Activation::Sigmoid`] that is the fusion head of AG-CNN (Guan et al. 2018, arXiv:1801.09927, Fig. 2): the pooled vectors of
/// the global and the local branch, one dense layer, a sigmoid for each label.
///
/// Kernel `shaders/dense.wgsl`; reference [`reference::dense`](crate::reference::dense).
#[derive(Clone, Debug)]
pub struct Dense {
    element: Element,
    layer: Layer,
}

/// Extents of a [`Dense`] layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DenseShape {
    /// Vectors, `n`.
    pub batch: u32,
    /// Numbers of an input vector.
    pub inputs: u32,
    /// Numbers of a vector of the second input; 0 where there is none.
    pub second_inputs: u32,
    /// Numbers of an output vector.
    pub outputs: u32,
}

/// Tensors of a [`Dense`] layer; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct DenseBuffers<'a> {
    /// In: `[n, in]` f32.
    pub input: wgpu::BufferSlice<'a>,
    /// In: `[n, second_inputs]` f32, to the right of `input`.
    pub second: Option<wgpu::BufferSlice<'a>>,
    /// In: `[out, in + second_inputs]`, the operator's element type.
    pub weight: wgpu::BufferSlice<'a>,
    /// In: `[out]`, the operator's element type.
    pub bias: Option<wgpu::BufferSlice<'a>>,
    /// Batch norm, in the place of a bias.
    pub norm: Option<BatchNorm<'a>>,
    /// Out: `[n, out]` f32, every element written.
    pub output: wgpu::BufferSlice<'a>,
}

impl Dense {
    /// Compiles the kernel for weights of type `element`; vectors are f32.
    ///
    /// # Errors
    ///
    /// [`Error::MissingFeature`] for f16 on a device without it; [`Error::LimitExceeded`] on a device whose workgroups hold
    /// fewer than 256 invocations.
    pub fn new<'a>(compiler: impl Into<Compiler<'a>>, activation: Activation, element: Element) -> Result<Self, Error> {
        let compiler = compiler.into();
        Ok(Self { element, layer: Layer::new(OP, compiler, activation, element)? })
    }

    /// Checks the buffers against the shape and binds them.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidShape`] without inputs; [`Error::InvalidParameter`] for a second input without `second_inputs` or the
    /// other way round, a bias beside a batch norm, or a `norm.epsilon` that is negative or not finite;
    /// [`Error::LimitExceeded`] beyond 2^32 weights, and what every operator refuses of its buffers.
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: DenseShape,
        buffers: DenseBuffers<'_>,
    ) -> Result<Recording, Error> {
        let DenseShape { batch, inputs, second_inputs, outputs } = shape;
        let DenseBuffers { input, second, weight, bias, norm, output } = buffers;
        let reason = format!("second_inputs is {second_inputs}");
        pipeline::check_presence(OP, "second", second.is_some(), second_inputs > 0, &reason)?;
        BatchNorm::check(norm, OP, bias.is_some())?;
        if inputs == 0 {
            return Err(Error::InvalidShape {
                op: OP,
                binding: "input",
                given: format!("[{batch}, {inputs}]"),
                needed: "at least one number in each vector".into(),
            });
        }
        if batch == 0 || outputs == 0 {
            return Ok(Recording::default());
        }
        let bytes = self.element.bytes();
        let width = u64::from(inputs) + u64::from(second_inputs);
        pipeline::to_u32(OP, "weights", u64::from(outputs).saturating_mul(width))?;
        let [norm_weight, bias_or_norm, norm_mean, norm_variance] =
            BatchNorm::tensors(norm, bias, outputs.into(), bytes);
        let tensors = [
            Tensor::read("input", input, inputs.into(), 4),
            Tensor::read_if("second", second, second_inputs.into(), 4),
            Tensor::read_whole("weight", weight, u64::from(outputs) * width, bytes),
            bias_or_norm,
            norm_weight,
            norm_mean,
            norm_variance,
            Tensor::write("output", output, outputs.into(), 4),
        ];
        pipeline::check(OP, device, batch, &tensors)?;
        let (join, second_inputs) = match second {
            Some(second) => (Join::SideBySide(second), second_inputs),
            None => (Join::One, 0),
        };
        let problem = LayerProblem { batch, inputs, second_inputs, outputs, parts: 1, maxima: false };
        let tensors = LayerTensors { input, join, weight, bias, norm, output };
        Ok(Recording::new(self.layer.dispatches(device, problem, tensors)?))
    }

    /// What one run moves and computes, for a layer with a bias (`bias` true) or without. A batch norm's four numbers for each
    /// output are not counted: folded into weight and bias they are a bias.
    #[must_use]
    pub fn cost(&self, shape: DenseShape, bias: bool) -> Cost {
        layer_cost(shape, bias, self.element)
    }
}

pub(crate) fn layer_cost(shape: DenseShape, bias: bool, element: Element) -> Cost {
    let width = u64::from(shape.inputs) + u64::from(shape.second_inputs);
    let (batch, outputs) = (u64::from(shape.batch), u64::from(shape.outputs));
    let parameters = outputs.saturating_mul(width).saturating_add(if bias { outputs } else { 0 });
    Cost {
        bytes: parameters
            .saturating_mul(element.bytes())
            .saturating_add(batch.saturating_mul(width.saturating_add(outputs)).saturating_mul(4)),
        flops: batch.saturating_mul(outputs.saturating_mul(width)).saturating_mul(2),
        parameters,
    }
}

/// What a layer takes besides its first input.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Join<'a> {
    One,
    /// The second input to the right of the first.
    SideBySide(wgpu::BufferSlice<'a>),
    /// The second input through the same layer: the mean of both results.
    Averaged(wgpu::BufferSlice<'a>),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct LayerProblem {
    pub(crate) batch: u32,
    pub(crate) inputs: u32,
    pub(crate) second_inputs: u32,
    pub(crate) outputs: u32,
    /// Parts that each input is pooled in.
    pub(crate) parts: u32,
    /// Whether the parts of the first input are maxima, where they otherwise add up.
    pub(crate) maxima: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct LayerTensors<'a> {
    pub(crate) input: wgpu::BufferSlice<'a>,
    pub(crate) join: Join<'a>,
    pub(crate) weight: wgpu::BufferSlice<'a>,
    pub(crate) bias: Option<wgpu::BufferSlice<'a>>,
    pub(crate) norm: Option<BatchNorm<'a>>,
    pub(crate) output: wgpu::BufferSlice<'a>,
}

/// The kernels of a dense layer, for any operator that has one.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    op: &'static str,
    element: Element,
    software: bool,
    activation: Activation,
    /// By lanes (1, 4), then as [`plan::layer_teams`].
    kernels: [Vec<Kernel>; 2],
}

impl Layer {
    pub(crate) fn new(
        op: &'static str,
        compiler: Compiler<'_>,
        activation: Activation,
        element: Element,
    ) -> Result<Self, Error> {
        activation.check(op, "activation")?;
        let software = compiler.software;
        let kernel = |lanes, team: &Team| {
            let Team { sharing: inputs, across: rows } = *team;
            Kernel::new(
                compiler,
                &Build {
                    op,
                    shader: &shaders::DENSE,
                    variant: Variant::new(element, lanes),
                    constants: &[("INPUTS", f64::from(inputs)), ("ROWS", f64::from(rows))],
                    workgroup: [inputs * rows, 1, 1],
                    workgroup_bytes: inputs * rows * 8,
                    storage: &[
                        Access::Read,
                        Access::Read,
                        Access::Read,
                        Access::Read,
                        Access::Read,
                        Access::Read,
                        Access::Read,
                        Access::Write,
                    ],
                    texture: false,
                },
            )
        };
        let kernels = |lanes| -> Result<_, Error> {
            plan::layer_teams(software).iter().map(|team| kernel(lanes, team)).collect()
        };
        Ok(Self { op, element, software, activation, kernels: [kernels(1)?, kernels(4)?] })
    }

    /// The tensors have been checked.
    pub(crate) fn dispatches(
        &self,
        device: &wgpu::Device,
        problem: LayerProblem,
        tensors: LayerTensors<'_>,
    ) -> Result<Vec<Dispatch>, Error> {
        let LayerProblem { batch, inputs, second_inputs, outputs, parts, maxima } = problem;
        let LayerTensors { input, join, weight, bias, norm, output } = tensors;
        let (join_code, second, width) = match join {
            Join::One => (0, None, inputs),
            Join::SideBySide(second) => (1, Some(second), inputs + second_inputs),
            Join::Averaged(second) => (2, Some(second), inputs),
        };
        // Loads must not straddle rows, inputs, or the parts of a pooled number.
        let lanes = if inputs % 4 == 0 && second_inputs % 4 == 0 && parts == 1 { 4 } else { 1 };
        let rounds = |sharing: u32| {
            let [first, second] = [inputs, second_inputs].map(|inputs| u64::from((inputs / lanes).div_ceil(sharing)));
            plan::layer_rounds(first + second, parts.into())
        };
        let index = plan::layer_team(self.software, rounds(1));
        let (kernel, team) = (&self.kernels[usize::from(lanes == 4)][index], plan::layer_teams(self.software)[index]);
        let rounds = rounds(team.sharing);
        if rounds > MAX_ROUNDS {
            let needed = u64::from(inputs) + u64::from(second_inputs);
            let given = needed * MAX_ROUNDS / rounds;
            return Err(Error::LimitExceeded { op: self.op, limit: "inputs of a dense layer", needed, given });
        }
        let bytes = self.element.bytes();
        let load = u64::from(lanes);
        let [norm_weight, bias_or_norm, norm_mean, norm_variance] =
            BatchNorm::tensors(norm, bias, outputs.into(), bytes);
        let weights = u64::from(width) / load * u64::from(outputs);
        let tensors = [
            Tensor::read("input", input, u64::from(inputs) * u64::from(parts) / load, 4 * load),
            Tensor::read_if("second", second, u64::from(second_inputs) * u64::from(parts) / load, 4 * load),
            Tensor::read_whole("weight", weight, weights, bytes * load),
            bias_or_norm,
            norm_weight,
            norm_mean,
            norm_variance,
            Tensor::write("output", output, outputs.into(), 4),
        ];
        kernel.bind(device, batch, [outputs.div_ceil(team.across), 1], &tensors, None, |part, bases| Params {
            origin: part.origin[0],
            input_base: bases[0],
            second_base: bases[1],
            output_base: bases[7],
            inputs: inputs / lanes,
            second_inputs: second_inputs / lanes,
            outputs,
            parts,
            join: join_code,
            maxima: maxima.into(),
            has_bias: bias.is_some().into(),
            has_norm: norm.is_some().into(),
            epsilon: norm.map_or(0.0, |norm| norm.epsilon),
            activation: self.activation.code(),
            slope: self.activation.slope(),
            offset: self.activation.offset(),
        })
    }
}
