use visual_attention::{AttentionMap, AttentionMapBuffers, Element, Nchw, Statistic, reference};

use crate::common::{Bench, assert_close, noise};

pub(crate) fn bench(bench: &mut Bench) {
    let shapes = [
        Nchw::new(1, 64, 112, 112),
        Nchw::new(1, 256, 56, 56),
        Nchw::new(1, 512, 28, 28),
        Nchw::new(1, 1024, 14, 14),
        Nchw::new(1, 2048, 7, 7),
    ];
    let batches = bench.batches();
    for shape in batches.iter().flat_map(|&batch| shapes.map(|shape| Nchw { batch, ..shape })) {
        let values = noise(shape.elements().expect("small"));
        let features = bench.gpu.upload("features", &values).expect("features");
        let map = bench.gpu.buffer("map", shape.plane().elements().expect("small") * 4).expect("map");
        for statistic in [Statistic::MaxAbs, Statistic::Rms] {
            let operator = AttentionMap::new(&bench.gpu.device, statistic, Element::F32).expect("operator");
            let buffers = AttentionMapBuffers { features: features.slice(..), map: map.slice(..) };
            let dispatch = operator.bind(&bench.gpu.device, shape, buffers).expect("dispatch");
            bench.gpu.run(|pass| dispatch.record(pass)).expect("run");
            let what = format!("{statistic:?} {shape}");
            let actual: Vec<f32> = bench.gpu.read(map.slice(..)).expect("map");
            assert_close(&what, &actual, &reference::attention_map(shape, statistic, &values));
            bench.measure("attention_map", &what, "fused", operator.cost(shape), |pass| dispatch.record(pass));
        }
    }
}
