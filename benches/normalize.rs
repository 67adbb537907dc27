use visual_attention::{Nhw, Normalization, Normalize, NormalizeBuffers, reference};

use crate::common::unfused::Unfused;
use crate::common::{Bench, assert_close, noise};

pub(crate) fn bench(bench: &mut Bench) {
    let operator = Normalize::new(&bench.gpu.device, Normalization::MinMax).expect("operator");
    for shape in [Nhw::new(8, 7, 7), Nhw::new(8, 112, 112), Nhw::new(1, 1024, 1024)] {
        let values = noise(shape.elements().expect("small"));
        let map = bench.gpu.upload("map", &values).expect("map");
        let recording = operator
            .bind(&bench.gpu.device, shape, NormalizeBuffers { map: map.slice(..), range: None })
            .expect("bind");
        bench.gpu.run(|pass| recording.record(pass)).expect("run");
        let actual: Vec<f32> = bench.gpu.read(map.slice(..)).expect("map");
        let case = shape.to_string();
        let expected = reference::normalize(shape, Normalization::MinMax, &values);
        assert_close(&case, &actual, &expected);
        let cost = operator.cost(shape);
        bench.measure("normalize", &case, "fused", cost, |pass| recording.record(pass));

        let map = bench.gpu.upload("map", &values).expect("map");
        let mut unfused = Unfused::new(&bench.gpu);
        let normalized = unfused.normalize(&map, shape);
        bench.measure_unfused("normalize", &case, cost, &unfused, &[(&normalized, &expected)]);
    }
}
