//! The kernels of the spatial gate's gradients, for [`SpatialGateBackward`](super::SpatialGateBackward) and for CBAM's.

use bytemuck::Zeroable;

use super::kernels::{
    ApplyParams, ParametersParams, PlanesParams, SPATIAL_GATE_BACKWARD_APPLY, SPATIAL_GATE_BACKWARD_PARAMETERS,
    SPATIAL_GATE_BACKWARD_PLANES, SPATIAL_GATE_BACKWARD_SQUEEZE, SPATIAL_GATE_BACKWARD_TAPS, SqueezeParams, TapsParams,
};
use crate::cost::count;
use crate::kernel::shader::Variant;
use crate::kernel::tuning::Team;
use crate::kernel::{Build, Compiler, Dispatch, Kernel, Tensor, check, rounds, tensor, tuning};
use crate::ops::global_pool::PlaneGrid;
use crate::ops::part_sum::{PartSum, Parts};
use crate::ops::spatial_gate::{Convolution, SpatialConv};
use crate::{Element, Epilogue, Error, Nchw};

/// Side of the workgroups of the convolution's gradient, in pixels.
const TILE: u32 = 16;
/// Invocations of a workgroup that sums a tap, and pixels that it sums before their sum goes to scratch.
const TAP_GROUP: u32 = 64;
const SLICE: u64 = 4096;
/// Invocations of the workgroup that finishes the parameters.
const PARAMETER_GROUP: u32 = 256;
/// Vectors of a workgroup of the last kernel.
const GROUP: u32 = 64;

/// What the passes read of the forward operator and of the loss.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given<'a> {
    /// `[n, c, h, w]`.
    pub(crate) features: wgpu::BufferSlice<'a>,
    /// `[n, c]`: CBAM's channel gate, which scales the features before the statistics.
    pub(crate) channel_gate: Option<wgpu::BufferSlice<'a>>,
    pub(crate) convolution: Convolution<'a>,
    /// `[n, c, h, w]`, only for a residual unit.
    pub(crate) output: Option<wgpu::BufferSlice<'a>>,
    /// `[n, c, h, w]`.
    pub(crate) output_gradient: Option<wgpu::BufferSlice<'a>>,
    /// `[n, h, w]`.
    pub(crate) gate_gradient: Option<wgpu::BufferSlice<'a>>,
}

/// Gradients of the convolution's parameters, f32.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ParameterGradients<'a> {
    pub(crate) weight: Option<wgpu::BufferSlice<'a>>,
    /// Of the bias, or of the norm's.
    pub(crate) bias: Option<wgpu::BufferSlice<'a>>,
    pub(crate) norm_weight: Option<wgpu::BufferSlice<'a>>,
}

impl ParameterGradients<'_> {
    pub(crate) fn any(&self) -> bool {
        self.weight.is_some() || self.bias.is_some() || self.norm_weight.is_some()
    }
}

/// The channel gate's part in the last pass.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChannelPart<'a> {
    /// `[n, c]`.
    pub(crate) gate: wgpu::BufferSlice<'a>,
    /// `[n, 2, c]`: the gradients of the mean and of the maximum.
    pub(crate) squeezed_gradient: wgpu::BufferSlice<'a>,
    /// `[n, c]`: the first pixel that holds the maximum.
    pub(crate) first_maximum: wgpu::BufferSlice<'a>,
}

/// The kernels.
#[derive(Clone, Debug)]
pub(crate) struct Passes {
    op: &'static str,
    epilogue: Epilogue,
    element: Element,
    software: bool,
    /// By vector width (1, 4), then in the order of [`tuning::channel_teams`].
    squeeze: [Vec<Kernel>; 2],
    conv: SpatialConv,
    taps: Kernel,
    part_sum: PartSum,
    parameters: Kernel,
    planes: Kernel,
    /// By vector width (1, 4).
    apply: [Kernel; 2],
}

