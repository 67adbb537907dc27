use visual_attention::{Nhw, Normalization, Normalize, NormalizeBuffers, reference};

use crate::common::{self, Precision, Random, TestGpu, assert_exact, assert_within_tolerance, wide};
use crate::compiler;

/// In place, so the output starts as the input.
fn run(gpu: &TestGpu, shape: Nhw, normalization: Normalization, map: &[f32]) -> Vec<f32> {
    let output = gpu.output(map.len(), 4);
    gpu.queue.write_buffer(output.slice().buffer(), output.slice().offset(), bytemuck::cast_slice(map));
    let operator = Normalize::new(compiler::of(&gpu.device), normalization).unwrap();
    let recording = operator.bind(&gpu.device, shape, NormalizeBuffers { map: output.slice(), range: None }).unwrap();
    gpu.recording(&recording);
    gpu.words(&output)
}

#[test]
fn matches_reference() {
    let Some(gpu) = common::gpu() else { return };
    for shape in [Nhw::new(1, 1, 1), Nhw::new(3, 7, 7), Nhw::new(2, 1, 257), Nhw::new(5, 64, 64), Nhw::new(1, 300, 301)]
    {
        let map = Random::new(3).normal(shape.elements().unwrap() as usize);
        for normalization in [Normalization::MinMax, Normalization::Max, Normalization::None] {
            let actual = run(gpu, shape, normalization, &map);
            let exact = reference::normalize(shape, normalization, &wide(&map));
            let baseline = reference::normalize(shape, normalization, &map);
            assert_within_tolerance(&actual, &exact, &baseline, Precision::F32, format!("{normalization:?} {shape}"));
        }
    }
}

/// Each image by its own range: constants and negatives give zeros, a NaN anywhere gives NaN, and none spoils its neighbours.
#[test]
fn special_images_have_defined_answers() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nhw::new(7, 70, 61);
    let pixels = shape.size().pixels() as usize;
    for normalization in [Normalization::MinMax, Normalization::Max] {
        let mut map = Random::new(8).normal(pixels * 7);
        map[..pixels].fill(0.25);
        map[pixels..2 * pixels].fill(0.0);
        map[2 * pixels..3 * pixels].iter_mut().for_each(|value| *value = -value.abs() - 1.0);
        map[3 * pixels + 4000] = f32::NAN;
        map[4 * pixels + 17] = f32::INFINITY;
        map[5 * pixels..6 * pixels].iter_mut().for_each(|value| *value = -value.abs());
        map[5 * pixels + 900] = 0.0;
        let actual = run(gpu, shape, normalization, &map);
        let expected = reference::normalize(shape, normalization, &map);
        assert_exact(&actual[..2 * pixels], &vec![0.0; 2 * pixels], format!("{normalization:?}: constant"));
        assert!(actual[3 * pixels..4 * pixels].iter().all(|value| value.is_nan()), "{normalization:?}: NaN");
        assert_exact(&actual[4 * pixels..5 * pixels], &expected[4 * pixels..5 * pixels], "infinity");
        if normalization == Normalization::Max {
            assert_exact(&actual[2 * pixels..3 * pixels], &vec![0.0; pixels], "no positive maximum");
            assert_exact(&actual[5 * pixels..6 * pixels], &vec![0.0; pixels], "a maximum of 0");
        }
        assert!(actual[5 * pixels..].iter().all(|value| value.is_finite()), "{normalization:?}: neighbour");
    }
}

/// The range overflows where the numbers of the map do not.
#[test]
fn the_widest_range_is_brought_to_0_to_1() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nhw::new(2, 3, 3);
    for largest in [3e38, f32::MAX, 1.8e38, 1e38] {
        let share = [-1.0, 1.0, 0.0, 0.5, -0.5, 0.9, -0.9, 1e-30, -1e-38];
        let map: Vec<f32> = share.iter().chain(&share).map(|share| share * largest).collect();
        let actual = run(gpu, shape, Normalization::MinMax, &map);
        let baseline = reference::normalize(shape, Normalization::MinMax, &map);
        for ((y, p), share) in actual.iter().zip(&baseline).zip(share.iter().chain(&share)) {
            for result in [y, p] {
                assert!((result - (share + 1.0) / 2.0).abs() < 3e-7, "{largest}: {result} of {share}");
            }
        }
    }
}
