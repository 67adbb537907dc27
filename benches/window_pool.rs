use visual_attention::{Element, Nchw, Pooling, Size, WindowPool, WindowPoolBuffers, reference};

use crate::common::{Bench, assert_close, noise};

pub(crate) fn bench(bench: &mut Bench) {
    for (shape, pooling, k) in
        [(Nchw::new(1, 128, 56, 56), Pooling::Average, 2), (Nchw::new(1, 64, 224, 224), Pooling::Maximum, 4)]
    {
        let window = Size::new(k, k);
        let values = noise(shape.elements().expect("small"));
        let x = bench.gpu.upload("x", &values).expect("x");
        let operator = WindowPool::new(&bench.gpu.device, pooling, window, Element::F32).expect("operator");
        let len = operator.output(shape.size()).pixels() * u64::from(shape.channels);
        let y = bench.gpu.buffer("y", len * 4).expect("y");
        let buffers = WindowPoolBuffers { x: x.slice(..), y: y.slice(..) };
        let dispatch = operator.bind(&bench.gpu.device, shape, buffers).expect("dispatch");
        bench.gpu.run(|pass| dispatch.record(pass)).expect("run");
        let what = format!("{pooling:?} {window} {shape}");
        let actual: Vec<f32> = bench.gpu.read(y.slice(..)).expect("y");
        assert_close(&what, &actual, &reference::window_pool(shape, pooling, window, &values));
        bench.measure("window_pool", &what, "fused", operator.cost(shape), |pass| dispatch.record(pass));
    }
}
