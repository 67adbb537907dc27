use visual_attention::{CropEnd, CropResize, CropResizeBuffers, Element, Nchw, Sampling, Size, reference};

use crate::common::{Bench, assert_close, noise};

pub(crate) fn bench(bench: &mut Bench) {
    let (end, sampling) = (CropEnd::Inclusive, Sampling::HalfPixel);
    let operator = CropResize::new(&bench.gpu.device, end, sampling, Element::F32).expect("operator");
    for (shape, size) in
        [(Nchw::new(8, 3, 224, 224), Size::new(224, 224)), (Nchw::new(1, 3, 1024, 1024), Size::new(1024, 1024))]
    {
        let values = noise(shape.elements().expect("small"));
        let (height, width) = (shape.height as i32, shape.width as i32);
        let boxes = vec![[width / 5, height / 6, width * 4 / 5, height * 3 / 4]; shape.batch as usize];
        let expected = reference::crop_resize(shape, size, end, sampling, &values, &boxes);
        let images = bench.gpu.upload("images", &values).expect("images");
        let boxes = bench.gpu.upload("boxes", &boxes).expect("boxes");
        let crops = bench.gpu.buffer("crops", expected.len() as u64 * 4).expect("crops");
        let buffers = CropResizeBuffers { images: images.slice(..), boxes: boxes.slice(..), crops: crops.slice(..) };
        let dispatch = operator.bind(&bench.gpu.device, shape, size, buffers).expect("dispatch");
        bench.gpu.run(|pass| dispatch.record(pass)).expect("run");
        let case = format!("{shape} to {size}");
        assert_close(&case, &bench.gpu.read::<f32>(crops.slice(..)).expect("crops"), &expected);
        bench.measure("crop_resize", &case, "fused", operator.cost(shape, size), |pass| dispatch.record(pass));
    }
}
