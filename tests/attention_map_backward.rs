use visual_attention::Error;
use visual_attention::operators::{self, Options, Shapes, Slices};

use crate::common::backward::run;
use crate::common::{self, TestGpu};
use crate::compiler;

const SHAPE: &[u32] = &[1, 3, 1, 4];

fn gradient(gpu: &TestGpu, statistic: &str, features: &[f32], map: &[f32], upstream: &[f32]) -> Vec<f32> {
    let inputs = [("features", features), ("map", map), ("map_gradient", upstream)];
    let options = [("statistic", statistic)];
    let found = run(gpu, "attention_map_backward", &options, &[("features", SHAPE)], &inputs);
    found.get("features_gradient").unwrap().clone()
}

/// Of equal maxima the lowest channel takes the gradient; -0 equals 0, and a NaN is the largest number.
#[test]
fn the_first_maximum_takes_the_gradient() {
    let Some(gpu) = common::gpu() else { return };
    let nan = f32::NAN;
    // By channel: a tie of the last two, a tie of all, zeros of both signs, and a NaN in the middle.
    let features = [1.0, -2.0, -0.0, 7.0, 3.0, -2.0, 0.0, nan, 3.0, -2.0, 0.0, 9.0];
    let upstream = [1.0, 2.0, 3.0, 4.0];
    let max = gradient(gpu, "max", &features, &[0.0; 4], &upstream);
    assert_eq!(max, [0.0, 2.0, 3.0, 0.0, 1.0, 0.0, 0.0, 4.0, 0.0, 0.0, 0.0, 0.0]);
    let max_abs = gradient(gpu, "max_abs", &features, &[0.0; 4], &upstream);
    assert_eq!(max_abs[..7], [0.0, -2.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
    // The sign of NaN is NaN.
    assert!(max_abs[7].is_nan());
    assert_eq!(max_abs[8..], [0.0; 4]);
}

/// The root of a sum of squares has no gradient at 0, where a formula would have 0 / 0, nor has a magnitude.
#[test]
fn zeros_have_no_gradient() {
    let Some(gpu) = common::gpu() else { return };
    let features = [0.0, 3.0, 0.0, 1.0, 0.0, 4.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
    let root = 3.0f32.sqrt();
    let map = [0.0, 5.0 / root, 0.0, 1.0];
    let rms = gradient(gpu, "rms", &features, &map, &[1.0; 4]);
    for (actual, expected) in rms.iter().zip([0.0, root / 5.0, 0.0, 1.0 / 3.0, 0.0, 4.0 / (root * 5.0), 0.0]) {
        assert!((actual - expected).abs() < 1e-6, "{rms:?}");
    }
    let mean_abs = gradient(gpu, "mean_abs", &features, &map, &[3.0; 4]);
    assert_eq!(mean_abs, [0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
}

#[test]
fn what_a_statistic_reads_must_be_there() {
    let Some(gpu) = common::gpu() else { return };
    let buffer = gpu.upload("buffer", &[0f32; 12]).unwrap();
    let refused = |statistic: &str| {
        let options = Options::new([("statistic", statistic)]);
        let entry = operators::find("attention_map_backward").unwrap();
        let operator = entry.open(compiler::of(&gpu.device), &options).unwrap();
        let shapes = Shapes::new([("features", SHAPE.to_vec())]);
        operator.bind(&gpu.device, &shapes, &Slices::new([("map_gradient", buffer.slice(..))]))
    };
    // Nothing is wanted, so nothing is recorded.
    assert_eq!(refused("mean").unwrap().dispatches().len(), 0);
    let error = refused("max").unwrap_err();
    assert!(matches!(error, Error::InvalidParameter { parameter: "features", .. }), "{error}");
}
