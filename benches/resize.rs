use visual_attention::{Element, Nchw, Resize, ResizeBuffers, ResizeShape, Sampling, Size, reference};

use crate::common::unfused::Unfused;
use crate::common::{Bench, noise};

/// One operation for an eager framework, too: its baseline is the plain kernel.
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
        let recording =
            operator.bind(&bench.gpu.device, ResizeShape { input: shape, output: size }, buffers).expect("bind");
        bench.gpu.run(|pass| recording.record(pass)).expect("run");
        let case = format!("{shape} to {size}");
        bench.check(&case, Element::F32, &output, &expected);
        let cost = operator.cost(ResizeShape { input: shape, output: size });
        bench.measure("resize", &case, "fused", cost, |pass| recording.record(pass));

        let mut unfused = Unfused::new(&bench.gpu);
        let planes = u64::from(shape.batch * shape.channels);
        let resized = unfused.resize(&input, planes, shape.size(), size);
        bench.measure_unfused("resize", &case, cost, &unfused, &[(&resized, &expected)]);
    }
}
