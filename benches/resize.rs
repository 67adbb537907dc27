use visual_attention::{Element, Nchw, Resize, ResizeBuffers, Sampling, Size, reference};

use crate::common::{Bench, assert_close, noise};

pub(crate) fn bench(bench: &mut Bench) {
    let operator = Resize::new(&bench.gpu.device, Sampling::HalfPixel, Element::F32).expect("operator");
    for (shape, size) in [
        (Nchw::new(8, 1, 7, 7), Size::new(224, 224)),
        (Nchw::new(1, 1, 112, 112), Size::new(1024, 1024)),
        (Nchw::new(1, 3, 1024, 1024), Size::new(224, 224)),
    ] {
        let values = noise(shape.elements().expect("small"));
        let expected = reference::resize(shape, size, Sampling::HalfPixel, &values);
        let input = bench.gpu.upload("input", &values).expect("input");
        let output = bench.gpu.buffer("output", expected.len() as u64 * 4).expect("output");
        let buffers = ResizeBuffers { input: input.slice(..), output: output.slice(..) };
        let dispatch = operator.bind(&bench.gpu.device, shape, size, buffers).expect("dispatch");
        bench.gpu.run(|pass| dispatch.record(pass)).expect("run");
        let case = format!("{shape} to {size}");
        assert_close(&case, &bench.gpu.read::<f32>(output.slice(..)).expect("output"), &expected);
        bench.measure("resize", &case, "fused", operator.cost(shape, size), |pass| dispatch.record(pass));
    }
}
