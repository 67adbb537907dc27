use visual_attention::{Epilogue, Nchw};

use crate::common::backward::assert_matches;
use crate::common::problems::Problem;
use crate::common::{self, EXP_ROOM};

/// One pixel, loads of four, more channels than a workgroup, planes of several parts.
const SHAPES: [Nchw; 5] = [
    Nchw::new(1, 1, 1, 1),
    Nchw::new(2, 3, 7, 9),
    Nchw::new(3, 8, 6, 6),
    Nchw::new(2, 70, 3, 3),
    Nchw::new(1, 3, 131, 137),
];

#[test]
fn matches_reference() {
    let Some(gpu) = common::gpu() else { return };
    for element in gpu.elements() {
        for (seed, shape) in (0..).zip(SHAPES) {
            for epilogue in Epilogue::ALL {
                let problem = Problem::new("bisenet_backward", [("features", shape.into())]);
                let problem = problem.with("epilogue", epilogue).with("norm_epsilon", 0.25);
                assert_matches(gpu, &problem, element, seed, 8.0 * EXP_ROOM);
            }
        }
    }
}
