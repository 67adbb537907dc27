use visual_attention::reference::{self, Excitation, Layer};
use visual_attention::{
    Cbam, CbamBuffers, CbamOptions, CbamShape, Element, Epilogue, Nchw, Size, SpatialGate, SpatialGateBuffers,
    SpatialGateShape, wgpu,
};

use crate::common::unfused::{Join, SIGMOID, Unfused};
use crate::common::{Bench, noise};

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

        let operator = SpatialGate::new(&bench.gpu.device, Epilogue::Scale, Element::F32).expect("operator");
        let buffers = SpatialGateBuffers {
            features: features.slice(..),
            weight: conv.slice(..),
            bias: None,
            norm: None,
            identity: None,
            gate: None,
            output: Some(output.slice(..)),
        };
        let recording =
            operator.bind(&bench.gpu.device, SpatialGateShape { features: shape, kernel: 7 }, buffers).expect("bind");
        bench.gpu.run(|pass| recording.record(pass)).expect("run");
        let what = format!("spatial {shape}");
        let (_, expected) = reference::spatial_gate(shape, Epilogue::Scale, 7, &values, &layer, None);
        bench.check(&what, Element::F32, &output, &expected);
        let cost = operator.cost(SpatialGateShape { features: shape, kernel: 7 });
        bench.measure("cbam", &what, "fused", cost, |pass| recording.record(pass));
        let mut unfused = Unfused::new(&bench.gpu);
        let gated = spatial(&mut unfused, &features, &conv, shape);
        bench.measure_unfused("cbam", &what, cost, &unfused, &[(&gated, &expected)]);

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
            identity: None,
            output: output.slice(..),
        };
        let recording =
            operator.bind(&bench.gpu.device, CbamShape { features: shape, reduced, kernel: 7 }, buffers).expect("bind");
        bench.gpu.run(|pass| recording.record(pass)).expect("run");
        let what = format!("both {shape}");
        let excitation =
            Excitation { reduce_weight: &weights, reduce_bias: None, expand_weight: &weights, expand_bias: None };
        let expected = reference::cbam(shape, options, 7, &values, &excitation, &layer, None);
        bench.check(&what, Element::F32, &output, &expected);
        let cost = operator.cost(CbamShape { features: shape, reduced, kernel: 7 });
        bench.measure("cbam", &what, "fused", cost, |pass| recording.record(pass));
        let planes = u64::from(shape.batch * shape.channels);
        let mut unfused = Unfused::new(&bench.gpu);
        let squeezed = [Join::Mean, Join::Maximum].map(|join| {
            let pooled = unfused.rows(join, &features, planes);
            unfused.excite(&pooled, &weight, &weight, shape.batch)
        });
        let sums = unfused.each("a[i] + b[i]", &[&squeezed[0], &squeezed[1]], planes);
        let gate = unfused.each(SIGMOID, &[&sums], planes);
        let scaled = unfused.scale(&features, &gate, shape);
        let gated = spatial(&mut unfused, &scaled, &conv, shape);
        bench.measure_unfused("cbam", &what, cost, &unfused, &[(&gated, &expected)]);
    }
}

/// Both statistics over the channels, side by side, their convolution, the gate, the product.
fn spatial(unfused: &mut Unfused, features: &wgpu::Buffer, conv: &wgpu::Buffer, shape: Nchw) -> wgpu::Buffer {
    let (pixels, planes) = (shape.size().pixels(), shape.plane().elements().expect("small"));
    let [maximum, mean] =
        [Join::Maximum, Join::Mean].map(|join| unfused.across(join, features, shape.channels, pixels));
    let plane = format!("i / #{} * #{pixels} + i % #{pixels}", 2 * pixels);
    let side_by_side = format!("select(a[{plane}], b[{plane}], i / #{pixels} % 2u == 1u)");
    let both = unfused.each(&side_by_side, &[&maximum, &mean], 2 * planes);
    let sums = unfused.conv(&both, Nchw { channels: 2, ..shape }, conv, Size::new(7, 7));
    let gate = unfused.each(SIGMOID, &[&sums], planes);
    unfused.scale_pixels(features, &gate, shape)
}
