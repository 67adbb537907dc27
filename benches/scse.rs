use visual_attention::{Element, Nchw, ScSe, ScSeBuffers, ScSeCombine, ScSeOptions, ScSeShape, Size, reference};

use crate::common::unfused::{Join, SIGMOID, Unfused};
use crate::common::{Bench, noise};

pub(crate) fn bench(bench: &mut Bench) {
    let (shape, reduced) = (Nchw::new(1, 64, 128, 128), 32);
    let elements = shape.elements().expect("small");
    let (values, weights) = (noise(elements), noise(u64::from(shape.channels * reduced)));
    let spatial: Vec<_> = noise(shape.channels.into()).into_iter().map(|weight| weight / 8.0).collect();
    let upload = |values: &[f32]| bench.gpu.upload("tensor", values).expect("tensor");
    let (features, weight, spatial_weight) = (upload(&values), upload(&weights), upload(&spatial));
    let output = bench.gpu.buffer("output", elements * 4).expect("output");
    for combine in [ScSeCombine::Add, ScSeCombine::Max] {
        let options = ScSeOptions::STANDARD.with_combine(combine);
        let operator = ScSe::new(&bench.gpu.device, options, Element::F32).expect("operator");
        let buffers = ScSeBuffers {
            features: features.slice(..),
            reduce_weight: weight.slice(..),
            reduce_bias: None,
            expand_weight: weight.slice(..),
            expand_bias: None,
            spatial_weight: spatial_weight.slice(..),
            spatial_bias: None,
            identity: None,
            output: output.slice(..),
        };
        let recording =
            operator.bind(&bench.gpu.device, ScSeShape { features: shape, reduced }, buffers).expect("bind");
        bench.gpu.run(|pass| recording.record(pass)).expect("run");
        let what = format!("{combine:?} {shape}");
        let excitation = reference::Excitation {
            reduce_weight: &weights,
            reduce_bias: None,
            expand_weight: &weights,
            expand_bias: None,
        };
        let expected = reference::scse(shape, options, &values, &excitation, &spatial, None, None);
        bench.check(&what, Element::F32, &output, &expected);
        let cost = operator.cost(ScSeShape { features: shape, reduced });
        bench.measure("scse", &what, "fused", cost, |pass| recording.record(pass));

        let planes = u64::from(shape.batch * shape.channels);
        let mut unfused = Unfused::new(&bench.gpu);
        let pooled = unfused.rows(Join::Mean, &features, planes);
        let sums = unfused.excite(&pooled, &weight, &weight, shape.batch);
        let gate = unfused.each(SIGMOID, &[&sums], planes);
        let by_channel = unfused.scale(&features, &gate, shape);
        let sums = unfused.conv(&features, shape, &spatial_weight, Size::new(1, 1));
        let gate = unfused.each(SIGMOID, &[&sums], shape.plane().elements().expect("small"));
        let by_pixel = unfused.scale_pixels(&features, &gate, shape);
        let both = if combine == ScSeCombine::Add { "a[i] + b[i]" } else { "max(a[i], b[i])" };
        let output = unfused.each(both, &[&by_channel, &by_pixel], elements);
        bench.measure_unfused("scse", &what, cost, &unfused, &[(&output, &expected)]);
    }
}