impl Passes {
    pub(crate) fn new(
        op: &'static str,
        compiler: Compiler<'_>,
        epilogue: Epilogue,
        element: Element,
    ) -> Result<Self, Error> {
        let squeeze = |lanes: u32, team: &Team| {
            let Team { sharing: channels, across: pixels } = *team;
            let constants = [
                ("PIXELS", f64::from(pixels)),
                ("CHANNELS", f64::from(channels)),
                ("MASKED", f64::from(u8::from(epilogue == Epilogue::Residual))),
            ];
            let build = Build {
                op,
                shader: &SPATIAL_GATE_BACKWARD_SQUEEZE,
                variant: Variant::new(element, lanes),
                constants: &constants,
                workgroup: [pixels, channels, 1],
                workgroup_bytes: pixels * channels * lanes * 16,
            };
            Kernel::new(compiler, &build)
        };
        let squeezes = |lanes| -> Result<_, Error> {
            tuning::channel_teams(compiler.software).iter().map(|team| squeeze(lanes, team)).collect()
        };
        let plain = |shader, element, workgroup, workgroup_bytes| {
            let variant = Variant::new(element, 1);
            Kernel::new(compiler, &Build { op, shader, variant, constants: &[], workgroup, workgroup_bytes })
        };
        let apply = |lanes| {
            let build = Build {
                op,
                shader: &SPATIAL_GATE_BACKWARD_APPLY,
                variant: Variant::new(element, lanes),
                constants: &[("FORM", epilogue.code())],
                workgroup: [GROUP, 1, 1],
                workgroup_bytes: 0,
            };
            Kernel::new(compiler, &build)
        };
        Ok(Self {
            op,
            epilogue,
            element,
            software: compiler.software,
            squeeze: [squeezes(1)?, squeezes(4)?],
            conv: SpatialConv::new(op, compiler, element)?,
            taps: plain(&SPATIAL_GATE_BACKWARD_TAPS, Element::F32, [TAP_GROUP, 1, 1], TAP_GROUP * 4)?,
            part_sum: PartSum::new(op, compiler)?,
            parameters: plain(
                &SPATIAL_GATE_BACKWARD_PARAMETERS,
                element,
                [PARAMETER_GROUP, 1, 1],
                PARAMETER_GROUP * 4,
            )?,
            planes: plain(&SPATIAL_GATE_BACKWARD_PLANES, element, [TILE, TILE, 1], 0)?,
            apply: [apply(1)?, apply(4)?],
        })
    }

    /// Every pass but the last. Writes `maps [n, 4, h, w]` for it if they are given, and the gradients of the parameters that are wanted.
    /// The caller has checked the tensors.
    pub(crate) fn first(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        grid: &PlaneGrid,
        given: Given<'_>,
        maps: Option<wgpu::BufferSlice<'_>>,
        gradients: ParameterGradients<'_>,
    ) -> Result<Vec<Dispatch>, Error> {
        let bytes = shape.plane().elements().unwrap_or(u64::MAX).saturating_mul(4);
        let scratch = |label, planes| tensor::scratch(self.op, device, label, bytes.saturating_mul(planes));
        let [planes, argmax, gate_sums, gate] =
            [scratch("planes", 2)?, scratch("argmax", 1)?, scratch("sums of the gate", 1)?, scratch("gate", 1)?];
        let [planes, argmax, gate_sums, gate] = [&planes, &argmax, &gate_sums, &gate].map(|buffer| buffer.slice(..));
        let mut dispatches = self.squeeze(device, shape, grid, given, [planes, argmax, gate_sums])?;
        dispatches.extend(self.conv.dispatches(device, shape, given.convolution, planes, gate)?);
        if gradients.any() {
            dispatches.extend(self.parameters(
                device,
                shape,
                given.convolution,
                [gate_sums, gate, planes],
                gradients,
            )?);
        }
        if let Some(maps) = maps {
            dispatches.extend(self.planes(device, shape, given.convolution, [gate_sums, gate, argmax], maps)?);
        }
        Ok(dispatches)
    }

