//! What the tests compile operators with.

use visual_attention::{Compiler, wgpu};

/// Asks for the variants of kernels that GPUs get, which a software adapter would otherwise never run: `gpu`.
pub(crate) const VARIANTS: &str = "VISUAL_ATTENTION_VARIANTS";

/// For the variants that the adapter gets, unless [`VARIANTS`] says otherwise.
pub(crate) fn of(device: &wgpu::Device) -> Compiler<'_> {
    let compiler = Compiler::from(device);
    match std::env::var(VARIANTS).as_deref() {
        Err(_) => compiler,
        Ok("gpu") => compiler.with_variants_for(wgpu::DeviceType::DiscreteGpu),
        Ok(other) => panic!("{VARIANTS} is {other}: leave it out, or set it to gpu"),
    }
}
