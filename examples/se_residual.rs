//! The tail of an SE-ResNet block in somebody else's encoder: a convolution that is not this crate's writes the features, and
//! in the same pass Squeeze-and-Excitation gates them, adds the identity and applies the `ReLU`, in place.

use visual_attention::host::Gpu;
use visual_attention::{
    Dispatch, Element, Error, Nchw, SqueezeExcite, SqueezeExciteBuffers, SqueezeExciteOptions, SqueezeExciteShape, wgpu,
};

const SHAPE: Nchw = Nchw::new(1, 64, 28, 28);
const REDUCED: u32 = 4;

/// The block's last convolution, 1x1: from 64 channels to 64, of 28 x 28 pixels.
const CONVOLUTION: &str = "
    @group(0) @binding(0) var<storage, read> x: array<f32>;
    @group(0) @binding(1) var<storage, read_write> y: array<f32>;
    @compute @workgroup_size(16)
    fn convolution(@builtin(global_invocation_id) at: vec3<u32>) {
        var sum = 0.0;
        for (var c = 0u; c < 64u; c++) { sum += cos(f32(c * (at.z + 1u))) * x[c * 784u + at.x]; }
        y[at.z * 784u + at.x] = sum / 8.0;
    }";

fn main() -> Result<(), Error> {
    let gpu = match Gpu::open() {
        Ok(gpu) => gpu,
        Err(error) => {
            println!("nothing to show: {error}");
            return Ok(());
        }
    };
    let wave = |len: u32, step: f32| (0..len).map(|i| (i as f32 * step).sin()).collect::<Vec<_>>();
    let elements = SHAPE.channels * SHAPE.height * SHAPE.width;
    let identity = gpu.upload("identity", &wave(elements, 0.01))?;
    let features = gpu.buffer("features", u64::from(elements) * 4)?;
    let weight = |step| gpu.upload("weight", &wave(SHAPE.channels * REDUCED, step));
    let (reduce, expand) = (weight(0.7)?, weight(1.3)?);

    // Ours: compiled once, bound once. The same slice as features and as output works in place.
    let operator = SqueezeExcite::new(&gpu.device, SqueezeExciteOptions::RESIDUAL, Element::F32)?;
    let buffers = SqueezeExciteBuffers {
        features: features.slice(..),
        reduce_weight: reduce.slice(..),
        reduce_bias: None,
        expand_weight: expand.slice(..),
        expand_bias: None,
        identity: Some(identity.slice(..)),
        gate: None,
        output: Some(features.slice(..)),
    };
    let tail = operator.bind(&gpu.device, SqueezeExciteShape { features: SHAPE, reduced: REDUCED }, buffers)?;

    // Theirs: a pipeline, an encoder and a pass that this crate knows nothing of.
    let source = wgpu::ShaderSource::Wgsl(CONVOLUTION.into());
    let module = gpu.device.create_shader_module(wgpu::ShaderModuleDescriptor { label: None, source });
    let pipeline = gpu.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some("convolution"),
        layout: None,
        module: &module,
        entry_point: None,
        compilation_options: Default::default(),
        cache: None,
    });
    let entries = [(0, &identity), (1, &features)];
    let entries = &entries.map(|(binding, at)| wgpu::BindGroupEntry { binding, resource: at.as_entire_binding() });
    let layout = &pipeline.get_bind_group_layout(0);
    let group = gpu.device.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout, entries });
    let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
    pass.set_pipeline(&pipeline);
    pass.set_bind_group(0, &group, &[]);
    pass.dispatch_workgroups(49, 1, SHAPE.channels);
    tail.record(&mut pass); // the whole tail: three dispatches
    drop(pass);
    gpu.queue.submit([encoder.finish()]);

    let positive = gpu.read::<f32>(features.slice(..))?.into_iter().filter(|&y| y > 0.0).count();
    let kernels = tail.dispatches().map(Dispatch::label).collect::<Vec<_>>().join(", ");
    println!("{kernels} on {SHAPE}, {}: {positive} of {elements} outputs above 0", gpu.describe());
    Ok(())
}
