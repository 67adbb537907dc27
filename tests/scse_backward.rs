use visual_attention::{
    Element, Epilogue, Nchw, ScSeBackward, ScSeBackwardBuffers, ScSeCombine, ScSeOptions, ScSeShape,
};

use crate::common::backward::{assert_matches, run};
use crate::common::problems::Problem;
use crate::common::{self, EXP_ROOM, TestGpu};
use crate::compiler;

/// Shapes and reduced widths: one pixel, odd tails, loads of four, many channels, planes of several parts and workgroups.
const SHAPES: [(Nchw, u32); 6] = [
    (Nchw::new(1, 1, 1, 1), 1),
    (Nchw::new(2, 3, 7, 9), 1),
    (Nchw::new(3, 8, 6, 6), 4),
    (Nchw::new(2, 130, 3, 3), 9),
    (Nchw::new(1, 3, 131, 137), 2),
    (Nchw::new(2, 2, 260, 256), 1),
];

fn problem(shape: Nchw, reduced: u32, combine: ScSeCombine, epilogue: Epilogue) -> Problem {
    let shapes = [("features", shape.into()), ("reduce_weight", vec![reduced, shape.channels])];
    Problem::new("scse_backward", shapes).with("combine", combine).with("epilogue", epilogue)
}

#[test]
fn matches_reference() {
    let Some(gpu) = common::gpu() else { return };
    for element in gpu.elements() {
        for (index, (shape, reduced)) in SHAPES.into_iter().enumerate() {
            for (turn, epilogue) in [Epilogue::Scale, Epilogue::Residual, Epilogue::ScaleAdd].into_iter().enumerate() {
                let combine = [ScSeCombine::Add, ScSeCombine::Max][(index + turn) % 2];
                let problem = problem(shape, reduced, combine, epilogue);
                // Sums over planes of products of both signs, then layers and activations.
                assert_matches(gpu, &problem, element, index as u64, 32.0 * EXP_ROOM);
            }
        }
    }
}

/// Both gates have logits of 0 or 1, and an upstream gradient of 1 goes to one of both products: the gradient of the features is its gate,
/// and that of a weight counts the pixels of the spatial gate.
fn of_maxima(gpu: &TestGpu, shape: Nchw, features: &[f32], channel: f32, spatial: f32) -> (Vec<f32>, f32) {
    let ones = vec![1.0; features.len()];
    let (extents, combine) = ([shape.batch, 1, shape.height, shape.width], [("combine", "max")]);
    let shapes: [(&str, &[u32]); 2] = [("features", &extents), ("reduce_weight", &[1, 1])];
    let inputs: [(&'static str, &[f32]); 9] = [
        ("features", features),
        ("reduce_weight", &[0.0]),
        ("reduce_bias", &[0.0]),
        ("expand_weight", &[0.0]),
        ("expand_bias", &[channel]),
        ("spatial_weight", &[0.0]),
        ("spatial_bias", &[spatial]),
        ("output", &ones),
        ("output_gradient", &ones),
    ];
    let results = run(gpu, "scse_backward", &combine, &shapes, &inputs);
    let of = |name: &str| results.get(name).unwrap().clone();
    (of("features_gradient"), of("spatial_bias_gradient")[0])
}

#[test]
fn equal_products_take_the_channel_gate() {
    let Some(gpu) = common::gpu() else { return };
    let gate = |t: f32| 1.0 / (1.0 + (-t).exp());
    for (height, width) in [(1, 7), (2, 8), (33, 64)] {
        let shape = Nchw::new(2, 1, height, width);
        let features: Vec<f32> =
            (0..2 * height * width).map(|index| [1.0, -1.0, 0.0, -0.0, 2.0][index as usize % 5]).collect();
        for (channel, spatial) in [(0.0, 0.0), (1.0, 1.0), (-3.0, -3.0), (0.0, 1.0), (1.0, 0.0)] {
            let (gradient, bias) = of_maxima(gpu, shape, &features, channel, spatial);
            let mut sum = 0.0;
            for (index, (&of, &x)) in gradient.iter().zip(&features).enumerate() {
                // A negative feature has the larger product with the smaller gate, and zeros are equal.
                let by_channel = x * gate(channel) >= x * gate(spatial);
                let wanted = gate(if by_channel { channel } else { spatial });
                assert!((of - wanted).abs() < 1e-5, "{shape} {channel} {spatial}: {of} at {index}, wanted {wanted}");
                sum += if by_channel { 0.0 } else { x * gate(spatial) * (1.0 - gate(spatial)) };
            }
            assert!((bias - sum).abs() <= 1e-5 * sum.abs(), "{shape} {channel} {spatial}: {bias}, wanted {sum}");
        }
    }
}

#[test]
fn refusals_name_both_sides() {
    let Some(gpu) = common::gpu() else { return };
    let tensor = || gpu.input(&[0.0; 64], Element::F32);
    let (read, written) = (tensor(), tensor());
    let bind = |epilogue, change: &dyn Fn(&mut ScSeBackwardBuffers<'_>)| {
        let options = ScSeOptions::STANDARD.with_epilogue(epilogue);
        let operator = ScSeBackward::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
        let mut buffers = ScSeBackwardBuffers {
            features: read.slice(..),
            reduce_weight: read.slice(..),
            reduce_bias: None,
            expand_weight: read.slice(..),
            expand_bias: None,
            spatial_weight: read.slice(..),
            spatial_bias: None,
            output: None,
            output_gradient: read.slice(..),
            features_gradient: Some(written.slice(..)),
            identity_gradient: None,
            reduce_weight_gradient: None,
            reduce_bias_gradient: None,
            expand_weight_gradient: None,
            expand_bias_gradient: None,
            spatial_weight_gradient: None,
            spatial_bias_gradient: None,
        };
        change(&mut buffers);
        let shape = ScSeShape { features: Nchw::new(1, 2, 2, 2), reduced: 1 };
        let bound = operator.bind(&gpu.device, shape, buffers);
        bound.map(|recording| recording.dispatches().len()).map_err(|error| error.to_string())
    };
    assert!(bind(Epilogue::Scale, &|_| {}).is_ok());
    assert_eq!(bind(Epilogue::Scale, &|buffers| buffers.features_gradient = None), Ok(0));
    let refused = |epilogue, change: &dyn Fn(&mut ScSeBackwardBuffers<'_>), message: &str| {
        assert_eq!(bind(epilogue, change), Err(format!("scse_backward: {message}")));
    };
    refused(Epilogue::Residual, &|_| {}, "`output` is none, needs a slice (Epilogue::Residual)");
    refused(
        Epilogue::Scale,
        &|buffers| (buffers.identity_gradient, buffers.features_gradient) = (buffers.features_gradient, None),
        "`identity_gradient` is a slice, needs none (Epilogue::Scale)",
    );
    refused(
        Epilogue::Scale,
        &|buffers| buffers.spatial_bias_gradient = buffers.features_gradient,
        "`spatial_bias_gradient` is a slice, needs none (there is no such bias)",
    );
    let gate_only = ScSeOptions::STANDARD.with_epilogue(Epilogue::GateOnly);
    let refused = ScSeBackward::new(compiler::of(&gpu.device), gate_only, Element::F32).map(|_| ()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "scse_backward: `epilogue` is GateOnly, needs an epilogue with an output: there are two gates"
    );
}
