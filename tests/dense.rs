use visual_attention::reference::{self, Layer, Norm};
use visual_attention::wgpu::Limits;
use visual_attention::{Activation, BatchNorm, Dense, DenseBuffers, DenseShape, Element, Error};

use crate::common::{
    self, EXP_ROOM, NORM_ROOM, Precision, Random, TestGpu, assert_exact, assert_within_tolerance,
    assert_within_tolerance_with_room, largest, rounded, wide,
};
use crate::compiler;

/// A layer's numbers, on the host.
struct Numbers {
    input: Vec<f32>,
    second: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    /// Weight, bias, mean, variance.
    norm: [Vec<f32>; 4],
}

const EPSILON: f32 = 1e-3;

impl Numbers {
    fn new(seed: u64, shape: DenseShape, element: Element) -> Self {
        let mut random = Random::new(seed);
        let [batch, inputs, second, outputs] =
            [shape.batch, shape.inputs, shape.second_inputs, shape.outputs].map(|extent| extent as usize);
        let scale = 1.0 / ((inputs + second) as f32).sqrt();
        let weight: Vec<_> = random.normal((inputs + second) * outputs).iter().map(|weight| weight * scale).collect();
        let norm = [random.normal(outputs), random.normal(outputs), random.normal(outputs), random.normal(outputs)];
        let [norm_weight, bias, mean, variance] = norm.map(|values| rounded(&values, element));
        let variance = variance.into_iter().map(f32::abs).collect();
        Self {
            input: random.normal(batch * inputs),
            second: random.normal(batch * second),
            weight: rounded(&weight, element),
            bias: rounded(&random.normal(outputs), element),
            norm: [norm_weight, bias, mean, variance],
        }
    }

    fn run(
        &self,
        gpu: &TestGpu,
        shape: DenseShape,
        activation: Activation,
        element: Element,
        normed: bool,
    ) -> Vec<f32> {
        let [input, second] = [&self.input, &self.second].map(|values| gpu.input(values, Element::F32));
        let [weight, bias] = [&self.weight, &self.bias].map(|values| gpu.input(values, element));
        let norm = self.norm.each_ref().map(|values| gpu.input(values, element));
        let norm = BatchNorm {
            weight: norm[0].slice(..),
            bias: norm[1].slice(..),
            mean: norm[2].slice(..),
            variance: norm[3].slice(..),
            epsilon: EPSILON,
        };
        let output = gpu.output((shape.batch * shape.outputs) as usize, 4);
        let buffers = DenseBuffers {
            input: input.slice(..),
            second: (shape.second_inputs > 0).then(|| second.slice(..)),
            weight: weight.slice(..),
            bias: (!normed && !self.bias.is_empty()).then(|| bias.slice(..)),
            norm: normed.then_some(norm),
            output: output.slice(),
        };
        let operator = Dense::new(compiler::of(&gpu.device), activation, element).unwrap();
        gpu.recording(&operator.bind(&gpu.device, shape, buffers).unwrap());
        gpu.words(&output)
    }
}

fn expected<T: num_traits::Float>(
    numbers: &Numbers,
    shape: DenseShape,
    activation: Activation,
    normed: bool,
    to: fn(&[f32]) -> Vec<T>,
) -> Vec<T> {
    let (a, b) = (shape.inputs as usize, shape.second_inputs as usize);
    let joined = match b {
        0 => to(&numbers.input),
        _ => reference::side_by_side((a, &to(&numbers.input)), (b, &to(&numbers.second))),
    };
    let (weight, bias) = (to(&numbers.weight), to(&numbers.bias));
    let norm = numbers.norm.each_ref().map(|values| to(values));
    let norm = Norm {
        weight: &norm[0],
        bias: &norm[1],
        mean: &norm[2],
        variance: &norm[3],
        epsilon: T::from(EPSILON).unwrap(),
    };
    let bias = (!normed && !bias.is_empty()).then_some(bias.as_slice());
    reference::dense(a + b, &joined, &Layer { weight: &weight, bias, norm: normed.then_some(norm) }, activation)
}

