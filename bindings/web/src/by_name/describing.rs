//! What describes operators, and opens them for the references.

use std::sync::OnceLock;

use visual_attention::Compiler;

use crate::recorder::Recorder;

/// Compiles nothing: tensors, options and references depend on no device.
pub(crate) fn describing() -> Compiler<'static> {
    static DEVICE: OnceLock<wgpu::Device> = OnceLock::new();
    let open = || Recorder::open(wgpu::Features::SHADER_F16, wgpu::Limits::default(), wgpu::DeviceType::Other);
    Compiler::from(DEVICE.get_or_init(open)).at_first_use()
}
