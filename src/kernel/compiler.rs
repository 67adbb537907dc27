//! What every operator is compiled with.

use super::rounds;
use crate::Error;

/// What operators are compiled with: the caller's device, and a pipeline cache where the caller keeps one. Every `new` takes
/// a `&wgpu::Device` as well as this.
///
/// A cache spares the driver's compiler on later starts, on the backends that have one (`Features::PIPELINE_CACHE`). It must
/// be of the same device; loading and storing its data is the caller's.
#[derive(Clone, Copy, Debug)]
pub struct Compiler<'a> {
    pub(crate) device: &'a wgpu::Device,
    pub(super) cache: Option<&'a wgpu::PipelineCache>,
    pub(crate) software: bool,
    /// Whether kernels are compiled at their first `bind` rather than by `new`.
    pub(super) at_first_use: bool,
    /// Loop rounds of one invocation that the adapter is trusted with, whichever variants are compiled for it.
    most_rounds: u64,
}

impl<'a> Compiler<'a> {
    /// Compiles into `cache` and from it.
    #[must_use]
    pub fn with_cache(self, cache: &'a wgpu::PipelineCache) -> Self {
        Self { cache: Some(cache), ..self }
    }

    /// Compiles the variants of kernels that adapters of this type get, rather than those of the device's own: a software
    /// adapter (`DeviceType::Cpu`) has some without barriers, where a GPU shares the work within workgroups. Results differ by
    /// rounding at most, speed by much. It serves to test on one of them what the other runs.
    #[must_use]
    pub fn with_variants_for(self, device_type: wgpu::DeviceType) -> Self {
        Self { software: device_type == wgpu::DeviceType::Cpu, ..self }
    }

    /// For kernels that an operator may never run: limits and features are checked by `new`, and the first `bind` compiles.
    pub(crate) fn at_first_use(self) -> Self {
        Self { at_first_use: true, ..self }
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
            software: false,
            at_first_use: false,
            most_rounds: rounds::most_rounds(device_type),
        };
        own.with_variants_for(device_type)
    }
}
