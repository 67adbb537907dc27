use visual_attention::{Nchw, Sampling, Size, reference};

use crate::common::backward::run;
use crate::common::{self, Random, SAMPLE_ROOM, assert_within_tolerance_with_room, largest, wide};

/// One pixel, one output, the same size, enlarged and reduced, and axes that do not divide each other.
const SIZES: [(Size, Size); 8] = [
    (Size::new(1, 1), Size::new(224, 97)),
    (Size::new(9, 7), Size::new(1, 1)),
    (Size::new(6, 5), Size::new(6, 5)),
    (Size::new(3, 50), Size::new(40, 6)),
    (Size::new(31, 40), Size::new(9, 7)),
    (Size::new(5, 6), Size::new(16, 131)),
    (Size::new(2, 2), Size::new(3, 200)),
    (Size::new(70, 65), Size::new(64, 66)),
];

#[test]
fn every_ratio_matches_the_reference() {
    let Some(gpu) = common::gpu() else { return };
    for (from, to) in SIZES {
        for (sampling, name) in [(Sampling::HalfPixel, "half_pixel"), (Sampling::AlignedCorners, "aligned_corners")] {
            let shape = Nchw::new(1, 2, from.height, from.width);
            let upstream = Random::new(3).normal(2 * to.pixels() as usize);
            let size = format!("{},{}", to.height, to.width);
            let options = [("sampling", name), ("size", size.as_str())];
            let shapes: Vec<u32> = shape.into();
            let inputs = [("output_gradient", upstream.as_slice())];
            let found = run(gpu, "resize_backward", &options, &[("input", &shapes)], &inputs);
            let gradient = found.get("input_gradient").unwrap();
            let exact = reference::resize_backward(shape, to, sampling, &wide(&upstream));
            let baseline = reference::resize_backward(shape, to, sampling, &upstream);
            let room = SAMPLE_ROOM * largest(&baseline).max(largest(&upstream));
            let what = format!("{from} to {to}, {name}");
            assert_within_tolerance_with_room(gradient, &exact, &baseline, common::Precision::F32, room, what);
            // Every output shares out all of its gradient.
            let total = |numbers: &[f32]| wide(numbers).iter().sum::<f64>();
            assert!((total(gradient) - total(&upstream)).abs() < 1e-2, "{from} to {to}, {name}");
        }
    }
}

/// Nothing reads the input of an empty output.
#[test]
fn an_empty_output_has_gradients_of_zero() {
    let Some(gpu) = common::gpu() else { return };
    for size in ["0,4", "4,0", "0,0"] {
        let inputs: &[(_, &[f32])] = &[("output_gradient", &[])];
        let found = run(gpu, "resize_backward", &[("size", size)], &[("input", &[1, 2, 3, 3])], inputs);
        assert_eq!(found.get("input_gradient").unwrap(), &[0.0; 18], "{size}");
    }
}
