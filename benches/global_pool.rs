use visual_attention::{Element, GlobalPool, GlobalPoolBuffers, Nchw, Squeeze, reference};

use crate::common::{Bench, assert_close, noise};

pub(crate) fn bench(bench: &mut Bench) {
    let shapes =
        [Nchw::new(1, 64, 112, 112), Nchw::new(1, 2048, 7, 7), Nchw::new(8, 2048, 7, 7), Nchw::new(1, 3, 1024, 1024)];
    for shape in shapes {
        let values = noise(shape.elements().expect("small"));
        let features = bench.gpu.upload("features", &values).expect("features");
        let pooled = || bench.gpu.buffer("pooled", u64::from(shape.batch * shape.channels) * 4).expect("pooled");
        let (mean, maximum) = (pooled(), pooled());
        for squeeze in Squeeze::ALL {
            let operator = GlobalPool::new(&bench.gpu.device, squeeze, Element::F32).expect("operator");
            let buffers = GlobalPoolBuffers {
                features: features.slice(..),
                mean: (squeeze != Squeeze::Max).then(|| mean.slice(..)),
                maximum: (squeeze != Squeeze::Mean).then(|| maximum.slice(..)),
            };
            let dispatch = operator.bind(&bench.gpu.device, shape, buffers).expect("dispatch");
            bench.gpu.run(|pass| dispatch.record(pass)).expect("run");
            let what = format!("{squeeze:?} {shape}");
            if squeeze == Squeeze::MeanAndMax {
                let read = |buffer| -> Vec<f32> { bench.gpu.read(buffer).expect("pooled") };
                assert_close(&what, &read(mean.slice(..)), &reference::global_mean(shape, &values));
                assert_close(&what, &read(maximum.slice(..)), &reference::global_max(shape, &values));
            }
            bench.measure("global_pool", &what, "fused", operator.cost(shape), |pass| dispatch.record(pass));
        }
    }
}
