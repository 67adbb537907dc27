use visual_attention::{BoundingBox, BoundingBoxBuffers, Nhw, reference};

use crate::common::{Bench, noise};

pub(crate) fn bench(bench: &mut Bench) {
    let operator = BoundingBox::new(&bench.gpu.device).expect("operator");
    for shape in [Nhw::new(8, 224, 224), Nhw::new(1, 1024, 1024)] {
        let mask: Vec<u32> =
            noise(shape.elements().expect("small")).iter().map(|&value| u32::from(value > 0.99)).collect();
        let input = bench.gpu.upload("mask", &mask).expect("mask");
        let boxes = bench.gpu.buffer("boxes", u64::from(shape.batch) * 16).expect("boxes");
        let buffers = BoundingBoxBuffers { mask: input.slice(..), boxes: boxes.slice(..) };
        let dispatch = operator.bind(&bench.gpu.device, shape, buffers).expect("dispatch");
        bench.gpu.run(|pass| dispatch.record(pass)).expect("run");
        let actual: Vec<[i32; 4]> = bench.gpu.read(boxes.slice(..)).expect("boxes");
        assert_eq!(actual, reference::bounding_box(shape, &mask), "{shape}");
        bench.measure("bounding_box", &shape.to_string(), "fused", operator.cost(shape), |pass| dispatch.record(pass));
    }
}
