//! The kernels of a dense layer's gradients, for any operator with such a layer.

use bytemuck::Zeroable;

use super::batch_sums::BatchSums;
use crate::cost::count;
use crate::kernel::shader::{ELEMENTS, PLAIN_VECTORS, Shader, VECTORS, Variant, params, shader};
use crate::kernel::tuning::Team;
use crate::kernel::{Build, Compiler, Dispatch, Kernel, Tensor, tuning};
use crate::ops::batch_norm::BatchNorm;
use crate::ops::dense::{Join, Layer, LayerProblem, LayerTensors};
use crate::{Activation, Element, Error};

params!(GradientParams {
    origin: u32,
    sums_base: u32,
    output_gradient_base: u32,
    output_base: u32,
    gradient_base: u32,
    outputs: u32,
    vectors: u32,
    joined: u32,
    has_bias: u32,
    has_norm: u32,
    epsilon: f32,
    scaled: u32,
    writes_output: u32,
    writes_gradient: u32,
    activation: u32,
    slope: f32,
    offset: f32,
});

params!(InputParams {
    origin: u32,
    gradient_base: u32,
    input_gradient_base: u32,
    second_gradient_base: u32,
    outputs: u32,
    inputs: u32,
    second_inputs: u32,
    first: u32,
    columns: u32,
});

params!(WeightParams {
    origin: u32,
    weight_gradient_base: u32,
    first_row: u32,
    outputs: u32,
    inputs: u32,
    second_inputs: u32,
    vectors: u32,
    shared_by: u32,
});

pub(crate) const DENSE_BACKWARD: Shader = shader!(
    "dense_backward",
    GradientParams,
    ELEMENTS,
    &[tuning::VECTOR_GROUPS],
    [
        sums: Read, output_gradient: Read, bias: Read, norm_weight: Read, norm_mean: Read, norm_variance: Read, output: Write,
        gradient: Write,
    ],
    ["activation", "derivative", "batch_norm"],
);

pub(crate) const DENSE_BACKWARD_INPUT: Shader = shader!(
    "dense_backward_input",
    InputParams,
    VECTORS,
    &[tuning::COLUMNS_BY_ROWS],
    [gradient: Read, weight: Read, input_gradient: Write, second_gradient: Write],
    ["blocked_sum"],
);

pub(crate) const DENSE_BACKWARD_WEIGHT: Shader = shader!(
    "dense_backward_weight",
    WeightParams,
    PLAIN_VECTORS,
    &[tuning::VECTOR_GROUPS],
    [gradient: Read, input: Read, second: Read, weight_gradient: Write],
    ["blocked_sum"],
);

/// Extents of a layer in [`LayerBackward`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extents {
    /// Images.
    pub(crate) batch: u32,
    /// Vectors of an image.
    pub(crate) vectors: u32,
    /// Whether the vectors of an image add up to one output. Otherwise each is an output, and all have the same upstream gradient.
    pub(crate) joined: bool,
    pub(crate) inputs: u32,
    pub(crate) second_inputs: u32,
    pub(crate) outputs: u32,
}

impl Extents {
    /// Outputs of an image.
    fn results(&self) -> u32 {
        if self.joined { 1 } else { self.vectors }
    }

    /// Refuses more vectors than one invocation may add up.
    pub(crate) fn check(&self, op: &'static str) -> Result<(), Error> {
        BatchSums::check(op, u64::from(self.batch) * u64::from(self.vectors))
    }

    /// Numbers of a load.
    fn lanes(&self) -> u32 {
        if self.inputs.is_multiple_of(4) && self.second_inputs.is_multiple_of(4) { 4 } else { 1 }
    }

    /// The batch as the layer's own kernel sees it, which computes the sums of every vector.
    fn problem(&self) -> LayerProblem {
        LayerProblem {
            batch: self.batch * self.vectors,
            inputs: self.inputs,
            second_inputs: self.second_inputs,
            outputs: self.outputs,
            parts: 1,
            maxima: false,
        }
    }
}

/// Bias or norm of a layer, and its activation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Finish<'a> {
    pub(crate) bias: Option<wgpu::BufferSlice<'a>>,
    pub(crate) norm: Option<BatchNorm<'a>>,
    pub(crate) activation: Activation,
}

/// What [`LayerBackward::activate`] reads and writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Activate<'a> {
    /// `[n, vectors, out]`, of [`LayerBackward::sums`].
    pub(crate) sums: wgpu::BufferSlice<'a>,
    /// `[n, out]`; only for `gradient`.
    pub(crate) output_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, results, out]`.
    pub(crate) output: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, results, out]`.
    pub(crate) gradient: Option<wgpu::BufferSlice<'a>>,
    /// Whether `gradient` includes the factor of the norm, if there is a norm.
    pub(crate) scaled: bool,
}

