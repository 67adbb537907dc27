//! Fully connected layers on pooled vectors. A 1x1 convolution of pooled vectors is the same.
//!
//! ```text
//! output[n] = activation(weight input[n] + bias)
//! output[n] = activation(norm(weight input[n]))                    with a batch norm
//! output[n] = activation(weight [input[n], second[n]] + bias)      with a second input
//! ```
//!
//! Source: Squeeze-and-Excitation (Hu et al. 2018, arXiv:1709.01507), Eq. 3.
//!
//! `[input[n], second[n]]` is one vector of `in + second_inputs` numbers, which is never copied together. With
//! [`Activation::Sigmoid`] the layer is then the fusion head of AG-CNN (Guan et al. 2018, arXiv:1801.09927, Fig. 2). Its inputs
//! are the pooled vectors of the global and of the local branch, its outputs one probability for each label.
//!
//! # Example
//!
//! ```no_run
//! use visual_attention::host::Gpu;
//! use visual_attention::{Activation, Dense, DenseBuffers, DenseShape, Element};
//!
//! let gpu = Gpu::open()?;
//! let shape = DenseShape { batch: 1, inputs: 2048, second_inputs: 2048, outputs: 14 };
//! let global = gpu.upload("global", &vec![0.5f32; 2048])?;
//! let local = gpu.upload("local", &vec![0.5f32; 2048])?;
//! let weight = gpu.upload("weight", &vec![0.1f32; 14 * 4096])?;
//! let output = gpu.buffer("output", 14 * 4)?;
//!
//! let operator = Dense::new(&gpu.device, Activation::Sigmoid, Element::F32)?;
//! let buffers = DenseBuffers {
//!     input: global.slice(..),
//!     second: Some(local.slice(..)),
//!     weight: weight.slice(..),
//!     bias: None,
//!     norm: None,
//!     output: output.slice(..),
//! };
//! let recording = operator.bind(&gpu.device, shape, buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok::<(), visual_attention::Error>(())
//! ```
//!
//! [`Activation`] is the only option; [`BatchNorm`] has the formula of the norm. Weights are f32 or f16, vectors are f32.
//! [`Dense::bind`] lists the errors, [`Dense::cost`] counts bytes and operations. There is no scratch.
//!
//! Kernel: [`dense`](crate::shaders::DENSE). Reference: [`reference::dense`](crate::reference::dense).

use bytemuck::Zeroable;

use crate::cost::count;
use crate::kernel::rounds::MAX_ROUNDS;
use crate::kernel::shader::{Shader, VECTORS, Variant, params, shader};
use crate::kernel::tuning::Team;
use crate::kernel::{Build, Compiler, Dispatch, Kernel, Tensor, check, tuning};
use crate::{Activation, BatchNorm, Cost, Element, Error, Recording, TensorSpec};

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

pub(crate) const DENSE: Shader = shader!(
    "dense",
    Params,
    VECTORS,
    &[tuning::INPUTS_BY_ROWS],
    [input: Read, second: Read, weight: Read, bias: Read, norm_weight: Read, norm_mean: Read, norm_variance: Read, output: Write],
    ["activation", "batch_norm", "ordered", "blocked_sum"],
);

/// Fully connected layer, `input [n, in] -> output [n, out]`. The [page of the module](self) has the formula and an example.
#[doc(alias = "linear")]
#[doc(alias = "fully connected")]
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
    /// Numbers of a vector of the second input; 0 without a second input.
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
    /// Batch norm instead of a bias.
    pub norm: Option<BatchNorm<'a>>,
    /// Out: `[n, out]` f32, every element written.
    pub output: wgpu::BufferSlice<'a>,
}

