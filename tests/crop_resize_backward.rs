use visual_attention::{CropEnd, Nchw, Sampling, Size, reference};

use crate::common::backward::run;
use crate::common::{self, Random, SAMPLE_ROOM, assert_within_tolerance_with_room, largest, wide};

/// Boxes of one pixel, of the whole image, beyond its sides, and reversed.
const BOXES: [[i32; 4]; 5] = [[4, 3, 4, 3], [0, 0, 8, 6], [-5, -5, 20, 20], [2, 1, 6, 5], [7, 6, 2, 1]];

#[test]
fn every_box_matches_the_reference() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nchw::new(BOXES.len() as u32, 2, 7, 9);
    for size in [Size::new(5, 4), Size::new(13, 70), Size::new(1, 1)] {
        for (end, end_name) in [(CropEnd::Inclusive, "inclusive"), (CropEnd::Exclusive, "exclusive")] {
            for (sampling, name) in [(Sampling::HalfPixel, "half_pixel"), (Sampling::AlignedCorners, "aligned_corners")]
            {
                let upstream = Random::new(5).normal(10 * size.pixels() as usize);
                let text = format!("{},{}", size.height, size.width);
                let options = [("crop_end", end_name), ("sampling", name), ("size", text.as_str())];
                let boxes: Vec<f32> = BOXES.as_flattened().iter().map(|&side| side as f32).collect();
                let inputs = [("boxes", boxes.as_slice()), ("crops_gradient", &upstream)];
                let shapes: Vec<u32> = shape.into();
                let found = run(gpu, "crop_resize_backward", &options, &[("images", &shapes)], &inputs);
                let gradient = found.get("images_gradient").unwrap();
                let exact = reference::crop_resize_backward(shape, size, end, sampling, &BOXES, &wide(&upstream));
                let baseline = reference::crop_resize_backward(shape, size, end, sampling, &BOXES, &upstream);
                let room = SAMPLE_ROOM * largest(&baseline).max(largest(&upstream));
                let what = format!("{size} {end_name} {name}");
                assert_within_tolerance_with_room(gradient, &exact, &baseline, common::Precision::F32, room, what);
            }
        }
    }
}
