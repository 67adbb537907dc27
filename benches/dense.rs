use visual_attention::reference::{self, Layer};
use visual_attention::{Activation, Dense, DenseBuffers, DenseShape, Element};

use crate::common::unfused::{SIGMOID, Unfused};
use crate::common::{Bench, noise};

/// Both layers of ResNet-50's last stage, one of its first, and a fusion head of two branches.
pub(crate) fn bench(bench: &mut Bench) {
    for (inputs, second_inputs, outputs) in [(2048, 0, 128), (128, 0, 2048), (256, 0, 16), (2048, 2048, 14)] {
        for batch in [1, 8] {
            let shape = DenseShape { batch, inputs, second_inputs, outputs };
            let width = inputs + second_inputs;
            let [first, second, weight] =
                [batch * inputs, batch * second_inputs, width * outputs].map(|len| noise(u64::from(len)));
            let upload = |values: &[f32]| bench.gpu.upload("tensor", values).expect("tensor");
            let (input, right, weights) = (upload(&first), upload(&second), upload(&weight));
            let output = bench.gpu.buffer("output", u64::from(batch * outputs) * 4).expect("output");
            let operator = Dense::new(&bench.gpu.device, Activation::Sigmoid, Element::F32).expect("operator");
            let buffers = DenseBuffers {
                input: input.slice(..),
                second: (second_inputs > 0).then(|| right.slice(..)),
                weight: weights.slice(..),
                bias: None,
                norm: None,
                output: output.slice(..),
            };
            let recording = operator.bind(&bench.gpu.device, shape, buffers).expect("bind");
            bench.gpu.run(|pass| recording.record(pass)).expect("run");
            let joined = match second_inputs {
                0 => first,
                _ => reference::side_by_side((inputs as usize, &first), (second_inputs as usize, &second)),
            };
            let layer = Layer { weight: &weight, bias: None, norm: None };
            let expected = reference::dense(width as usize, &joined, &layer, Activation::Sigmoid);
            let what = format!("[{batch}, {inputs} + {second_inputs}] to {outputs}");
            bench.check(&what, Element::F32, &output, &expected);
            let cost = operator.cost(shape, false);
            bench.measure("dense", &what, "fused", cost, |pass| recording.record(pass));

            let mut unfused = Unfused::new(&bench.gpu);
            let both = (second_inputs > 0).then(|| {
                let at = format!("i / #{width} * #{inputs} + min(i % #{width}, #{})", inputs - 1);
                let next = format!("i / #{width} * #{second_inputs} + max(i % #{width}, #{inputs}) - #{inputs}");
                let side_by_side = format!("select(a[{at}], b[{next}], i % #{width} >= #{inputs})");
                unfused.each(&side_by_side, &[&input, &right], u64::from(batch * width))
            });
            let sums = unfused.linear(both.as_ref().unwrap_or(&input), &weights, batch);
            let gates = unfused.each(SIGMOID, &[&sums], u64::from(batch * outputs));
            bench.measure_unfused("dense", &what, cost, &unfused, &[(&gates, &expected)]);
        }
    }
}
