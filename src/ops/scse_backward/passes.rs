//! The three passes of scSE's gradients.

use bytemuck::Zeroable;

use crate::kernel::shader::{NO_OR_YES, Shader, VECTORS, Variant, group, params, shader};
use crate::kernel::tuning::Team;
use crate::kernel::{Build, Compiler, Dispatch, Kernel, Tensor, rounds, tuning};
use crate::ops::global_pool::PlaneGrid;
use crate::{Element, Error, Nchw};

/// Vectors of a workgroup of the last kernel.
const GROUP: u32 = 64;

params!(PixelsParams {
    origin: u32,
    features_base: u32,
    output_base: u32,
    output_gradient_base: u32,
    channel_gate_base: u32,
    identity_gradient_base: u32,
    maps_base: u32,
    channels: u32,
    pixels: u32,
    has_bias: u32,
    masked: u32,
    writes_identity: u32,
    writes_maps: u32,
});

params!(PlanesParams {
    origin_x: u32,
    origin_y: u32,
    features_base: u32,
    output_base: u32,
    output_gradient_base: u32,
    channel_gate_base: u32,
    maps_base: u32,
    sums_base: u32,
    weight_parts_base: u32,
    channels: u32,
    start: u32,
    end: u32,
    pixels: u32,
    chunk: u32,
    parts: u32,
    divisor: f32,
    masked: u32,
    reads_gradient: u32,
    writes_sums: u32,
    writes_weights: u32,
});

params!(ApplyParams {
    origin_x: u32,
    origin_y: u32,
    features_base: u32,
    output_base: u32,
    output_gradient_base: u32,
    channel_gate_base: u32,
    maps_base: u32,
    squeezed_gradient_base: u32,
    features_gradient_base: u32,
    channels: u32,
    pixels: u32,
    divisor: f32,
    masked: u32,
    adds: u32,
});

pub(crate) const SCSE_BACKWARD_PIXELS: Shader = shader!(
    "scse_backward_pixels",
    PixelsParams,
    VECTORS,
    &[tuning::PIXELS_BY_CHANNELS, group(&["MAXIMUM"], NO_OR_YES)],
    [
        features: Read, output: Read, output_gradient: Read, weight: Read, bias: Read, channel_gate: Read,
        identity_gradient: Write, maps: Write,
    ],
    ["ordered", "blocked_sum", "scse_upstream"],
);

pub(crate) const SCSE_BACKWARD_PLANES: Shader = shader!(
    "scse_backward_planes",
    PlanesParams,
    VECTORS,
    &[tuning::PIXELS_BY_PLANES, group(&["MAXIMUM"], NO_OR_YES)],
    [
        features: Read, output: Read, output_gradient: Read, channel_gate: Read, maps: Read, sums: Write,
        weight_parts: Write,
    ],
    ["ordered", "blocked_sum", "scse_upstream"],
);

pub(crate) const SCSE_BACKWARD_APPLY: Shader = shader!(
    "scse_backward_apply",
    ApplyParams,
    VECTORS,
    &[group(&["MAXIMUM"], NO_OR_YES)],
    [
        features: Read, output: Read, output_gradient: Read, channel_gate: Read, maps: Read, weight: Read,
        squeezed_gradient: Read, features_gradient: Write,
    ],
    ["ordered", "scse_upstream"],
);

/// The upstream gradient as a pass reads it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Upstream<'a> {
    /// `[n, c, h, w]`: the forward operator's output, where its `relu` lets only part of the gradient through.
    pub(super) output: Option<wgpu::BufferSlice<'a>>,
    /// `[n, c, h, w]`.
    pub(super) output_gradient: wgpu::BufferSlice<'a>,
}

/// The gates.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gates<'a> {
    /// `[n, c]`. The first two passes read it for a maximum alone.
    pub(super) channel: Option<wgpu::BufferSlice<'a>>,
    /// `[n, 2, h, w]`: the spatial gate, and the gradient of its logits.
    pub(super) maps: Option<wgpu::BufferSlice<'a>>,
}

