//! Operators composed of elementary ones, as an eager framework runs them: a dispatch for each operation, every intermediate
//! tensor in memory. The kernels are under `benches/baseline`; each takes two tensors and writes one.

use visual_attention::host::Gpu;
use visual_attention::wgpu;

type Step = (wgpu::ComputePipeline, wgpu::BindGroup, [u32; 2]);

#[derive(Default)]
pub(crate) struct Unfused(Vec<Step>);

impl Unfused {
    /// Adds a dispatch of `source`, whose parameters are pixels of a plane, channels, and two numbers of its own.
    pub(crate) fn step(
        &mut self,
        gpu: &Gpu,
        source: &str,
        params: [u32; 4],
        buffers: [&wgpu::Buffer; 3],
        groups: [u32; 2],
    ) {
        self.0.push(bind(gpu, source, params, buffers, groups));
    }

    pub(crate) fn record(&self, pass: &mut wgpu::ComputePass<'_>) {
        for (pipeline, group, [x, y]) in &self.0 {
            pass.set_pipeline(pipeline);
            pass.set_bind_group(0, group, &[]);
            pass.dispatch_workgroups(*x, *y, 1);
        }
    }
}

/// As many workgroups of 256 as the elements take, in two dimensions beyond 65,535.
pub(crate) fn groups(elements: u64) -> [u32; 2] {
    let count = elements.div_ceil(256) as u32;
    let rows = count.div_ceil(65_535);
    [count.div_ceil(rows), rows]
}

fn bind(gpu: &Gpu, source: &str, params: [u32; 4], [a, b, y]: [&wgpu::Buffer; 3], groups: [u32; 2]) -> Step {
    let device = &gpu.device;
    let buffer = |binding, ty| wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
        count: None,
    };
    let storage = |read_only| wgpu::BufferBindingType::Storage { read_only };
    let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: None,
        entries: &[
            buffer(0, wgpu::BufferBindingType::Uniform),
            buffer(1, storage(true)),
            buffer(2, storage(true)),
            buffer(3, storage(false)),
        ],
    });
    let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: None,
        bind_group_layouts: &[Some(&layout)],
        immediate_size: 0,
    });
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: None,
        source: wgpu::ShaderSource::Wgsl(source.into()),
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: Some(&pipeline_layout),
        module: &module,
        entry_point: None,
        compilation_options: wgpu::PipelineCompilationOptions::default(),
        cache: None,
    });
    let uniform = device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: 16,
        usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    gpu.queue.write_buffer(&uniform, 0, bytemuck::cast_slice(&params));
    let entries = [(0, &uniform), (1, a), (2, b), (3, y)];
    let entries = entries.map(|(binding, at)| wgpu::BindGroupEntry { binding, resource: at.as_entire_binding() });
    let group =
        device.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout: &layout, entries: &entries });
    (pipeline, group, groups)
}