/// The kernels.
#[derive(Clone, Debug)]
pub(crate) struct LayerBackward {
    software: bool,
    element: Element,
    forward: Layer,
    gradient: Kernel,
    /// By vector width (1, 4), then as [`tuning::channel_teams`].
    input: [Vec<Kernel>; 2],
    /// By vector width (1, 4).
    weight: [Kernel; 2],
    bias: BatchSums,
}

impl LayerBackward {
    pub(crate) fn new(op: &'static str, compiler: Compiler<'_>, element: Element) -> Result<Self, Error> {
        let software = compiler.software;
        let size = tuning::vector_group(software);
        let plain = |shader, variant| {
            let constants = &[("WORKGROUP_SIZE", f64::from(size))];
            Kernel::new(
                compiler,
                &Build { op, shader, variant, constants, workgroup: [size, 1, 1], workgroup_bytes: 0 },
            )
        };
        let input = |lanes: u32, team: &Team| {
            let Team { sharing: rows, across: columns } = *team;
            let build = Build {
                op,
                shader: &DENSE_BACKWARD_INPUT,
                variant: Variant::new(element, lanes),
                constants: &[("COLUMNS", f64::from(columns)), ("ROWS", f64::from(rows))],
                workgroup: [columns, rows, 1],
                workgroup_bytes: columns * rows * lanes * 4,
            };
            Kernel::new(compiler, &build)
        };
        let inputs = |lanes| -> Result<_, Error> {
            tuning::channel_teams(software).iter().map(|team| input(lanes, team)).collect()
        };
        Ok(Self {
            software,
            element,
            forward: Layer::new(op, compiler, Activation::None, element)?,
            gradient: plain(&DENSE_BACKWARD, Variant::new(element, 1))?,
            input: [inputs(1)?, inputs(4)?],
            weight: [plain(&DENSE_BACKWARD_WEIGHT, Variant::F32)?, plain(&DENSE_BACKWARD_WEIGHT, Variant::F32X4)?],
            bias: BatchSums::new(op, compiler, element)?,
        })
    }

    /// The sums of the layer, before bias, norm and activation: `sums [n, vectors, out]`.
    pub(crate) fn sums(
        &self,
        device: &wgpu::Device,
        extents: &Extents,
        (input, join): (wgpu::BufferSlice<'_>, Join<'_>),
        weight: wgpu::BufferSlice<'_>,
        sums: wgpu::BufferSlice<'_>,
    ) -> Result<Vec<Dispatch>, Error> {
        let tensors = LayerTensors { input, join, weight, bias: None, norm: None, output: sums };
        self.forward.dispatches(device, extents.problem(), tensors)
    }

    /// The layer's outputs, and the gradient of its sums.
    pub(crate) fn activate(
        &self,
        device: &wgpu::Device,
        extents: &Extents,
        finish: Finish<'_>,
        tensors: Activate<'_>,
    ) -> Result<Vec<Dispatch>, Error> {
        let Extents { batch, vectors, joined, outputs, .. } = *extents;
        let Finish { bias, norm, activation } = finish;
        let Activate { sums, output_gradient, output, gradient, scaled } = tensors;
        let unit = u64::from(outputs);
        let results = unit * u64::from(extents.results());
        let [norm_weight, bias_or_norm, norm_mean, norm_variance] =
            BatchNorm::tensors(norm, bias, unit, self.element.bytes());
        let tensors = [
            Tensor::divided(sums, unit * u64::from(vectors), 4),
            Tensor::divided(output_gradient, unit, 4),
            bias_or_norm,
            norm_weight,
            norm_mean,
            norm_variance,
            Tensor::divided(output, results, 4),
            Tensor::divided(gradient, results, 4),
        ];
        let groups = [outputs.div_ceil(tuning::vector_group(self.software)), 1];
        self.gradient.bind(device, batch, groups, &tensors, None, |_| GradientParams {
            outputs,
            vectors,
            joined: joined.into(),
            has_bias: bias.is_some().into(),
            has_norm: norm.is_some().into(),
            epsilon: norm.map_or(0.0, |norm| norm.epsilon),
            scaled: (scaled && norm.is_some()).into(),
            writes_output: output.is_some().into(),
            writes_gradient: gradient.is_some().into(),
            activation: activation.code(),
            slope: activation.slope(),
            offset: activation.offset(),
            ..Zeroable::zeroed()
        })
    }

