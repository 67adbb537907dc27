//! One kernel as the driver compiles it: shader module, layout, pipeline.

use super::shader::{Access, Shader, Variant};
use super::tensor;

/// What a kernel is compiled for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Build<'a> {
    /// The operator, for messages.
    pub(crate) op: &'static str,
    pub(crate) shader: &'static Shader,
    pub(crate) variant: Variant,
    /// Values of the overrides.
    pub(crate) constants: &'a [(&'static str, f64)],
    /// Workgroup size, as the overrides set it.
    pub(crate) workgroup: [u32; 3],
    /// Bytes of workgroup memory, as the overrides set them.
    pub(crate) workgroup_bytes: u32,
}

/// A compiled pipeline and the layout of its bindings.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) layout: wgpu::BindGroupLayout,
}

impl Program {
    pub(super) fn new(
        device: &wgpu::Device,
        build: &Build<'_>,
        cache: Option<&wgpu::PipelineCache>,
        shared: bool,
    ) -> Self {
        let label = tensor::label(build.op, build.shader.name);
        let label = Some(label.as_str());
        let buffer = |ty| wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None };
        let mut types = vec![buffer(wgpu::BufferBindingType::Uniform)];
        let written = |format, view_dimension| wgpu::BindingType::StorageTexture {
            access: wgpu::StorageTextureAccess::WriteOnly,
            format,
            view_dimension,
        };
        types.extend(build.shader.bindings.iter().map(|binding| match binding.access {
            Access::Read => buffer(wgpu::BufferBindingType::Storage { read_only: !shared }),
            Access::Write => buffer(wgpu::BufferBindingType::Storage { read_only: false }),
            Access::Texture => written(wgpu::TextureFormat::Rgba8Unorm, wgpu::TextureViewDimension::D2Array),
            Access::TextureRgba8 => written(wgpu::TextureFormat::Rgba8Unorm, wgpu::TextureViewDimension::D2),
            Access::TextureRgba16 => written(wgpu::TextureFormat::Rgba16Float, wgpu::TextureViewDimension::D2),
            Access::TextureLoad => wgpu::BindingType::Texture {
                sample_type: wgpu::TextureSampleType::Float { filterable: false },
                view_dimension: wgpu::TextureViewDimension::D2,
                multisampled: false,
            },
        }));
        let entries: Vec<_> = (0..)
            .zip(types)
            .map(|(binding, ty)| wgpu::BindGroupLayoutEntry {
                binding,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty,
                count: None,
            })
            .collect();
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label, entries: &entries });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label,
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let shader = build.shader;
        let source = if shared { shader.shared_source(build.variant) } else { shader.source(build.variant) };
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label,
            source: wgpu::ShaderSource::Wgsl(source.into()),
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label,
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some(build.shader.name),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: build.constants,
                // Every kernel writes its workgroup memory before it reads it.
                zero_initialize_workgroup_memory: false,
            },
            cache,
        });
        Self { pipeline, layout }
    }
}
