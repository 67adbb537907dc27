//! The device that JavaScript plans for.

use serde::Deserialize;

use crate::recorder::Recorder;

/// A `GPUDevice`, as far as operators look at it.
#[derive(Debug, Deserialize)]
pub(crate) struct Device {
    /// Whether it has `shader-f16`.
    f16: bool,
    /// Whether its adapter computes on the CPU: other variants of kernels are faster there.
    software: bool,
    limits: Limits,
}

/// The limits that operators look at.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Limits {
    max_buffer_size: u64,
    max_storage_buffer_binding_size: u64,
    max_compute_invocations_per_workgroup: u32,
    max_compute_workgroup_size_x: u32,
    max_compute_workgroup_size_y: u32,
    max_compute_workgroup_size_z: u32,
    max_compute_workgroup_storage_size: u32,
    max_compute_workgroups_per_dimension: u32,
    max_storage_buffers_per_shader_stage: u32,
    max_storage_textures_per_shader_stage: u32,
    min_storage_buffer_offset_alignment: u32,
}

impl Device {
    /// A device that writes down what is recorded for this one.
    pub(crate) fn recorder(&self) -> wgpu::Device {
        let given = &self.limits;
        let limits = wgpu::Limits {
            max_buffer_size: given.max_buffer_size,
            max_storage_buffer_binding_size: given.max_storage_buffer_binding_size,
            max_compute_invocations_per_workgroup: given.max_compute_invocations_per_workgroup,
            max_compute_workgroup_size_x: given.max_compute_workgroup_size_x,
            max_compute_workgroup_size_y: given.max_compute_workgroup_size_y,
            max_compute_workgroup_size_z: given.max_compute_workgroup_size_z,
            max_compute_workgroup_storage_size: given.max_compute_workgroup_storage_size,
            max_compute_workgroups_per_dimension: given.max_compute_workgroups_per_dimension,
            max_storage_buffers_per_shader_stage: given.max_storage_buffers_per_shader_stage,
            max_storage_textures_per_shader_stage: given.max_storage_textures_per_shader_stage,
            min_storage_buffer_offset_alignment: given.min_storage_buffer_offset_alignment,
            ..wgpu::Limits::default()
        };
        let features = if self.f16 { wgpu::Features::SHADER_F16 } else { wgpu::Features::empty() };
        let device_type = if self.software { wgpu::DeviceType::Cpu } else { wgpu::DeviceType::Other };
        Recorder::open(features, limits, device_type)
    }
}
