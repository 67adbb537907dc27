//! Training with this crate alone: two layers of attention, a gate and a dense layer learn which of two squares moves.
//!
//! Every backward operator takes the options and tensors of its forward operator, by the same names. It reads `NAME_gradient` for an output
//! `NAME` and writes `NAME_gradient` for an input. So one list of tensors for each layer binds both.

mod curve;
#[path = "../picture/mod.rs"]
#[expect(dead_code, reason = "the other examples', of which this needs a part")]
mod picture;
mod squares;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use squares::{BATCH, Random, SIDE};
use visual_attention::host::Gpu;
use visual_attention::operators::{self, Options, Shapes, Slices};
use visual_attention::{Recording, Role, wgpu};

const STEPS: u32 = 500;
const RATE: f64 = 1.0;
const SEED: u64 = 4; // of the first weights and of the images
const TESTS: u32 = 32; // batches of new images

/// What the crate leaves to its user: the loss with its gradient, and what becomes of the gradients.
const KERNELS: &str = include_str!("kernels.wgsl");

/// Numbers on the GPU, and the gradient of the loss with respect to them, if anybody asks for it.
struct Tensor {
    value: wgpu::Buffer,
    gradient: Option<wgpu::Buffer>,
    shape: Vec<u32>,
}

/// All tensors by name, and the recordings of each layer: forward and backward.
struct Network<'a> {
    gpu: &'a Gpu,
    tensors: BTreeMap<&'a str, Tensor>,
    layers: Vec<[Recording; 2]>,
}

impl<'a> Network<'a> {
    fn tensor(&mut self, name: &'a str, shape: &[u32], values: &[f32]) -> Result<(), Box<dyn Error>> {
        let (value, gradient) = (self.gpu.upload(name, values)?, self.gpu.buffer(name, values.len() as u64 * 4)?);
        self.tensors.insert(name, Tensor { value, gradient: Some(gradient), shape: shape.to_vec() });
        Ok(())
    }

    /// Compiles an operator and that of its gradients, and binds both. `options` are `option=value`, `names` are `operator's=ours`. Outputs
    /// are made here.
    fn layer(&mut self, operator: &str, options: &'a str, names: &'a str) -> Result<(), Box<dyn Error>> {
        let pairs = |text: &'a str| text.split_whitespace().filter_map(|pair| pair.split_once('='));
        let ours = |theirs: &str| pairs(names).find(|(name, _)| *name == theirs).map(|(_, ours)| ours);
        let options = Options::new(pairs(options));
        let known = |(theirs, ours)| Some((theirs, self.tensors.get(ours)?.shape.clone()));
        let shapes = Shapes::new(pairs(names).filter_map(known).collect::<Vec<_>>());
        let mut bound = Vec::new();
        for name in [operator.to_owned(), format!("{operator}_backward")] {
            let operator = operators::find(&name).ok_or("no such operator")?.open(&self.gpu.device, &options)?;
            let specs = operator.tensors(&shapes)?;
            let made = specs.iter().filter(|spec| spec.role == Role::Output && bound.is_empty());
            for (spec, ours) in made.filter_map(|spec| Some((spec, ours(spec.name)?))) {
                self.tensor(ours, &spec.shape, &vec![0.0; spec.elements().ok_or("too large")? as usize])?;
            }
            let slices = specs.iter().filter_map(|spec| {
                let stem = spec.name.strip_suffix("_gradient");
                let tensor = self.tensors.get(ours(stem.unwrap_or(spec.name))?)?;
                let buffer = if stem.is_some() { tensor.gradient.as_ref()? } else { &tensor.value };
                Some((spec.name, buffer.slice(..)))
            });
            bound.push(operator.bind(&self.gpu.device, &shapes, &Slices::new(slices))?);
        }
        self.layers.push(bound.try_into().map_err(|_| "not two recordings")?);
        Ok(())
    }
}

