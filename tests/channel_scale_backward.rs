use visual_attention::{ChannelScaleBackward, ChannelScaleBackwardBuffers, Element, Epilogue, Nchw};

use crate::common;
use crate::common::backward::assert_matches;
use crate::common::problems::Problem;
use crate::compiler;

/// One pixel, odd planes, loads of four, more planes than a workgroup, planes of several parts.
const SHAPES: [Nchw; 6] = [
    Nchw::new(1, 1, 1, 1),
    Nchw::new(2, 3, 7, 9),
    Nchw::new(3, 17, 8, 8),
    Nchw::new(1, 70, 1, 5),
    Nchw::new(2, 3, 131, 137),
    Nchw::new(1, 2, 260, 512),
];
/// Roundings follow the sum of magnitudes, which for products of both signs is many times the sum. The reference adds up by halves and is
/// rounded less.
const ROOM: f64 = 64.0 * 5.96e-8;
const FORMS: [Epilogue; 3] = [Epilogue::Scale, Epilogue::Residual, Epilogue::ScaleAdd];

#[test]
fn matches_reference() {
    let Some(gpu) = common::gpu() else { return };
    for element in gpu.elements() {
        for (seed, shape) in (0..).zip(SHAPES) {
            for epilogue in FORMS {
                let problem = Problem::new("channel_scale_backward", [("features", shape.into())]);
                assert_matches(gpu, &problem.with("epilogue", epilogue), element, seed, ROOM);
            }
        }
    }
}

/// Only an output above zero lets the gradient through: NaN and both zeros do not.
#[test]
fn a_residual_takes_its_mask_from_the_output() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nchw::new(1, 1, 2, 4);
    let numbers = |numbers: [f32; 8]| gpu.input(&numbers, Element::F32);
    let output = numbers([0.0, -0.0, f32::NAN, -f32::NAN, 1e-40, -1e-40, f32::INFINITY, 1.0]);
    let (features, upstream) = (numbers([1.0; 8]), numbers([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]));
    let gate = gpu.input(&[1.0], Element::F32);
    let (identity, of_gate) = (gpu.output(8, 4), gpu.output(1, 4));
    let operator = ChannelScaleBackward::new(compiler::of(&gpu.device), Epilogue::Residual, Element::F32).unwrap();
    let buffers = ChannelScaleBackwardBuffers {
        features: features.slice(..),
        gate: gate.slice(..),
        output: Some(output.slice(..)),
        output_gradient: upstream.slice(..),
        features_gradient: None,
        gate_gradient: Some(of_gate.slice()),
        identity_gradient: Some(identity.slice()),
    };
    gpu.recording(&operator.bind(&gpu.device, shape, buffers).unwrap());
    assert_eq!(gpu.floats(&identity, Element::F32), [0.0, 0.0, 0.0, 0.0, 5.0, 0.0, 7.0, 8.0]);
    assert_eq!(gpu.floats(&of_gate, Element::F32), [20.0]);
}

#[test]
fn refusals_name_both_sides() {
    let Some(gpu) = common::gpu() else { return };
    let new = |epilogue| ChannelScaleBackward::new(compiler::of(&gpu.device), epilogue, Element::F32);
    assert_eq!(
        new(Epilogue::GateOnly).map(|_| ()).unwrap_err().to_string(),
        "channel_scale_backward: `epilogue` is GateOnly, needs an epilogue with an output: the gate is given"
    );
    let both = gpu.input(&[0.0; 256], Element::F32);
    let result = gpu.input(&[0.0; 64], Element::F32);
    let bind = |epilogue, output: bool, identity: bool| {
        let buffers = ChannelScaleBackwardBuffers {
            features: both.slice(0..256),
            gate: both.slice(256..512),
            output: output.then(|| both.slice(512..768)),
            output_gradient: both.slice(768..1024),
            features_gradient: None,
            gate_gradient: None,
            identity_gradient: identity.then(|| result.slice(..)),
        };
        let recording = new(epilogue).unwrap().bind(&gpu.device, Nchw::new(1, 2, 4, 8), buffers);
        recording.map(|recording| recording.dispatches().len()).map_err(|error| error.to_string())
    };
    assert_eq!(bind(Epilogue::Residual, true, true), Ok(1));
    assert_eq!(bind(Epilogue::Scale, true, false), Ok(0));
    assert_eq!(
        bind(Epilogue::Residual, false, true),
        Err("channel_scale_backward: `output` is none, needs a slice (Epilogue::Residual)".into())
    );
    assert_eq!(
        bind(Epilogue::Scale, false, true),
        Err("channel_scale_backward: `identity_gradient` is a slice, needs none (Epilogue::Scale)".into())
    );
}
