//! What `bind` returns: dispatches that are ready to be recorded.

use super::shader::Shader;
use crate::Cost;

/// One dispatch of a [`Recording`](crate::Recording).
#[derive(Clone, Debug)]
pub struct Dispatch {
    pub(super) shader: &'static Shader,
    pub(super) cost: Cost,
    pub(super) params: Vec<u8>,
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) bind_group: wgpu::BindGroup,
    pub(super) groups: [u32; 3],
}

impl Dispatch {
    /// The kernel's name: the stem of its file under `shaders/`, and its entry point. In GPU debuggers it is the last part of
    /// the label `visual_attention::operator::kernel`.
    #[must_use]
    pub fn label(&self) -> &'static str {
        self.shader.name
    }

    /// The kernel's parameters by name, as bits, for debugging. Dispatches of divided work differ in their parameters.
    #[must_use]
    pub fn params(&self) -> Vec<(&'static str, u32)> {
        let members = self.shader.params.iter();
        members.map(|member| (member.name, bytemuck::pod_read_unaligned(&self.params[member.offset..][..4]))).collect()
    }

    /// Workgroups on x, y and z.
    #[must_use]
    pub fn workgroups(&self) -> [u32; 3] {
        self.groups
    }

    /// What it moves and computes, as far as that decides how work is divided: the bytes of its tensors, and the operations of kernels that
    /// take longer than their tensors take to move. See [`DispatchBound`](crate::DispatchBound).
    #[must_use]
    pub fn cost(&self) -> Cost {
        self.cost
    }

    /// Records this dispatch alone, for instance into a pass of its own with timestamps. Dispatches must keep their order.
    pub fn record(&self, pass: &mut wgpu::ComputePass<'_>) {
        let [x, y, z] = self.groups;
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bind_group, &[]);
        pass.dispatch_workgroups(x, y, z);
    }
}

/// An operator that is bound to buffers and checked: what `bind` returns. It can be recorded any number of times, in any
/// encoder of its device, and it keeps its scratch buffers alive. wgpu runs several submissions on one queue in order.
#[derive(Clone, Debug, Default)]
#[must_use = "nothing runs until it is recorded into a pass"]
pub struct Recording {
    dispatches: Vec<Dispatch>,
}

impl Recording {
    pub(crate) fn new(dispatches: Vec<Dispatch>) -> Self {
        Self { dispatches }
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.dispatches.extend(other.dispatches);
    }

    /// Records every dispatch into the caller's pass. It never fails, and allocates nothing of its own. It sets the pass's
    /// pipeline and bind group 0, and restores neither.
    pub fn record(&self, pass: &mut wgpu::ComputePass<'_>) {
        for dispatch in &self.dispatches {
            dispatch.record(pass);
        }
    }

    /// The dispatches in order. An operator on an empty tensor has none.
    #[must_use]
    pub fn dispatches(&self) -> impl ExactSizeIterator<Item = &Dispatch> {
        self.dispatches.iter()
    }
}
