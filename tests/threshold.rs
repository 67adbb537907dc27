use visual_attention::{
    Nchw, Nhw, Sampling, Size, Threshold, ThresholdBuffers, ThresholdRule, ThresholdShape, reference,
};

use crate::common::{self, Random, TestGpu, assert_exact};
use crate::compiler;

fn run(gpu: &TestGpu, shape: Nhw, size: Size, rule: ThresholdRule, map: &[f32]) -> Vec<u32> {
    // After a run on another map: what it leaves behind must not change the next.
    let input = gpu.upload("map", &vec![0.9f32; map.len()]).unwrap();
    let mask = gpu.output(shape.batch as usize * size.pixels() as usize, 4);
    let operator = Threshold::new(compiler::of(&gpu.device), rule, Sampling::HalfPixel).unwrap();
    let buffers = ThresholdBuffers { map: input.slice(..), mask: mask.slice() };
    let recording = operator.bind(&gpu.device, ThresholdShape { map: shape, mask: size }, buffers).unwrap();
    gpu.recording(&recording);
    gpu.queue.write_buffer(&input, 0, bytemuck::cast_slice(map));
    gpu.recording(&recording);
    gpu.words(&mask)
}

fn same_size(gpu: &TestGpu, shape: Nhw, rule: ThresholdRule, map: &[f32]) -> Vec<u32> {
    run(gpu, shape, shape.size(), rule, map)
}

#[test]
fn comparison_is_strict_and_exact() {
    let Some(gpu) = common::gpu() else { return };
    let threshold = 0.7f32;
    let around =
        [threshold.next_down(), threshold, threshold.next_up(), f32::NAN, -f32::NAN, f32::INFINITY, -1.0, -0.0];
    let shape = Nhw::new(1, 2, 4);
    let mask = same_size(gpu, shape, ThresholdRule::Value(threshold), &around);
    assert_exact(&mask, &[0, 0, 1, 0, 0, 1, 0, 0], "value");
    // The bits of negative numbers sort the other way round, and those of the two zeros differ.
    let around =
        [(-threshold).next_down(), -threshold, (-threshold).next_up(), -2.0, -0.1, 0.0, f32::NEG_INFINITY, f32::NAN];
    let mask = same_size(gpu, shape, ThresholdRule::Value(-threshold), &around);
    assert_exact(&mask, &[0, 0, 1, 0, 1, 1, 0, 0], "negative value");
    for zero in [0.0, -0.0] {
        let mask = same_size(gpu, shape, ThresholdRule::Value(zero), &[0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 2.0, -2.0]);
        assert_exact(&mask, &[0, 0, 1, 0, 1, 0, 1, 0], "zero");
    }
    let levels = [178.0 / 255.0 + 1e-4, 179.0 / 255.0 + 1e-4, 1.0, 0.0, f32::NAN, 2.0, -1.0, 0.7];
    let mask = same_size(gpu, shape, ThresholdRule::Level(178), &levels);
    assert_exact(&mask, &[0, 1, 1, 0, 0, 1, 0, 0], "level");
}

#[test]
fn matches_reference_at_the_same_size() {
    let Some(gpu) = common::gpu() else { return };
    for shape in [Nhw::new(1, 1, 1), Nhw::new(3, 17, 29), Nhw::new(2, 64, 65), Nhw::new(1, 300, 257)] {
        let map: Vec<f32> = {
            let mut random = Random::new(4);
            (0..shape.elements().unwrap()).map(|_| random.range(-0.1, 1.1)).collect()
        };
        for rule in [ThresholdRule::Value(0.5), ThresholdRule::Otsu] {
            assert_exact(
                &same_size(gpu, shape, rule, &map),
                &reference::threshold(shape, rule, &map),
                format!("{rule:?} {shape}"),
            );
        }
    }
}