impl Dense {
    /// Compiles the kernel for weights of type `element`; vectors are f32.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidParameter`] for a slope or an offset of the activation that is not finite.
    /// - [`Error::MissingFeature`] for f16 on a device without it.
    /// - [`Error::LimitExceeded`] if the device's workgroups hold fewer than 256 invocations.
    pub fn new<'a>(compiler: impl Into<Compiler<'a>>, activation: Activation, element: Element) -> Result<Self, Error> {
        let compiler = compiler.into();
        Ok(Self { element, layer: Layer::new(OP, compiler, activation, element)? })
    }

    /// The activation that the operator was built with.
    #[must_use]
    pub const fn activation(&self) -> Activation {
        self.layer.activation
    }

    /// The tensors for this shape, in the order in which `bind` checks them.
    ///
    /// # Errors
    ///
    /// What [`Self::bind`] refuses about the shape.
    pub fn tensors(&self, shape: DenseShape) -> Result<Vec<TensorSpec>, Error> {
        let mut specs = Self::inputs(OP, shape, self.element)?;
        specs.push(TensorSpec::output("output", [shape.batch, shape.outputs], Element::F32));
        Ok(specs)
    }

    /// The tensors that the layer reads, as tensors of operator `op`.
    pub(crate) fn inputs(op: &'static str, shape: DenseShape, element: Element) -> Result<Vec<TensorSpec>, Error> {
        let DenseShape { batch, inputs, second_inputs, outputs } = shape;
        if inputs == 0 {
            return Err(Error::InvalidShape {
                op,
                binding: "input",
                given: format!("[{batch}, {inputs}]"),
                needed: "at least one number in each vector".into(),
            });
        }
        let width = u64::from(inputs) + u64::from(second_inputs);
        check::to_u32(op, "weights", u64::from(outputs).saturating_mul(width))?;
        let width = check::to_u32(op, "inputs", width)?;
        let mut specs = vec![TensorSpec::input("input", [batch, inputs], Element::F32)];
        if second_inputs > 0 {
            specs.push(TensorSpec::input("second", [batch, second_inputs], Element::F32));
        }
        specs.push(TensorSpec::input("weight", [outputs, width], element));
        specs.push(TensorSpec::input("bias", [outputs], element).optional());
        specs.extend(BatchNorm::specs(BatchNorm::NAMES, outputs, element));
        Ok(specs)
    }

    /// Checks the buffers against the shape and binds them.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidShape`] for a shape without inputs.
    /// - [`Error::InvalidParameter`] if `second` does not match `second_inputs`, for a bias beside a batch norm, and for a
    ///   `norm.epsilon` that is negative or not finite.
    /// - [`Error::LimitExceeded`] for 2^32 weights or more, and for more inputs than the loops of one invocation take.
    /// - [What every operator refuses](crate#what-is-refused).
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: DenseShape,
        buffers: DenseBuffers<'_>,
    ) -> Result<Recording, Error> {
        let DenseShape { batch, inputs, second_inputs, outputs } = shape;
        let DenseBuffers { input, second, weight, bias, norm, output } = buffers;
        let reason = format!("second_inputs is {second_inputs}");
        check::presence(OP, "second", second.is_some(), second_inputs > 0, &reason)?;
        BatchNorm::check(norm, OP, bias.is_some())?;
        let specs = self.tensors(shape)?;
        if batch == 0 || outputs == 0 {
            return Ok(Recording::default());
        }
        let mut given = vec![
            ("input", Some(input)),
            ("second", second),
            ("weight", Some(weight)),
            ("bias", bias),
            ("output", Some(output)),
        ];
        given.extend(BatchNorm::slices(norm, BatchNorm::NAMES));
        check::slices(OP, device, &specs, &given)?;
        let (join, second_inputs) = match second {
            Some(second) => (Join::SideBySide(second), second_inputs),
            None => (Join::One, 0),
        };
        let problem = LayerProblem { batch, inputs, second_inputs, outputs, parts: 1, maxima: false };
        let tensors = LayerTensors { input, join, weight, bias, norm, output };
        Ok(Recording::new(self.layer.dispatches(device, problem, tensors)?))
    }

    /// What one run moves and computes, for a layer with a bias (`bias` true) or without. The four tensors of a batch norm are not
    /// counted: folded into weight and bias, they are a bias.
    #[must_use]
    pub fn cost(&self, shape: DenseShape, bias: bool) -> Cost {
        layer_cost(shape, bias, self.element)
    }
}

pub(crate) fn layer_cost(shape: DenseShape, bias: bool, element: Element) -> Cost {
    let width = count(u64::from(shape.inputs) + u64::from(shape.second_inputs));
    let [batch, outputs] = [shape.batch, shape.outputs].map(|extent| count(u64::from(extent)));
    let parameters = outputs * width + if bias { outputs } else { count(0) };
    let bytes = parameters * count(element.bytes()) + batch * (width + outputs) * count(4);
    Cost::new(bytes, batch * (outputs * width) * count(2), parameters)
}

/// The second input of a layer, if any.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Join<'a> {
    One,
    /// The second input to the right of the first.
    SideBySide(wgpu::BufferSlice<'a>),
    /// The second input passes the same layer, and the output is the mean of both results.
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
    /// Whether the parts of the first input are maxima. Else they are summands.
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

/// The kernels of a dense layer, for any operator with such a layer.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    op: &'static str,
    element: Element,
    software: bool,
    activation: Activation,
    /// By vector width (1, 4), then as [`tuning::layer_teams`].
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
                    shader: &DENSE,
                    variant: Variant::new(element, lanes),
                    constants: &[("INPUTS", f64::from(inputs)), ("ROWS", f64::from(rows))],
                    workgroup: [inputs * rows, 1, 1],
                    workgroup_bytes: inputs * rows * 8,
                },
            )
        };
        let kernels = |lanes| -> Result<_, Error> {
            tuning::layer_teams(software).iter().map(|team| kernel(lanes, team)).collect()
        };
        Ok(Self { op, element, software, activation, kernels: [kernels(1)?, kernels(4)?] })
    }

    /// The caller has checked the tensors.
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
        // A vector must not straddle rows, inputs, or the parts of a pooled number.
        let lanes = if inputs % 4 == 0 && second_inputs % 4 == 0 && parts == 1 { 4 } else { 1 };
        let rounds = |sharing: u32| {
            let [first, second] = [inputs, second_inputs].map(|inputs| u64::from((inputs / lanes).div_ceil(sharing)));
            tuning::layer_rounds(first + second, parts.into())
        };
        let index = tuning::layer_team(self.software, rounds(1));
        let (kernel, team) = (&self.kernels[usize::from(lanes == 4)][index], tuning::layer_teams(self.software)[index]);
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
            Tensor::divided(input, u64::from(inputs) * u64::from(parts) / load, 4 * load),
            Tensor::divided(second, u64::from(second_inputs) * u64::from(parts) / load, 4 * load),
            Tensor::whole(weight, weights, bytes * load),
            bias_or_norm,
            norm_weight,
            norm_mean,
            norm_variance,
            Tensor::divided(output, outputs.into(), 4),
        ];
        let flops = count(2 * u64::from(width) * u64::from(parts)) * count(u64::from(outputs));
        kernel.bind_costly(device, batch, [outputs.div_ceil(team.across), 1], flops, &tensors, None, |_| Params {
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
            ..Zeroable::zeroed()
        })
    }
}
