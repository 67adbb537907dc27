use visual_attention::{Activation, BatchNorm, DenseBackward, DenseBackwardBuffers, DenseShape, Element};

use crate::common::backward::assert_matches;
use crate::common::problems::{NORM, Problem};
use crate::common::{self, EXP_ROOM};
use crate::compiler;

/// Vectors, inputs, inputs to the right of them, outputs: loads of one and of four, more and fewer than a workgroup, many vectors.
const SHAPES: [[u32; 4]; 6] =
    [[1, 1, 0, 1], [3, 5, 2, 3], [2, 64, 0, 33], [5, 12, 8, 70], [131, 9, 0, 4], [2, 300, 4, 65]];

fn problem([batch, inputs, second, outputs]: [u32; 4]) -> Problem {
    let mut shapes = vec![("input", vec![batch, inputs]), ("weight", vec![outputs, inputs + second])];
    if second > 0 {
        shapes.push(("second", vec![batch, second]));
    }
    Problem::new("dense_backward", shapes)
}

#[test]
fn matches_reference() {
    let Some(gpu) = common::gpu() else { return };
    for element in gpu.elements() {
        for (seed, shape) in (0..).zip(SHAPES) {
            for activation in [Activation::None, Activation::Relu, Activation::Silu] {
                let problem = problem(shape).with("activation", activation);
                assert_matches(gpu, &problem.clone().without(NORM), element, seed, EXP_ROOM);
                let norm = problem.with("norm_epsilon", 0.25).without(&["bias"]);
                assert_matches(gpu, &norm, element, seed, EXP_ROOM);
            }
        }
        for activation in Activation::ALL {
            let problem = problem([7, 3, 0, 40]).with("activation", activation).without(NORM);
            assert_matches(gpu, &problem, element, 9, EXP_ROOM);
        }
    }
}

#[test]
fn derivatives_at_kinks_and_far_away() {
    let far = [f64::NEG_INFINITY, -1e30, -300.0, 300.0, 1e30, f64::INFINITY];
    for activation in Activation::ALL {
        let ends = far.map(|t| activation.derivative(t));
        let ends32 = far.map(|t| f64::from(activation.derivative(t as f32)));
        let (below, above) = match activation {
            Activation::None => (1.0, 1.0),
            Activation::LeakyRelu { slope } => (f64::from(slope), 1.0),
            Activation::Relu | Activation::Silu | Activation::HardSwish | Activation::Gelu | Activation::GeluTanh => {
                (0.0, 1.0)
            }
            _ => (0.0, 0.0),
        };
        for ends in [ends, ends32] {
            let expected = [below, below, below, above, above, above];
            assert!(ends.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-60), "{activation}: {ends:?}");
        }
        assert_eq!(activation.derivative(f32::NAN).is_nan(), activation != Activation::None);
    }
    let at = |activation: Activation, t: f32| activation.derivative(t);
    assert_eq!([0.0, 6.0].map(|t| at(Activation::Relu6, t)), [0.0, 0.0]);
    assert_eq!([0.0, -0.0].map(|t| at(Activation::Relu, t)), [0.0, 0.0]);
    assert_eq!(at(Activation::LeakyRelu { slope: 0.25 }, 0.0), 0.25);
    assert_eq!([-3.0, 3.0].map(|t| at(Activation::HardSwish, t)), [0.0, 1.0]);
    let hard = Activation::HardSigmoid { slope: 0.25, offset: 0.5 };
    assert_eq!([-2.0, 1.75, 2.0].map(|t| at(hard, t)), [0.0, 0.25, 0.0]);
}

#[test]
fn refusals_name_both_sides() {
    let Some(gpu) = common::gpu() else { return };
    let operator = DenseBackward::new(compiler::of(&gpu.device), Activation::Relu, Element::F32).unwrap();
    let shape = |batch| DenseShape { batch, inputs: 1, second_inputs: 0, outputs: 1 };
    let buffer = || gpu.input(&[0.0; 1 << 15], Element::F32);
    let (input, weight, upstream, result, norm) = (buffer(), buffer(), buffer(), buffer(), buffer());
    let buffers = DenseBackwardBuffers {
        input: input.slice(..),
        second: None,
        weight: weight.slice(..),
        bias: None,
        norm: None,
        output_gradient: upstream.slice(..),
        input_gradient: None,
        second_gradient: None,
        weight_gradient: None,
        bias_gradient: None,
        norm_weight_gradient: None,
        norm_bias_gradient: None,
    };
    let bind = |batch, buffers| {
        operator.bind(&gpu.device, shape(batch), buffers).map(|of| of.dispatches().len()).map_err(|e| e.to_string())
    };
    let of = Some(result.slice(..));
    assert_eq!(bind(0, buffers), Ok(0));
    assert_eq!(bind(0, DenseBackwardBuffers { weight_gradient: of, ..buffers }), Ok(1));
    assert_eq!(bind(1, DenseBackwardBuffers { weight_gradient: of, ..buffers }), Ok(3));
    assert_eq!(
        bind(1, DenseBackwardBuffers { bias_gradient: of, ..buffers }),
        Err("dense_backward: `bias_gradient` is a slice, needs none (there is no bias)".into())
    );
    assert_eq!(
        bind(1, DenseBackwardBuffers { norm_bias_gradient: of, ..buffers }),
        Err("dense_backward: `norm.bias_gradient` is a slice, needs none (there is no norm)".into())
    );
    assert_eq!(
        bind(1, DenseBackwardBuffers { second_gradient: of, ..buffers }),
        Err("dense_backward: `second_gradient` is a slice, needs none (the operator as built has no use for it)".into())
    );
    let (weight, bias, mean, variance) = (norm.slice(..), norm.slice(..), norm.slice(..), norm.slice(..));
    let norm = Some(BatchNorm { weight, bias, mean, variance, epsilon: 0.5 });
    assert_eq!(bind(1, DenseBackwardBuffers { norm, norm_weight_gradient: of, ..buffers }), Ok(3));
    let many = 31_775;
    assert!(bind(many, DenseBackwardBuffers { input_gradient: of, ..buffers }).is_ok());
    assert_eq!(
        bind(many, DenseBackwardBuffers { weight_gradient: of, ..buffers }),
        Err("dense_backward: vectors of a batch would be 31775, at most 31774 is possible; divide the work, or raise the limit in \
             `DeviceDescriptor::required_limits` where it is one of the device's"
            .into())
    );
}
