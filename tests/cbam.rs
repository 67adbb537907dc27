use visual_attention::reference::{self, Layer, Norm};
use visual_attention::{
    BatchNorm, Cbam, CbamBuffers, CbamOptions, CbamShape, Element, Epilogue, Nchw, SpatialGate, SpatialGateBuffers,
    SpatialGateShape, wgpu,
};

use crate::common::{
    self, Precision, Random, TestGpu, assert_exact, assert_within_tolerance_of_exp, largest, rounded, wide,
};
use crate::compiler;
use crate::squeeze_excite::Numbers;

const EPSILON: f32 = 1e-5;
const SHAPES: [(Nchw, u32, u32); 7] = [
    (Nchw::new(1, 1, 1, 1), 1, 7),
    (Nchw::new(2, 3, 7, 9), 1, 5),
    (Nchw::new(1, 17, 8, 8), 5, 3),
    (Nchw::new(2, 40, 16, 17), 10, 7),
    (Nchw::new(1, 2048, 7, 7), 128, 7),
    (Nchw::new(1, 5, 64, 65), 2, 1),
    (Nchw::new(1, 3, 130, 130), 2, 9),
];

/// The convolution: weight, and a norm's or a bias' numbers.
struct Conv {
    kernel: u32,
    element: Element,
    weight: Vec<f32>,
    /// Weight, bias, mean, variance.
    norm: [Vec<f32>; 4],
    normed: bool,
}

/// The same on the GPU.
struct ConvBuffers {
    weight: wgpu::Buffer,
    norm: [wgpu::Buffer; 4],
    normed: bool,
}

impl Conv {
    fn new(seed: u64, kernel: u32, element: Element, normed: bool) -> Self {
        let mut random = Random::new(seed);
        let weight: Vec<_> =
            random.normal(2 * (kernel * kernel) as usize).iter().map(|weight| weight / kernel as f32).collect();
        let norm = [1.3, 0.2, -0.1, 0.8].map(|value| rounded(&[value + 0.1 * random.unit()], element));
        Self { kernel, element, weight: rounded(&weight, element), norm, normed }
    }

    fn upload(&self, gpu: &TestGpu) -> ConvBuffers {
        ConvBuffers {
            weight: gpu.input(&self.weight, self.element),
            norm: self.norm.each_ref().map(|values| gpu.input(values, self.element)),
            normed: self.normed,
        }
    }

    fn reference<T: num_traits::Float, R>(&self, to: fn(&[f32]) -> Vec<T>, run: impl FnOnce(&Layer<'_, T>) -> R) -> R {
        let [weight, bias, mean, variance] = &self.norm.each_ref().map(|values| to(values));
        let norm = Norm { weight, bias, mean, variance, epsilon: T::from(EPSILON).unwrap() };
        let bias = (!self.normed).then_some(bias.as_slice());
        run(&Layer { weight: &to(&self.weight), bias, norm: self.normed.then_some(norm) })
    }
}

impl ConvBuffers {
    fn bias(&self) -> Option<wgpu::BufferSlice<'_>> {
        (!self.normed).then(|| self.norm[1].slice(..))
    }

    fn norm(&self) -> Option<BatchNorm<'_>> {
        let [weight, bias, mean, variance] = self.norm.each_ref().map(|buffer| buffer.slice(..));
        self.normed.then_some(BatchNorm { weight, bias, mean, variance, epsilon: EPSILON })
    }
}

fn output(gpu: &TestGpu, numbers: &Numbers, in_place: bool) -> common::Output {
    match in_place {
        true => gpu.filled(&numbers.features, numbers.element),
        false => gpu.output(numbers.features.len(), numbers.element.bytes()),
    }
}