    fn squeeze(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        grid: &PlaneGrid,
        given: Given<'_>,
        [planes, argmax, gate_sums]: [wgpu::BufferSlice<'_>; 3],
    ) -> Result<Vec<Dispatch>, Error> {
        let Given { features, channel_gate, output, output_gradient, gate_gradient, .. } = given;
        let (channels, pixels) = (shape.channels, u64::from(grid.pixels));
        let index = tuning::channel_team(self.software, pixels, channels);
        let team = tuning::channel_teams(self.software)[index];
        rounds::check(self.op, rounds::summed(channels.div_ceil(team.sharing).into()))?;
        let unit = u64::from(channels) * pixels;
        let (element, real) = (self.element.bytes() * grid.lanes, 4 * grid.lanes);
        let tensors = [
            Tensor::divided(features, unit, element),
            Tensor::divided(channel_gate, channels.into(), 4),
            Tensor::divided(output, unit, element),
            Tensor::divided(output_gradient, unit, element),
            Tensor::divided(gate_gradient, pixels, real),
            Tensor::divided(planes, 2 * pixels, real),
            Tensor::divided(argmax, pixels, real),
            Tensor::divided(gate_sums, pixels, real),
        ];
        let groups = [grid.pixels.div_ceil(team.across), 1];
        let kernel = &self.squeeze[grid.lanes_index()][index];
        kernel.bind(device, shape.batch, groups, &tensors, None, |_| SqueezeParams {
            channels,
            pixels: grid.pixels,
            has_channel_gate: channel_gate.is_some().into(),
            has_output_gradient: output_gradient.is_some().into(),
            has_gate_gradient: gate_gradient.is_some().into(),
            ..Zeroable::zeroed()
        })
    }

    fn parameters(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        convolution: Convolution<'_>,
        [gate_sums, gate, planes]: [wgpu::BufferSlice<'_>; 3],
        gradients: ParameterGradients<'_>,
    ) -> Result<Vec<Dispatch>, Error> {
        let (op, pixels) = (self.op, shape.size().pixels());
        let taps = 2 * u64::from(convolution.kernel) * u64::from(convolution.kernel);
        let slices = pixels.div_ceil(SLICE);
        let parts = slices * u64::from(shape.batch);
        let elements = taps + 1;
        let numbers = parts.saturating_mul(elements);
        let partial = tensor::scratch(op, device, "sums of slices", numbers.saturating_mul(4))?;
        let sums = tensor::scratch(op, device, "sums of taps", elements * 4)?;
        let tensors = [
            Tensor::divided(gate_sums, pixels, 4),
            Tensor::divided(gate, pixels, 4),
            Tensor::divided(planes, 2 * pixels, 4),
            Tensor::divided(partial.slice(..), slices * elements, 4),
        ];
        let number = |value| check::to_u32(op, "slices and taps", value);
        let groups = [number(elements)?, number(slices)?];
        let params = TapsParams {
            height: shape.height,
            width: shape.width,
            kernel: convolution.kernel,
            slice: number(SLICE)?,
            slices: number(slices)?,
            ..Zeroable::zeroed()
        };
        let flops = count(2 * taps) * count(pixels);
        let mut dispatches = self.taps.bind_costly(device, shape.batch, groups, flops, &tensors, None, |_| params)?;
        let total = (Some(partial.slice(..)), sums.slice(..));
        dispatches.extend(self.part_sum.dispatches(device, Parts::new(parts, elements), total.0, total.1)?);
        let norm = convolution.norm;
        let bytes = self.element.bytes();
        let tensors = [
            Tensor::whole(sums.slice(..), elements, 4),
            Tensor::whole(convolution.weight, taps, bytes),
            Tensor::whole(norm.map(|norm| norm.weight), 1, bytes),
            Tensor::whole(norm.map(|norm| norm.mean), 1, bytes),
            Tensor::whole(norm.map(|norm| norm.variance), 1, bytes),
            Tensor::whole(gradients.weight, taps, 4),
            Tensor::whole(gradients.bias, 1, 4),
            Tensor::whole(gradients.norm_weight, 1, 4),
        ];
        let params = ParametersParams {
            taps: number(taps)?,
            has_norm: norm.is_some().into(),
            epsilon: norm.map_or(0.0, |norm| norm.epsilon),
            writes_weight: gradients.weight.is_some().into(),
            writes_bias: gradients.bias.is_some().into(),
            writes_norm_weight: gradients.norm_weight.is_some().into(),
        };
        dispatches.extend(self.parameters.bind(device, 1, [1, 1], &tensors, None, |_| params)?);
        Ok(dispatches)
    }

    fn planes(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        convolution: Convolution<'_>,
        [gate_sums, gate, argmax]: [wgpu::BufferSlice<'_>; 3],
        maps: wgpu::BufferSlice<'_>,
    ) -> Result<Vec<Dispatch>, Error> {
        let pixels = shape.size().pixels();
        let taps = 2 * u64::from(convolution.kernel) * u64::from(convolution.kernel);
        let (norm, bytes) = (convolution.norm, self.element.bytes());
        let tensors = [
            Tensor::divided(gate_sums, pixels, 4),
            Tensor::divided(gate, pixels, 4),
            Tensor::divided(argmax, pixels, 4),
            Tensor::whole(convolution.weight, taps, bytes),
            Tensor::whole(norm.map(|norm| norm.weight), 1, bytes),
            Tensor::whole(norm.map(|norm| norm.variance), 1, bytes),
            Tensor::divided(maps, 4 * pixels, 4),
        ];
        let groups = [shape.width.div_ceil(TILE), shape.height.div_ceil(TILE)];
        let flops = count(2 * taps) * count(pixels);
        self.planes.bind_costly(device, shape.batch, groups, flops, &tensors, None, |_| PlanesParams {
            height: shape.height,
            width: shape.width,
            channels: shape.channels,
            kernel: convolution.kernel,
            has_norm: norm.is_some().into(),
            epsilon: norm.map_or(0.0, |norm| norm.epsilon),
            ..Zeroable::zeroed()
        })
    }

    /// The last pass. Without `maps` it writes the gradient of the identity alone. The caller has checked the tensors.
    #[expect(clippy::too_many_arguments, reason = "what is read, and the two gradients")]
    pub(crate) fn last(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        grid: &PlaneGrid,
        [output, output_gradient]: [Option<wgpu::BufferSlice<'_>>; 2],
        maps: Option<wgpu::BufferSlice<'_>>,
        channel: Option<ChannelPart<'_>>,
        features_gradient: Option<wgpu::BufferSlice<'_>>,
        identity_gradient: Option<wgpu::BufferSlice<'_>>,
    ) -> Result<Vec<Dispatch>, Error> {
        let (channels, pixels) = (u64::from(shape.channels), u64::from(grid.pixels));
        let unit = channels * pixels;
        let (element, real) = (self.element.bytes() * grid.lanes, 4 * grid.lanes);
        let tensors = [
            Tensor::divided(output.filter(|_| self.epilogue == Epilogue::Residual), unit, element),
            Tensor::divided(output_gradient, unit, element),
            Tensor::divided(maps, 4 * pixels, real),
            Tensor::divided(channel.map(|part| part.gate), channels, 4),
            Tensor::divided(channel.map(|part| part.squeezed_gradient), 2 * channels, 4),
            Tensor::divided(channel.map(|part| part.first_maximum), channels, 4),
            Tensor::divided(features_gradient, unit, element),
            Tensor::divided(identity_gradient, unit, element),
        ];
        let groups = [grid.pixels.div_ceil(GROUP), shape.channels];
        let kernel = &self.apply[grid.lanes_index()];
        kernel.bind(device, shape.batch, groups, &tensors, None, |_| ApplyParams {
            channels: shape.channels,
            pixels: grid.pixels,
            // At most 4.
            lanes: grid.lanes as u32,
            has_output_gradient: output_gradient.is_some().into(),
            has_channel_gate: channel.is_some().into(),
            writes_features: features_gradient.is_some().into(),
            writes_identity: identity_gradient.is_some().into(),
            divisor: shape.size().pixels() as f32,
            ..Zeroable::zeroed()
        })
    }
}
