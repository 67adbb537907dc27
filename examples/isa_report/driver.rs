//! A Vulkan driver that compiles for a GPU that is not there. wgpu does not open such a device.

#![expect(unsafe_code, reason = "a driver's statistics of a pipeline are out of reach of wgpu")]

use std::ffi::{CStr, CString};

use ash::vk;
use naga::back::spv;
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use visual_attention::Element;
use visual_attention::shaders::{Shader, Variant};

use super::translate;

/// The figures of a pipeline: column of the report, name in the driver.
pub(crate) const FIGURES: [(&str, &str); 10] = [
    ("waves", "Subgroups per SIMD"),
    ("sgprs", "SGPRs"),
    ("vgprs", "VGPRs"),
    ("spilled_sgprs", "Spilled SGPRs"),
    ("spilled_vgprs", "Spilled VGPRs"),
    ("lds", "LDS size"),
    ("scratch", "Scratch size"),
    ("bytes", "Code size"),
    ("instructions", "Instructions"),
    ("latency", "Latency"),
];

/// Lives as long as the process: what it creates is never destroyed.
pub(crate) struct Driver {
    _entry: ash::Entry,
    device: ash::Device,
    statistics: ash::khr::pipeline_executable_properties::Device,
    /// The driver's own words, as in `Mesa 22.3.6`.
    pub(crate) version: String,
    f16: bool,
}

impl Driver {
    /// The first device of the drivers that the environment names.
    pub(crate) fn open() -> Result<Self, String> {
        let failed = |what: &'static str| move |error: vk::Result| format!("{what}: {error}");
        // SAFETY: the library is the system's Vulkan loader.
        let entry = unsafe { ash::Entry::load() }.map_err(|error| format!("no Vulkan loader: {error}"))?;
        let application = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_3);
        let create = vk::InstanceCreateInfo::default().application_info(&application);
        // SAFETY: no extension is asked for, and `entry` lives on in `Self`.
        let instance = unsafe { entry.create_instance(&create, None) }.map_err(failed("vkCreateInstance"))?;
        // SAFETY: `instance` was just created.
        let physical = unsafe { instance.enumerate_physical_devices() }.map_err(failed("devices"))?;
        let &physical = physical.first().ok_or("the driver has no device")?;

        let mut driver = vk::PhysicalDeviceDriverProperties::default();
        let mut properties = vk::PhysicalDeviceProperties2::default().push_next(&mut driver);
        let mut half = vk::PhysicalDeviceShaderFloat16Int8Features::default();
        let mut storage = vk::PhysicalDevice16BitStorageFeatures::default();
        let mut available = vk::PhysicalDeviceFeatures2::default().push_next(&mut half).push_next(&mut storage);
        // SAFETY: `physical` is `instance`'s, and all of these structs are of Vulkan 1.2.
        unsafe {
            instance.get_physical_device_properties2(physical, &mut properties);
            instance.get_physical_device_features2(physical, &mut available);
        }
        if properties.properties.api_version < vk::API_VERSION_1_3 {
            return Err("the driver is older than Vulkan 1.3".into());
        }
        let version = driver.driver_info_as_c_str().map_or("unknown".into(), |text| text.to_string_lossy());
        let f16 = half.shader_float16 == vk::TRUE
            && storage.storage_buffer16_bit_access == vk::TRUE
            && storage.uniform_and_storage_buffer16_bit_access == vk::TRUE;

