//! What the recording device creates: descriptions, each shared by its handles.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use wgpu::custom::{
    BindGroupInterface, BindGroupLayoutInterface, BufferInterface, BufferMapCallback, BufferMappedRangeInterface,
    ComputePipelineInterface, DispatchBindGroupLayout, DispatchBufferMappedRange, DispatchTextureView,
    PipelineLayoutInterface, ShaderCompilationInfoFuture, ShaderModuleInterface, TextureInterface,
    TextureViewInterface,
};

use super::unused;

/// WGSL.
#[derive(Clone, Debug)]
pub(super) struct ShaderModule(pub(super) Arc<str>);

impl ShaderModule {
    pub(super) fn new(descriptor: wgpu::ShaderModuleDescriptor<'_>) -> Self {
        match descriptor.source {
            wgpu::ShaderSource::Wgsl(text) => Self(text.into()),
            _ => panic!("this device takes WGSL alone"),
        }
    }
}

impl ShaderModuleInterface for ShaderModule {
    unused! { fn get_compilation_info(&self) -> std::pin::Pin<Box<dyn ShaderCompilationInfoFuture>>; }
}

/// Entries of a bind group's layout.
#[derive(Clone, Debug)]
pub(super) struct Layout(pub(super) Arc<[wgpu::BindGroupLayoutEntry]>);

impl BindGroupLayoutInterface for Layout {}

/// The layout of bind group 0, the only one.
#[derive(Clone, Debug)]
pub(super) struct PipelineLayout(Layout);

impl PipelineLayout {
    pub(super) fn new(descriptor: &wgpu::PipelineLayoutDescriptor<'_>) -> Self {
        let own = match descriptor.bind_group_layouts {
            [Some(group)] => group.as_custom::<Layout>(),
            _ => None,
        };
        Self(own.expect("one bind group of this device").clone())
    }
}

impl PipelineLayoutInterface for PipelineLayout {}

/// A kernel with values of its overrides.
#[derive(Clone, Debug)]
pub(super) struct Pipeline {
    pub(super) label: Arc<str>,
    pub(super) module: Arc<str>,
    pub(super) entry_point: Arc<str>,
    pub(super) constants: Arc<[(String, f64)]>,
    pub(super) layout: Layout,
}

impl Pipeline {
    pub(super) fn new(descriptor: &wgpu::ComputePipelineDescriptor<'_>) -> Self {
        let module = descriptor.module.as_custom::<ShaderModule>().expect("a shader module of this device");
        let layout = descriptor.layout.and_then(|layout| layout.as_custom::<PipelineLayout>());
        let constants = descriptor.compilation_options.constants.iter();
        Self {
            label: descriptor.label.unwrap_or_default().into(),
            module: module.0.clone(),
            entry_point: descriptor.entry_point.expect("the name of an entry point").into(),
            constants: constants.map(|&(name, value)| (name.to_owned(), value)).collect(),
            layout: layout.expect("an explicit layout of this device").0.clone(),
        }
    }
}

impl ComputePipelineInterface for Pipeline {
    unused! { fn get_bind_group_layout(&self, u32) -> DispatchBindGroupLayout; }
}

/// A buffer of the caller's, or one that the operator creates.
#[derive(Clone, Debug)]
pub(super) struct Buffer(pub(super) Arc<BufferData>);

#[derive(Debug)]
pub(super) struct BufferData {
    pub(super) label: String,
    pub(super) size: u64,
    pub(super) usage: wgpu::BufferUsages,
    /// What was written before the first use.
    pub(super) contents: Mutex<Option<Vec<u8>>>,
}

impl Buffer {
    pub(super) fn new(descriptor: &wgpu::BufferDescriptor<'_>) -> Self {
        Self(Arc::new(BufferData {
            label: descriptor.label.unwrap_or_default().to_owned(),
            size: descriptor.size,
            usage: descriptor.usage,
            contents: Mutex::new(descriptor.mapped_at_creation.then(|| vec![0; descriptor.size as usize])),
        }))
    }
}

impl BufferInterface for Buffer {
    fn get_mapped_range(&self, range: Range<u64>) -> Result<DispatchBufferMappedRange, wgpu::MapRangeError> {
        let range = range.start as usize..range.end as usize;
        let bytes = vec![0; range.len()];
        Ok(DispatchBufferMappedRange::custom(Mapped { bytes, range, buffer: self.clone() }))
    }

    fn unmap(&self) {}

    fn destroy(&self) {}

    unused! { fn map_async(&self, wgpu::MapMode, Range<u64>, BufferMapCallback); }
}

/// Bytes that become a part of the buffer's contents once the view is dropped.
#[derive(Debug)]
struct Mapped {
    bytes: Vec<u8>,
    range: Range<usize>,
    buffer: Buffer,
}

impl Drop for Mapped {
    fn drop(&mut self) {
        let mut contents = self.buffer.0.contents.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(part) = contents.as_mut().and_then(|contents| contents.get_mut(self.range.clone())) {
            part.copy_from_slice(&self.bytes);
        }
    }
}

#[expect(unsafe_code, reason = "the interface's methods are unsafe; the bytes here are those of a vector")]
impl BufferMappedRangeInterface for Mapped {
    fn len(&self) -> usize {
        self.bytes.len()
    }

    unsafe fn read_slice(&self) -> &[u8] {
        &self.bytes
    }

    unsafe fn write_slice(&mut self) -> wgpu::WriteOnly<'_, [u8]> {
        wgpu::WriteOnly::from_mut(&mut self.bytes)
    }
}

/// A texture of the caller's, by its name.
#[derive(Clone, Debug)]
pub(super) struct Texture(pub(super) Arc<str>);

impl TextureInterface for Texture {
    fn create_view(&self, _: &wgpu::TextureViewDescriptor<'_>) -> DispatchTextureView {
        DispatchTextureView::custom(self.clone())
    }

    fn destroy(&self) {}
}

impl TextureViewInterface for Texture {}

/// What a binding refers to.
#[derive(Clone, Debug)]
pub(super) enum Resource {
    Buffer { buffer: Buffer, offset: u64, size: Option<u64> },
    Texture(Texture),
}

/// Resources by binding.
#[derive(Clone, Debug)]
pub(super) struct BindGroup(pub(super) Arc<[(u32, Resource)]>);

impl BindGroup {
    pub(super) fn new(descriptor: &wgpu::BindGroupDescriptor<'_>) -> Self {
        let resource = |resource: &wgpu::BindingResource<'_>| match resource {
            wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset, size }) => {
                let buffer = buffer.as_custom::<Buffer>().expect("a buffer of this device").clone();
                Resource::Buffer { buffer, offset: *offset, size: size.map(u64::from) }
            }
            wgpu::BindingResource::TextureView(view) => {
                Resource::Texture(view.as_custom::<Texture>().expect("a texture of this device").clone())
            }
            other => panic!("this device binds buffers and textures, not {other:?}"),
        };
        Self(descriptor.entries.iter().map(|entry| (entry.binding, resource(&entry.resource))).collect())
    }
}

impl BindGroupInterface for BindGroup {}
