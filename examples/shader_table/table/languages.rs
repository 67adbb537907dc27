//! What drivers are given: SPIR-V, GLSL, MSL and HLSL as wgpu has them made, for devices of WebGPU's default limits.

use naga::back::{glsl, hlsl, msl, spv};
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::ModuleInfo;
use naga::{AddressSpace, Module, ShaderStage};

/// A pipeline in each of the languages.
pub(crate) struct Translations {
    pub(crate) spirv: Vec<u32>,
    /// GLSL ES 3.1; it has no 16-bit floats.
    pub(crate) glsl: Option<String>,
    pub(crate) msl: String,
    pub(crate) hlsl: String,
}

impl Translations {
    /// Of a pipeline, its overrides replaced.
    pub(crate) fn new(module: &Module, info: &ModuleInfo, entry_point: &str, f16: bool) -> Result<Self, String> {
        Ok(Self {
            spirv: spirv(module, info, entry_point).map_err(|error| format!("SPIR-V: {error}"))?,
            glsl: if f16 { None } else { Some(glsl(module, info, entry_point).map_err(|e| format!("GLSL: {e}"))?) },
            msl: msl(module, info, entry_point).map_err(|error| format!("MSL: {error}"))?,
            hlsl: hlsl(module, info, entry_point, f16).map_err(|error| format!("HLSL: {error}"))?,
        })
    }
}

/// For drivers that check no bounds themselves, which is the longer code.
fn spirv(module: &Module, info: &ModuleInfo, entry_point: &str) -> Result<Vec<u32>, spv::Error> {
    let options = spv::Options {
        lang_version: (1, 3),
        flags: spv::WriterFlags::empty(),
        bounds_check_policies: BoundsCheckPolicies {
            index: BoundsCheckPolicy::Restrict,
            buffer: BoundsCheckPolicy::Restrict,
            image_load: BoundsCheckPolicy::Restrict,
            binding_array: BoundsCheckPolicy::Unchecked,
        },
        zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
        use_storage_input_output_16: false,
        ..spv::Options::default()
    };
    let pipeline = spv::PipelineOptions { shader_stage: ShaderStage::Compute, entry_point: entry_point.to_owned() };
    spv::write_vec(module, info, &options, Some(&pipeline))
}

fn glsl(module: &Module, info: &ModuleInfo, entry_point: &str) -> Result<String, glsl::Error> {
    // Storage buffers, the uniform and the image have slots of their own kind.
    let bindings = module.global_variables.iter().filter_map(|(_, variable)| variable.binding);
    let binding_map = bindings.map(|binding| (binding, binding.binding as u8)).collect();
    let options = glsl::Options { binding_map, ..glsl::Options::default() };
    let pipeline = glsl::PipelineOptions {
        shader_stage: ShaderStage::Compute,
        entry_point: entry_point.to_owned(),
        multiview: None,
    };
    let mut text = String::new();
    let policies = BoundsCheckPolicies::default();
    glsl::Writer::new(&mut text, module, info, &options, &pipeline, policies)?.write()?;
    Ok(text)
}

fn msl(module: &Module, info: &ModuleInfo, entry_point: &str) -> Result<String, msl::Error> {
    let mut resources = msl::EntryPointResources::default();
    for (_, variable) in module.global_variables.iter() {
        let Some(binding) = variable.binding else { continue };
        let slot = Some(binding.binding as u8);
        let mut target = msl::BindTarget { mutable: true, ..Default::default() };
        match variable.space {
            AddressSpace::Handle => target.texture = slot,
            _ => target.buffer = slot,
        }
        resources.resources.insert(binding, target);
    }
    resources.sizes_buffer = Some(resources.resources.len() as u8);
    let restrict = BoundsCheckPolicy::Restrict;
    let options = msl::Options {
        lang_version: (2, 0),
        per_entry_point_map: [(entry_point.to_owned(), resources)].into(),
        fake_missing_bindings: false,
        bounds_check_policies: BoundsCheckPolicies { index: restrict, buffer: restrict, ..Default::default() },
        ..msl::Options::default()
    };
    let pipeline = msl::PipelineOptions {
        entry_point: Some((ShaderStage::Compute, entry_point.to_owned())),
        ..msl::PipelineOptions::default()
    };
    Ok(msl::write_string(module, info, &options, &pipeline)?.0)
}

fn hlsl(module: &Module, info: &ModuleInfo, entry_point: &str, f16: bool) -> Result<String, hlsl::Error> {
    // Registers are of three kinds, each with a count of its own.
    let mut registers = [0; 3];
    let mut binding_map = hlsl::BindingMap::default();
    for (_, variable) in module.global_variables.iter() {
        let Some(binding) = variable.binding else { continue };
        let kind = match variable.space {
            AddressSpace::Uniform => 0,
            AddressSpace::Storage { access } if !access.contains(naga::StorageAccess::STORE) => 1,
            _ => 2,
        };
        binding_map.insert(binding, hlsl::BindTarget { register: registers[kind], ..Default::default() });
        registers[kind] += 1;
    }
    let options = hlsl::Options {
        shader_model: if f16 { hlsl::ShaderModel::V6_2 } else { hlsl::ShaderModel::V5_1 },
        binding_map,
        fake_missing_bindings: false,
        special_constants_binding: Some(hlsl::BindTarget { space: 1, ..Default::default() }),
        ..hlsl::Options::default()
    };
    let pipeline = hlsl::PipelineOptions { entry_point: Some((ShaderStage::Compute, entry_point.to_owned())) };
    let mut text = String::new();
    let written = hlsl::Writer::new(&mut text, &options, &pipeline).write(module, info, None)?;
    written
        .entry_point_names
        .into_iter()
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| hlsl::Error::Custom(e.to_string()))?;
    Ok(text)
}
