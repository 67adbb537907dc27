//! Sums over the batch: the gradients of biases and norms.

use bytemuck::Zeroable;

use crate::kernel::rounds::MAX_TERMS;
use crate::kernel::shader::{ELEMENTS, Shader, Variant, params, shader};
use crate::kernel::{Build, Compiler, Dispatch, Kernel, Tensor, tuning};
use crate::ops::batch_norm::BatchNorm;
use crate::{Element, Error};

params!(Params {
    origin: u32,
    outputs: u32,
    vectors: u32,
    count: f32,
    epsilon: f32,
    writes_bias: u32,
    writes_norm_weight: u32,
});

pub(crate) const DENSE_BACKWARD_BIAS: Shader = shader!(
    "dense_backward_bias",
    Params,
    ELEMENTS,
    &[tuning::VECTOR_GROUPS],
    [gradient: Read, sums: Read, norm_mean: Read, norm_variance: Read, bias_gradient: Write, norm_weight_gradient: Write],
    ["blocked_sum"],
);

/// The kernel.
#[derive(Clone, Debug)]
pub(super) struct BatchSums {
    software: bool,
    element: Element,
    kernel: Kernel,
}

impl BatchSums {
    /// `element` is the type of a norm's tensors.
    pub(super) fn new(op: &'static str, compiler: Compiler<'_>, element: Element) -> Result<Self, Error> {
        let size = tuning::vector_group(compiler.software);
        let build = Build {
            op,
            shader: &DENSE_BACKWARD_BIAS,
            variant: Variant::new(element, 1),
            constants: &[("WORKGROUP_SIZE", f64::from(size))],
            workgroup: [size, 1, 1],
            workgroup_bytes: 0,
        };
        Ok(Self { software: compiler.software, element, kernel: Kernel::new(compiler, &build)? })
    }

    /// Refuses more vectors than one invocation may add up.
    pub(super) fn check(op: &'static str, needed: u64) -> Result<(), Error> {
        if needed <= MAX_TERMS {
            return Ok(());
        }
        Err(Error::LimitExceeded { op, limit: "vectors of a batch", needed, given: MAX_TERMS })
    }

    /// The gradients of a bias, times `count`, and of the weight of a norm whose inputs are the slice beside it. No dispatch if none is
    /// wanted. The caller has called [`Self::check`].
    pub(super) fn dispatches(
        &self,
        device: &wgpu::Device,
        [vectors, outputs]: [u32; 2],
        count: f32,
        gradient: wgpu::BufferSlice<'_>,
        norm: Option<(BatchNorm<'_>, wgpu::BufferSlice<'_>)>,
        [bias_gradient, norm_weight_gradient]: [Option<wgpu::BufferSlice<'_>>; 2],
    ) -> Result<Vec<Dispatch>, Error> {
        if bias_gradient.is_none() && norm_weight_gradient.is_none() {
            return Ok(Vec::new());
        }
        let numbers = u64::from(outputs) * u64::from(vectors);
        let (norm, sums) = (norm.map(|(norm, _)| norm), norm.map(|(_, sums)| sums));
        let (width, bytes) = (u64::from(outputs), self.element.bytes());
        let tensors = [
            Tensor::whole(gradient, numbers, 4),
            Tensor::whole(sums, numbers, 4),
            Tensor::whole(norm.map(|norm| norm.mean), width, bytes),
            Tensor::whole(norm.map(|norm| norm.variance), width, bytes),
            Tensor::whole(bias_gradient, width, 4),
            Tensor::whole(norm_weight_gradient, width, 4),
        ];
        let groups = [outputs.div_ceil(tuning::vector_group(self.software)), 1];
        self.kernel.bind(device, 1, groups, &tensors, None, |_| Params {
            outputs,
            vectors,
            count,
            epsilon: norm.map_or(0.0, |norm| norm.epsilon),
            writes_bias: bias_gradient.is_some().into(),
            writes_norm_weight: norm_weight_gradient.is_some().into(),
            ..Zeroable::zeroed()
        })
    }
}