fn run_spatial(
    gpu: &TestGpu,
    numbers: &Numbers,
    conv: &Conv,
    epilogue: Epilogue,
    gate: bool,
    in_place: bool,
) -> (Vec<f32>, Vec<f32>) {
    let Numbers { shape, element, .. } = *numbers;
    let [features, identity] = [&numbers.features, &numbers.identity].map(|values| gpu.input(values, element));
    let buffers = conv.upload(gpu);
    let gates = gpu.output(shape.plane().elements().unwrap() as usize, 4);
    let output = output(gpu, numbers, in_place);
    let buffers = SpatialGateBuffers {
        features: if in_place { output.slice() } else { features.slice(..) },
        weight: buffers.weight.slice(..),
        bias: buffers.bias(),
        norm: buffers.norm(),
        identity: (epilogue == Epilogue::Residual).then(|| identity.slice(..)),
        gate: gate.then(|| gates.slice()),
        output: (epilogue != Epilogue::GateOnly).then(|| output.slice()),
    };
    let operator = SpatialGate::new(compiler::of(&gpu.device), epilogue, element).unwrap();
    gpu.recording(
        &operator.bind(&gpu.device, SpatialGateShape { features: shape, kernel: conv.kernel }, buffers).unwrap(),
    );
    (if gate { gpu.words(&gates) } else { Vec::new() }, gpu.floats(&output, element))
}

fn run_both(gpu: &TestGpu, numbers: &Numbers, conv: &Conv, epilogue: Epilogue, in_place: bool) -> Vec<f32> {
    let Numbers { shape, reduced, element, .. } = *numbers;
    let [features, identity, w1, w2] =
        [&numbers.features, &numbers.identity, &numbers.w1, &numbers.w2].map(|values| gpu.input(values, element));
    let [b1, b2] = [&numbers.b1, &numbers.b2].map(|bias| bias.as_ref().map(|bias| gpu.input(bias, element)));
    let buffers = conv.upload(gpu);
    let output = output(gpu, numbers, in_place);
    let buffers = CbamBuffers {
        features: if in_place { output.slice() } else { features.slice(..) },
        reduce_weight: w1.slice(..),
        reduce_bias: b1.as_ref().map(|bias| bias.slice(..)),
        expand_weight: w2.slice(..),
        expand_bias: b2.as_ref().map(|bias| bias.slice(..)),
        spatial_weight: buffers.weight.slice(..),
        spatial_bias: buffers.bias(),
        spatial_norm: buffers.norm(),
        identity: (epilogue == Epilogue::Residual).then(|| identity.slice(..)),
        output: output.slice(),
    };
    let operator =
        Cbam::new(compiler::of(&gpu.device), CbamOptions::STANDARD.with_epilogue(epilogue), element).unwrap();
    gpu.recording(
        &operator.bind(&gpu.device, CbamShape { features: shape, reduced, kernel: conv.kernel }, buffers).unwrap(),
    );
    gpu.floats(&output, element)
}

#[test]
fn matches_reference_and_works_in_place() {
    let Some(gpu) = common::gpu() else { return };
    for element in gpu.elements() {
        for (seed, (shape, reduced, kernel)) in (0..).zip(SHAPES) {
            let numbers = Numbers::new(seed, shape, reduced, element, seed % 2 == 0);
            let conv = Conv::new(seed, kernel, element, seed % 3 != 0);
            let side = kernel as usize;
            let epilogue = [Epilogue::Scale, Epilogue::Residual, Epilogue::ScaleAdd][seed as usize % 3];
            let what = format!("{epilogue:?} {element:?} {shape} k {kernel}");

            let (gate, output) = run_spatial(gpu, &numbers, &conv, epilogue, true, false);
            let (features, identity) = (wide(&numbers.features), wide(&numbers.identity));
            let (exact_gate, exact) = conv.reference(wide, |conv| {
                reference::spatial_gate(shape, epilogue, side, &features, conv, Some(&identity))
            });
            let (baseline_gate, baseline) = conv.reference(<[f32]>::to_vec, |conv| {
                reference::spatial_gate(shape, epilogue, side, &numbers.features, conv, Some(&numbers.identity))
            });
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
            let (_, in_place) = run_spatial(gpu, &numbers, &conv, epilogue, false, true);
            assert_exact(&in_place, &output, format!("{what} in place"));
            let (alone, _) = run_spatial(gpu, &numbers, &conv, Epilogue::GateOnly, true, false);
            assert_exact(&alone, &gate, format!("gate alone of {what}"));

            let both = run_both(gpu, &numbers, &conv, epilogue, false);
            let (weights, weights_f32) = (numbers.converted(wide), numbers.converted(<[f32]>::to_vec));
            let options = CbamOptions::STANDARD.with_epilogue(epilogue);
            let exact = conv.reference(wide, |conv| {
                reference::cbam(shape, options, side, &features, &weights.borrowed(), conv, Some(&identity))
            });
            let baseline = conv.reference(<[f32]>::to_vec, |conv| {
                let (features, identity) = (&numbers.features, Some(numbers.identity.as_slice()));
                reference::cbam(shape, options, side, features, &weights_f32.borrowed(), conv, identity)
            });
            let scale = 2.0 * largest(&numbers.features);
            let of_both = format!("both of {what}");
            assert_within_tolerance_of_exp(&both, (&exact, &baseline), element.into(), scale, of_both);
            assert_exact(&run_both(gpu, &numbers, &conv, epilogue, true), &both, format!("both of {what} in place"));
        }
    }
}

