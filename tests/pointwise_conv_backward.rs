use visual_attention::operators::{self, Options, Shapes, Slices};
use visual_attention::{Error, Nchw, PointwiseConvOptions, reference};

use crate::common::backward::run;
use crate::common::{self, Precision, Random, assert_within_tolerance, wide};
use crate::compiler;

/// Several slices of an image, tiles with tails, groups, and sums long enough for a third level of blocks.
#[test]
fn long_sums_match_the_reference() {
    let Some(gpu) = common::gpu() else { return };
    for (shape, outputs, groups, stack) in [
        (Nchw::new(2, 6, 67, 73), 10, 2, 1),
        (Nchw::new(1, 35, 3, 5), 70, 1, 3),
        (Nchw::new(1, 3, 1, 2), 2100, 1, 1),
        (Nchw::new(3, 1, 1, 1), 1, 1, 2),
    ] {
        let options =
            PointwiseConvOptions::new(shape.channels, outputs).with_groups(groups).with_stack(stack).with_bias(true);
        let mut random = Random::new(7);
        let x = random.normal(shape.elements().unwrap() as usize);
        let weights = random.normal((stack * outputs * shape.channels / groups) as usize);
        let len = shape.plane().elements().unwrap() as usize * outputs as usize;
        let upstream: Vec<_> = (0..stack).map(|_| random.normal(len)).collect();
        let names = ["y[0]_gradient", "y[1]_gradient", "y[2]_gradient"];
        let mut inputs = vec![("x", x.as_slice()), ("weights", weights.as_slice())];
        inputs.extend(names.into_iter().zip(upstream.iter().map(Vec::as_slice)));
        let text = [shape.channels, outputs, groups, stack].map(|number| number.to_string());
        let given = [
            ("inputs", text[0].as_str()),
            ("outputs", &text[1]),
            ("groups", &text[2]),
            ("stack", &text[3]),
            ("bias", "true"),
        ];
        let shapes: Vec<u32> = shape.into();
        let found = run(gpu, "pointwise_conv_backward", &given, &[("x", &shapes)], &inputs);
        let of = |upstream: &[Vec<f32>]| upstream.iter().map(|numbers| wide(numbers)).collect::<Vec<_>>();
        let upstream_wide = of(&upstream);
        let upstream_wide: Vec<_> = upstream_wide.iter().map(Vec::as_slice).collect();
        let exact = reference::pointwise_conv_backward(shape, &options, &wide(&x), &wide(&weights), &upstream_wide);
        let upstream: Vec<_> = upstream.iter().map(Vec::as_slice).collect();
        let baseline = reference::pointwise_conv_backward(shape, &options, &x, &weights, &upstream);
        for (name, exact, baseline) in [
            ("x_gradient", &exact.x, &baseline.x),
            ("weights_gradient", &exact.weights, &baseline.weights),
            ("bias_gradient", &exact.bias, &baseline.bias),
        ] {
            let what = format!("{name} of {shape} to {outputs}");
            assert_within_tolerance(found.get(name).unwrap(), exact, baseline, Precision::F32, what);
        }
    }
}

/// The sums over an empty batch are zero.
#[test]
fn an_empty_batch_has_gradients_of_zero() {
    let Some(gpu) = common::gpu() else { return };
    let options = [("inputs", "3"), ("outputs", "2"), ("bias", "true")];
    let found = run(
        gpu,
        "pointwise_conv_backward",
        &options,
        &[("x", &[0, 3, 4, 4])],
        &[("x", &[]), ("weights", &[1.0; 6]), ("y[0]_gradient", &[])],
    );
    assert_eq!(found.get("weights_gradient").unwrap(), &[0.0; 6]);
    assert_eq!(found.get("bias_gradient").unwrap(), &[0.0; 2]);
}

#[test]
fn what_a_gradient_needs_must_be_there() {
    let Some(gpu) = common::gpu() else { return };
    let options = Options::new([("inputs", "3"), ("outputs", "2")]);
    let entry = operators::find("pointwise_conv_backward").unwrap();
    let operator = entry.open(compiler::of(&gpu.device), &options).unwrap();
    let shapes = Shapes::new([("x", vec![1, 3, 4, 4])]);
    let [upstream, result] = [[0f32; 64]; 2].map(|zeros| gpu.upload("buffer", &zeros).unwrap());
    for (gradient, needed) in [("x_gradient", "weights"), ("weights_gradient", "x")] {
        let slices = Slices::new([("y[0]_gradient", upstream.slice(..)), (gradient, result.slice(..))]);
        let error = operator.bind(&gpu.device, &shapes, &slices).unwrap_err();
        assert!(matches!(error, Error::InvalidParameter { parameter, .. } if parameter == needed), "{error}");
    }
    let error = operator.bind(&gpu.device, &shapes, &Slices::default()).unwrap_err();
    assert!(matches!(error, Error::InvalidParameter { parameter: "y[0]_gradient", .. }), "{error}");
}
