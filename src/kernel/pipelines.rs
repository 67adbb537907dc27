//! Pipelines that several operators run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::program::{Build, Program};
use super::shader::Variant;

/// In what pipelines differ.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    device: wgpu::Device,
    shader: &'static str,
    variant: Variant,
    /// Names and bits of the overrides.
    constants: Vec<(&'static str, u64)>,
    read_write: bool,
}

/// Compiled pipelines, for [`Compiler::with_pipelines`](crate::Compiler::with_pipelines): operators share those that they have in common.
///
/// A network has many gates with the same options, and gates of different kinds are made of the same kernels. Each pipeline is then compiled
/// once for each device, by the first operator that needs it, and its label names that operator. Clones share what they hold. The pipelines,
/// and their devices, live as long as a clone or an operator does.
///
/// All devices must come from one `wgpu::Instance`. wgpu cannot tell devices of two instances apart, and panics at a pipeline of the other.
///
/// ```no_run
/// use visual_attention::host::Gpu;
/// use visual_attention::{Compiler, Element, GlobalPool, Pipelines, Squeeze, SqueezeExcite, SqueezeExciteOptions};
///
/// let gpu = Gpu::open()?;
/// let pipelines = Pipelines::default();
/// let compiler = Compiler::from(&gpu.device).with_pipelines(&pipelines);
/// let gates: Result<Vec<_>, _> =
///     (0..16).map(|_| SqueezeExcite::new(compiler, SqueezeExciteOptions::STANDARD, Element::F32)).collect();
/// let pool = GlobalPool::new(compiler, Squeeze::Mean, Element::F32)?;
/// # let (_gates, _pool) = (gates?, pool);
/// # Ok::<(), visual_attention::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Pipelines {
    programs: Arc<Mutex<HashMap<Key, Arc<OnceLock<Program>>>>>,
}

impl Pipelines {
    /// The place of a pipeline, compiled or not.
    pub(super) fn place(&self, device: &wgpu::Device, build: &Build<'_>, read_write: bool) -> Arc<OnceLock<Program>> {
        let key = Key {
            device: device.clone(),
            shader: build.shader.name,
            variant: build.variant,
            constants: build.constants.iter().map(|&(name, value)| (name, value.to_bits())).collect(),
            read_write,
        };
        // A place is as good after a panic as before.
        let mut programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(programs.entry(key).or_default())
    }
}