#[test]
fn the_same_bits_however_the_work_is_divided() {
    let Some(gpu) = common::gpu() else { return };
    let Some(limited) = common::gpu_with_bindings_of(16384) else { return };
    for element in gpu.elements() {
        let numbers = Numbers::new(8, Nchw::new(5, 8, 20, 21), 3, element, true);
        let conv = Conv::new(1, 7, element, true);
        for epilogue in [Epilogue::Scale, Epilogue::Residual, Epilogue::ScaleAdd] {
            let whole = run_both(gpu, &numbers, &conv, epilogue, false);
            assert_eq!(whole, run_both(gpu, &numbers, &conv, epilogue, false), "again");
            assert_eq!(whole, run_both(&limited, &numbers, &conv, epilogue, false));
            let whole = run_spatial(gpu, &numbers, &conv, epilogue, true, false);
            assert_eq!(whole, run_spatial(&limited, &numbers, &conv, epilogue, true, false));
        }
    }
}

/// NaN reaches the pixels whose window sees it, through the maximum as well as the mean, and no other.
#[test]
fn nan_reaches_the_window_around_it() {
    let Some(gpu) = common::gpu() else { return };
    let mut numbers = Numbers::new(3, Nchw::new(1, 4, 9, 8), 2, Element::F32, false);
    numbers.features[72 + 4 * 8 + 3] = f32::NAN;
    let (gate, _) = run_spatial(gpu, &numbers, &Conv::new(1, 3, Element::F32, true), Epilogue::Scale, true, false);
    for (pixel, gate) in gate.iter().enumerate() {
        let near = (3..6).contains(&(pixel / 8)) && (2..5).contains(&(pixel % 8));
        assert_eq!(gate.is_nan(), near, "{pixel}");
    }
}

#[test]
fn refusals_name_both_sides() {
    let Some(gpu) = common::gpu() else { return };
    let tensor = |len: usize| gpu.input(&vec![0.0; len], Element::F32);
    let (features, weight, row, output) = (tensor(64), tensor(18), tensor(1), tensor(64));
    let operator = SpatialGate::new(compiler::of(&gpu.device), Epilogue::Scale, Element::F32).unwrap();
    let refusal = |channels, kernel, epsilon, bias: bool| {
        let one = row.slice(..);
        let buffers = SpatialGateBuffers {
            features: features.slice(..),
            weight: weight.slice(..),
            bias: bias.then_some(one),
            norm: Some(BatchNorm { weight: one, bias: one, mean: one, variance: one, epsilon }),
            identity: None,
            gate: None,
            output: Some(output.slice(..)),
        };
        let shape = Nchw::new(1, channels, 2, 4);
        operator
            .bind(&gpu.device, SpatialGateShape { features: shape, kernel }, buffers)
            .map(|_| ())
            .err()
            .map(|error| error.to_string())
    };
    assert_eq!(refusal(8, 3, 1e-5, false), None);
    for kernel in [0, 2, 129] {
        let expected = format!("spatial_gate: `kernel` is {kernel}, needs an odd number up to 127");
        assert_eq!(refusal(8, kernel, 1e-5, false).unwrap(), expected);
    }
    assert_eq!(refusal(8, 5, 1e-5, false).unwrap(), "spatial_gate: `weight` holds 72 bytes, needs 200");
    assert_eq!(
        refusal(8, 3, f32::INFINITY, false).unwrap(),
        "spatial_gate: `norm.epsilon` is inf, needs a finite number"
    );
    assert_eq!(
        refusal(8, 3, 1e-5, true).unwrap(),
        "spatial_gate: `bias` is a slice, needs none (the batch norm has its own)"
    );
    assert_eq!(
        refusal(0, 3, 1e-5, false).unwrap(),
        "spatial_gate: shape of `features` is [1, 0, 2, 4], needs at least one channel"
    );
}
