//! What every operator is compiled with.

use super::bound::DispatchBound;
use super::pipelines::Pipelines;
use super::rounds;
use crate::Error;

/// What operators are compiled with: the caller's device, and optionally a pipeline cache of the caller's. Every `new` also
/// takes a plain `&wgpu::Device`.
///
/// A cache spares the driver's compiler on later starts, on backends with `Features::PIPELINE_CACHE`. It must be of the same
/// device. The caller loads and stores its data.
#[derive(Clone, Copy, Debug)]
pub struct Compiler<'a> {
    pub(crate) device: &'a wgpu::Device,
    pub(super) cache: Option<&'a wgpu::PipelineCache>,
    pub(super) pipelines: Option<&'a Pipelines>,
    pub(crate) software: bool,
    /// Whether kernels are compiled at their first `bind` rather than by `new`.
    pub(super) at_first_use: bool,
    /// Most loop rounds that one invocation may run on this adapter, whichever variants are compiled.
    most_rounds: u64,
    pub(super) bound: DispatchBound,
}

impl<'a> Compiler<'a> {
    /// Takes compiled pipelines from `cache`, and adds new ones to the cache.
    #[must_use]
    pub fn with_cache(self, cache: &'a wgpu::PipelineCache) -> Self {
        Self { cache: Some(cache), ..self }
    }

    /// Compiles no pipeline that another operator with the same `pipelines` has compiled for this device.
    #[must_use]
    pub fn with_pipelines(self, pipelines: &'a Pipelines) -> Self {
        Self { pipelines: Some(pipelines), ..self }
    }

    /// Compiles the kernel variants of `device_type` instead of those of the device's own type. On a software adapter
    /// (`DeviceType::Cpu`) some variants have no barriers, where those of a GPU share the work within workgroups. Results
    /// differ at most by rounding, but speed differs much. Use it to test on one type of adapter what the other runs.
    #[must_use]
    pub fn with_variants_for(self, device_type: wgpu::DeviceType) -> Self {
        Self { software: device_type == wgpu::DeviceType::Cpu, ..self }
    }

    /// Compiles each kernel at the first `bind` that needs it. `new` then only checks options, limits and features, and is quick.
    ///
    /// Operators do so of themselves with kernels that they may never run.
    #[must_use]
    pub fn at_first_use(self) -> Self {
        Self { at_first_use: true, ..self }
    }

    /// Divides dispatches that would do more work than `bound`, in place of [`DispatchBound::of`] the device's type. Record the dispatches of
    /// a [`Recording`](crate::Recording) in several submissions to let other work in between.
    #[must_use]
    pub fn with_dispatch_bound(self, bound: DispatchBound) -> Self {
        Self { bound, ..self }
    }

    /// Most loop rounds of one invocation, for operators that know theirs only at `bind`.
    pub(crate) fn most_rounds(&self) -> u64 {
        self.most_rounds
    }

    /// Refuses loops that the adapter would end without an error: see [`rounds::MAX_ROUNDS`].
    pub(crate) fn check_rounds(&self, op: &'static str, needed: u64, remedy: &'static str) -> Result<(), Error> {
        if needed <= self.most_rounds {
            return Ok(());
        }
        Err(Error::TooManyRounds { op, needed, given: self.most_rounds, remedy })
    }
}

impl<'a> From<&'a wgpu::Device> for Compiler<'a> {
    fn from(device: &'a wgpu::Device) -> Self {
        let device_type = device.adapter_info().device_type;
        let own = Self {
            device,
            cache: None,
            pipelines: None,
            software: false,
            at_first_use: false,
            most_rounds: rounds::most_rounds(device_type),
            bound: DispatchBound::of(device_type),
        };
        own.with_variants_for(device_type)
    }
}
