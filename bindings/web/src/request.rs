//! What JavaScript asks for: an operator with its options and shapes, a device, buffers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use visual_attention::operators::{self, Entry, Operator, Options, Shapes};
use visual_attention::{Compiler, Role, TensorSpec};

use crate::describing::describing;
use crate::recorder::Recorder;

/// An operator with its options, for inputs of some shapes.
#[derive(Debug, Deserialize)]
pub(crate) struct Call {
    pub(crate) operator: String,
    #[serde(default)]
    pub(crate) options: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) shapes: BTreeMap<String, Vec<u32>>,
}

impl Call {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    pub(crate) fn entry(&self) -> Result<&'static Entry, String> {
        operators::find(&self.operator).ok_or_else(|| format!("there is no operator `{}`", self.operator))
    }

    pub(crate) fn options(&self) -> Options {
        Options::new(self.options.clone())
    }

    pub(crate) fn shapes(&self) -> Shapes {
        Shapes::new(self.shapes.clone())
    }

    pub(crate) fn open(&self, compiler: Compiler<'_>) -> Result<Box<dyn Operator>, String> {
        self.entry()?.open(compiler.at_first_use(), &self.options()).map_err(|error| error.to_string())
    }

    /// The operator without a device.
    pub(crate) fn described(&self) -> Result<Box<dyn Operator>, String> {
        self.open(describing())
    }
}

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

/// A tensor as JavaScript sees it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tensor {
    pub(crate) name: &'static str,
    shape: Vec<u32>,
    pub(crate) dtype: String,
    pub(crate) role: &'static str,
    optional: bool,
    in_place_of: Option<&'static str>,
    bytes: Option<u64>,
}

impl From<&TensorSpec> for Tensor {
    fn from(spec: &TensorSpec) -> Self {
        let role = match spec.role {
            Role::Input => "input",
            Role::InPlace => "in_place",
            _ => "output",
        };
        Self {
            name: spec.name,
            shape: spec.shape.clone(),
            dtype: spec.dtype.to_string(),
            role,
            optional: spec.optional,
            in_place_of: spec.in_place_of,
            bytes: spec.bytes(),
        }
    }
}
