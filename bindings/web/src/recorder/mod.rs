//! A wgpu device that only writes down what is created and recorded: shader modules, pipelines, buffers, bind groups, dispatches.
//!
//! wgpu 30 can't wrap a `GPUDevice` of the caller. So operators are bound on this device instead, with every check that they make, and
//! JavaScript repeats on the caller's device what was written down: see [`plan`].

mod encoder;
pub(crate) mod plan;
mod resources;

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use wgpu::custom::{
    BoxDeviceLostCallback, DeviceInterface, DispatchBindGroup, DispatchBindGroupLayout, DispatchBlas, DispatchBuffer,
    DispatchCommandEncoder, DispatchComputePipeline, DispatchExternalTexture, DispatchPipelineCache,
    DispatchPipelineLayout, DispatchQuerySet, DispatchRenderBundleEncoder, DispatchRenderPipeline, DispatchSampler,
    DispatchShaderModule, DispatchTexture, DispatchTlas, PopErrorScopeFuture,
};

use self::encoder::Encoder;
use self::resources::{BindGroup, Buffer, Layout, Pipeline, PipelineLayout, ShaderModule, Texture};

/// Methods of an interface that no operator calls. A call panics with the method's name.
macro_rules! unused {
    ($($(#[$unsafe:ident])? fn $name:ident(&$($this:ident)+ $(, $argument:ty)*) $(-> $output:ty)?;)*) => {
        $($($unsafe)? fn $name(&$($this)+ $(, _: $argument)*) $(-> $output)? {
            panic!(concat!("this device only writes down compute work: ", stringify!($name)))
        })*
    };
}
pub(crate) use unused;

/// What a dispatch runs, in the order of recording.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pipeline: Pipeline,
    bind_group: BindGroup,
    offsets: Vec<u32>,
    workgroups: [u32; 3],
}

/// What all passes of a device have recorded.
type Steps = Arc<Mutex<Vec<Step>>>;

/// The browser's device, as far as operators look at it.
#[derive(Debug)]
pub(crate) struct Recorder {
    features: wgpu::Features,
    limits: wgpu::Limits,
    device_type: wgpu::DeviceType,
    steps: Steps,
}

impl Recorder {
    /// A device with these features and limits. Kernels are those for `device_type`.
    pub(crate) fn open(features: wgpu::Features, limits: wgpu::Limits, device_type: wgpu::DeviceType) -> wgpu::Device {
        wgpu::Device::from_custom(Self { features, limits, device_type, steps: Steps::default() })
    }

    /// The dispatches that were recorded on `device`.
    pub(crate) fn steps(device: &wgpu::Device) -> Vec<Step> {
        let recorder = device.as_custom::<Self>();
        recorder.map_or(Vec::new(), |recorder| recorder.steps.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

#[expect(unsafe_code, reason = "the interface has unsafe methods, which are not used here")]
impl DeviceInterface for Recorder {
    fn features(&self) -> wgpu::Features {
        self.features
    }

    fn limits(&self) -> wgpu::Limits {
        self.limits.clone()
    }

    fn adapter_info(&self) -> wgpu::AdapterInfo {
        wgpu::AdapterInfo::new(self.device_type, wgpu::Backend::BrowserWebGpu)
    }

    fn create_shader_module(
        &self,
        descriptor: wgpu::ShaderModuleDescriptor<'_>,
        _: wgpu::ShaderRuntimeChecks,
    ) -> DispatchShaderModule {
        DispatchShaderModule::custom(ShaderModule::new(descriptor))
    }

    fn create_bind_group_layout(&self, descriptor: &wgpu::BindGroupLayoutDescriptor<'_>) -> DispatchBindGroupLayout {
        DispatchBindGroupLayout::custom(Layout(descriptor.entries.into()))
    }

    fn create_pipeline_layout(&self, descriptor: &wgpu::PipelineLayoutDescriptor<'_>) -> DispatchPipelineLayout {
        DispatchPipelineLayout::custom(PipelineLayout::new(descriptor))
    }

    fn create_compute_pipeline(&self, descriptor: &wgpu::ComputePipelineDescriptor<'_>) -> DispatchComputePipeline {
        DispatchComputePipeline::custom(Pipeline::new(descriptor))
    }

    fn create_bind_group(&self, descriptor: &wgpu::BindGroupDescriptor<'_>) -> DispatchBindGroup {
        DispatchBindGroup::custom(BindGroup::new(descriptor))
    }

    fn create_buffer(&self, descriptor: &wgpu::BufferDescriptor<'_>) -> DispatchBuffer {
        DispatchBuffer::custom(Buffer::new(descriptor))
    }

    fn create_texture(&self, descriptor: &wgpu::TextureDescriptor<'_>) -> DispatchTexture {
        DispatchTexture::custom(Texture(descriptor.label.unwrap_or_default().into()))
    }

    fn create_command_encoder(&self, _: &wgpu::CommandEncoderDescriptor<'_>) -> DispatchCommandEncoder {
        DispatchCommandEncoder::custom(Encoder(self.steps.clone()))
    }

    unused! {
        #[unsafe] fn create_shader_module_passthrough(&self, &wgpu::ShaderModuleDescriptorPassthrough<'_>) -> DispatchShaderModule;
        #[unsafe] fn create_pipeline_cache(&self, &wgpu::PipelineCacheDescriptor<'_>) -> DispatchPipelineCache;
        #[unsafe] fn start_graphics_debugger_capture(&self);
        #[unsafe] fn stop_graphics_debugger_capture(&self);
        fn create_render_pipeline(&self, &wgpu::RenderPipelineDescriptor<'_>) -> DispatchRenderPipeline;
        fn create_mesh_pipeline(&self, &wgpu::MeshPipelineDescriptor<'_>) -> DispatchRenderPipeline;
        fn create_external_texture(&self, &wgpu::ExternalTextureDescriptor<'_>, &[&wgpu::TextureView]) -> DispatchExternalTexture;
        fn create_blas(&self, &wgpu::CreateBlasDescriptor<'_>, wgpu::BlasGeometrySizeDescriptors) -> (Option<u64>, DispatchBlas);
        fn create_tlas(&self, &wgpu::CreateTlasDescriptor<'_>) -> DispatchTlas;
        fn create_sampler(&self, &wgpu::SamplerDescriptor<'_>) -> DispatchSampler;
        fn create_query_set(&self, &wgpu::QuerySetDescriptor<'_>) -> DispatchQuerySet;
        fn create_render_bundle_encoder(&self, &wgpu::RenderBundleEncoderDescriptor<'_>) -> DispatchRenderBundleEncoder;
        fn set_device_lost_callback(&self, BoxDeviceLostCallback);
        fn on_uncaptured_error(&self, Arc<dyn wgpu::UncapturedErrorHandler>);
        fn push_error_scope(&self, wgpu::ErrorFilter) -> u32;
        fn pop_error_scope(&self, u32) -> Pin<Box<dyn PopErrorScopeFuture>>;
        fn poll(&self, wgpu::wgt::PollType<u64>) -> Result<wgpu::PollStatus, wgpu::PollError>;
        fn get_internal_counters(&self) -> wgpu::InternalCounters;
        fn generate_allocator_report(&self) -> Option<wgpu::AllocatorReport>;
        fn destroy(&self);
    }
}
