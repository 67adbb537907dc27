use visual_attention::{
    Activation, Element, Epilogue, Nchw, Squeeze, SqueezeExciteBackward, SqueezeExciteBackwardBuffers,
    SqueezeExciteOptions, SqueezeExciteShape, reference,
};

use crate::common::backward::assert_matches;
use crate::common::problems::Problem;
use crate::common::{self, EXP_ROOM, TestGpu};
use crate::compiler;

/// Shapes and reduced widths: one pixel, loads of four, more channels than a workgroup, planes of several parts.
const SHAPES: [(Nchw, u32); 6] = [
    (Nchw::new(1, 1, 1, 1), 1),
    (Nchw::new(2, 3, 7, 9), 1),
    (Nchw::new(3, 8, 6, 6), 4),
    (Nchw::new(2, 70, 3, 3), 9),
    (Nchw::new(1, 3, 131, 137), 2),
    (Nchw::new(2, 2, 260, 512), 1),
];

#[test]
fn matches_reference() {
    let Some(gpu) = common::gpu() else { return };
    let activations = [Activation::Relu, Activation::Silu, Activation::Gelu];
    let gates = [Activation::Sigmoid, Activation::HARD_SIGMOID, Activation::Tanh];
    for element in gpu.elements() {
        for (index, (shape, reduced)) in SHAPES.into_iter().enumerate() {
            for (turn, epilogue) in Epilogue::ALL.into_iter().enumerate() {
                let shapes = [("features", shape.into()), ("reduce_weight", vec![reduced, shape.channels])];
                let problem = Problem::new("squeeze_excite_backward", shapes)
                    .with("squeeze", Squeeze::ALL[(index + turn) % 3])
                    .with("activation", activations[(index / 3 + turn) % 3])
                    .with("gate", gates[(index / 2 + turn) % 3])
                    .with("epilogue", epilogue);
                // Sums over planes of products of both signs, then layers and activations.
                assert_matches(gpu, &problem, element, index as u64, 32.0 * EXP_ROOM);
            }
        }
    }
}

/// The gradient of the features of a gate from maxima, each number the gate's own upstream gradient times the same factor.
fn of_maxima(gpu: &TestGpu, shape: Nchw, features: &[f32]) -> Vec<f32> {
    let options = SqueezeExciteOptions::STANDARD
        .with_squeeze(Squeeze::Max)
        .with_activation(Activation::None)
        .with_gate(Activation::None);
    let operator =
        SqueezeExciteBackward::new(compiler::of(&gpu.device), options.with_epilogue(Epilogue::GateOnly), Element::F32)
            .unwrap();
    let (features, one) = (gpu.input(features, Element::F32), gpu.input(&[1.0], Element::F32));
    let gate_gradient = gpu.input(&vec![1.0; shape.batch as usize], Element::F32);
    let result = gpu.output(shape.elements().unwrap() as usize, 4);
    let buffers = SqueezeExciteBackwardBuffers {
        features: features.slice(..),
        reduce_weight: one.slice(..),
        reduce_bias: None,
        expand_weight: one.slice(..),
        expand_bias: None,
        output: None,
        output_gradient: None,
        gate_gradient: Some(gate_gradient.slice(..)),
        features_gradient: Some(result.slice()),
        identity_gradient: None,
        reduce_weight_gradient: None,
        reduce_bias_gradient: None,
        expand_weight_gradient: None,
        expand_bias_gradient: None,
    };
    let shape = SqueezeExciteShape { features: shape, reduced: 1 };
    gpu.recording(&operator.bind(&gpu.device, shape, buffers).unwrap());
    gpu.floats(&result, Element::F32)
}

#[test]
fn the_first_maximum_takes_the_gradient() {
    let Some(gpu) = common::gpu() else { return };
    // Loads of one and of four, and a plane of several parts and workgroups.
    for (height, width) in [(1, 7), (2, 8), (131, 137), (260, 512)] {
        let pixels = height * width;
        let shape = Nchw::new(2, 1, height, width);
        for (first, second) in [(0, pixels - 1), (pixels / 2, pixels / 2 + 1), (1, pixels - 2), (3, pixels / 2)] {
            for (value, other) in
                [(2.0, 2.0), (f32::NAN, f32::NAN), (f32::NAN, f32::INFINITY), (0.0, -0.0), (-0.0, 0.0)]
            {
                let mut features = vec![-1.0; 2 * pixels as usize];
                for image in [0, pixels] {
                    features[(image + first) as usize] = value;
                    features[(image + second) as usize] = other;
                }
                let gradient = of_maxima(gpu, shape, &features);
                for (index, &of) in gradient.iter().enumerate() {
                    let wanted = if index as u32 % pixels == first { 1.0 } else { 0.0 };
                    assert!(of == wanted, "{value} at {first} and {other} at {second} of {shape}: {of} at {index}");
                }
            }
        }
    }
}