/// What the second pass adds up.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlaneSums<'a> {
    /// Out: `[n, c, parts]` of four numbers, for [`Join`](crate::ops::channel_scale_backward::Join).
    pub(super) sums: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, parts, c + 1]`.
    pub(super) weight_parts: Option<wgpu::BufferSlice<'a>>,
    /// Whether channels are added up, and the plane of ones after them.
    pub(super) channels: bool,
    pub(super) ones: bool,
}

/// The kernels.
#[derive(Clone, Debug)]
pub(super) struct Passes {
    op: &'static str,
    element: Element,
    software: bool,
    maximum: bool,
    /// By vector width (1, 4), then as [`tuning::channel_teams`].
    pixels: [Vec<Kernel>; 2],
    /// By vector width (1, 4), then as [`tuning::plane_teams`].
    planes: [Vec<Kernel>; 2],
    /// By vector width (1, 4).
    apply: [Kernel; 2],
}

impl Passes {
    /// `maximum`: the larger of both products is the output.
    pub(super) fn new(
        op: &'static str,
        compiler: Compiler<'_>,
        maximum: bool,
        element: Element,
    ) -> Result<Self, Error> {
        let software = compiler.software;
        let code = f64::from(u8::from(maximum));
        let pixels = |lanes, team: &Team| {
            let Team { sharing: channels, across: pixels } = *team;
            let build = Build {
                op,
                shader: &SCSE_BACKWARD_PIXELS,
                variant: Variant::new(element, lanes),
                constants: &[("PIXELS", f64::from(pixels)), ("CHANNELS", f64::from(channels)), ("MAXIMUM", code)],
                workgroup: [pixels, channels, 1],
                workgroup_bytes: pixels * channels * lanes * 8,
            };
            Kernel::new(compiler, &build)
        };
        let all_pixels = |lanes| -> Result<_, Error> {
            tuning::channel_teams(software).iter().map(|team| pixels(lanes, team)).collect()
        };
        let planes = |lanes, team: &Team| {
            let Team { sharing: pixels, across: planes } = *team;
            let build = Build {
                op,
                shader: &SCSE_BACKWARD_PLANES,
                variant: Variant::new(element, lanes),
                constants: &[("PIXELS", f64::from(pixels)), ("PLANES", f64::from(planes)), ("MAXIMUM", code)],
                workgroup: [pixels * planes, 1, 1],
                workgroup_bytes: pixels * planes * 16,
            };
            Kernel::new(compiler, &build)
        };
        let all_planes = |lanes| -> Result<_, Error> {
            tuning::plane_teams(software).iter().map(|team| planes(lanes, team)).collect()
        };
        let apply = |lanes| {
            let build = Build {
                op,
                shader: &SCSE_BACKWARD_APPLY,
                variant: Variant::new(element, lanes),
                constants: &[("MAXIMUM", code)],
                workgroup: [GROUP, 1, 1],
                workgroup_bytes: 0,
            };
            Kernel::new(compiler, &build)
        };
        Ok(Self {
            op,
            element,
            software,
            maximum,
            pixels: [all_pixels(1)?, all_pixels(4)?],
            planes: [all_planes(1)?, all_planes(4)?],
            apply: [apply(1)?, apply(4)?],
        })
    }

    /// The first pass. It fills the maps if they are given, and the gradient of the identity if that is given. The caller has checked the
    /// tensors.
    #[expect(clippy::too_many_arguments, reason = "what is read, and the two results")]
    pub(super) fn pixels(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        grid: &PlaneGrid,
        features: wgpu::BufferSlice<'_>,
        upstream: Upstream<'_>,
        [weight, bias]: [Option<wgpu::BufferSlice<'_>>; 2],
        gates: Gates<'_>,
        identity_gradient: Option<wgpu::BufferSlice<'_>>,
    ) -> Result<Vec<Dispatch>, Error> {
        let (channels, pixels) = (shape.channels, u64::from(grid.pixels));
        let index = tuning::channel_team(self.software, pixels, channels);
        let team = tuning::channel_teams(self.software)[index];
        rounds::check(self.op, rounds::summed(channels.div_ceil(team.sharing).into()))?;
        let unit = u64::from(channels) * pixels;
        let bytes = self.element.bytes();
        let (load, real) = (bytes * grid.lanes, 4 * grid.lanes);
        // The projection's tensors, if the gate is not there yet.
        let projected = gates.maps.is_some() && !self.maximum;
        let [weight, bias] = [weight, bias].map(|slice| slice.filter(|_| projected));
        let tensors = [
            Tensor::divided(gates.maps.map(|_| features), unit, load),
            Tensor::divided(upstream.output, unit, load),
            Tensor::divided(upstream.output_gradient, unit, load),
            Tensor::whole(weight, channels.into(), bytes),
            Tensor::whole(bias, 1, bytes),
            Tensor::divided(gates.channel.filter(|_| self.maximum), channels.into(), 4),
            Tensor::divided(identity_gradient, unit, load),
            Tensor::divided(gates.maps, 2 * pixels, real),
        ];
        let groups = [grid.pixels.div_ceil(team.across), 1];
        self.pixels[grid.lanes_index()][index].bind(device, shape.batch, groups, &tensors, None, |_| PixelsParams {
            channels,
            pixels: grid.pixels,
            has_bias: bias.is_some().into(),
            masked: upstream.output.is_some().into(),
            writes_identity: identity_gradient.is_some().into(),
            writes_maps: gates.maps.is_some().into(),
            ..Zeroable::zeroed()
        })
    }

    /// Parts that the second pass adds up a plane in, and vectors of a part.
    pub(super) fn parts(&self, grid: &PlaneGrid) -> Result<(u32, u32), Error> {
        grid.parts(self.op, self.plane_team(grid).1)
    }

    fn plane_team(&self, grid: &PlaneGrid) -> (usize, Team) {
        let index = tuning::plane_team(self.software, grid.pixels.into());
        (index, tuning::plane_teams(self.software)[index])
    }

    /// The second pass. Without `upstream` the sums are those of the features alone. The caller has checked the tensors.
    #[expect(clippy::too_many_arguments, reason = "what is read, and what is added up")]
    pub(super) fn planes(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        grid: &PlaneGrid,
        features: wgpu::BufferSlice<'_>,
        upstream: Option<Upstream<'_>>,
        gates: Gates<'_>,
        wanted: PlaneSums<'_>,
    ) -> Result<Vec<Dispatch>, Error> {
        let (index, team) = self.plane_team(grid);
        let (parts, chunk) = self.parts(grid)?;
        let (channels, pixels) = (u64::from(shape.channels), u64::from(grid.pixels));
        let unit = channels * pixels;
        let (load, real) = (self.element.bytes() * grid.lanes, 4 * grid.lanes);
        let compared = self.maximum && upstream.is_some();
        let output = upstream.and_then(|upstream| upstream.output);
        let tensors = [
            Tensor::divided(wanted.channels.then_some(features), unit, load),
            Tensor::divided(output, unit, load),
            Tensor::divided(upstream.map(|upstream| upstream.output_gradient), unit, load),
            Tensor::divided(gates.channel.filter(|_| compared), channels, 4),
            Tensor::divided(gates.maps.filter(|_| compared || wanted.weight_parts.is_some()), 2 * pixels, real),
            Tensor::divided(wanted.sums, channels * u64::from(parts), 16),
            Tensor::divided(wanted.weight_parts, (channels + 1) * u64::from(parts), 4),
        ];
        let start = if wanted.channels { 0 } else { shape.channels };
        let end = shape.channels + u32::from(wanted.ones);
        let groups = [(end - start).div_ceil(team.across), parts];
        self.planes[grid.lanes_index()][index].bind(device, shape.batch, groups, &tensors, None, |_| PlanesParams {
            channels: shape.channels,
            start,
            end,
            pixels: grid.pixels,
            chunk,
            parts,
            divisor: shape.size().pixels() as f32,
            masked: output.is_some().into(),
            reads_gradient: upstream.is_some().into(),
            writes_sums: wanted.sums.is_some().into(),
            writes_weights: wanted.weight_parts.is_some().into(),
            ..Zeroable::zeroed()
        })
    }

    /// The last pass, with both gates. `adds`: the features themselves are part of the output. The caller has checked the tensors.
    #[expect(clippy::too_many_arguments, reason = "what is read, and the result")]
    pub(super) fn apply(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        grid: &PlaneGrid,
        features: wgpu::BufferSlice<'_>,
        upstream: Upstream<'_>,
        gates: Gates<'_>,
        weight: wgpu::BufferSlice<'_>,
        squeezed_gradient: wgpu::BufferSlice<'_>,
        features_gradient: wgpu::BufferSlice<'_>,
        adds: bool,
    ) -> Result<Vec<Dispatch>, Error> {
        let (channels, pixels) = (u64::from(shape.channels), u64::from(grid.pixels));
        let unit = channels * pixels;
        let bytes = self.element.bytes();
        let (load, real) = (bytes * grid.lanes, 4 * grid.lanes);
        let tensors = [
            Tensor::divided(self.maximum.then_some(features), unit, load),
            Tensor::divided(upstream.output, unit, load),
            Tensor::divided(upstream.output_gradient, unit, load),
            Tensor::divided(gates.channel, channels, 4),
            Tensor::divided(gates.maps, 2 * pixels, real),
            Tensor::whole(weight, channels, bytes),
            Tensor::divided(squeezed_gradient, channels, 4),
            Tensor::divided(features_gradient, unit, load),
        ];
        let groups = [grid.pixels.div_ceil(GROUP), shape.channels];
        self.apply[grid.lanes_index()].bind(device, shape.batch, groups, &tensors, None, |_| ApplyParams {
            channels: shape.channels,
            pixels: grid.pixels,
            divisor: shape.size().pixels() as f32,
            masked: upstream.output.is_some().into(),
            adds: adds.into(),
            ..Zeroable::zeroed()
        })
    }
}
