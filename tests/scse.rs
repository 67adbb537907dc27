use visual_attention::{Element, Epilogue, Nchw, ScSe, ScSeBuffers, ScSeCombine, ScSeOptions, ScSeShape, reference};

use crate::common::{self, Random, TestGpu, assert_exact, assert_within_tolerance_of_exp, largest, rounded, wide};
use crate::compiler;
use crate::squeeze_excite::Numbers;

const OPTIONS: [ScSeOptions; 4] = [
    ScSeOptions::STANDARD,
    ScSeOptions::STANDARD.with_combine(ScSeCombine::Max),
    ScSeOptions::STANDARD.with_epilogue(Epilogue::ScaleAdd),
    ScSeOptions::STANDARD.with_combine(ScSeCombine::Max).with_epilogue(Epilogue::Residual),
];

/// Weight and bias of the spatial projection; the bias is there where the channels' are.
fn projection(numbers: &Numbers) -> (Vec<f32>, Option<Vec<f32>>) {
    let weight = Random::new(77).normal(numbers.shape.channels as usize);
    let scale = 1.0 / (weight.len() as f32).sqrt();
    let weight: Vec<_> = weight.into_iter().map(|weight| weight * scale).collect();
    (rounded(&weight, numbers.element), numbers.b2.is_some().then(|| rounded(&[0.3], numbers.element)))
}

fn run(gpu: &TestGpu, numbers: &Numbers, options: ScSeOptions, in_place: bool) -> Vec<f32> {
    let Numbers { shape, reduced, element, .. } = *numbers;
    let (weight, bias) = projection(numbers);
    let [features, w1, w2, weight] =
        [&numbers.features, &numbers.w1, &numbers.w2, &weight].map(|values| gpu.input(values, element));
    let [b1, b2, bias] =
        [&numbers.b1, &numbers.b2, &bias].map(|bias| bias.as_ref().map(|bias| gpu.input(bias, element)));
    let identity = gpu.input(&numbers.identity, element);
    let output = match in_place {
        true => gpu.filled(&numbers.features, element),
        false => gpu.output(numbers.features.len(), element.bytes()),
    };
    let buffers = ScSeBuffers {
        features: if in_place { output.slice() } else { features.slice(..) },
        reduce_weight: w1.slice(..),
        reduce_bias: b1.as_ref().map(|bias| bias.slice(..)),
        expand_weight: w2.slice(..),
        expand_bias: b2.as_ref().map(|bias| bias.slice(..)),
        spatial_weight: weight.slice(..),
        spatial_bias: bias.as_ref().map(|bias| bias.slice(..)),
        identity: (options.epilogue == Epilogue::Residual).then(|| identity.slice(..)),
        output: output.slice(),
    };
    let operator = ScSe::new(compiler::of(&gpu.device), options, element).unwrap();
    gpu.recording(&operator.bind(&gpu.device, ScSeShape { features: shape, reduced }, buffers).unwrap());
    gpu.floats(&output, element)
}

fn expected<T: num_traits::Float>(numbers: &Numbers, options: ScSeOptions, to: fn(&[f32]) -> Vec<T>) -> Vec<T> {
    let (weight, bias) = projection(numbers);
    let bias = bias.map(|bias| to(&bias));
    let excitation = numbers.converted(to);
    let features = to(&numbers.features);
    let (weight, identity) = (to(&weight), to(&numbers.identity));
    let excitation = excitation.borrowed();
    reference::scse(numbers.shape, options, &features, &excitation, &weight, bias.as_deref(), Some(&identity))
}

#[test]
fn matches_reference_and_works_in_place() {
    let Some(gpu) = common::gpu() else { return };
    let shapes = [
        (Nchw::new(1, 1, 1, 1), 1),
        (Nchw::new(2, 3, 7, 9), 1),
        (Nchw::new(3, 40, 6, 6), 20),
        (Nchw::new(1, 2048, 7, 7), 1024),
        (Nchw::new(1, 5, 130, 131), 2),
    ];
    for element in gpu.elements() {
        for (seed, (shape, reduced)) in (0..).zip(shapes) {
            let numbers = Numbers::new(seed, shape, reduced, element, seed % 2 == 0);
            for options in OPTIONS {
                let actual = run(gpu, &numbers, options, false);
                let exact = expected(&numbers, options, wide);
                let baseline = expected(&numbers, options, <[f32]>::to_vec);
                let what = format!("{options:?} {element:?} {shape}");
                let scale = 2.0 * largest(&numbers.features);
                assert_within_tolerance_of_exp(&actual, (&exact, &baseline), element.into(), scale, &what);
                assert_exact(&run(gpu, &numbers, options, true), &actual, format!("{what} in place"));
            }
        }
    }
}

#[test]
fn the_same_bits_however_the_work_is_divided() {
    let Some(gpu) = common::gpu() else { return };
    let Some(limited) = common::gpu_with_bindings_of(16384) else { return };
    let numbers = Numbers::new(8, Nchw::new(5, 8, 20, 21), 3, Element::F32, true);
    for options in OPTIONS {
        let whole = run(gpu, &numbers, options, false);
        assert_eq!(whole, run(&limited, &numbers, options, false), "{options:?}");
    }
}

#[test]
fn refusals_name_both_sides() {
    let Some(gpu) = common::gpu() else { return };
    let tensor = |len: usize| gpu.input(&vec![0.0; len], Element::F32);
    let (features, weight, row, output) = (tensor(64), tensor(32), tensor(8), tensor(64));
    let operator = ScSe::new(compiler::of(&gpu.device), ScSeOptions::STANDARD, Element::F32).unwrap();
    let buffers = ScSeBuffers {
        features: features.slice(..),
        reduce_weight: weight.slice(..),
        reduce_bias: None,
        expand_weight: weight.slice(..),
        expand_bias: None,
        spatial_weight: row.slice(..),
        spatial_bias: None,
        identity: None,
        output: output.slice(..),
    };
    let refusal = |reduced, buffers| {
        let shape = Nchw::new(1, 8, 2, 4);
        operator
            .bind(&gpu.device, ScSeShape { features: shape, reduced }, buffers)
            .map(|_| ())
            .err()
            .map(|error| error.to_string())
    };
    assert_eq!(refusal(4, buffers), None);
    assert_eq!(refusal(0, buffers).unwrap(), "scse: `reduced` is 0, needs at least 1");
    assert_eq!(refusal(5, buffers).unwrap(), "scse: `reduce_weight` holds 128 bytes, needs 160");
    let unused = ScSeBuffers { identity: Some(output.slice(..)), ..buffers };
    assert_eq!(refusal(4, unused).unwrap(), "scse: `identity` is a slice, needs none (Epilogue::Scale)");
    let gate_only = ScSeOptions::STANDARD.with_epilogue(Epilogue::GateOnly);
    let refused = ScSe::new(compiler::of(&gpu.device), gate_only, Element::F32).map(|_| ()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "scse: `epilogue` is GateOnly, needs an epilogue with an output: there are two gates"
    );
    let short = ScSeBuffers { spatial_weight: row.slice(0..28), ..buffers };
    assert_eq!(refusal(4, short).unwrap(), "scse: `spatial_weight` holds 28 bytes, needs 32");
}
