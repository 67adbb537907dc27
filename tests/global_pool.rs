use visual_attention::{Element, Error, GlobalPool, GlobalPoolBuffers, Nchw, Squeeze, reference};

use crate::common::{self, Precision, Random, TestGpu, assert_exact, assert_within_tolerance, rounded, wide};
use crate::compiler;

/// One pixel, odd tails, primes, few and many loads, both vector widths, one more and one less than a workgroup, several parts.
const SHAPES: [Nchw; 11] = [
    Nchw::new(1, 1, 1, 1),
    Nchw::new(2, 3, 7, 9),
    Nchw::new(1, 17, 8, 8),
    Nchw::new(3, 5, 1, 255),
    Nchw::new(1, 2, 1, 257),
    Nchw::new(2, 2048, 7, 7),
    Nchw::new(1, 64, 112, 112),
    Nchw::new(1, 31, 31, 37),
    Nchw::new(2, 3, 131, 137),
    Nchw::new(1, 2, 260, 512),
    Nchw::new(1, 1, 1024, 1024),
];

/// Mean and maximum, empty where the operator does not take them.
fn run(gpu: &TestGpu, shape: Nchw, squeeze: Squeeze, element: Element, features: &[f32]) -> [Vec<f32>; 2] {
    let features = gpu.input(features, element);
    let pooled = || gpu.output((shape.batch * shape.channels) as usize, 4);
    let mean = (squeeze != Squeeze::Max).then(pooled);
    let maximum = (squeeze != Squeeze::Mean).then(pooled);
    let operator = GlobalPool::new(compiler::of(&gpu.device), squeeze, element).unwrap();
    let buffers = GlobalPoolBuffers {
        features: features.slice(..),
        mean: mean.as_ref().map(common::Output::slice),
        max: maximum.as_ref().map(common::Output::slice),
    };
    gpu.recording(&operator.bind(&gpu.device, shape, buffers).unwrap());
    [mean, maximum].map(|output| output.map_or(Vec::new(), |output| gpu.words(&output)))
}

#[test]
fn matches_reference() {
    let Some(gpu) = common::gpu() else { return };
    for element in gpu.elements() {
        for (seed, shape) in (0..).zip(SHAPES) {
            let features = rounded(&Random::new(seed).normal(shape.elements().unwrap() as usize), element);
            for squeeze in Squeeze::ALL {
                let [mean, maximum] = run(gpu, shape, squeeze, element, &features);
                let what = format!("{squeeze:?} {element:?} {shape}");
                if squeeze != Squeeze::Max {
                    let exact = reference::global_mean(shape, &wide(&features));
                    let baseline = reference::global_mean(shape, &features);
                    assert_within_tolerance(&mean, &exact, &baseline, Precision::F32, &what);
                }
                if squeeze != Squeeze::Mean {
                    assert_exact(&maximum, &reference::global_max(shape, &features), &what);
                }
            }
        }
    }
}

/// Sums that 16 bits could not hold: a million times 100, and terms whose partial sums reach 10^9.
#[test]
fn large_half_planes_pool_to_the_exact_answer() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nchw::new(1, 1, 1024, 1024);
    for element in gpu.elements() {
        let [mean, maximum] = run(gpu, shape, Squeeze::MeanAndMax, element, &vec![100.0; 1 << 20]);
        assert_eq!((mean, maximum), (vec![100.0], vec![100.0]));
        for period in [1, 2, 4, 1024] {
            let signs = (0..1 << 20).map(|index| if index / period % 2 == 0 { 60000.0 } else { -60000.0 });
            let [mean, maximum] = run(gpu, shape, Squeeze::MeanAndMax, element, &signs.collect::<Vec<_>>());
            assert_eq!((mean, maximum), (vec![0.0], vec![60000.0]), "{element:?}, period {period}");
        }
    }
}

#[test]
fn maxima_propagate_nan_of_either_sign() {
    let Some(gpu) = common::gpu() else { return };
    for shape in [Nchw::new(1, 5, 3, 5), Nchw::new(1, 5, 4, 4), Nchw::new(1, 5, 40, 40), Nchw::new(1, 5, 300, 300)] {
        let pixels = shape.size().pixels() as usize;
        let mut features: Vec<_> = Random::new(3).normal(5 * pixels).into_iter().map(|value| -value.abs()).collect();
        for (plane, special) in [f32::NAN, -f32::NAN, f32::INFINITY, -0.0].into_iter().enumerate() {
            features[plane * pixels + pixels - 2] = special;
        }
        features[4 * pixels..].fill(f32::NEG_INFINITY);
        let [_, maximum] = run(gpu, shape, Squeeze::Max, Element::F32, &features);
        assert_exact(&maximum, &reference::global_max(shape, &features), shape);
        assert!(maximum[0].is_nan() && maximum[1].is_nan());
    }
}

#[test]
fn the_same_bits_however_the_work_is_divided() {
    let Some(gpu) = common::gpu() else { return };
    // Room for an image and not for two, and for a plane and not for an image.
    for (shape, bytes) in [(Nchw::new(5, 3, 33, 31), 16384), (Nchw::new(3, 5, 300, 300), 400_128)] {
        let Some(limited) = common::gpu_with_bindings_of(bytes) else { return };
        let features = Random::new(8).normal(shape.elements().unwrap() as usize);
        for squeeze in Squeeze::ALL {
            let whole = run(gpu, shape, squeeze, Element::F32, &features);
            assert_eq!(whole, run(&limited, shape, squeeze, Element::F32, &features), "{shape}");
            assert_eq!(whole, run(gpu, shape, squeeze, Element::F32, &features), "{shape}, again");
        }
    }
}

#[test]
fn refusals_name_both_sides() {
    let Some(gpu) = common::gpu() else { return };
    let operator = GlobalPool::new(compiler::of(&gpu.device), Squeeze::Mean, Element::F32).unwrap();
    let features = gpu.input(&[0.0; 24], Element::F32);
    let output = gpu.output(6, 4);
    let bind = |shape, mean: Option<_>, maximum: Option<_>| {
        let buffers = GlobalPoolBuffers { features: features.slice(..), mean, max: maximum };
        operator.bind(&gpu.device, shape, buffers)
    };
    let refusal = |result: Result<_, Error>| result.map(|_: visual_attention::Recording| ()).unwrap_err().to_string();
    let shape = Nchw::new(2, 3, 2, 2);
    assert!(bind(shape, Some(output.slice()), None).is_ok());
    assert_eq!(refusal(bind(shape, None, None)), "global_pool: `mean` is none, needs a slice (Squeeze::Mean)");
    assert_eq!(
        refusal(bind(shape, Some(output.slice()), Some(output.slice()))),
        "global_pool: `max` is a slice, needs none (Squeeze::Mean)"
    );
    assert_eq!(
        refusal(bind(Nchw::new(2, 3, 2, 3), Some(output.slice()), None)),
        "global_pool: `features` holds 96 bytes, needs 144"
    );
    assert_eq!(
        refusal(bind(Nchw::new(2, 3, 0, 2), Some(output.slice()), None)),
        "global_pool: shape of `features` is [2, 3, 0, 2], needs at least one pixel in each plane"
    );
    assert_eq!(
        refusal(bind(shape, Some(features.slice(..)), None)),
        "global_pool: output `mean` overlaps `features` in the same buffer; give each its own range"
    );
    assert_eq!(bind(Nchw::new(0, 3, 2, 2), Some(output.slice()), None).unwrap().dispatches().len(), 0);
}
