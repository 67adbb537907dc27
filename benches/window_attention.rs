use visual_attention::host::Gpu;
use visual_attention::{
    Element, Nchw, Relative, RelativeTables, WindowAttention, WindowAttentionBuffers, WindowAttentionOptions,
    reference, wgpu,
};

use crate::common::{Bench, assert_close, noise};

const OPERATOR: &str = "window_attention";

pub(crate) fn bench(bench: &mut Bench) {
    for side in [56, 28] {
        for (heads, depth) in [(8, 8), (8, 32), (4, 64)] {
            for k in [3, 5, 7, 11] {
                case(bench, side, heads, depth, k);
            }
        }
    }
    embeddings(bench);
    scaling(bench);
}

fn name(side: u32, heads: u32, depth: u32, k: u32) -> String {
    format!("{side}x{side} {heads}x{depth} k{k}")
}

/// The operator and the unfolded composition, with the same logits: no relative term.
fn case(bench: &mut Bench, side: u32, heads: u32, depth: u32, k: u32) {
    let options = WindowAttentionOptions { relative: Relative::None, ..WindowAttentionOptions::new(heads, depth, k) };
    let shape = Nchw::new(1, heads * depth, side, side);
    let len = shape.elements().expect("small");
    let numbers = noise(3 * len);
    let (q, rest) = numbers.split_at(len as usize);
    let (key, value) = rest.split_at(len as usize);
    let [q_buffer, k_buffer, v_buffer] =
        [q, key, value].map(|values| bench.gpu.upload("input", values).expect("input"));
    let y = bench.gpu.buffer("y", len * 4).expect("y");
    let operator = WindowAttention::new(&bench.gpu.device, options, Element::F32).expect("operator");
    let buffers = WindowAttentionBuffers {
        q: q_buffer.slice(..),
        k: k_buffer.slice(..),
        v: v_buffer.slice(..),
        tables: RelativeTables::None,
        y: y.slice(..),
        log_sum_exp: None,
    };
    let dispatch = operator.bind(&bench.gpu.device, shape, buffers).expect("dispatch");
    let what = name(side, heads, depth, k);
    bench.gpu.run(|pass| dispatch.record(pass)).expect("run");
    let fused: Vec<f32> = bench.gpu.read(y.slice(..)).expect("y");
    if k <= 5 {
        assert_close(
            &what,
            &fused,
            &reference::window_attention(shape, &options, q, key, value, RelativeTables::None).y,
        );
    }
    let cost = operator.cost(shape);
    bench.measure(OPERATOR, &what, "fused", cost, |pass| dispatch.record(pass));
    if bench.median(OPERATOR, &what, "fused").is_none() {
        return;
    }

    let unfolded = Unfolded::new(&bench.gpu, side, heads, depth, k, [&q_buffer, &k_buffer, &v_buffer, &y]);
    bench.gpu.run(|pass| unfolded.record(pass)).expect("run");
    assert_close(&format!("{what} unfolded"), &bench.gpu.read::<f32>(y.slice(..)).expect("y"), &fused);
    bench.measure(OPERATOR, &what, "unfolded", cost, |pass| unfolded.record(pass));
}

/// The paper's row and column embeddings.
fn embeddings(bench: &mut Bench) {
    for (heads, depth) in [(8, 8), (8, 32), (4, 64)] {
        let options = WindowAttentionOptions::new(heads, depth, 7);
        let shape = Nchw::new(1, heads * depth, 56, 56);
        let x = noise(shape.elements().expect("small"));
        let table = noise(u64::from(depth) / 2 * 7);
        let x_buffer = bench.gpu.upload("x", &x).expect("x");
        let table_buffer = bench.gpu.upload("table", &table).expect("table");
        let y = bench.gpu.buffer("y", x.len() as u64 * 4).expect("y");
        let operator = WindowAttention::new(&bench.gpu.device, options, Element::F32).expect("operator");
        let buffers = WindowAttentionBuffers {
            q: x_buffer.slice(..),
            k: x_buffer.slice(..),
            v: x_buffer.slice(..),
            tables: RelativeTables::Factorised { row: table_buffer.slice(..), column: table_buffer.slice(..) },
            y: y.slice(..),
            log_sum_exp: None,
        };
        let dispatch = operator.bind(&bench.gpu.device, shape, buffers).expect("dispatch");
        let what = format!("{} embeddings", name(56, heads, depth, 7));
        bench.measure(OPERATOR, &what, "fused", operator.cost(shape), |pass| dispatch.record(pass));
    }
}

