//! Reductions over the channels of each pixel.

use bytemuck::Zeroable;

use crate::kernel::rounds::MAX_TERMS;
use crate::kernel::shader::{NO_OR_YES, Shader, VECTORS, Variant, group, params, shader};
use crate::kernel::tuning::Team;
use crate::kernel::{Build, Compiler, Dispatch, Kernel, Tensor, tuning};
use crate::ops::global_pool::PlaneGrid;
use crate::{Element, Error, Nchw};

params!(Params {
    origin: u32,
    features_base: u32,
    gate_base: u32,
    planes_base: u32,
    channels: u32,
    pixels: u32,
    has_gate: u32,
    has_bias: u32,
    outputs: u32,
});

pub(crate) const SPATIAL_GATE_SQUEEZE: Shader = shader!(
    "spatial_gate_squeeze",
    Params,
    VECTORS,
    &[tuning::PIXELS_BY_CHANNELS, group(&["PROJECTION"], NO_OR_YES)],
    [features: Read, gate: Read, weight: Read, bias: Read, planes: Write],
    ["ordered", "blocked_sum"],
);

/// Whether the features have pixels to reduce. Refuses pixels without channels, which have neither maximum nor mean.
pub(crate) fn spatially_squeezable(op: &'static str, shape: Nchw) -> Result<bool, Error> {
    if shape.plane().is_empty() {
        return Ok(false);
    }
    if shape.channels == 0 {
        return Err(Error::InvalidShape {
            op,
            binding: "features",
            given: shape.to_string(),
            needed: "at least one channel".into(),
        });
    }
    let given = MAX_TERMS;
    if u64::from(shape.channels) > given {
        return Err(Error::LimitExceeded { op, limit: "channels", needed: shape.channels.into(), given });
    }
    Ok(true)
}

/// A reduction over the channels of each pixel: CBAM's two planes, or a gate from one weight for each channel (`projection`).
#[derive(Clone, Debug)]
pub(crate) struct SpatialSqueeze {
    projection: bool,
    element: Element,
    software: bool,
    /// By vector width (1, 4), then in the order of [`tuning::channel_teams`].
    kernels: [Vec<Kernel>; 2],
}

/// Tensors of [`SpatialSqueeze::dispatches`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct SqueezeTensors<'a> {
    pub(crate) features: wgpu::BufferSlice<'a>,
    /// `[n, c]`, for the statistics.
    pub(crate) gate: Option<wgpu::BufferSlice<'a>>,
    /// `[c]`, for the projection.
    pub(crate) weight: Option<wgpu::BufferSlice<'a>>,
    /// `[1]`, for the projection.
    pub(crate) bias: Option<wgpu::BufferSlice<'a>>,
    /// `[n, 2, h, w]`, or `[n, h, w]` for the projection.
    pub(crate) planes: wgpu::BufferSlice<'a>,
}

impl SpatialSqueeze {
    pub(crate) fn new(
        op: &'static str,
        compiler: Compiler<'_>,
        projection: bool,
        element: Element,
    ) -> Result<Self, Error> {
        let kernel = |lanes, team: &Team| {
            let Team { sharing: channels, across: pixels } = *team;
            Kernel::new(
                compiler,
                &Build {
                    op,
                    shader: &SPATIAL_GATE_SQUEEZE,
                    variant: Variant::new(element, lanes),
                    constants: &[
                        ("PIXELS", f64::from(pixels)),
                        ("CHANNELS", f64::from(channels)),
                        ("PROJECTION", f64::from(u8::from(projection))),
                    ],
                    workgroup: [pixels, channels, 1],
                    workgroup_bytes: pixels * channels * lanes * 8,
                },
            )
        };
        let kernels = |lanes| -> Result<_, Error> {
            tuning::channel_teams(compiler.software).iter().map(|team| kernel(lanes, team)).collect()
        };
        Ok(Self { projection, element, software: compiler.software, kernels: [kernels(1)?, kernels(4)?] })
    }

    /// Expects tensors that have been checked.
    pub(crate) fn dispatches(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        grid: &PlaneGrid,
        tensors: SqueezeTensors<'_>,
    ) -> Result<Vec<Dispatch>, Error> {
        self.dispatches_into(device, shape, grid, tensors, if self.projection { 1 } else { 2 })
    }

    /// As [`Self::dispatches`], into the first of `outputs` planes of each image.
    pub(crate) fn dispatches_into(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        grid: &PlaneGrid,
        tensors: SqueezeTensors<'_>,
        outputs: u32,
    ) -> Result<Vec<Dispatch>, Error> {
        let SqueezeTensors { features, gate, weight, bias, planes } = tensors;
        let (channels, pixels) = (shape.channels, grid.pixels);
        let team = tuning::channel_team(self.software, pixels.into(), channels);
        let bytes = self.element.bytes();
        let tensors = [
            Tensor::divided(features, u64::from(channels) * u64::from(pixels), bytes * grid.lanes),
            Tensor::divided(gate, channels.into(), 4),
            Tensor::whole(weight, channels.into(), bytes),
            Tensor::whole(bias, 1, bytes),
            Tensor::divided(planes, u64::from(outputs) * u64::from(pixels), 4 * grid.lanes),
        ];
        let kernel = &self.kernels[grid.lanes_index()][team];
        let groups = [pixels.div_ceil(tuning::channel_teams(self.software)[team].across), 1];
        kernel.bind(device, shape.batch, groups, &tensors, None, |_| Params {
            channels,
            pixels,
            has_gate: gate.is_some().into(),
            has_bias: bias.is_some().into(),
            outputs,
            ..Zeroable::zeroed()
        })
    }
}