/// The gradient of a gate in place of an output is the same as that of the output's own product.
#[test]
fn the_gates_own_gradient_adds_up() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nchw::new(2, 4, 3, 5);
    let shapes = [("features", shape.into()), ("reduce_weight", vec![2, 4])];
    let problem = Problem::new("squeeze_excite_backward", shapes).with("epilogue", Epilogue::ScaleAdd);
    for without in [&["gate_gradient"][..], &[]] {
        assert_matches(gpu, &problem.clone().without(without), Element::F32, 3, EXP_ROOM);
    }
}

#[test]
fn refusals_name_both_sides() {
    let Some(gpu) = common::gpu() else { return };
    let tensor = || gpu.input(&[0.0; 64], Element::F32);
    let (read, written) = (tensor(), tensor());
    let bind = |epilogue, change: &dyn Fn(&mut SqueezeExciteBackwardBuffers<'_>)| {
        let options = SqueezeExciteOptions::STANDARD.with_epilogue(epilogue);
        let operator = SqueezeExciteBackward::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
        let mut buffers = SqueezeExciteBackwardBuffers {
            features: read.slice(..),
            reduce_weight: read.slice(..),
            reduce_bias: None,
            expand_weight: read.slice(..),
            expand_bias: None,
            output: None,
            output_gradient: Some(read.slice(..)),
            gate_gradient: None,
            features_gradient: Some(written.slice(..)),
            identity_gradient: None,
            reduce_weight_gradient: None,
            reduce_bias_gradient: None,
            expand_weight_gradient: None,
            expand_bias_gradient: None,
        };
        change(&mut buffers);
        let shape = SqueezeExciteShape { features: Nchw::new(1, 2, 2, 2), reduced: 1 };
        operator
            .bind(&gpu.device, shape, buffers)
            .map(|recording| recording.dispatches().len())
            .map_err(|e| e.to_string())
    };
    assert!(bind(Epilogue::Scale, &|_| {}).is_ok());
    let refused = |epilogue, change: &dyn Fn(&mut SqueezeExciteBackwardBuffers<'_>), message: &str| {
        assert_eq!(bind(epilogue, change), Err(format!("squeeze_excite_backward: {message}")));
    };
    refused(Epilogue::Residual, &|_| {}, "`output` is none, needs a slice (Epilogue::Residual)");
    refused(Epilogue::GateOnly, &|_| {}, "`output_gradient` is a slice, needs none (Epilogue::GateOnly)");
    refused(
        Epilogue::GateOnly,
        &|buffers| buffers.output_gradient = None,
        "`gate_gradient` is none, needs a slice (Epilogue::GateOnly)",
    );
    refused(
        Epilogue::Scale,
        &|buffers| buffers.expand_bias_gradient = buffers.features_gradient,
        "`expand_bias_gradient` is a slice, needs none (there is no such bias)",
    );
}

/// Forward and backward one after the other: the reference's own gradient, from the reference's own output, is as near as with a given one.
#[test]
fn a_step_against_the_gradient_lowers_the_loss() {
    let shape = Nchw::new(2, 4, 3, 3);
    let mut random = common::Random::new(4);
    let mut numbers = |len: usize| common::wide(&random.normal(len));
    let (features, identity, target) = (numbers(72), numbers(72), numbers(72));
    let (reduce_weight, expand_weight) = (numbers(8), numbers(8));
    let options = SqueezeExciteOptions::RESIDUAL;
    let excitation = reference::Excitation {
        reduce_weight: &reduce_weight,
        reduce_bias: None,
        expand_weight: &expand_weight,
        expand_bias: None,
    };
    let loss = |features: &[f64], identity: &[f64]| {
        let (_, output) = reference::squeeze_excite(shape, options, features, &excitation, Some(identity));
        let loss: f64 = output.iter().zip(&target).map(|(y, t)| (y - t) * (y - t) / 2.0).sum();
        (loss, output)
    };
    let (before, output) = loss(&features, &identity);
    let output_gradient: Vec<f64> = output.iter().zip(&target).map(|(y, t)| y - t).collect();
    let upstream =
        reference::GateUpstream { output: Some(&output), output_gradient: Some(&output_gradient), gate_gradient: None };
    let gradients = reference::squeeze_excite_backward(shape, options, &features, &excitation, upstream);
    let step = |values: &[f64], gradient: &[f64]| -> Vec<f64> {
        values.iter().zip(gradient).map(|(value, gradient)| value - 0.01 * gradient).collect()
    };
    let (after, _) = loss(&step(&features, &gradients.features), &step(&identity, &gradients.identity));
    assert!(after < before, "{after} and {before}");
}