/// How the time grows.
fn scaling(bench: &Bench) {
    let time = |side, heads, depth, k| {
        bench.median(OPERATOR, &name(side, heads, depth, k), "fused").map(|time| time.as_secs_f64())
    };
    for (heads, depth) in [(8, 8), (8, 32), (4, 64)] {
        for k in [3, 5, 7, 11] {
            if let (Some(small), Some(large)) = (time(28, heads, depth, k), time(56, heads, depth, k)) {
                println!(
                    "{heads}x{depth} k{k}: 4 times the pixels take {:.2} times as long (at most 4.4)",
                    large / small
                );
            }
        }
        for side in [56, 28] {
            if let (Some(small), Some(large)) = (time(side, heads, depth, 7), time(side, heads, depth, 11)) {
                println!(
                    "{side}x{side} {heads}x{depth}: k 7 -> 11 takes {:.2} times as long (at most 2.9)",
                    large / small
                );
            }
        }
    }
}

/// The composition that needs no kernel of its own: keys and values unfolded, multiplied, softmax, multiplied.
struct Unfolded {
    steps: Vec<(wgpu::ComputePipeline, wgpu::BindGroup, [u32; 3])>,
}

impl Unfolded {
    fn new(gpu: &Gpu, side: u32, heads: u32, depth: u32, k: u32, tensors: [&wgpu::Buffer; 4]) -> Self {
        let pipeline = |entry: &str, wgsl: &str| {
            let module = gpu.device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some(entry),
                source: wgpu::ShaderSource::Wgsl(wgsl.into()),
            });
            gpu.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(entry),
                layout: None,
                module: &module,
                entry_point: Some(entry),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                cache: None,
            })
        };
        let unfold = pipeline("unfold", include_str!("baseline/unfold.wgsl"));
        let scores_of = pipeline("scores_of", include_str!("baseline/scores.wgsl"));
        let softmax = pipeline("softmax", include_str!("baseline/softmax.wgsl"));
        let mix_values = pipeline("mix_values", include_str!("baseline/mix.wgsl"));

        let (entries, pixels) = (k * k, side * side);
        let head_bytes = u64::from(depth * entries * pixels) * 4;
        let limit = gpu.device.limits().max_storage_buffer_binding_size;
        let together = u32::try_from(limit / head_bytes).unwrap_or(u32::MAX).min(heads);
        assert!(together > 0, "one head, unfolded, exceeds a binding");
        let scratch = |bytes: u64| gpu.buffer("unfolded", bytes).expect("scratch");
        let keys = scratch(head_bytes * u64::from(together));
        let values = scratch(head_bytes * u64::from(together));
        let scores = scratch(u64::from(together * entries * pixels) * 4);
        let [q, key, value, y] = tensors;

        let mut steps = Vec::new();
        for first in (0..heads).step_by(together as usize) {
            let count = together.min(heads - first);
            let uniform = gpu.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("params"),
                size: 24,
                usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            });
            let params: Vec<u8> =
                [side, side, k, heads, depth, first].iter().flat_map(|word| word.to_le_bytes()).collect();
            gpu.queue.write_buffer(&uniform, 0, &params);
            let mut step = |pipeline: &wgpu::ComputePipeline, buffers: &[&wgpu::Buffer], groups: [u32; 3]| {
                let entries: Vec<_> = (0..)
                    .zip([&uniform].iter().chain(buffers))
                    .map(|(binding, buffer)| wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() })
                    .collect();
                let bind_group = gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
                    label: Some("unfolded"),
                    layout: &pipeline.get_bind_group_layout(0),
                    entries: &entries,
                });
                steps.push((pipeline.clone(), bind_group, groups));
            };
            let groups = pixels.div_ceil(64);
            step(&unfold, &[key, &keys], [groups, entries, count * depth]);
            step(&unfold, &[value, &values], [groups, entries, count * depth]);
            step(&scores_of, &[q, &keys, &scores], [groups, entries, count]);
            step(&softmax, &[&scores], [groups, 1, count]);
            step(&mix_values, &[&scores, &values, y], [groups, 1, count * depth]);
        }
        Self { steps }
    }

    fn record(&self, pass: &mut wgpu::ComputePass<'_>) {
        for (pipeline, bind_group, [x, y, z]) in &self.steps {
            pass.set_pipeline(pipeline);
            pass.set_bind_group(0, bind_group, &[]);
            pass.dispatch_workgroups(*x, *y, *z);
        }
    }
}
