use visual_attention::reference::{self, Norm};
use visual_attention::{BatchNorm, BiSeNetAttention, BiSeNetAttentionBuffers, Element, Epilogue, Nchw};

use crate::common::unfused::{Join, SIGMOID, Unfused};
use crate::common::{Bench, noise};

/// BiSeNet's modules on an image of 1024 x 512: refinement of the context path's stages, and the fusion.
pub(crate) fn bench(bench: &mut Bench) {
    let cases = [
        (Epilogue::Scale, Nchw::new(1, 128, 32, 64)),
        (Epilogue::Scale, Nchw::new(1, 128, 16, 32)),
        (Epilogue::ScaleAdd, Nchw::new(1, 256, 64, 128)),
    ];
    for (epilogue, shape) in cases {
        let (elements, channels) = (shape.elements().expect("small"), u64::from(shape.channels));
        let (values, weights) = (noise(elements), noise(channels * channels));
        let (shift, scale) = (noise(channels), vec![1.0f32; channels as usize]);
        let upload = |values: &[f32]| bench.gpu.upload("tensor", values).expect("tensor");
        let (features, weight, shift_buffer, scale_buffer) =
            (upload(&values), upload(&weights), upload(&shift), upload(&scale));
        let output = bench.gpu.buffer("output", elements * 4).expect("output");
        let operator = BiSeNetAttention::new(&bench.gpu.device, epilogue, Element::F32).expect("operator");
        let buffers = BiSeNetAttentionBuffers {
            features: features.slice(..),
            weight: weight.slice(..),
            norm: BatchNorm {
                weight: scale_buffer.slice(..),
                bias: shift_buffer.slice(..),
                mean: shift_buffer.slice(..),
                variance: scale_buffer.slice(..),
                epsilon: 1e-5,
            },
            identity: None,
            gate: None,
            output: Some(output.slice(..)),
        };
        let recording = operator.bind(&bench.gpu.device, shape, buffers).expect("bind");
        bench.gpu.run(|pass| recording.record(pass)).expect("run");
        let what = format!("{epilogue:?} {shape}");
        let norm = Norm { weight: &scale, bias: &shift, mean: &shift, variance: &scale, epsilon: 1e-5 };
        let (_, expected) = reference::bisenet(shape, epilogue, &values, &weights, norm, None);
        bench.check(&what, Element::F32, &output, &expected);
        let cost = operator.cost(shape);
        bench.measure("bisenet", &what, "fused", cost, |pass| recording.record(pass));

        let mut unfused = Unfused::new(&bench.gpu);
        let pooled = unfused.rows(Join::Mean, &features, channels);
        let sums = unfused.linear(&pooled, &weight, 1);
        // Weight and variance, bias and mean are the same tensors here.
        let norm = "(a[i] - b[i]) / sqrt(c[i] + 1e-5) * c[i] + b[i]";
        let normed = unfused.each(norm, &[&sums, &shift_buffer, &scale_buffer], channels);
        let gate = unfused.each(SIGMOID, &[&normed], channels);
        let mut output = unfused.scale(&features, &gate, shape);
        if epilogue == Epilogue::ScaleAdd {
            output = unfused.each("a[i] + b[i]", &[&output, &features], elements);
        }
        bench.measure_unfused("bisenet", &what, cost, &unfused, &[(&output, &expected)]);
    }
}
