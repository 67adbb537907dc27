use visual_attention::{Nhw, Normalization, reference};

use crate::common::backward::run;
use crate::common::{self, Precision, Random, assert_within_tolerance, wide};

/// Constant maps, and maps without a positive maximum, have no gradient, where a formula would have 0 / 0.
#[test]
fn what_becomes_zeros_has_no_gradient() {
    let Some(gpu) = common::gpu() else { return };
    for (normalization, range) in [("min_max", [3.0, 3.0]), ("max", [-2.0, -1.0]), ("max", [-1.0, 0.0])] {
        let inputs: &[(_, &[f32])] = &[("map", &[0.0; 6]), ("range", &range), ("map_gradient", &[1.0; 6])];
        let options = [("normalization", normalization)];
        let found = run(gpu, "normalize_backward", &options, &[("map", &[1, 2, 3])], inputs);
        assert_eq!(found.get("map_gradient").unwrap(), &[0.0; 6], "{normalization}");
    }
}

/// The first of equal minima and maxima takes the sum's share.
#[test]
fn the_first_of_equal_numbers_takes_the_gradient() {
    let Some(gpu) = common::gpu() else { return };
    let inputs: &[(_, &[f32])] =
        &[("map", &[0.5, 0.0, 1.0, 0.0, 1.0, 0.5]), ("range", &[0.0, 2.0]), ("map_gradient", &[2.0; 6])];
    let options = [("normalization", "min_max")];
    let found = run(gpu, "normalize_backward", &options, &[("map", &[1, 2, 3])], inputs);
    // A = 12 and B = 6.
    assert_eq!(found.get("map_gradient").unwrap(), &[1.0, -2.0, -2.0, 1.0, 1.0, 1.0]);
}

/// Maps of several shares, and several pixels for each invocation of the second pass.
#[test]
fn large_maps_match_the_reference() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nhw::new(2, 211, 307);
    let len = shape.elements().unwrap() as usize;
    let (map, upstream) = (Random::new(1).normal(len), Random::new(2).normal(len));
    let range = reference::map_range(shape, &map);
    for (normalization, name) in [(Normalization::MinMax, "min_max"), (Normalization::Max, "max")] {
        let normalized = reference::normalize(shape, normalization, &map);
        let inputs = [("map", normalized.as_slice()), ("range", &range), ("map_gradient", &upstream)];
        let options = [("normalization", name)];
        let found = run(gpu, "normalize_backward", &options, &[("map", &[2, 211, 307])], &inputs);
        let exact =
            reference::normalize_backward(shape, normalization, &wide(&normalized), &wide(&range), &wide(&upstream));
        let baseline = reference::normalize_backward(shape, normalization, &normalized, &range, &upstream);
        let gradient = found.get("map_gradient").unwrap();
        assert_within_tolerance(gradient, &exact, &baseline, Precision::F32, name);
    }
}
