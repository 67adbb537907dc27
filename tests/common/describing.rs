//! What describes operators without a GPU.

use std::sync::OnceLock;

use visual_attention::{Compiler, wgpu};

/// Compiles nothing: tensors, options and references depend on no device.
pub(crate) fn describing() -> Compiler<'static> {
    static DEVICE: OnceLock<(wgpu::Device, wgpu::Queue)> = OnceLock::new();
    let features = wgpu::DeviceDescriptor { required_features: wgpu::Features::SHADER_F16, ..Default::default() };
    let (device, _) = DEVICE.get_or_init(|| wgpu::Device::noop(&features));
    Compiler::from(device).at_first_use()
}