#[test]
fn matches_reference() {
    let Some(gpu) = common::gpu() else { return };
    let shapes = [(1, 1, 0, 1), (3, 31, 0, 7), (2, 128, 0, 8), (1, 2048, 0, 129), (2, 33, 5, 9), (4, 256, 128, 14)];
    for element in gpu.elements() {
        for (seed, (batch, inputs, second_inputs, outputs)) in (0..).zip(shapes) {
            let shape = DenseShape { batch, inputs, second_inputs, outputs };
            let numbers = Numbers::new(seed, shape, element);
            for activation in Activation::ALL {
                for normed in [false, true] {
                    let actual = numbers.run(gpu, shape, activation, element, normed);
                    let exact = expected(&numbers, shape, activation, normed, wide);
                    let baseline = expected(&numbers, shape, activation, normed, <[f32]>::to_vec);
                    let what = format!("{activation:?} {element:?} {shape:?}, norm {normed}");
                    // Silu multiplies its sigmoid by what it is the sigmoid of.
                    let exp_room = EXP_ROOM * largest(&baseline).max(1.0);
                    let before = expected(&numbers, shape, Activation::None, normed, <[f32]>::to_vec);
                    let norm_room = if normed { NORM_ROOM * largest(&before) } else { 0.0 };
                    let room = exp_room + norm_room;
                    assert_within_tolerance_with_room(&actual, &exact, &baseline, Precision::F32, room, what);
                }
            }
        }
    }
}

/// One input of weight 1 makes the layer its activation: at the limits, around its corners, for NaN.
#[test]
fn activations_neither_overflow_nor_lose_nan() {
    let Some(gpu) = common::gpu() else { return };
    let points = [0.0, -0.0, 1e-6, -0.01, 0.249, 0.251, -3.0, 3.0, 2.9, -2.9, 20.0, -20.0, 100.0, -100.0, 3e38, -3e38];
    let points = [points.as_slice(), &[6.0, 6.001, -5.0, -13.0, -87.0, -89.0, -95.0, 1e19, -1e19]].concat();
    let input = [points.as_slice(), &[f32::NAN, -f32::NAN]].concat();
    let shape = DenseShape { batch: input.len() as u32, inputs: 1, second_inputs: 0, outputs: 1 };
    let numbers = Numbers {
        input: input.clone(),
        second: Vec::new(),
        weight: vec![1.0],
        bias: Vec::new(),
        norm: std::array::from_fn(|_| vec![1.0]),
    };
    for activation in Activation::ALL {
        let actual = numbers.run(gpu, shape, activation, Element::F32, false);
        for (&t, &y) in input.iter().zip(&actual) {
            let exact = activation.apply(f64::from(t));
            if exact.is_nan() {
                assert!(y.is_nan(), "{activation:?} of {t} is {y}");
            } else {
                let error = (f64::from(y) - exact).abs();
                assert!(error <= 3e-7 * exact.abs().max(0.5), "{activation:?} of {t} is {y}, expected {exact}");
                // What is a normal number is not flushed to zero on the way; WGSL's `exp` alone may be 3 + 2 |x| ULP off.
                if exact.abs() >= 1e-36 && !clamped(activation) {
                    assert!(error <= 5e-5 * exact.abs(), "{activation:?} of {t} is {y:e}, expected {exact:e}");
                }
            }
        }
    }
}

/// Whether the activation ends in a sum with a constant, which takes away the digits of what is near zero.
fn clamped(activation: Activation) -> bool {
    matches!(activation, Activation::HardSigmoid { .. } | Activation::HardSwish)
}

#[test]
fn slopes_must_be_finite() {
    let Some(gpu) = common::gpu() else { return };
    for activation in [
        Activation::LeakyRelu { slope: f32::NAN },
        Activation::HardSigmoid { slope: f32::INFINITY, offset: 0.5 },
        Activation::HardSigmoid { slope: 0.2, offset: f32::NAN },
    ] {
        let refused = Dense::new(compiler::of(&gpu.device), activation, Element::F32).map(|_| ()).unwrap_err();
        assert!(matches!(refused, Error::InvalidParameter { parameter: "activation", .. }), "{refused}");
    }
}