/// Histograms where neighbouring levels are close or equal, which floats would tell apart wrongly or not at all.
#[test]
fn otsu_is_exact_on_ties_and_extremes() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nhw::new(1, 64, 64);
    let level = |level: u32| (level as f32 + 0.5) / 255.0;
    let pictures: [(&str, Vec<f32>); 8] = [
        ("constant", vec![level(90); 4096]),
        ("two levels far apart: every level between is equally good", (0..4096).map(|i| level(i % 2 * 200)).collect()),
        ("symmetric", (0..4096).map(|i| level(i * 255 / 4095)).collect()),
        ("one bright pixel", (0..4096).map(|i| level(if i == 77 { 250 } else { 3 })).collect()),
        ("NaN and out of range", (0..4096).map(|i| [f32::NAN, -3.0, 7.0, 0.2][i % 4]).collect()),
        ("all NaN", vec![f32::NAN; 4096]),
        ("three even peaks", (0..4096).map(|i| level([10, 128, 246][i as usize % 3])).collect()),
        ("half of it at level 0", (0..4096).map(|i| level([0, 0, 100, 200][i as usize % 4])).collect()),
    ];
    for (what, map) in pictures {
        let mask = same_size(gpu, shape, ThresholdRule::Otsu, &map);
        assert_exact(&mask, &reference::threshold(shape, ThresholdRule::Otsu, &map), what);
    }
    // Random histograms of few levels give near ties.
    for seed in 0..60 {
        let mut random = Random::new(seed);
        let levels: Vec<u32> = (0..2 + random.below(5)).map(|_| random.below(255)).collect();
        let map: Vec<f32> = (0..4096).map(|_| level(levels[random.below(levels.len() as u32) as usize])).collect();
        let mask = same_size(gpu, shape, ThresholdRule::Otsu, &map);
        assert_exact(&mask, &reference::threshold(shape, ThresholdRule::Otsu, &map), format!("seed {seed}"));
    }
}

/// The two levels between three peaks are equally good, but their variances are quotients of different numbers, of more than 64
/// bits: the lower level wins only if no carry is lost.
#[test]
fn otsu_is_exact_on_ties_of_large_pictures() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nhw::new(1, 15, (1 << 22) / 15);
    for rows in [[7, 7, 1], [8, 6, 1]] {
        let peaks = [0.5f32 / 255.0, 83.5 / 255.0, 249.5 / 255.0];
        let map: Vec<f32> =
            peaks.iter().zip(rows).flat_map(|(&peak, rows)| vec![peak; rows * shape.width as usize]).collect();
        let expected = reference::threshold(shape, ThresholdRule::Otsu, &map);
        assert!(expected[(rows[0] * shape.width as usize)..].iter().all(|&set| set == 1), "{rows:?}");
        assert_exact(&same_size(gpu, shape, ThresholdRule::Otsu, &map), &expected, format!("{rows:?}"));
    }
}

/// The published formula, in floats, on a histogram without ties.
#[test]
fn otsu_reference_is_the_published_formula() {
    let mut random = Random::new(12);
    let image: Vec<f64> =
        (0..5000).map(|i| f64::from(random.unit()) * 0.6 + if i % 3 == 0 { 0.35 } else { 0.05 }).collect();
    let mut histogram = [0f64; 256];
    image.iter().for_each(|value| histogram[(value * 255.0) as usize] += 1.0 / 5000.0);
    let mean = |from: usize, to: usize| (from..to).map(|level| level as f64 * histogram[level]).sum::<f64>();
    let best = (0..255).max_by(|&a, &b| {
        let between = |level: usize| {
            let w0: f64 = histogram[..=level].iter().sum();
            let w1 = 1.0 - w0;
            if w0 <= 0.0 || w1 <= 1e-12 {
                0.0
            } else {
                w0 * w1 * (mean(0, level + 1) / w0 - mean(level + 1, 256) / w1).powi(2)
            }
        };
        between(a).total_cmp(&between(b))
    });
    assert_eq!(Some(usize::from(reference::otsu_level(&image))), best);
}

