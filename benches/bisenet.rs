use visual_attention::reference::{self, Norm};
use visual_attention::{BatchNorm, BiSeNetAttention, BiSeNetAttentionBuffers, BiSeNetModule, Element, Nchw};

use crate::common::{Bench, assert_close, noise};

/// BiSeNet's modules on an image of 1024 x 512: refinement of the context path's stages, and the fusion.
pub(crate) fn bench(bench: &mut Bench) {
    let cases = [
        (BiSeNetModule::AttentionRefinement, Nchw::new(1, 128, 32, 64)),
        (BiSeNetModule::AttentionRefinement, Nchw::new(1, 128, 16, 32)),
        (BiSeNetModule::FeatureFusion, Nchw::new(1, 256, 64, 128)),
    ];
    for (module, shape) in cases {
        let (elements, channels) = (shape.elements().expect("small"), u64::from(shape.channels));
        let (values, weights) = (noise(elements), noise(channels * channels));
        let (shift, scale) = (noise(channels), vec![1.0f32; channels as usize]);
        let upload = |values: &[f32]| bench.gpu.upload("tensor", values).expect("tensor");
        let (features, weight, shift_buffer, scale_buffer) =
            (upload(&values), upload(&weights), upload(&shift), upload(&scale));
        let output = bench.gpu.buffer("output", elements * 4).expect("output");
        let operator = BiSeNetAttention::new(&bench.gpu.device, module, Element::F32).expect("operator");
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
            gate: None,
            output: output.slice(..),
        };
        let dispatch = operator.bind(&bench.gpu.device, shape, buffers).expect("dispatch");
        bench.gpu.run(|pass| dispatch.record(pass)).expect("run");
        let what = format!("{module:?} {shape}");
        let norm = Norm { weight: &scale, bias: &shift, mean: &shift, variance: &scale, epsilon: 1e-5 };
        let (_, expected) = reference::bisenet(shape, module, &values, &weights, norm);
        assert_close(&what, &bench.gpu.read::<f32>(output.slice(..)).expect("output"), &expected);
        bench.measure("bisenet", &what, "fused", operator.cost(shape), |pass| dispatch.record(pass));
    }
}
