use visual_attention::{Element, Nchw, Pooling, Size, WindowPool, WindowPoolBuffers, reference};

use crate::common::unfused::Unfused;
use crate::common::{Bench, noise};

/// One operation for an eager framework, too: its baseline is the plain kernel.
pub(crate) fn bench(bench: &mut Bench) {
    for (shape, pooling, k) in
        [(Nchw::new(1, 128, 56, 56), Pooling::Mean, 2), (Nchw::new(1, 64, 224, 224), Pooling::Max, 4)]
    {
        let window = Size::new(k, k);
        let values = noise(shape.elements().expect("small"));
        let x = bench.gpu.upload("x", &values).expect("x");
        let operator = WindowPool::new(&bench.gpu.device, pooling, window, Element::F32).expect("operator");
        let output = operator.output(shape.size());
        let len = output.pixels() * u64::from(shape.channels);
        let y = bench.gpu.buffer("y", len * 4).expect("y");
        let buffers = WindowPoolBuffers { x: x.slice(..), y: y.slice(..) };
        let recording = operator.bind(&bench.gpu.device, shape, buffers).expect("bind");
        bench.gpu.run(|pass| recording.record(pass)).expect("run");
        let what = format!("{pooling:?} {window} {shape}");
        let expected = reference::window_pool(shape, pooling, window, &values);
        bench.check(&what, Element::F32, &y, &expected);
        let cost = operator.cost(shape);
        bench.measure("window_pool", &what, "fused", cost, |pass| recording.record(pass));

        let mut unfused = Unfused::new(&bench.gpu);
        let corner = format!(
            "(i / #{across} * #{k} * #{width} + i % #{across} * #{k})",
            across = output.width,
            width = shape.width
        );
        let entries = (0..k * k).map(|entry| format!("a[{corner} + #{}]", entry / k * shape.width + entry % k));
        let joined = match pooling {
            Pooling::Mean => format!("({}) / {}.0", entries.collect::<Vec<_>>().join(" + "), k * k),
            _ => entries.reduce(|all, entry| format!("max({all}, {entry})")).expect("entries"),
        };
        let y = unfused.each(&joined, &[&x], len);
        bench.measure_unfused("window_pool", &what, cost, &unfused, &[(&y, &expected)]);
    }
}
