use visual_attention::{EcaBackward, EcaBackwardBuffers, EcaShape, Element, Epilogue, Nchw};

use crate::common::backward::assert_matches;
use crate::common::problems::Problem;
use crate::common::{self, EXP_ROOM};
use crate::compiler;

/// Shapes and taps: one tap, more taps than channels on either side, more channels than a workgroup.
const SHAPES: [(Nchw, u32); 6] = [
    (Nchw::new(1, 1, 1, 1), 1),
    (Nchw::new(2, 3, 7, 9), 9),
    (Nchw::new(3, 8, 6, 6), 5),
    (Nchw::new(2, 70, 3, 3), 3),
    (Nchw::new(2, 300, 1, 4), 19),
    (Nchw::new(1, 3, 131, 137), 3),
];

#[test]
fn matches_reference() {
    let Some(gpu) = common::gpu() else { return };
    for element in gpu.elements() {
        for (seed, (shape, taps)) in (0..).zip(SHAPES) {
            for epilogue in Epilogue::ALL {
                let shapes = [("features", shape.into()), ("weight", vec![taps])];
                let problem = Problem::new("eca_backward", shapes).with("epilogue", epilogue);
                assert_matches(gpu, &problem, element, seed, 4.0 * EXP_ROOM);
            }
        }
    }
}

#[test]
fn refusals_name_both_sides() {
    let Some(gpu) = common::gpu() else { return };
    let operator = EcaBackward::new(compiler::of(&gpu.device), Epilogue::Scale, Element::F32).unwrap();
    let tensor = || gpu.input(&[0.0; 64], Element::F32);
    let (read, written) = (tensor(), tensor());
    let bind = |taps, output_gradient: bool| {
        let buffers = EcaBackwardBuffers {
            features: read.slice(..),
            weight: read.slice(..),
            output: None,
            output_gradient: output_gradient.then(|| read.slice(..)),
            gate_gradient: None,
            features_gradient: Some(written.slice(..)),
            identity_gradient: None,
            weight_gradient: None,
        };
        let shape = EcaShape { features: Nchw::new(1, 2, 2, 2), taps };
        operator.bind(&gpu.device, shape, buffers).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(bind(3, true), Ok(()));
    assert_eq!(bind(4, true), Err("eca_backward: `taps` is 4, needs an odd number".into()));
    let message = "eca_backward: `output_gradient` is none, needs a slice (Epilogue::Scale)";
    assert_eq!(bind(3, false), Err(message.into()));
}
