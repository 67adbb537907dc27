use visual_attention::{Element, Nchw, SqueezeExcite, SqueezeExciteBuffers, SqueezeExciteOptions, reference, wgpu};

use crate::common::unfused::{Unfused, groups};
use crate::common::{Bench, assert_close, noise};

/// ResNet-50's four stages, with the reduced widths of r = 16.
const STAGES: [Nchw; 4] =
    [Nchw::new(1, 256, 56, 56), Nchw::new(1, 512, 28, 28), Nchw::new(1, 1024, 14, 14), Nchw::new(1, 2048, 7, 7)];

pub(crate) fn bench(bench: &mut Bench) {
    for &batch in bench.batches() {
        for stage in STAGES {
            let shape = Nchw { batch, ..stage };
            let case = format!("residual {shape}");
            let problem = Problem::new(bench, shape);
            let operator =
                SqueezeExcite::new(&bench.gpu.device, SqueezeExciteOptions::RESIDUAL, Element::F32).expect("operator");
            let buffers = SqueezeExciteBuffers {
                features: problem.features.slice(..),
                reduce_weight: problem.reduce.slice(..),
                reduce_bias: None,
                expand_weight: problem.expand.slice(..),
                expand_bias: None,
                identity: Some(problem.identity.slice(..)),
                gate: None,
                output: Some(problem.output.slice(..)),
            };
            let dispatch = operator.bind(&bench.gpu.device, shape, problem.reduced, buffers).expect("dispatch");
            let cost = operator.cost(shape, problem.reduced);
            problem.check(bench, &case, |pass| dispatch.record(pass));
            bench.measure("squeeze_excite", &case, "fused", cost, |pass| dispatch.record(pass));

            let unfused = unfused(bench, &problem);
            problem.check(bench, &case, |pass| unfused.record(pass));
            bench.measure("squeeze_excite", &case, "unfused", cost, |pass| unfused.record(pass));
        }
    }
}

/// The tail of an SE-ResNet block, and what it should give.
struct Problem {
    shape: Nchw,
    reduced: u32,
    features: wgpu::Buffer,
    identity: wgpu::Buffer,
    reduce: wgpu::Buffer,
    expand: wgpu::Buffer,
    output: wgpu::Buffer,
    expected: Vec<f32>,
}

impl Problem {
    fn new(bench: &Bench, shape: Nchw) -> Self {
        let reduced = shape.channels / 16;
        let elements = shape.elements().expect("small");
        let weights = noise(u64::from(shape.channels * reduced));
        let (features, identity) = (noise(elements), noise(elements + 1)[1..].to_vec());
        let excitation = reference::Excitation {
            reduce_weight: &weights,
            reduce_bias: None,
            expand_weight: &weights,
            expand_bias: None,
        };
        let options = SqueezeExciteOptions::RESIDUAL;
        let (_, expected) = reference::squeeze_excite(shape, options, &features, &excitation, Some(&identity));
        let upload = |values: &[f32]| bench.gpu.upload("tensor", values).expect("tensor");
        Self {
            shape,
            reduced,
            features: upload(&features),
            identity: upload(&identity),
            reduce: upload(&weights),
            expand: upload(&weights),
            output: bench.gpu.buffer("output", elements * 4).expect("output"),
            expected,
        }
    }

    fn check(&self, bench: &Bench, case: &str, record: impl Fn(&mut wgpu::ComputePass<'_>)) {
        bench.gpu.run(|pass| record(pass)).expect("run");
        let actual: Vec<f32> = bench.gpu.read(self.output.slice(..)).expect("output");
        assert_close(case, &actual, &self.expected);
    }
}

/// The same as a user would write it without this crate: one dispatch for each operation.
fn unfused(bench: &Bench, problem: &Problem) -> Unfused {
    let gpu = &bench.gpu;
    let Problem { shape, reduced, .. } = *problem;
    let elements = shape.elements().expect("small");
    let vectors = u64::from(shape.batch);
    let buffer = |numbers: u64| gpu.buffer("intermediate", numbers * 4).expect("intermediate");
    let pooled = buffer(vectors * u64::from(shape.channels));
    let hidden = [buffer(vectors * u64::from(reduced)), buffer(vectors * u64::from(reduced))];
    let gate = [0, 1].map(|_| buffer(vectors * u64::from(shape.channels)));
    let scaled = [buffer(elements), buffer(elements)];
    let mut unfused = Unfused::default();
    let mut step = |source: &str, inputs: u32, outputs: u32, buffers: [&wgpu::Buffer; 3], groups: [u32; 2]| {
        let params = [shape.size().pixels() as u32, shape.channels, inputs, outputs];
        unfused.step(gpu, source, params, buffers, groups);
    };
    let Nchw { batch, channels, .. } = shape;
    let Problem { features, identity, reduce, expand, output, .. } = problem;
    let (of_hidden, of_gate) = (vectors * u64::from(reduced), vectors * u64::from(channels));
    let pool = include_str!("baseline/unfused_pool.wgsl");
    let dense = include_str!("baseline/unfused_dense.wgsl");
    let relu = include_str!("baseline/unfused_relu.wgsl");
    let sigmoid = include_str!("baseline/unfused_sigmoid.wgsl");
    let multiply = include_str!("baseline/unfused_multiply.wgsl");
    let add = include_str!("baseline/unfused_add.wgsl");
    step(pool, 0, 0, [features, identity, &pooled], [channels, batch]);
    step(dense, channels, reduced, [&pooled, reduce, &hidden[0]], [reduced, batch]);
    step(relu, 0, 0, [&hidden[0], identity, &hidden[1]], groups(of_hidden));
    step(dense, reduced, channels, [&hidden[1], expand, &gate[0]], [channels, batch]);
    step(sigmoid, 0, 0, [&gate[0], identity, &gate[1]], groups(of_gate));
    step(multiply, 0, 0, [features, &gate[1], &scaled[0]], groups(elements));
    step(add, 0, 0, [&scaled[0], identity, &scaled[1]], groups(elements));
    step(relu, 0, 0, [&scaled[1], identity, output], groups(elements));
    unfused
}
