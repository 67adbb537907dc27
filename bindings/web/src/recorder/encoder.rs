//! Encoders and compute passes of the recording device. A pass hands its dispatches to the device; nothing is submitted.

use wgpu::custom::{
    CommandEncoderInterface, ComputePassInterface, DispatchBindGroup, DispatchBuffer, DispatchCommandBuffer,
    DispatchComputePass, DispatchComputePipeline, DispatchQuerySet, DispatchRenderPass, DispatchTexture,
    DispatchTextureView,
};
use wgpu::wgt::{BufferTransition, TextureTransition};

use super::resources::{BindGroup, Pipeline};
use super::{Step, Steps, unused};

#[derive(Debug)]
pub(super) struct Encoder(pub(super) Steps);

impl CommandEncoderInterface for Encoder {
    fn begin_compute_pass(&self, _: &wgpu::ComputePassDescriptor<'_>) -> DispatchComputePass {
        DispatchComputePass::custom(Pass { steps: self.0.clone(), pipeline: None, bind_group: None })
    }

    unused! {
        fn copy_buffer_to_buffer(&self, &DispatchBuffer, u64, &DispatchBuffer, u64, Option<u64>);
        fn copy_buffer_to_texture(&self, wgpu::TexelCopyBufferInfo<'_>, wgpu::TexelCopyTextureInfo<'_>, wgpu::Extent3d);
        fn copy_texture_to_buffer(&self, wgpu::TexelCopyTextureInfo<'_>, wgpu::TexelCopyBufferInfo<'_>, wgpu::Extent3d);
        fn copy_texture_to_texture(&self, wgpu::TexelCopyTextureInfo<'_>, wgpu::TexelCopyTextureInfo<'_>, wgpu::Extent3d);
        fn begin_render_pass(&self, &wgpu::RenderPassDescriptor<'_>) -> DispatchRenderPass;
        fn finish(&mut self) -> DispatchCommandBuffer;
        fn clear_texture(&self, &DispatchTexture, &wgpu::ImageSubresourceRange);
        fn clear_buffer(&self, &DispatchBuffer, u64, Option<u64>);
        fn insert_debug_marker(&self, &str);
        fn push_debug_group(&self, &str);
        fn pop_debug_group(&self);
        fn write_timestamp(&self, &DispatchQuerySet, u32);
        fn resolve_query_set(&self, &DispatchQuerySet, u32, u32, &DispatchBuffer, u64);
    }

    fn mark_acceleration_structures_built<'a>(
        &self,
        _: &mut dyn Iterator<Item = &'a wgpu::Blas>,
        _: &mut dyn Iterator<Item = &'a wgpu::Tlas>,
    ) {
        panic!("this device only writes down compute work");
    }

    fn build_acceleration_structures<'a>(
        &self,
        _: &mut dyn Iterator<Item = &'a wgpu::BlasBuildEntry<'a>>,
        _: &mut dyn Iterator<Item = &'a wgpu::Tlas>,
    ) {
        panic!("this device only writes down compute work");
    }

    fn transition_resources<'a>(
        &mut self,
        _: &mut dyn Iterator<Item = BufferTransition<&'a DispatchBuffer>>,
        _: &mut dyn Iterator<Item = TextureTransition<&'a DispatchTexture>>,
    ) {
        panic!("this device only writes down compute work");
    }
}

#[derive(Debug)]
struct Pass {
    steps: Steps,
    pipeline: Option<Pipeline>,
    bind_group: Option<(BindGroup, Vec<u32>)>,
}

impl Drop for Pass {
    // The interface asks for it: others end their pass here.
    fn drop(&mut self) {}
}

impl ComputePassInterface for Pass {
    fn set_pipeline(&mut self, pipeline: &DispatchComputePipeline) {
        self.pipeline = pipeline.as_custom::<Pipeline>().cloned();
    }

    fn set_bind_group(&mut self, index: u32, bind_group: Option<&DispatchBindGroup>, offsets: &[u32]) {
        assert_eq!(index, 0, "pipelines of this device have one bind group");
        let bind_group = bind_group.and_then(|group| group.as_custom::<BindGroup>());
        self.bind_group = bind_group.map(|group| (group.clone(), offsets.to_vec()));
    }

    fn dispatch_workgroups(&mut self, x: u32, y: u32, z: u32) {
        let pipeline = self.pipeline.clone().expect("a pipeline of this device");
        let (bind_group, offsets) = self.bind_group.clone().expect("a bind group of this device");
        let step = Step { pipeline, bind_group, offsets, workgroups: [x, y, z] };
        self.steps.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(step);
    }

    unused! {
        fn set_immediates(&mut self, u32, &[u8]);
        fn insert_debug_marker(&mut self, &str);
        fn push_debug_group(&mut self, &str);
        fn pop_debug_group(&mut self);
        fn write_timestamp(&mut self, &DispatchQuerySet, u32);
        fn begin_pipeline_statistics_query(&mut self, &DispatchQuerySet, u32);
        fn end_pipeline_statistics_query(&mut self);
        fn dispatch_workgroups_indirect(&mut self, &DispatchBuffer, u64);
    }

    fn transition_resources<'a>(
        &mut self,
        _: &mut dyn Iterator<Item = BufferTransition<&'a DispatchBuffer>>,
        _: &mut dyn Iterator<Item = TextureTransition<&'a DispatchTextureView>>,
    ) {
        panic!("this device only writes down compute work");
    }
}
