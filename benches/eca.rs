use visual_attention::{Eca, EcaBuffers, Element, Form, Nchw, reference};

use crate::common::{Bench, assert_close, noise};

pub(crate) fn bench(bench: &mut Bench) {
    for shape in [Nchw::new(1, 256, 56, 56), Nchw::new(8, 2048, 7, 7)] {
        let (elements, taps) = (shape.elements().expect("small"), Eca::taps(shape.channels));
        let (values, weights) = (noise(elements), noise(taps.into()));
        let features = bench.gpu.upload("features", &values).expect("features");
        let weight = bench.gpu.upload("weight", &weights).expect("weight");
        let output = bench.gpu.buffer("output", elements * 4).expect("output");
        let operator = Eca::new(&bench.gpu.device, Form::Scale, Element::F32).expect("operator");
        let buffers = EcaBuffers {
            features: features.slice(..),
            weight: weight.slice(..),
            identity: None,
            gate: None,
            output: Some(output.slice(..)),
        };
        let dispatch = operator.bind(&bench.gpu.device, shape, taps, buffers).expect("dispatch");
        bench.gpu.run(|pass| dispatch.record(pass)).expect("run");
        let what = format!("k {taps} {shape}");
        let (_, expected) = reference::eca(shape, Form::Scale, &values, &weights, None);
        assert_close(&what, &bench.gpu.read::<f32>(output.slice(..)).expect("output"), &expected);
        bench.measure("eca", &what, "fused", operator.cost(shape, taps), |pass| dispatch.record(pass));
    }
}