        // What wgpu turns on where a driver has it, as far as it changes the code.
        let core = vk::PhysicalDeviceFeatures::default().robust_buffer_access(true);
        let mut half = vk::PhysicalDeviceShaderFloat16Int8Features::default().shader_float16(f16);
        let mut storage = vk::PhysicalDevice16BitStorageFeatures::default()
            .storage_buffer16_bit_access(f16)
            .uniform_and_storage_buffer16_bit_access(f16);
        let mut robust = vk::PhysicalDeviceRobustness2FeaturesEXT::default().robust_buffer_access2(true);
        let mut statistics =
            vk::PhysicalDevicePipelineExecutablePropertiesFeaturesKHR::default().pipeline_executable_info(true);
        let extensions = [vk::KHR_PIPELINE_EXECUTABLE_PROPERTIES_NAME.as_ptr(), vk::EXT_ROBUSTNESS2_NAME.as_ptr()];
        let queue = [vk::DeviceQueueCreateInfo::default().queue_priorities(&[1.0])];
        let create = vk::DeviceCreateInfo::default()
            .queue_create_infos(&queue)
            .enabled_extension_names(&extensions)
            .enabled_features(&core)
            .push_next(&mut half)
            .push_next(&mut storage)
            .push_next(&mut robust)
            .push_next(&mut statistics);
        // SAFETY: the driver refuses what it does not have; everything that `create` points to is alive.
        let device = unsafe { instance.create_device(physical, &create, None) }.map_err(failed("vkCreateDevice"))?;
        let statistics = ash::khr::pipeline_executable_properties::Device::new(&instance, &device);
        Ok(Self { _entry: entry, version: version.into_owned(), device, statistics, f16 })
    }

    /// Whether the device takes the variant.
    pub(crate) fn takes(&self, variant: Variant) -> bool {
        self.f16 || variant.element == Element::F32 && variant.inner == Element::F32
    }

    /// Compiles a pipeline; in the order of [`FIGURES`].
    pub(crate) fn figures(
        &self,
        shader: &Shader,
        variant: Variant,
        constants: &[(&'static str, f64)],
    ) -> Result<[u64; FIGURES.len()], String> {
        let (module, words) = translate(shader, variant, constants)?;
        let name = CString::new(shader.name).map_err(|error| error.to_string())?;
        // SAFETY: `words` is valid SPIR-V with this entry point, the layout has all of its bindings, the device was created with
        // the features that it needs, and everything pointed to is alive.
        unsafe { self.compile(&layout(&module), &words, &name) }
            .map_err(|error| error.to_string())?
            .map_or_else(|missing| Err(format!("the driver has no figure \"{missing}\"")), Ok)
    }

    unsafe fn compile(
        &self,
        bindings: &[vk::DescriptorSetLayoutBinding<'_>],
        words: &[u32],
        name: &CStr,
    ) -> Result<Result<[u64; FIGURES.len()], &'static str>, vk::Result> {
        let create = vk::DescriptorSetLayoutCreateInfo::default().bindings(bindings);
        let statistics = unsafe {
            let module = self.device.create_shader_module(&vk::ShaderModuleCreateInfo::default().code(words), None)?;
            let sets = [self.device.create_descriptor_set_layout(&create, None)?];
            let create = vk::PipelineLayoutCreateInfo::default().set_layouts(&sets);
            let layout = self.device.create_pipeline_layout(&create, None)?;
            let stage = vk::PipelineShaderStageCreateInfo::default()
                .stage(vk::ShaderStageFlags::COMPUTE)
                .module(module)
                .name(name);
            let create = vk::ComputePipelineCreateInfo::default()
                .flags(vk::PipelineCreateFlags::CAPTURE_STATISTICS_KHR)
                .layout(layout)
                .stage(stage);
            let pipelines = self.device.create_compute_pipelines(vk::PipelineCache::null(), &[create], None);
            let pipeline = pipelines.map_err(|(_, error)| error)?[0];
            let executable = vk::PipelineExecutableInfoKHR::default().pipeline(pipeline);
            self.statistics.get_pipeline_executable_statistics(&executable)?
        };
        let mut figures = [0; FIGURES.len()];
        for (figure, (_, wanted)) in figures.iter_mut().zip(FIGURES) {
            let named = |statistic: &&vk::PipelineExecutableStatisticKHR<'_>| {
                statistic.name_as_c_str().is_ok_and(|name| name.to_bytes() == wanted.as_bytes())
                    && statistic.format == vk::PipelineExecutableStatisticFormatKHR::UINT64
            };
            let Some(statistic) = statistics.iter().find(named) else { return Ok(Err(wanted)) };
            // SAFETY: the format says that it is this member.
            *figure = unsafe { statistic.value.u64 };
        }
        Ok(Ok(figures))
    }
}

/// SPIR-V as wgpu makes it of a pipeline for a driver of Vulkan 1.3 that checks the bounds of buffers itself.
fn translate(
    shader: &Shader,
    variant: Variant,
    constants: &[(&'static str, f64)],
) -> Result<(naga::Module, Vec<u32>), String> {
    let (module, info) = translate::parse(&shader.source(variant))?;
    let (resolved, info) = translate::with_constants(&module, &info, shader.name, constants)?;
    let options = spv::Options {
        lang_version: (1, 6),
        flags: spv::WriterFlags::empty(),
        bounds_check_policies: BoundsCheckPolicies {
            index: BoundsCheckPolicy::Restrict,
            buffer: BoundsCheckPolicy::Unchecked,
            image_load: BoundsCheckPolicy::Unchecked,
            binding_array: BoundsCheckPolicy::Unchecked,
        },
        zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
        use_storage_input_output_16: false,
        ..spv::Options::default()
    };
    let pipeline =
        spv::PipelineOptions { shader_stage: naga::ShaderStage::Compute, entry_point: shader.name.to_owned() };
    let words = spv::write_vec(&resolved, &info, &options, Some(&pipeline)).map_err(|error| error.to_string())?;
    drop((resolved, info));
    Ok((module, words))
}

fn layout(module: &naga::Module) -> Vec<vk::DescriptorSetLayoutBinding<'static>> {
    let bindings = module.global_variables.iter().filter_map(|(_, variable)| {
        let ty = match variable.space {
            naga::AddressSpace::Uniform => vk::DescriptorType::UNIFORM_BUFFER,
            naga::AddressSpace::Storage { .. } => vk::DescriptorType::STORAGE_BUFFER,
            _ => vk::DescriptorType::STORAGE_IMAGE,
        };
        let binding = variable.binding?.binding;
        let stage = vk::ShaderStageFlags::COMPUTE;
        let layout = vk::DescriptorSetLayoutBinding::default();
        Some(layout.binding(binding).descriptor_type(ty).descriptor_count(1).stage_flags(stage))
    });
    bindings.collect()
}
