use visual_attention::{Nhw, Sampling, Threshold, ThresholdBuffers, ThresholdRule, reference};

use crate::common::{Bench, noise};

pub(crate) fn bench(bench: &mut Bench) {
    for shape in [Nhw::new(8, 224, 224), Nhw::new(1, 1024, 1024)] {
        let values = noise(shape.elements().expect("small"));
        let map = bench.gpu.upload("map", &values).expect("map");
        let mask = bench.gpu.buffer("mask", values.len() as u64 * 4).expect("mask");
        for rule in [ThresholdRule::Value(0.7), ThresholdRule::Otsu] {
            let operator = Threshold::new(&bench.gpu.device, rule, Sampling::HalfPixel).expect("operator");
            let buffers = ThresholdBuffers { map: map.slice(..), mask: mask.slice(..) };
            let dispatch = operator.bind(&bench.gpu.device, shape, shape.size(), buffers).expect("dispatch");
            bench.gpu.run(|pass| dispatch.record(pass)).expect("run");
            let actual: Vec<u32> = bench.gpu.read(mask.slice(..)).expect("mask");
            let case = format!("{rule:?} {shape}");
            assert!(actual == reference::threshold(shape, rule, &values), "{case}");
            let cost = operator.cost(shape, shape.size());
            bench.measure("threshold", &case, "fused", cost, |pass| dispatch.record(pass));
        }
    }
}