/// A map of another size: away from values that rounding could carry over the threshold.
#[test]
fn a_resampled_map_needs_no_buffer_of_its_own() {
    let Some(gpu) = common::gpu() else { return };
    let (shape, size) = (Nhw::new(2, 7, 9), Size::new(100, 61));
    let map: Vec<f32> =
        Random::new(6).normal(shape.elements().unwrap() as usize).iter().map(|v| v * 0.2 + 0.5).collect();
    let planes = Nchw::new(2, 1, 7, 9);
    let up = reference::resize(planes, size, Sampling::HalfPixel, &map);
    for rule in [ThresholdRule::Value(0.55), ThresholdRule::Level(140)] {
        let mask = run(gpu, shape, size, rule, &map);
        let expected = reference::threshold(Nhw::new(2, 100, 61), rule, &up);
        let near = |value: f32| match rule {
            ThresholdRule::Value(threshold) => (value - threshold).abs() < 1e-6,
            _ => (value * 255.0 - (value * 255.0).round()).abs() < 1e-3,
        };
        let differ = mask.iter().zip(&expected).zip(&up).filter(|((a, b), value)| a != b && !near(**value)).count();
        assert_eq!(differ, 0, "{rule:?}");
        assert!(expected.contains(&0) && expected.contains(&1));
    }
    // Otsu's level is that of the resampled map.
    let mask = run(gpu, shape, size, ThresholdRule::Otsu, &map);
    let expected = reference::threshold(Nhw::new(2, 100, 61), ThresholdRule::Otsu, &up);
    let differ = mask.iter().zip(&expected).filter(|(a, b)| a != b).count();
    assert!(differ <= 3, "{differ} pixels differ: more than rounding can account for");
}

/// A constant map does not exceed itself, and exceeds the number below it, whatever sizes it is resampled between.
#[test]
fn a_threshold_equal_to_a_constant_map_does_not_depend_on_rounding() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nhw::new(1, 7, 9);
    for constant in [0.7f32, 0.1, 1.0 / 3.0] {
        let map = vec![constant; 63];
        for size in [Size::new(7, 9), Size::new(64, 50), Size::new(100, 101), Size::new(224, 224), Size::new(3, 5)] {
            for (threshold, expected) in [(constant, 0), (constant.next_down(), 1)] {
                let mask = run(gpu, shape, size, ThresholdRule::Value(threshold), &map);
                assert_exact(&mask, &vec![expected; mask.len()], format!("{constant} against {threshold} at {size}"));
            }
        }
    }
}

/// An image that exceeds a binding is divided by rows where nothing else is asked for than a comparison.
#[test]
fn an_image_larger_than_a_binding() {
    let Some(gpu) = common::gpu() else { return };
    let Some(limited) = common::gpu_with_bindings_of(4096) else { return };
    for shape in [Nhw::new(2, 70, 61), Nhw::new(1, 33, 64), Nhw::new(3, 2000, 3)] {
        let map: Vec<f32> = Random::new(12).normal(shape.elements().unwrap() as usize);
        for rule in [ThresholdRule::Value(0.3), ThresholdRule::Level(100)] {
            let [whole, divided] = [gpu, &limited].map(|gpu| same_size(gpu, shape, rule, &map));
            assert_exact(&divided, &whole, format!("{rule:?} {shape}"));
        }
    }
    // Nor can a row be divided, nor the histogram of an image.
    let operator = Threshold::new(compiler::of(&limited.device), ThresholdRule::Otsu, Sampling::HalfPixel).unwrap();
    let shape = Nhw::new(1, 64, 64);
    let (map, mask) = (limited.upload("map", &[0.5f32; 4096]).unwrap(), limited.output(4096, 4));
    let buffers = ThresholdBuffers { map: map.slice(..), mask: mask.slice() };
    assert!(operator.bind(&limited.device, ThresholdShape { map: shape, mask: shape.size() }, buffers).is_err());
}
