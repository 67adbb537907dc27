use visual_attention::reference::{self, Excitation, Layer};
use visual_attention::{Cbam, CbamBuffers, CbamOptions, Element, Nchw, SpatialGate, SpatialGateBuffers};

use crate::common::{Bench, assert_close, noise};

pub(crate) fn bench(bench: &mut Bench) {
    for shape in [Nchw::new(1, 256, 56, 56), Nchw::new(1, 2048, 7, 7)] {
        let (elements, reduced) = (shape.elements().expect("small"), shape.channels / 16);
        let (values, weights, taps) = (noise(elements), noise(u64::from(shape.channels * reduced)), noise(98));
        // Scaled as trained weights are, so that the gates are not all 0 or 1.
        let weights: Vec<_> = weights.into_iter().map(|weight| weight / (shape.channels as f32).sqrt()).collect();
        let taps: Vec<_> = taps.into_iter().map(|tap| tap / 7.0).collect();
        let upload = |values: &[f32]| bench.gpu.upload("tensor", values).expect("tensor");
        let (features, weight, conv) = (upload(&values), upload(&weights), upload(&taps));
        let output = bench.gpu.buffer("output", elements * 4).expect("output");
        let layer = Layer { weight: &taps, bias: None, norm: None };

        let operator = SpatialGate::new(&bench.gpu.device, Element::F32).expect("operator");
        let buffers = SpatialGateBuffers {
            features: features.slice(..),
            weight: conv.slice(..),
            bias: None,
            norm: None,
            gate: None,
            output: output.slice(..),
        };
        let dispatch = operator.bind(&bench.gpu.device, shape, 7, buffers).expect("dispatch");
        bench.gpu.run(|pass| dispatch.record(pass)).expect("run");
        let what = format!("spatial {shape}");
        let (_, expected) = reference::spatial_gate(shape, 7, &values, &layer);
        assert_close(&what, &bench.gpu.read::<f32>(output.slice(..)).expect("output"), &expected);
        bench.measure("cbam", &what, "fused", operator.cost(shape, 7), |pass| dispatch.record(pass));

        let options = CbamOptions::STANDARD;
        let operator = Cbam::new(&bench.gpu.device, options, Element::F32).expect("operator");
        let buffers = CbamBuffers {
            features: features.slice(..),
            reduce_weight: weight.slice(..),
            reduce_bias: None,
            expand_weight: weight.slice(..),
            expand_bias: None,
            spatial_weight: conv.slice(..),
            spatial_bias: None,
            spatial_norm: None,
            output: output.slice(..),
        };
        let dispatch = operator.bind(&bench.gpu.device, shape, reduced, 7, buffers).expect("dispatch");
        bench.gpu.run(|pass| dispatch.record(pass)).expect("run");
        let what = format!("both {shape}");
        let excitation =
            Excitation { reduce_weight: &weights, reduce_bias: None, expand_weight: &weights, expand_bias: None };
        let expected = reference::cbam(shape, options, 7, &values, &excitation, &layer);
        assert_close(&what, &bench.gpu.read::<f32>(output.slice(..)).expect("output"), &expected);
        bench.measure("cbam", &what, "fused", operator.cost(shape, reduced, 7), |pass| dispatch.record(pass));
    }
}
