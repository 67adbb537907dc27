use crate::common;
use crate::common::backward::run;

/// Of equal maxima the first pixel takes the gradient, row by row; a NaN is the largest number.
#[test]
fn the_first_maximum_takes_the_gradient() {
    let Some(gpu) = common::gpu() else { return };
    for width in [4u32, 5] {
        let pixels = 2 * width as usize;
        let mut features = vec![1.0f32; 3 * pixels];
        // The second plane has its maximum twice, the third a NaN behind a larger number.
        features[pixels + 3] = 2.0;
        features[pixels + pixels - 1] = 2.0;
        features[2 * pixels] = f32::INFINITY;
        features[2 * pixels + pixels - 2] = f32::NAN;
        let inputs = [
            ("features", features.as_slice()),
            ("mean_gradient", &[0.0, pixels as f32, 0.0]),
            ("max_gradient", &[1.0, 2.0, 3.0]),
        ];
        let options = [("squeeze", "mean_and_max")];
        let found = run(gpu, "global_pool_backward", &options, &[("features", &[1, 3, 2, width])], &inputs);
        let gradient = found.get("features_gradient").unwrap();
        let mut expected = vec![0.0; 3 * pixels];
        expected[0] = 1.0;
        expected[pixels..2 * pixels].fill(1.0);
        expected[pixels + 3] = 3.0;
        expected[2 * pixels + pixels - 2] = 3.0;
        assert_eq!(gradient, &expected, "{width}");
    }
}

/// A plane of more pixels than one invocation goes through.
#[test]
fn the_maximum_of_a_large_plane_is_found() {
    let Some(gpu) = common::gpu() else { return };
    let shape: &[u32] = &[1, 1, 300, 301];
    let mut features = vec![0.5f32; 300 * 301];
    for at in [77_777, 80_000] {
        features[at] = 0.75;
    }
    let inputs = [("features", features.as_slice()), ("max_gradient", &[2.0])];
    let found = run(gpu, "global_pool_backward", &[("squeeze", "max")], &[("features", shape)], &inputs);
    let gradient = found.get("features_gradient").unwrap();
    let others = gradient.iter().enumerate().filter(|&(at, &value)| at != 77_777 && value != 0.0);
    assert_eq!((gradient[77_777], others.count()), (2.0, 0));
}
