use visual_attention::{
    Element, Nchw, SqueezeExcite, SqueezeExciteBuffers, SqueezeExciteOptions, SqueezeExciteShape, reference, wgpu,
};

use crate::common::unfused::{Join, RELU, SIGMOID, Unfused};
use crate::common::{Bench, noise};

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
            let recording = operator
                .bind(&bench.gpu.device, SqueezeExciteShape { features: shape, reduced: problem.reduced }, buffers)
                .expect("bind");
            let cost = operator.cost(SqueezeExciteShape { features: shape, reduced: problem.reduced });
            bench.gpu.run(|pass| recording.record(pass)).expect("run");
            bench.check(&case, Element::F32, &problem.output, &problem.expected);
            bench.measure("squeeze_excite", &case, "fused", cost, |pass| recording.record(pass));

            // Turns whose features take a third of last caches from 6 to 96 MiB.
            for megabytes in [2, 8, 32] {
                let images = (megabytes << 20) / (shape.channels * shape.size().pixels() as u32 * 4);
                if (1..batch).contains(&images) {
                    let recording = operator
                        .bind_in_turns(
                            &bench.gpu.device,
                            SqueezeExciteShape { features: shape, reduced: problem.reduced },
                            images,
                            buffers,
                        )
                        .expect("bind");
                    bench.gpu.submit(|encoder| encoder.clear_buffer(&problem.output, 0, None)).expect("cleared");
                    bench.gpu.run(|pass| recording.record(pass)).expect("run");
                    bench.check(&case, Element::F32, &problem.output, &problem.expected);
                    let version = format!("turns of {images}");
                    bench.measure("squeeze_excite", &case, &version, cost, |pass| recording.record(pass));
                }
            }

            let (unfused, output) = unfused(bench, &problem);
            bench.measure_unfused("squeeze_excite", &case, cost, &unfused, &[(&output, &problem.expected)]);
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
}

/// The same as a user would write it without this crate: one dispatch for each operation. Returns them and the output.
fn unfused(bench: &Bench, problem: &Problem) -> (Unfused, wgpu::Buffer) {
    let Problem { shape, features, identity, reduce, expand, .. } = problem;
    let (len, planes) = (shape.elements().expect("small"), u64::from(shape.batch * shape.channels));
    let mut unfused = Unfused::new(&bench.gpu);
    let pooled = unfused.rows(Join::Mean, features, planes);
    let sums = unfused.excite(&pooled, reduce, expand, shape.batch);
    let gate = unfused.each(SIGMOID, &[&sums], planes);
    let scaled = unfused.scale(features, &gate, *shape);
    let sum = unfused.each("a[i] + b[i]", &[&scaled, identity], len);
    let output = unfused.each(RELU, &[&sum], len);
    (unfused, output)
}
