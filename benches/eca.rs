use visual_attention::{Eca, EcaBuffers, EcaShape, Element, Epilogue, Nchw, Size, reference};

use crate::common::unfused::{Join, SIGMOID, Unfused};
use crate::common::{Bench, noise};

pub(crate) fn bench(bench: &mut Bench) {
    for shape in [Nchw::new(1, 256, 56, 56), Nchw::new(8, 2048, 7, 7)] {
        let (elements, taps) = (shape.elements().expect("small"), Eca::taps(shape.channels));
        let (values, weights) = (noise(elements), noise(taps.into()));
        let features = bench.gpu.upload("features", &values).expect("features");
        let weight = bench.gpu.upload("weight", &weights).expect("weight");
        let output = bench.gpu.buffer("output", elements * 4).expect("output");
        let operator = Eca::new(&bench.gpu.device, Epilogue::Scale, Element::F32).expect("operator");
        let buffers = EcaBuffers {
            features: features.slice(..),
            weight: weight.slice(..),
            identity: None,
            gate: None,
            output: Some(output.slice(..)),
        };
        let recording = operator.bind(&bench.gpu.device, EcaShape { features: shape, taps }, buffers).expect("bind");
        bench.gpu.run(|pass| recording.record(pass)).expect("run");
        let what = format!("k {taps} {shape}");
        let (_, expected) = reference::eca(shape, Epilogue::Scale, &values, &weights, None);
        bench.check(&what, Element::F32, &output, &expected);
        let cost = operator.cost(EcaShape { features: shape, taps });
        bench.measure("eca", &what, "fused", cost, |pass| recording.record(pass));

        let planes = u64::from(shape.batch * shape.channels);
        let mut unfused = Unfused::new(&bench.gpu);
        let pooled = unfused.rows(Join::Mean, &features, planes);
        let vectors = Nchw::new(shape.batch, 1, 1, shape.channels);
        let sums = unfused.conv(&pooled, vectors, &weight, Size::new(1, taps));
        let gate = unfused.each(SIGMOID, &[&sums], planes);
        let output = unfused.scale(&features, &gate, shape);
        bench.measure_unfused("eca", &what, cost, &unfused, &[(&output, &expected)]);
    }
}
