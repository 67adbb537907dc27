use visual_attention::{Element, Nchw, Resize, ResizeBuffers, ResizeShape, Sampling, Size, reference};

use crate::common::{self, Precision, Random, TestGpu, assert_exact, assert_within_tolerance, rounded, wide};
use crate::compiler;

fn run(gpu: &TestGpu, shape: Nchw, size: Size, sampling: Sampling, element: Element, input: &[f32]) -> Vec<f32> {
    let len = Nchw { height: size.height, width: size.width, ..shape }.elements().unwrap() as usize;
    let (input, output) = (gpu.input(input, element), gpu.output(len, element.bytes()));
    let operator = Resize::new(compiler::of(&gpu.device), sampling, element).unwrap();
    let buffers = ResizeBuffers { input: input.slice(..), output: output.slice() };
    gpu.recording(&operator.bind(&gpu.device, ResizeShape { input: shape, output: size }, buffers).unwrap());
    gpu.floats(&output, element)
}

/// Up, down, by odd ratios, to and from one pixel, several planes.
#[test]
fn matches_reference() {
    let Some(gpu) = common::gpu() else { return };
    let cases = [
        (Nchw::new(1, 1, 1, 1), Size::new(5, 3)),
        (Nchw::new(1, 1, 7, 7), Size::new(1, 1)),
        (Nchw::new(2, 3, 7, 7), Size::new(224, 61)),
        (Nchw::new(1, 2, 64, 33), Size::new(9, 100)),
        (Nchw::new(3, 1, 5, 13), Size::new(13, 5)),
        (Nchw::new(1, 1, 2, 2), Size::new(3, 3)),
        (Nchw::new(1, 1, 1, 509), Size::new(1, 1021)),
    ];
    for element in gpu.elements() {
        for (shape, size) in cases {
            let input = rounded(&Random::new(1).normal(shape.elements().unwrap() as usize), element);
            for sampling in [Sampling::HalfPixel, Sampling::AlignedCorners] {
                let actual = run(gpu, shape, size, sampling, element, &input);
                let exact = reference::resize(shape, size, sampling, &wide(&input));
                let baseline = reference::resize(shape, size, sampling, &input);
                let what = format!("{sampling:?} {element:?} {shape} -> {size}");
                assert_within_tolerance(&actual, &exact, &baseline, Precision::from(element), what);
            }
        }
    }
}

/// Nothing is added to a pixel whose neighbour has no weight, be that neighbour infinite or NaN.
#[test]
fn the_same_size_is_a_copy() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nchw::new(2, 2, 19, 23);
    let mut input = Random::new(2).normal(shape.elements().unwrap() as usize);
    input[40] = f32::NAN;
    input[500] = f32::INFINITY;
    for sampling in [Sampling::HalfPixel, Sampling::AlignedCorners] {
        assert_exact(&run(gpu, shape, shape.size(), sampling, Element::F32, &input), &input, format!("{sampling:?}"));
    }
}

/// Corners of aligned sampling are the corners themselves; a linear ramp stays linear away from the border.
#[test]
fn ramps_and_corners_are_kept() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nchw::new(1, 1, 8, 12);
    let ramp: Vec<f32> = (0..8 * 12).map(|index| (index / 12 * 4 + index % 12) as f32).collect();
    let size = Size::new(15, 23);
    let actual = run(gpu, shape, size, Sampling::AlignedCorners, Element::F32, &ramp);
    let expected: Vec<f32> = (0..15 * 23).map(|index| (index / 23 * 4 + index % 23) as f32 / 2.0).collect();
    assert_exact(&actual, &expected, "aligned ramp of step 1/2");
}

/// Positions are ratios of integers to the last pixel of an axis that floats can't count: 0 and 1 by turns, where the neighbour of
/// the right pixel would give the opposite.
#[test]
fn positions_are_exact_on_long_axes() {
    let Some(gpu) = common::gpu() else { return };
    // Three outputs for five inputs.
    let (input, output) = (6_000_005, 3_600_003);
    let pattern: Vec<f32> = (0..input).map(|index: u32| (index % 2) as f32).collect();
    let (shape, size) = (Nchw::new(1, 1, 1, input), Size::new(1, output));
    let actual = run(gpu, shape, size, Sampling::HalfPixel, Element::F32, &pattern);
    for (index, &actual) in (0u64..).zip(&actual) {
        // (index + 1/2) * 5/3 - 1/2, in sixths.
        let (low, sixths) = ((10 * index + 2) / 6, (10 * index + 2) % 6);
        let share = sixths as f32 / 6.0;
        let expected = if low % 2 == 0 { share } else { 1.0 - share };
        assert!((actual - expected).abs() < 1e-6, "output {index} is {actual}, expected {expected}");
    }
}

/// A constant picture stays that constant, to the bit, and every result lies between its four neighbours.
#[test]
fn results_lie_between_their_neighbours() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nchw::new(1, 1, 37, 53);
    let len = shape.elements().unwrap() as usize;
    for sampling in [Sampling::HalfPixel, Sampling::AlignedCorners] {
        for size in [Size::new(64, 100), Size::new(19, 31), Size::new(224, 224), Size::new(1, 7)] {
            for element in gpu.elements() {
                for constant in rounded(&[0.7, -0.1, 1.0 / 3.0, 60_000.0], element) {
                    let actual = run(gpu, shape, size, sampling, element, &vec![constant; len]);
                    let what = format!("{sampling:?} {element:?} {size}: {constant}");
                    assert_exact(&actual, &vec![constant; actual.len()], &what);
                    let baseline = reference::resize(shape, size, sampling, &vec![constant; len]);
                    assert_exact(&baseline, &vec![constant; actual.len()], format!("reference, {what}"));
                }
            }
            // Steps of one unit in the last place, and the largest numbers of both signs.
            let near: Vec<f32> =
                Random::new(9).normal(len).iter().map(|x| 0.7 + f32::EPSILON / 2.0 * x.round()).collect();
            let far: Vec<f32> = Random::new(10).normal(len).iter().map(|x| x.signum() * f32::MAX).collect();
            for input in [near, far] {
                let actual = run(gpu, shape, size, sampling, Element::F32, &input);
                let least = input.iter().copied().fold(f32::INFINITY, f32::min);
                let largest = input.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                assert!(actual.iter().all(|y| (least..=largest).contains(y)), "{sampling:?} {size}");
                let exact = reference::resize(shape, size, sampling, &wide(&input));
                for (y, e) in actual.iter().zip(exact) {
                    assert!(
                        (f64::from(*y) - e).abs() <= 4e-7 * f64::from(largest),
                        "{sampling:?} {size}: {y}, not {e}"
                    );
                }
            }
        }
    }
}