    /// The gradients of the inputs, from `gradient [n, results, out]`: `[n, results, in]`. No dispatch if none is wanted.
    pub(crate) fn inputs(
        &self,
        device: &wgpu::Device,
        extents: &Extents,
        gradient: wgpu::BufferSlice<'_>,
        weight: wgpu::BufferSlice<'_>,
        [input, second]: [Option<wgpu::BufferSlice<'_>>; 2],
    ) -> Result<Vec<Dispatch>, Error> {
        let Extents { batch, inputs, second_inputs, outputs, .. } = *extents;
        let lanes = extents.lanes();
        let [inputs, second_inputs] = [inputs / lanes, second_inputs / lanes];
        let (first, columns) = match (input.is_some(), second.is_some()) {
            (true, true) => (0, inputs + second_inputs),
            (true, false) => (0, inputs),
            (false, true) => (inputs, second_inputs),
            (false, false) => return Ok(Vec::new()),
        };
        let index = tuning::channel_team(self.software, columns.into(), outputs);
        let team = tuning::channel_teams(self.software)[index];
        let kernel = &self.input[usize::from(lanes == 4)][index];
        let weights = u64::from(inputs + second_inputs) * u64::from(outputs);
        let load = u64::from(lanes) * 4;
        let tensors = [
            Tensor::divided(gradient, outputs.into(), 4),
            Tensor::whole(weight, weights, self.element.bytes() * u64::from(lanes)),
            Tensor::divided(input, inputs.into(), load),
            Tensor::divided(second, second_inputs.into(), load),
        ];
        let flops = count(2 * u64::from(columns * lanes)) * count(u64::from(outputs));
        let groups = [columns.div_ceil(team.across), 1];
        let units = batch * extents.results();
        kernel.bind_costly(device, units, groups, flops, &tensors, None, |_| InputParams {
            outputs,
            inputs,
            second_inputs,
            first,
            columns,
            ..Zeroable::zeroed()
        })
    }

    /// The gradient of the weights, from `gradient [n, results, out]` and the layer's inputs `[n, vectors, in]`. The caller has called
    /// [`Extents::check`].
    pub(crate) fn weights(
        &self,
        device: &wgpu::Device,
        extents: &Extents,
        gradient: wgpu::BufferSlice<'_>,
        (input, second): (wgpu::BufferSlice<'_>, Option<wgpu::BufferSlice<'_>>),
        weight_gradient: wgpu::BufferSlice<'_>,
    ) -> Result<Vec<Dispatch>, Error> {
        let Extents { batch, vectors, inputs, second_inputs, outputs, .. } = *extents;
        let lanes = extents.lanes();
        let [inputs, second_inputs] = [inputs / lanes, second_inputs / lanes];
        let columns = inputs + second_inputs;
        let all = batch * vectors;
        let load = u64::from(lanes) * 4;
        let of = |numbers: u32, vectors: u32| u64::from(numbers) * u64::from(vectors);
        let tensors = [
            Tensor::whole(gradient, of(outputs, batch * extents.results()), 4),
            Tensor::whole(input, of(inputs, all), load),
            Tensor::whole(second, of(second_inputs, all), load),
            Tensor::divided(weight_gradient, columns.into(), load),
        ];
        let flops = count(2 * of(columns * lanes, all));
        let groups = [columns.div_ceil(tuning::vector_group(self.software)), 1];
        let kernel = &self.weight[usize::from(lanes == 4)];
        kernel.bind_costly(device, outputs, groups, flops, &tensors, None, |part| WeightParams {
            first_row: part.units.start,
            outputs,
            inputs,
            second_inputs,
            vectors: all,
            shared_by: vectors / extents.results(),
            ..Zeroable::zeroed()
        })
    }

    /// Sums over the batch of `gradient [n, results, out]`: the gradient of a bias. Without a norm `norm_weight_gradient` is `None`.
    pub(crate) fn biases(
        &self,
        device: &wgpu::Device,
        extents: &Extents,
        gradient: wgpu::BufferSlice<'_>,
        norm: Option<(BatchNorm<'_>, wgpu::BufferSlice<'_>)>,
        results: [Option<wgpu::BufferSlice<'_>>; 2],
    ) -> Result<Vec<Dispatch>, Error> {
        let extent = [extents.batch * extents.results(), extents.outputs];
        let count = if extents.joined { extents.vectors as f32 } else { 1.0 };
        self.bias.dispatches(device, extent, count, gradient, norm, results)
    }
}
