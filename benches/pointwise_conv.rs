use visual_attention::{Element, Nchw, PointwiseConv, PointwiseConvBuffers, PointwiseConvOptions, Size, reference};

use crate::common::ceiling::software;
use crate::common::unfused::Unfused;
use crate::common::{Bench, noise};

pub(crate) fn bench(bench: &mut Bench) {
    let stages = [Nchw::new(1, 64, 56, 56), Nchw::new(1, 128, 28, 28), Nchw::new(1, 256, 14, 14)];
    // What a GPU needs to be busy.
    let large = (!software(&bench.gpu)).then_some(Nchw::new(8, 256, 56, 56));
    for shape in stages.into_iter().chain(large) {
        let options = PointwiseConvOptions::new(shape.channels, shape.channels).with_stack(3);
        let len = shape.elements().expect("small");
        let values = noise(len);
        let weights = noise(3 * u64::from(shape.channels * shape.channels));
        let x = bench.gpu.upload("x", &values).expect("x");
        let w = bench.gpu.upload("weights", &weights).expect("weights");
        let y = [0, 1, 2].map(|_| bench.gpu.buffer("y", len * 4).expect("y"));
        let operator = PointwiseConv::new(&bench.gpu.device, options, Element::F32).expect("operator");
        let buffers = PointwiseConvBuffers {
            x: x.slice(..),
            weights: w.slice(..),
            bias: None,
            y: [0, 1, 2].map(|stack: usize| Some(y[stack].slice(..))),
        };
        let recording = operator.bind(&bench.gpu.device, shape, buffers).expect("bind");
        bench.gpu.run(|pass| recording.record(pass)).expect("run");
        let expected = reference::pointwise_conv(shape, &options, &values, &weights, None);
        let what = format!("q, k, v {shape}");
        for (y, expected) in y.iter().zip(&expected) {
            bench.check(&what, Element::F32, y, expected);
        }
        let cost = operator.cost(shape);
        bench.measure("pointwise_conv", &what, "fused", cost, |pass| recording.record(pass));

        let mut unfused = Unfused::new(&bench.gpu);
        let ends = weights.chunks_exact(weights.len() / 3).zip(&expected).map(|(weights, expected)| {
            let weights = bench.gpu.upload("weights", weights).expect("weights");
            (unfused.conv(&x, shape, &weights, Size::new(1, 1)), expected)
        });
        let ends: Vec<_> = ends.collect();
        let ends: Vec<_> = ends.iter().map(|(y, expected)| (y, expected.as_slice())).collect();
        bench.measure_unfused("pointwise_conv", &what, cost, &unfused, &ends);
    }
}