/// One of the kernels above, as any program with wgpu makes them: records it into a pass.
fn kernel(
    gpu: &Gpu,
    name: &str,
    constants: &[(&str, f64)],
    buffers: &[&wgpu::Buffer],
) -> impl Fn(&mut wgpu::ComputePass<'_>, u32) + use<> {
    let source = wgpu::ShaderSource::Wgsl(KERNELS.into());
    let module = gpu.device.create_shader_module(wgpu::ShaderModuleDescriptor { label: None, source });
    let pipeline = gpu.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(name),
        layout: None,
        module: &module,
        entry_point: Some(name),
        compilation_options: wgpu::PipelineCompilationOptions { constants, ..Default::default() },
        cache: None,
    });
    let resources = (0..).zip(buffers.iter().map(|buffer| buffer.as_entire_binding()));
    let entries: Vec<_> = resources.map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource }).collect();
    let layout = &pipeline.get_bind_group_layout(0);
    let group = gpu.device.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout, entries: &entries });
    move |pass, workgroups| {
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &group, &[]);
        pass.dispatch_workgroups(workgroups, 1, 1);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let gpu = Gpu::open()?;
    let mut random = Random(SEED);
    let mut network = Network { gpu: &gpu, tensors: BTreeMap::new(), layers: Vec::new() };

    // The parameters: random numbers up to a size. Images need no gradient, so the first layer computes none.
    let parameters: [(&str, &[u32], f32); 10] = [
        ("projections1", &[3, 8, 3], 1.0),
        ("rows1", &[2, 5], 0.5),
        ("columns1", &[2, 5], 0.5),
        ("projections2", &[3, 8, 8], 0.6),
        ("rows2", &[2, 5], 0.5),
        ("columns2", &[2, 5], 0.5),
        ("reduce", &[4, 8], 0.5),
        ("expand", &[8, 4], 1.0),
        ("weight", &[1, 16], 0.4),
        ("bias", &[1], 0.0),
    ];
    for (name, shape, size) in parameters {
        let values: Vec<_> = (0..shape.iter().product()).map(|_| size * random.symmetric()).collect();
        network.tensor(name, shape, &values)?;
    }
    let shape = [BATCH, 3, SIDE, SIDE];
    let images = gpu.buffer("images", u64::from(shape.iter().product::<u32>()) * 4)?;
    network.tensors.insert("images", Tensor { value: images.clone(), gradient: None, shape: shape.to_vec() });

    // The network, compiled and bound once. Each layer names its tensors, and makes those that it puts out.
    let mut layer = |operator, options, names| network.layer(operator, options, names);
    layer(
        "sasa_layer",
        "inputs=3 heads=2 head_dim=4 window=5 border=mask",
        "x=images projections=projections1 tables.rows=rows1 tables.columns=columns1 y=seen log_sum_exp=sums1",
    )?;
    layer("window_pool", "pooling=max window=2", "x=seen y=smaller")?;
    layer(
        "sasa_layer",
        "inputs=8 heads=2 head_dim=4 window=5 border=mask",
        "x=smaller projections=projections2 tables.rows=rows2 tables.columns=columns2 y=related log_sum_exp=sums2",
    )?;
    layer("squeeze_excite", "", "features=related reduce_weight=reduce expand_weight=expand output=gated")?;
    layer("global_pool", "squeeze=mean_and_max", "features=gated mean=mean max=max")?;
    layer("dense", "", "input=mean second=max weight=weight bias=bias output=logits")?;

    let Network { tensors, layers, .. } = network;
    let gradient = |name| tensors[name].gradient.as_ref().expect("a gradient");
    let (logits, labels) = (&tensors["logits"].value, gpu.buffer("labels", u64::from(BATCH) * 4)?);
    let losses = gpu.buffer("losses", u64::from(STEPS + 1) * 4)?;
    let loss = kernel(&gpu, "loss", &[], &[logits, &labels, gradient("logits"), &losses]);
    let descents = parameters.map(|(name, shape, _)| {
        let buffers = [gradient(name), &tensors[name].value];
        (kernel(&gpu, "descend", &[("rate", RATE)], &buffers), shape.iter().product::<u32>().div_ceil(64))
    });

    // A step is one pass: the network, the loss, the gradients from the last layer to the first, new weights.
    for step in 1..=STEPS {
        let (pixels, truth) = random.images();
        gpu.queue.write_buffer(&images, 0, bytemuck::cast_slice(&pixels));
        gpu.queue.write_buffer(&labels, 0, bytemuck::cast_slice(&truth));
        gpu.run(|pass| {
            layers.iter().for_each(|[forward, _]| forward.record(pass));
            loss(pass, 1);
            layers.iter().rev().for_each(|[_, backward]| backward.record(pass));
            descents.iter().for_each(|(descend, workgroups)| descend(pass, *workgroups));
        })?;
        if step % 50 == 0 {
            let losses: Vec<f32> = gpu.read(losses.slice(..))?;
            println!("step {step}: loss {:.4}", losses[step as usize - 49..=step as usize].iter().sum::<f32>() / 50.0);
        }
    }

    let mut right = 0;
    for _ in 0..TESTS {
        let (pixels, truth) = random.images();
        gpu.queue.write_buffer(&images, 0, bytemuck::cast_slice(&pixels));
        gpu.run(|pass| layers.iter().for_each(|[forward, _]| forward.record(pass)))?;
        let answers: Vec<f32> = gpu.read(logits.slice(..))?;
        right += answers.iter().zip(&truth).filter(|(logit, label)| (**logit > 0.0) == (**label > 0.5)).count();
    }
    let share = 100.0 * right as f32 / (TESTS * BATCH) as f32;
    println!("{share:.1} % of {} new images are right, on {}", TESTS * BATCH, gpu.describe());

    // FNV-1a of all weights. It is the same in every run, because gradients are sums in a fixed order.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for (name, ..) in parameters {
        for word in gpu.read::<u32>(tensors[name].value.slice(..))? {
            hash = (hash ^ u64::from(word)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    println!("the weights have the hash {hash:016x}, the same in every run on this adapter and driver");
    let losses: Vec<f32> = gpu.read(losses.slice(..))?;
    picture::save_all(Path::new("out"), vec![("train_attention.png", curve::curve(&losses[1..]))])?;
    println!("out/train_attention.png shows the loss of each step");
    Ok(())
}
