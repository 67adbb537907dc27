use visual_attention::reference::{self, Norm};
use visual_attention::{BatchNorm, BiSeNetAttention, BiSeNetAttentionBuffers, Element, Epilogue, Nchw};

use crate::common::{
    self, Precision, Random, TestGpu, assert_exact, assert_within_tolerance_of_exp, largest, rounded, wide,
};
use crate::compiler;

const FORMS: [Epilogue; 3] = [Epilogue::Scale, Epilogue::ScaleAdd, Epilogue::Residual];
const EPSILON: f32 = 1e-5;

struct Numbers {
    shape: Nchw,
    element: Element,
    features: Vec<f32>,
    identity: Vec<f32>,
    weight: Vec<f32>,
    /// Weight, bias, mean, variance.
    norm: [Vec<f32>; 4],
}

impl Numbers {
    fn new(seed: u64, shape: Nchw, element: Element) -> Self {
        let mut random = Random::new(seed);
        let channels = shape.channels as usize;
        let weight: Vec<_> =
            random.normal(channels * channels).iter().map(|weight| weight / (channels as f32).sqrt()).collect();
        let norm = [0, 1, 2, 3].map(|_| random.normal(channels));
        let [norm_weight, bias, mean, variance] = norm.map(|values| rounded(&values, element));
        let variance = variance.into_iter().map(|value| round(value.abs() + 0.2, element)).collect();
        Self {
            shape,
            element,
            features: rounded(&random.normal(shape.elements().unwrap() as usize), element),
            identity: rounded(&random.normal(shape.elements().unwrap() as usize), element),
            weight: rounded(&weight, element),
            norm: [norm_weight, bias, mean, variance],
        }
    }

    fn run(&self, gpu: &TestGpu, epilogue: Epilogue, gate: bool, in_place: bool) -> (Vec<f32>, Vec<f32>) {
        let Self { shape, element, .. } = *self;
        let [features, weight] = [&self.features, &self.weight].map(|values| gpu.input(values, element));
        let norm = self.norm.each_ref().map(|values| gpu.input(values, element));
        let identity = gpu.input(&self.identity, element);
        let gates = gpu.output((shape.batch * shape.channels) as usize, 4);
        let output = match in_place {
            true => gpu.filled(&self.features, element),
            false => gpu.output(self.features.len(), element.bytes()),
        };
        let buffers = BiSeNetAttentionBuffers {
            features: if in_place { output.slice() } else { features.slice(..) },
            weight: weight.slice(..),
            norm: BatchNorm {
                weight: norm[0].slice(..),
                bias: norm[1].slice(..),
                mean: norm[2].slice(..),
                variance: norm[3].slice(..),
                epsilon: EPSILON,
            },
            identity: (epilogue == Epilogue::Residual).then(|| identity.slice(..)),
            gate: (gate || epilogue == Epilogue::GateOnly).then(|| gates.slice()),
            output: (epilogue != Epilogue::GateOnly).then(|| output.slice()),
        };
        let operator = BiSeNetAttention::new(compiler::of(&gpu.device), epilogue, element).unwrap();
        let recording = operator.bind(&gpu.device, shape, buffers).unwrap();
        gpu.recording(&recording);
        (if gate { gpu.words(&gates) } else { Vec::new() }, gpu.floats(&output, element))
    }

    fn reference<T: num_traits::Float>(&self, epilogue: Epilogue, to: fn(&[f32]) -> Vec<T>) -> (Vec<T>, Vec<T>) {
        let [weight, bias, mean, variance] = &self.norm.each_ref().map(|values| to(values));
        let norm = Norm { weight, bias, mean, variance, epsilon: T::from(EPSILON).unwrap() };
        let identity = to(&self.identity);
        reference::bisenet(self.shape, epilogue, &to(&self.features), &to(&self.weight), norm, Some(&identity))
    }
}

fn round(value: f32, element: Element) -> f32 {
    rounded(&[value], element)[0]
}

#[test]
fn matches_reference_and_works_in_place() {
    let Some(gpu) = common::gpu() else { return };
    let shapes = [
        Nchw::new(1, 1, 1, 1),
        Nchw::new(2, 19, 7, 9),
        Nchw::new(1, 128, 16, 16),
        Nchw::new(2, 33, 31, 37),
        Nchw::new(1, 3, 260, 512),
    ];
    for element in gpu.elements() {
        for (seed, shape) in (0..).zip(shapes) {
            let numbers = Numbers::new(seed, shape, element);
            for epilogue in FORMS {
                let (gate, output) = numbers.run(gpu, epilogue, true, false);
                let (exact_gate, exact) = numbers.reference(epilogue, wide);
                let (baseline_gate, baseline) = numbers.reference(epilogue, <[f32]>::to_vec);
                let what = format!("{epilogue:?} {element:?} {shape}");
                assert_within_tolerance_of_exp(
                    &gate,
                    (&exact_gate, &baseline_gate),
                    Precision::F32,
                    1.0,
                    format!("gate of {what}"),
                );
                assert_within_tolerance_of_exp(
                    &output,
                    (&exact, &baseline),
                    element.into(),
                    largest(&numbers.features),
                    &what,
                );
                assert_exact(&numbers.run(gpu, epilogue, false, true).1, &output, format!("{what} in place"));
            }
        }
    }
}

#[test]
fn the_same_bits_however_the_work_is_divided() {
    let Some(gpu) = common::gpu() else { return };
    let Some(limited) = common::gpu_with_bindings_of(16384) else { return };
    let numbers = Numbers::new(8, Nchw::new(5, 8, 20, 21), Element::F32);
    for epilogue in FORMS {
        let whole = numbers.run(gpu, epilogue, true, false);
        assert_eq!(whole, numbers.run(&limited, epilogue, true, false), "{epilogue:?}");
    }
}

#[test]
fn refusals_name_both_sides() {
    let Some(gpu) = common::gpu() else { return };
    let tensor = |len: usize| gpu.input(&vec![0.0; len], Element::F32);
    let (features, weight, row, output) = (tensor(64), tensor(16), tensor(4), tensor(64));
    let operator = BiSeNetAttention::new(compiler::of(&gpu.device), Epilogue::ScaleAdd, Element::F32).unwrap();
    let refusal = |channels, epsilon| {
        let row = row.slice(..);
        let buffers = BiSeNetAttentionBuffers {
            features: features.slice(..),
            weight: weight.slice(..),
            norm: BatchNorm { weight: row, bias: row, mean: row, variance: row, epsilon },
            identity: None,
            gate: None,
            output: Some(output.slice(..)),
        };
        let shape = Nchw::new(1, channels, 2, 4);
        operator.bind(&gpu.device, shape, buffers).map(|_| ()).err().map(|error| error.to_string())
    };
    assert_eq!(refusal(4, 1e-5), None);
    assert_eq!(refusal(5, 1e-5).unwrap(), "bisenet: `weight` holds 64 bytes, needs 100");
    assert_eq!(refusal(4, f32::NAN).unwrap(), "bisenet: `norm.epsilon` is NaN, needs a finite number");
    assert_eq!(refusal(4, -1.0).unwrap(), "bisenet: `norm.epsilon` is -1, needs 0 or more");
}
