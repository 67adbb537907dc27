use visual_attention::{
    CropEnd, CropResize, CropResizeBuffers, CropResizeShape, Element, Nchw, Sampling, Size, reference,
};

use crate::common::{self, Precision, Random, TestGpu, assert_exact, assert_within_tolerance, rounded, wide};
use crate::compiler;

#[derive(Clone, Copy)]
struct Way(CropEnd, Sampling, Element);

fn run(gpu: &TestGpu, shape: Nchw, size: Size, way: Way, images: &[f32], boxes: &[[i32; 4]]) -> Vec<f32> {
    let Way(end, sampling, element) = way;
    let len = Nchw { height: size.height, width: size.width, ..shape }.elements().unwrap() as usize;
    let (images, crops) = (gpu.input(images, element), gpu.output(len, element.bytes()));
    let boxes = gpu.upload("boxes", boxes).unwrap();
    let operator = CropResize::new(compiler::of(&gpu.device), end, sampling, element).unwrap();
    let buffers = CropResizeBuffers { images: images.slice(..), boxes: boxes.slice(..), crops: crops.slice() };
    gpu.recording(&operator.bind(&gpu.device, CropResizeShape { images: shape, crop: size }, buffers).unwrap());
    gpu.floats(&crops, element)
}

#[test]
fn matches_reference() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nchw::new(5, 3, 37, 53);
    // Inside, one pixel, one row, the whole image, and beyond it on every side.
    let boxes = [[3, 5, 40, 30], [7, 7, 7, 7], [0, 36, 52, 36], [0, 0, 52, 36], [-9, i32::MIN, i32::MAX, 99]];
    for element in gpu.elements() {
        let images = rounded(&Random::new(3).normal(shape.elements().unwrap() as usize), element);
        for size in [Size::new(1, 1), Size::new(37, 53), Size::new(64, 19)] {
            for end in [CropEnd::Inclusive, CropEnd::Exclusive] {
                for sampling in [Sampling::HalfPixel, Sampling::AlignedCorners] {
                    let actual = run(gpu, shape, size, Way(end, sampling, element), &images, &boxes);
                    let exact = reference::crop_resize(shape, size, end, sampling, &wide(&images), &boxes);
                    let baseline = reference::crop_resize(shape, size, end, sampling, &images, &boxes);
                    let what = format!("{end:?} {sampling:?} {element:?} {size}");
                    assert_within_tolerance(&actual, &exact, &baseline, Precision::from(element), what);
                }
            }
        }
    }
}

#[test]
fn the_whole_image_at_its_own_size_is_a_copy() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nchw::new(2, 3, 21, 34);
    let images = Random::new(4).normal(shape.elements().unwrap() as usize);
    let way = Way(CropEnd::Inclusive, Sampling::HalfPixel, Element::F32);
    assert_exact(&run(gpu, shape, shape.size(), way, &images, &[[0, 0, 33, 20]; 2]), &images, "copy");
}

#[test]
fn a_constant_picture_stays_that_constant() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nchw::new(2, 1, 37, 53);
    for element in gpu.elements() {
        for constant in rounded(&[0.7, -0.1, 1.0 / 3.0], element) {
            let images = vec![constant; shape.elements().unwrap() as usize];
            for sampling in [Sampling::HalfPixel, Sampling::AlignedCorners] {
                let way = Way(CropEnd::Inclusive, sampling, element);
                let crops = run(gpu, shape, Size::new(61, 47), way, &images, &[[3, 5, 40, 30], [0, 0, 52, 36]]);
                assert_exact(&crops, &vec![constant; crops.len()], format!("{sampling:?} {element:?} {constant}"));
            }
        }
    }
}