/// The fusion head: two branches side by side give what their concatenation gives.
#[test]
fn two_inputs_are_one_longer_vector() {
    let Some(gpu) = common::gpu() else { return };
    for (inputs, second_inputs) in [(32, 16), (7, 5)] {
        let shape = DenseShape { batch: 3, inputs, second_inputs, outputs: 14 };
        let numbers = Numbers::new(4, shape, Element::F32);
        let joined = reference::side_by_side(
            (inputs as usize, numbers.input.as_slice()),
            (second_inputs as usize, numbers.second.as_slice()),
        );
        let one = DenseShape { inputs: inputs + second_inputs, second_inputs: 0, ..shape };
        let concatenated = Numbers { input: joined, ..Numbers::new(4, shape, Element::F32) };
        let exact = expected(&concatenated, one, Activation::Sigmoid, false, wide);
        let baseline = expected(&concatenated, one, Activation::Sigmoid, false, <[f32]>::to_vec);
        let actual = numbers.run(gpu, shape, Activation::Sigmoid, Element::F32, false);
        assert_within_tolerance(&actual, &exact, &baseline, Precision::F32, "side by side");
        assert_exact(&actual, &numbers.run(gpu, shape, Activation::Sigmoid, Element::F32, false), "again");
    }
}

#[test]
fn the_same_bits_however_the_work_is_divided() {
    let Some(gpu) = common::gpu() else { return };
    // A workgroup has 8 rows.
    let limits = Limits { max_compute_workgroups_per_dimension: 2, ..Limits::default() };
    let Some(limited) = common::gpu_with(&limits) else { return };
    let shape = DenseShape { batch: 5, inputs: 33, second_inputs: 5, outputs: 50 };
    for element in gpu.elements() {
        let numbers = Numbers::new(8, shape, element);
        let [whole, divided] = [gpu, &limited].map(|gpu| numbers.run(gpu, shape, Activation::Sigmoid, element, false));
        assert_exact(&divided, &whole, format!("{element:?}"));
    }
}

#[test]
fn refusals_name_both_sides() {
    let Some(gpu) = common::gpu() else { return };
    let operator = Dense::new(compiler::of(&gpu.device), Activation::None, Element::F32).unwrap();
    let buffer = |len| gpu.input(&vec![0.5; len], Element::F32);
    let (input, weight, row, output) = (buffer(8), buffer(24), buffer(6), gpu.output(12, 4));
    let shape = DenseShape { batch: 2, inputs: 4, second_inputs: 0, outputs: 6 };
    let plain = DenseBuffers {
        input: input.slice(..),
        second: None,
        weight: weight.slice(..),
        bias: Some(row.slice(..)),
        norm: None,
        output: output.slice(),
    };
    let norm = |epsilon| {
        let row = row.slice(..);
        Some(BatchNorm { weight: row, bias: row, mean: row, variance: row, epsilon })
    };
    let refusal = |shape, buffers: DenseBuffers<'_>| -> String {
        let result: Result<_, Error> = operator.bind(&gpu.device, shape, buffers);
        result.map(|_| ()).unwrap_err().to_string()
    };
    assert!(operator.bind(&gpu.device, shape, plain).is_ok());
    assert_eq!(refusal(DenseShape { outputs: 7, ..shape }, plain), "dense: `weight` holds 96 bytes, needs 112");
    assert_eq!(
        refusal(DenseShape { inputs: 0, ..shape }, plain),
        "dense: shape of `input` is [2, 0], needs at least one number in each vector"
    );
    assert_eq!(
        refusal(DenseShape { second_inputs: 3, ..shape }, plain),
        "dense: `second` is none, needs a slice (second_inputs is 3)"
    );
    assert_eq!(
        refusal(shape, DenseBuffers { second: Some(row.slice(..)), ..plain }),
        "dense: `second` is a slice, needs none (second_inputs is 0)"
    );
    assert_eq!(
        refusal(shape, DenseBuffers { norm: norm(1e-5), ..plain }),
        "dense: `bias` is a slice, needs none (the batch norm has its own)"
    );
    for (epsilon, given, needed) in [
        (f32::NAN, "NaN", "a finite number"),
        (f32::INFINITY, "inf", "a finite number"),
        (-1e-5, "-0.00001", "0 or more"),
    ] {
        assert_eq!(
            refusal(shape, DenseBuffers { bias: None, norm: norm(epsilon), ..plain }),
            format!("dense: `norm.epsilon` is {given}, needs {needed}")
        );
    }
    assert_eq!(
        refusal(shape, DenseBuffers { output: weight.slice(..), ..plain }),
        "dense: output `output` overlaps `weight` in the same buffer; give each its own range"
    );
    assert_eq!(operator.bind(&gpu.device, DenseShape { batch: 0, ..shape }, plain).unwrap().dispatches().len(), 0);
}
