use visual_attention::{
    CropEnd, CropResize, CropResizeBuffers, CropResizeShape, Element, Nchw, Sampling, Size, reference,
};

use crate::common::unfused::Unfused;
use crate::common::{Bench, noise, of};

const OPERATOR: &str = "crop_resize";

pub(crate) fn bench(bench: &mut Bench) {
    case(bench, Nchw::new(8, 3, 224, 224), Element::F32);
    case(bench, Nchw::new(1, 3, 1024, 1024), Element::F32);
    for (element, shape) in bench.large(Nchw::new(21, 3, 1024, 1024)) {
        case(bench, shape, element);
    }
}

/// Crops of the middle of each image, as large as the image.
fn case(bench: &mut Bench, shape: Nchw, element: Element) {
    let (end, sampling, size) = (CropEnd::Inclusive, Sampling::HalfPixel, shape.size());
    let operator = CropResize::new(&bench.gpu.device, end, sampling, element).expect("operator");
    let mut values = noise(shape.elements().expect("small"));
    let images = bench.upload(element, &mut values);
    let (height, width) = (shape.height, shape.width);
    let [left, top, right, bottom] = [width / 5, height / 6, width * 4 / 5, height * 3 / 4];
    let corners = vec![[left, top, right, bottom].map(|at| at as i32); shape.batch as usize];
    let expected = reference::crop_resize(shape, size, end, sampling, &values, &corners);
    let boxes = bench.gpu.upload("boxes", &corners).expect("boxes");
    let crops = bench.gpu.buffer("crops", images.size()).expect("crops");
    let buffers = CropResizeBuffers { images: images.slice(..), boxes: boxes.slice(..), crops: crops.slice(..) };
    let recording =
        operator.bind(&bench.gpu.device, CropResizeShape { images: shape, crop: size }, buffers).expect("bind");
    bench.gpu.run(|pass| recording.record(pass)).expect("run");
    let what = of(element, &format!("{shape} to {size}"));
    bench.check(&what, element, &crops, &expected);
    let cost = operator.cost(CropResizeShape { images: shape, crop: size });
    bench.measure(OPERATOR, &what, "fused", cost, |pass| recording.record(pass));
    if element != Element::F32 {
        return;
    }
    // The crop, copied, and resized: with boxes that the host knows, which a framework would have to wait for.
    let cut = Size::new(bottom - top + 1, right - left + 1);
    let planes = u64::from(shape.batch * shape.channels);
    let mut unfused = Unfused::new(&bench.gpu);
    let source = format!(
        "a[i / #{area} * #{pixels} + (i / #{cut_width} % #{cut_height} + #{top}) * #{width} + i % #{cut_width} + #{left}]",
        area = cut.pixels(),
        pixels = size.pixels(),
        cut_width = cut.width,
        cut_height = cut.height,
    );
    let cropped = unfused.each(&source, &[&images], planes * cut.pixels());
    let resized = unfused.resize(&cropped, planes, cut, size);
    bench.measure_unfused(OPERATOR, &what, cost, &unfused, &[(&resized, &expected)]);
}
