use visual_attention::{Element, Nchw, PointwiseConv, PointwiseConvBuffers, PointwiseConvOptions, reference};

use crate::common::{Bench, assert_close, noise};

pub(crate) fn bench(bench: &mut Bench) {
    for shape in [Nchw::new(1, 64, 56, 56), Nchw::new(1, 128, 28, 28), Nchw::new(1, 256, 14, 14)] {
        let options = PointwiseConvOptions { stack: 3, ..PointwiseConvOptions::new(shape.channels, shape.channels) };
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
        let dispatch = operator.bind(&bench.gpu.device, shape, buffers).expect("dispatch");
        bench.gpu.run(|pass| dispatch.record(pass)).expect("run");
        let expected = reference::pointwise_conv(shape, &options, &values, &weights, None);
        let what = format!("q, k, v {shape}");
        for (y, expected) in y.iter().zip(&expected) {
            assert_close(&what, &bench.gpu.read::<f32>(y.slice(..)).expect("y"), expected);
        }
        bench.measure("pointwise_conv", &what, "fused", operator.cost(shape), |pass| dispatch.record(pass));
    }
}
