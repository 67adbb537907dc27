//! What the tests compile operators with.

use std::cell::Cell;
use std::sync::OnceLock;

use visual_attention::{Compiler, DispatchBound, Pipelines, wgpu};

/// Asks for the variants of kernels that GPUs get, which a software adapter would otherwise never run: `gpu`.
pub(crate) const VARIANTS: &str = "VISUAL_ATTENTION_VARIANTS";

thread_local! {
    static BOUND: Cell<Option<DispatchBound>> = const { Cell::new(None) };
}

/// Runs `action`, in which [`of`] bounds the work of one dispatch.
pub(crate) fn bounded<R>(bound: DispatchBound, action: impl FnOnce() -> R) -> R {
    BOUND.set(Some(bound));
    let result = action();
    BOUND.set(None);
    result
}

/// The device that most tests share, and its pipelines.
static SHARED: OnceLock<(wgpu::Device, Pipelines)> = OnceLock::new();

/// The default limits, except for one that nothing here needs. wgpu counts devices of two instances as equal if they have the same number.
/// The limit distinguishes the shared device from all others.
pub(crate) fn shared_limits() -> wgpu::Limits {
    wgpu::Limits { max_vertex_buffers: 7, ..wgpu::Limits::default() }
}

/// Compiles each kernel once for all tests that run on `device`, which has [`shared_limits`].
pub(crate) fn share(device: &wgpu::Device) {
    SHARED.get_or_init(|| (device.clone(), Pipelines::default()));
}

/// For the variants that the adapter gets, unless [`VARIANTS`] says otherwise. The suite compiles the kernels that it runs, each once:
/// compiling all of them would take most of its time. Benches measure what `new` costs by itself.
pub(crate) fn of(device: &wgpu::Device) -> Compiler<'_> {
    let compiler = Compiler::from(device);
    let compiler = if cfg!(test) { compiler.at_first_use() } else { compiler };
    let compiler = match SHARED.get() {
        Some((shared, pipelines)) if shared == device && device.limits() == shared_limits() => {
            compiler.with_pipelines(pipelines)
        }
        _ => compiler,
    };
    let compiler = BOUND.get().map_or(compiler, |bound| compiler.with_dispatch_bound(bound));
    match std::env::var(VARIANTS).as_deref() {
        Err(_) => compiler,
        Ok("gpu") => compiler.with_variants_for(wgpu::DeviceType::DiscreteGpu),
        Ok(other) => panic!("{VARIANTS} is {other}: leave it out, or set it to gpu"),
    }
}
