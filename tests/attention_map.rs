use visual_attention::{AttentionMap, AttentionMapBuffers, Element, Nchw, Statistic, reference};

use crate::common::{self, Random, TestGpu, assert_exact, assert_within_tolerance, rounded, wide};
use crate::compiler;

/// One pixel, odd tails, primes, few and many pixels and channels, both vector widths, more than a workgroup and one less.
const SHAPES: [Nchw; 10] = [
    Nchw::new(1, 1, 1, 1),
    Nchw::new(2, 3, 7, 9),
    Nchw::new(1, 5, 8, 8),
    Nchw::new(3, 64, 13, 31),
    Nchw::new(2, 33, 1, 63),
    Nchw::new(1, 31, 5, 13),
    Nchw::new(2, 2048, 7, 7),
    Nchw::new(1, 17, 64, 65),
    Nchw::new(1, 3, 129, 129),
    Nchw::new(2, 4, 130, 130),
];

fn run(gpu: &TestGpu, shape: Nchw, statistic: Statistic, element: Element, features: &[f32]) -> Vec<f32> {
    let features = gpu.input(features, element);
    let map = gpu.output(shape.plane().elements().unwrap() as usize, 4);
    let operator = AttentionMap::new(compiler::of(&gpu.device), statistic, element).unwrap();
    let buffers = AttentionMapBuffers { features: features.slice(..), map: map.slice() };
    gpu.recording(&operator.bind(&gpu.device, shape, buffers).unwrap());
    gpu.words(&map)
}

#[test]
fn matches_reference() {
    let Some(gpu) = common::gpu() else { return };
    for element in gpu.elements() {
        for (seed, shape) in (0..).zip(SHAPES) {
            let features = rounded(&Random::new(seed).normal(shape.elements().unwrap() as usize), element);
            for statistic in Statistic::ALL {
                let actual = run(gpu, shape, statistic, element, &features);
                let exact = reference::attention_map(shape, statistic, &wide(&features));
                let baseline = reference::attention_map(shape, statistic, &features);
                let what = format!("{statistic:?} {element:?} {shape}");
                if matches!(statistic, Statistic::Max | Statistic::MaxAbs) {
                    assert_exact(&actual, &baseline, what);
                } else {
                    assert_within_tolerance(&actual, &exact, &baseline, common::Precision::F32, what);
                }
            }
        }
    }
}

/// Every statistic propagates NaN from any channel, of either sign, and infinities as numbers.
#[test]
fn special_values_follow_the_reference() {
    let Some(gpu) = common::gpu() else { return };
    for shape in [Nchw::new(1, 40, 3, 3), Nchw::new(1, 40, 4, 4), Nchw::new(1, 3, 65, 64)] {
        let pixels = shape.size().pixels() as usize;
        let mut features = Random::new(5).normal(shape.elements().unwrap() as usize);
        for (channel, special) in
            [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 3e38, -3e38, 1e-41, -0.0].into_iter().enumerate()
        {
            features[(channel % shape.channels as usize) * pixels + channel] = special;
        }
        // A pixel whose every channel is negative, one of zeros, one of -infinity.
        for channel in 0..shape.channels as usize {
            features[channel * pixels + pixels - 1] = -1.5;
        }
        for statistic in Statistic::ALL {
            let actual = run(gpu, shape, statistic, Element::F32, &features);
            let expected = reference::attention_map(shape, statistic, &features);
            let special = |values: &[f32]| -> Vec<f32> {
                // Sums of 3e38 may overflow in any order, and sums of numbers are the other test's subject.
                let exact = matches!(statistic, Statistic::Max | Statistic::MaxAbs);
                values.iter().map(|&value| if exact || !value.is_finite() { value } else { 0.0 }).collect()
            };
            assert_exact(&special(&actual), &special(&expected), format!("{statistic:?} {shape}"));
        }
    }
}

#[test]
fn images_of_a_batch_do_not_see_each_other() {
    let Some(gpu) = common::gpu() else { return };
    let one = Nchw::new(1, 37, 9, 8);
    let features = Random::new(9).normal(3 * one.elements().unwrap() as usize);
    for statistic in Statistic::ALL {
        let batch = run(gpu, Nchw { batch: 3, ..one }, statistic, Element::F32, &features);
        let images: Vec<_> = features
            .chunks(one.elements().unwrap() as usize)
            .flat_map(|image| run(gpu, one, statistic, Element::F32, image))
            .collect();
        assert_eq!(batch, images, "{statistic:?}");
    }
}
