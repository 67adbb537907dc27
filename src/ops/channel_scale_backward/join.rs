//! Joins what the parts of each plane add up to.

use bytemuck::Zeroable;

use crate::kernel::shader::{PLAIN, Shader, Variant, params, shader};
use crate::kernel::{Build, Compiler, Dispatch, Kernel, Tensor, tuning};
use crate::{Error, Nchw, Squeeze};

params!(JoinParams {
    origin: u32,
    sums_base: u32,
    upstream_base: u32,
    gate_gradient_base: u32,
    squeezed_base: u32,
    first_maximum_base: u32,
    channels: u32,
    parts: u32,
    has_upstream: u32,
    writes_gate: u32,
    vectors: u32,
    writes_mean: u32,
    writes_maximum: u32,
});

pub(crate) const CHANNEL_SCALE_BACKWARD_JOIN: Shader = shader!(
    "channel_scale_backward_join",
    JoinParams,
    PLAIN,
    &[tuning::VECTOR_GROUPS],
    [sums: Read, upstream: Read, gate_gradient: Write, squeezed: Write, first_maximum: Write],
    ["ordered"],
);

/// Vectors that a plane is squeezed to: the mean, the maximum, or both.
pub(crate) fn vectors(squeeze: Squeeze) -> u32 {
    u32::from(squeeze.mean()) + u32::from(squeeze.maximum())
}

/// Tensors of [`Join::dispatches`]. What is `None` is neither read nor written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JoinTensors<'a> {
    /// `[n, c, parts]` of four numbers: a sum of products, a share of the mean, the key of a maximum and its pixel.
    pub(crate) sums: wgpu::BufferSlice<'a>,
    /// `[n, c]`: what is added to `gate_gradient`.
    pub(crate) upstream: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, c]`.
    pub(crate) gate_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, vectors, c]`, the mean, the maximum or both.
    pub(crate) squeezed: Option<(wgpu::BufferSlice<'a>, Squeeze)>,
    /// Out: `[n, c]`.
    pub(crate) first_maximum: Option<wgpu::BufferSlice<'a>>,
}

/// The kernel, for one operator.
#[derive(Clone, Debug)]
pub(crate) struct Join {
    software: bool,
    kernel: Kernel,
}

impl Join {
    pub(crate) fn new(op: &'static str, compiler: Compiler<'_>) -> Result<Self, Error> {
        let size = tuning::vector_group(compiler.software);
        let build = Build {
            op,
            shader: &CHANNEL_SCALE_BACKWARD_JOIN,
            variant: Variant::F32,
            constants: &[("WORKGROUP_SIZE", f64::from(size))],
            workgroup: [size, 1, 1],
            workgroup_bytes: 0,
        };
        Ok(Self { software: compiler.software, kernel: Kernel::new(compiler, &build)? })
    }

    /// The caller has checked the tensors. `shape` has pixels and channels.
    pub(crate) fn dispatches(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        parts: u32,
        tensors: JoinTensors<'_>,
    ) -> Result<Vec<Dispatch>, Error> {
        let JoinTensors { sums, upstream, gate_gradient, squeezed, first_maximum } = tensors;
        let channels = u64::from(shape.channels);
        let squeeze = squeezed.map(|(_, squeeze)| squeeze);
        let vectors = squeeze.map_or(0, vectors);
        let bound = [
            Tensor::divided(sums, channels * u64::from(parts), 16),
            Tensor::divided(upstream, channels, 4),
            Tensor::divided(gate_gradient, channels, 4),
            Tensor::divided(squeezed.map(|(slice, _)| slice), channels * u64::from(vectors), 4),
            Tensor::divided(first_maximum, channels, 4),
        ];
        let groups = [shape.channels.div_ceil(tuning::vector_group(self.software)), 1];
        self.kernel.bind(device, shape.batch, groups, &bound, None, |_| JoinParams {
            channels: shape.channels,
            parts,
            has_upstream: upstream.is_some().into(),
            writes_gate: gate_gradient.is_some().into(),
            vectors,
            writes_mean: squeeze.is_some_and(Squeeze::mean).into(),
            writes_maximum: squeeze.is_some_and(Squeeze::maximum).into(),
            ..Zeroable::zeroed()
        })
    }
}
