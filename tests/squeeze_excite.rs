use num_traits::Float;
use visual_attention::{
    Activation, Element, Epilogue, Nchw, Squeeze, SqueezeExcite, SqueezeExciteBuffers, SqueezeExciteOptions,
    SqueezeExciteShape, reference, wgpu,
};

use crate::common::{
    self, Precision, Random, TestGpu, assert_exact, assert_within_tolerance, assert_within_tolerance_of_exp, largest,
    rounded, wide,
};
use crate::compiler;

/// Shapes and reduced widths: one pixel, a width of 1, widths that are multiples of nothing, parts of planes.
const SHAPES: [(Nchw, u32); 9] = [
    (Nchw::new(1, 1, 1, 1), 1),
    (Nchw::new(2, 3, 7, 9), 1),
    (Nchw::new(1, 17, 8, 8), 5),
    (Nchw::new(3, 40, 6, 6), 20),
    (Nchw::new(2, 2048, 7, 7), 128),
    (Nchw::new(1, 96, 14, 14), 3),
    (Nchw::new(1, 64, 30, 31), 33),
    (Nchw::new(2, 3, 131, 137), 2),
    (Nchw::new(1, 2, 260, 512), 1),
];

/// Features and weights on the host.
#[derive(Clone)]
pub(crate) struct Numbers {
    pub(crate) shape: Nchw,
    pub(crate) reduced: u32,
    pub(crate) element: Element,
    pub(crate) features: Vec<f32>,
    pub(crate) identity: Vec<f32>,
    pub(crate) w1: Vec<f32>,
    pub(crate) b1: Option<Vec<f32>>,
    pub(crate) w2: Vec<f32>,
    pub(crate) b2: Option<Vec<f32>>,
}

impl Numbers {
    pub(crate) fn new(seed: u64, shape: Nchw, reduced: u32, element: Element, biases: bool) -> Self {
        let mut random = Random::new(seed);
        let len = shape.elements().unwrap() as usize;
        let (channels, width) = (shape.channels as usize, reduced as usize);
        // Means are near zero: the first layer makes up for it, so that gates differ.
        let mut scaled = |len: usize, scale: f32| {
            let values: Vec<_> = random.normal(len).into_iter().map(|value| value * scale).collect();
            rounded(&values, element)
        };
        Self {
            shape,
            reduced,
            element,
            features: scaled(len, 1.0)
                .into_iter()
                .map(|value| value + 0.5)
                .map(|value| round(value, element))
                .collect(),
            identity: scaled(len, 1.0),
            w1: scaled(channels * width, 2.0 / (channels as f32).sqrt()),
            b1: biases.then(|| scaled(width, 0.3)),
            w2: scaled(channels * width, 1.5 / (width as f32).sqrt()),
            b2: biases.then(|| scaled(channels, 0.3)),
        }
    }

    /// The gate, empty unless it was asked for, and the output, empty for the gate alone.
    fn run(&self, gpu: &TestGpu, options: SqueezeExciteOptions, gate: bool, in_place: bool) -> (Vec<f32>, Vec<f32>) {
        self.run_in_turns(gpu, options, gate, in_place, self.shape.batch).1
    }

    /// The same with this many images at a time, and how many dispatches it took.
    fn run_in_turns(
        &self,
        gpu: &TestGpu,
        options: SqueezeExciteOptions,
        gate: bool,
        in_place: bool,
        images: u32,
    ) -> (usize, (Vec<f32>, Vec<f32>)) {
        let Self { shape, reduced, element, .. } = *self;
        let [features, identity, w1, w2] =
            [&self.features, &self.identity, &self.w1, &self.w2].map(|values| gpu.input(values, element));
        let [b1, b2] = [&self.b1, &self.b2].map(|bias| bias.as_ref().map(|bias| gpu.input(bias, element)));
        let gates = gpu.output((shape.batch * shape.channels) as usize, 4);
        let output = match in_place {
            true => gpu.filled(&self.features, element),
            false => gpu.output(self.features.len(), element.bytes()),
        };
        let with_output = options.epilogue != Epilogue::GateOnly;
        let buffers = SqueezeExciteBuffers {
            features: if in_place { output.slice() } else { features.slice(..) },
            reduce_weight: w1.slice(..),
            reduce_bias: b1.as_ref().map(|bias| bias.slice(..)),
            expand_weight: w2.slice(..),
            expand_bias: b2.as_ref().map(|bias| bias.slice(..)),
            identity: (options.epilogue == Epilogue::Residual).then(|| identity.slice(..)),
            gate: gate.then(|| gates.slice()),
            output: with_output.then(|| output.slice()),
        };
        let operator = SqueezeExcite::new(compiler::of(&gpu.device), options, element).unwrap();
        let recording = match images {
            images if images == shape.batch => {
                operator.bind(&gpu.device, SqueezeExciteShape { features: shape, reduced }, buffers).unwrap()
            }
            images => operator
                .bind_in_turns(&gpu.device, SqueezeExciteShape { features: shape, reduced }, images, buffers)
                .unwrap(),
        };
        gpu.recording(&recording);
        let gate = if gate { gpu.words(&gates) } else { Vec::new() };
        let output = if with_output { gpu.floats(&output, element) } else { Vec::new() };
        (recording.dispatches().len(), (gate, output))
    }

    fn reference<T: Float>(&self, options: SqueezeExciteOptions, to: fn(&[f32]) -> Vec<T>) -> (Vec<T>, Vec<T>) {
        let excitation = self.converted(to);
        let (features, identity) = (to(&self.features), to(&self.identity));
        reference::squeeze_excite(self.shape, options, &features, &excitation.borrowed(), Some(&identity))
    }

    pub(crate) fn converted<T: Float>(&self, to: fn(&[f32]) -> Vec<T>) -> Weights<T> {
        let bias = |bias: &Option<Vec<f32>>| bias.as_ref().map(|bias| to(bias));
        Weights { w1: to(&self.w1), b1: bias(&self.b1), w2: to(&self.w2), b2: bias(&self.b2) }
    }
}

/// Weights in the float type of a reference.
pub(crate) struct Weights<T> {
    w1: Vec<T>,
    b1: Option<Vec<T>>,
    w2: Vec<T>,
    b2: Option<Vec<T>>,
}

impl<T: Float> Weights<T> {
    pub(crate) fn borrowed(&self) -> reference::Excitation<'_, T> {
        reference::Excitation {
            reduce_weight: &self.w1,
            reduce_bias: self.b1.as_deref(),
            expand_weight: &self.w2,
            expand_bias: self.b2.as_deref(),
        }
    }
}

fn round(value: f32, element: Element) -> f32 {
    rounded(&[value], element)[0]
}

#[test]
fn matches_reference() {
    let Some(gpu) = common::gpu() else { return };
    let activations = [Activation::Relu, Activation::Silu];
    let gates = [Activation::Sigmoid, Activation::HARD_SIGMOID, Activation::Tanh];
    for element in gpu.elements() {
        for (index, (shape, reduced)) in SHAPES.into_iter().enumerate() {
            // Four of the combinations for each shape; over all shapes each value meets each other.
            for (turn, epilogue) in Epilogue::ALL.into_iter().enumerate() {
                let options = SqueezeExciteOptions::STANDARD
                    .with_squeeze(Squeeze::ALL[(index + turn) % 3])
                    .with_activation(activations[(index / 3 + turn) % 2])
                    .with_gate(gates[(index / 2 + turn) % 3])
                    .with_epilogue(epilogue);
                let numbers = Numbers::new(index as u64, shape, reduced, element, (index + turn) % 2 == 0);
                let (gate, output) = numbers.run(gpu, options, true, false);
                let (exact_gate, exact) = numbers.reference(options, wide);
                let (baseline_gate, baseline) = numbers.reference(options, <[f32]>::to_vec);
                let what = format!("{options:?} {element:?} {shape} r {reduced}");
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
            }
        }
    }
}

/// Five parts of a plane are the fewest that the layer adds up in fours, and must not where they are maxima.
#[test]
fn planes_of_many_parts() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nchw::new(1, 2, 520, 520);
    assert_eq!((shape.size().pixels() / 4).div_ceil(16_384), 5);
    let numbers = Numbers::new(23, shape, 2, Element::F32, true);
    for squeeze in Squeeze::ALL {
        let options = SqueezeExciteOptions::STANDARD.with_squeeze(squeeze).with_epilogue(Epilogue::GateOnly);
        let (gate, _) = numbers.run(gpu, options, true, false);
        let (exact, _) = numbers.reference(options, wide);
        let (baseline, _) = numbers.reference(options, <[f32]>::to_vec);
        let what = format!("{squeeze:?}");
        assert_within_tolerance_of_exp(&gate, (&exact, &baseline), Precision::F32, 1.0, what);
    }
}

#[test]
fn in_place_and_without_the_gate_the_bits_are_the_same() {
    let Some(gpu) = common::gpu() else { return };
    for element in gpu.elements() {
        for (shape, reduced) in [SHAPES[1], SHAPES[3], SHAPES[8]] {
            let numbers = Numbers::new(5, shape, reduced, element, true);
            for epilogue in [Epilogue::Scale, Epilogue::Residual, Epilogue::ScaleAdd] {
                let options = SqueezeExciteOptions::STANDARD.with_epilogue(epilogue);
                let (_, output) = numbers.run(gpu, options, true, false);
                assert_exact(&numbers.run(gpu, options, false, true).1, &output, format!("{epilogue:?} {shape}"));
            }
        }
    }
}

#[test]
fn three_dispatches_from_features_to_output() {
    let Some(gpu) = common::gpu() else { return };
    for (shape, reduced) in SHAPES.into_iter().chain([(Nchw::new(1, 4, 1024, 1024), 2)]) {
        let elements = shape.elements().unwrap();
        let buffer = |elements: u64| gpu.buffer("tensor", elements * 4).unwrap();
        let (features, weight) = (buffer(elements), buffer(u64::from(shape.channels * reduced)));
        for squeeze in Squeeze::ALL {
            let options = SqueezeExciteOptions::STANDARD.with_squeeze(squeeze);
            let operator = SqueezeExcite::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
            let buffers = SqueezeExciteBuffers {
                features: features.slice(..),
                reduce_weight: weight.slice(..),
                reduce_bias: None,
                expand_weight: weight.slice(..),
                expand_bias: None,
                identity: None,
                gate: None,
                output: Some(features.slice(..)),
            };
            let recording =
                operator.bind(&gpu.device, SqueezeExciteShape { features: shape, reduced }, buffers).unwrap();
            let labels: Vec<_> = recording.dispatches().map(visual_attention::Dispatch::label).collect();
            let fused = ["global_pool", "dense", "channel_scale"];
            // On a software adapter the gate of more than 8 terms is summed up once, before it scales.
            let apart = ["global_pool", "dense", "channel_scale", "channel_scale"];
            let software =
                gpu.adapter.device_type == wgpu::DeviceType::Cpu && std::env::var_os(compiler::VARIANTS).is_none();
            assert_eq!(labels, if software && reduced > 8 { &apart[..] } else { &fused }, "{shape}");
        }
    }
}

/// Reversed channels, with the weights reversed alike, give reversed channels.
#[test]
fn permuted_channels_permute_the_output() {
    let Some(gpu) = common::gpu() else { return };
    let (shape, reduced) = (Nchw::new(2, 24, 5, 7), 6);
    let numbers = Numbers::new(11, shape, reduced, Element::F32, true);
    let (pixels, channels, width) = (shape.size().pixels() as usize, shape.channels as usize, reduced as usize);
    let reversed = |values: &[f32], chunk: usize, count: usize| -> Vec<f32> {
        values.chunks(chunk * count).flat_map(|image| image.chunks(chunk).rev().flatten().copied()).collect()
    };
    let permuted = Numbers {
        features: reversed(&numbers.features, pixels, channels),
        identity: reversed(&numbers.identity, pixels, channels),
        w1: reversed(&numbers.w1, 1, channels),
        w2: reversed(&numbers.w2, width, channels),
        b2: numbers.b2.as_ref().map(|bias| reversed(bias, 1, channels)),
        ..numbers.clone()
    };
    let options = SqueezeExciteOptions::RESIDUAL;
    let actual = reversed(&permuted.run(gpu, options, false, false).1, pixels, channels);
    let (_, exact) = numbers.reference(options, wide);
    let (_, baseline) = numbers.reference(options, <[f32]>::to_vec);
    assert_within_tolerance(&actual, &exact, &baseline, Precision::F32, "permuted");
    // A permutation of the hidden units as well: only the order of sums changes.
    assert_within_tolerance(&numbers.run(gpu, options, false, false).1, &exact, &baseline, Precision::F32, "as it was");
}

#[test]
fn a_gate_of_one_is_the_identity() {
    let Some(gpu) = common::gpu() else { return };
    for element in gpu.elements() {
        for (shape, reduced) in [SHAPES[2], SHAPES[4]] {
            let mut numbers = Numbers::new(2, shape, reduced, element, false);
            numbers.w2.fill(0.0);
            numbers.b2 = Some(vec![3.0; shape.channels as usize]);
            let options = SqueezeExciteOptions::STANDARD.with_gate(Activation::HARD_SIGMOID);
            let (gate, output) = numbers.run(gpu, options, true, false);
            assert!(gate.iter().all(|&gate| gate == 1.0));
            assert_exact(&output, &numbers.features, shape);
        }
    }
}

#[test]
fn the_same_bits_however_the_work_is_divided() {
    let Some(gpu) = common::gpu() else { return };
    // Room for an image and not for two, and for a plane and not for an image.
    for (shape, bytes) in [(Nchw::new(5, 8, 20, 21), 16384), (Nchw::new(3, 5, 300, 300), 400_128)] {
        let Some(limited) = common::gpu_with_bindings_of(bytes) else { return };
        for element in gpu.elements() {
            let numbers = Numbers::new(8, shape, 3, element, true);
            for squeeze in Squeeze::ALL {
                let options = SqueezeExciteOptions::RESIDUAL.with_squeeze(squeeze);
                let whole = numbers.run(gpu, options, true, false);
                assert_eq!(whole, numbers.run(gpu, options, true, false), "{shape} {squeeze:?} again");
                assert_eq!(whole, numbers.run(&limited, options, true, false), "{shape} {squeeze:?}");
                assert_eq!(whole, numbers.run(&limited, options, true, true), "{shape} {squeeze:?} in place");
            }
        }
    }
}

/// Images of 1,680 and 1,764 bytes, of which turns must take several to start where a device can bind, and of 4,096.
#[test]
fn the_same_bits_in_turns() {
    let Some(gpu) = common::gpu() else { return };
    for shape in [Nchw::new(70, 4, 15, 7), Nchw::new(67, 9, 7, 7), Nchw::new(7, 64, 4, 4)] {
        for element in gpu.elements() {
            let numbers = Numbers::new(12, shape, 3, element, true);
            for (epilogue, gate, in_place) in
                [(Epilogue::Residual, true, false), (Epilogue::Scale, false, true), (Epilogue::GateOnly, true, false)]
            {
                let options = SqueezeExciteOptions::CBAM_CHANNEL.with_epilogue(epilogue);
                let (dispatches, whole) = numbers.run_in_turns(gpu, options, gate, in_place, shape.batch);
                for images in [1, 3, shape.batch - 1, u32::MAX] {
                    let (turned, actual) = numbers.run_in_turns(gpu, options, gate, in_place, images);
                    assert!(actual == whole, "{shape} {epilogue:?} {images} at a time");
                    assert!(
                        turned >= dispatches && (images != u32::MAX || turned == dispatches),
                        "{shape} {images} at a time"
                    );
                }
            }
        }
    }
    let aligned = Numbers::new(13, Nchw::new(7, 64, 4, 4), 3, Element::F32, false);
    let (once, _) = aligned.run_in_turns(gpu, SqueezeExciteOptions::RESIDUAL, true, false, 7);
    let (thrice, _) = aligned.run_in_turns(gpu, SqueezeExciteOptions::RESIDUAL, true, false, 3);
    assert_eq!(thrice, 3 * once, "7 images, 3 at a time");
}

#[test]
fn images_of_a_batch_do_not_see_each_other() {
    let Some(gpu) = common::gpu() else { return };
    let mut numbers = Numbers::new(9, Nchw::new(3, 37, 9, 8), 5, Element::F32, true);
    let image = numbers.features.len() / 3;
    numbers.features[image + 4] = f32::NAN;
    for squeeze in Squeeze::ALL {
        let options = SqueezeExciteOptions::RESIDUAL.with_squeeze(squeeze);
        let (_, batch) = numbers.run(gpu, options, false, false);
        for index in 0..3 {
            let range = index * image..(index + 1) * image;
            let one = Numbers {
                shape: Nchw { batch: 1, ..numbers.shape },
                features: numbers.features[range.clone()].to_vec(),
                identity: numbers.identity[range.clone()].to_vec(),
                ..numbers.clone()
            };
            let (_, alone) = one.run(gpu, options, false, false);
            assert_exact(&alone, &batch[range], format!("{squeeze:?}, image {index}"));
            assert_eq!(alone.iter().all(|value| value.is_nan()), index == 1, "{squeeze:?}: NaN reaches every gate");
        }
    }
}

#[test]
fn refusals_name_both_sides() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nchw::new(1, 4, 4, 4);
    let tensor = |len: usize| gpu.input(&vec![0.0; len], Element::F32);
    let (features, weight, bias, output) = (tensor(64), tensor(8), tensor(4), tensor(192));
    let buffers = SqueezeExciteBuffers {
        features: features.slice(..),
        reduce_weight: weight.slice(..),
        reduce_bias: Some(bias.slice(..)),
        expand_weight: weight.slice(..),
        expand_bias: Some(bias.slice(..)),
        identity: None,
        gate: None,
        output: Some(output.slice(0..256)),
    };
    let bind = |epilogue, reduced, buffers| {
        let options = SqueezeExciteOptions::STANDARD.with_epilogue(epilogue);
        let operator = SqueezeExcite::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
        operator
            .bind(&gpu.device, SqueezeExciteShape { features: shape, reduced }, buffers)
            .map(|recording| recording.dispatches().len())
    };
    let refusal = |epilogue, reduced, buffers| bind(epilogue, reduced, buffers).unwrap_err().to_string();
    assert_eq!(bind(Epilogue::Scale, 2, buffers), Ok(3));
    assert_eq!(refusal(Epilogue::Scale, 0, buffers), "squeeze_excite: `reduced` is 0, needs at least 1");
    let operator = SqueezeExcite::new(compiler::of(&gpu.device), SqueezeExciteOptions::STANDARD, Element::F32).unwrap();
    let no_images = operator
        .bind_in_turns(&gpu.device, SqueezeExciteShape { features: shape, reduced: 2 }, 0, buffers)
        .unwrap_err();
    assert_eq!(no_images.to_string(), "squeeze_excite: `images` is 0, needs at least 1");
    assert_eq!(refusal(Epilogue::Scale, 3, buffers), "squeeze_excite: `reduce_weight` holds 32 bytes, needs 48");
    let short = SqueezeExciteBuffers { expand_weight: weight.slice(0..16), ..buffers };
    assert_eq!(refusal(Epilogue::Scale, 2, short), "squeeze_excite: `expand_weight` holds 16 bytes, needs 32");
    let short = SqueezeExciteBuffers { expand_bias: Some(bias.slice(0..12)), ..buffers };
    assert_eq!(refusal(Epilogue::Scale, 2, short), "squeeze_excite: `expand_bias` holds 12 bytes, needs 16");
    assert_eq!(
        refusal(Epilogue::Residual, 2, buffers),
        "squeeze_excite: `identity` is none, needs a slice (Epilogue::Residual)"
    );
    assert_eq!(
        refusal(Epilogue::GateOnly, 2, buffers),
        "squeeze_excite: `output` is a slice, needs none (Epilogue::GateOnly)"
    );
    let alone = SqueezeExciteBuffers { output: None, ..buffers };
    assert_eq!(
        refusal(Epilogue::GateOnly, 2, alone),
        "squeeze_excite: `gate` is none, needs a slice (Epilogue::GateOnly)"
    );
    assert_eq!(refusal(Epilogue::Scale, 2, alone), "squeeze_excite: `output` is none, needs a slice (Epilogue::Scale)");
    // The gate alone has no place in the features, and an output only in all of them.
    let over = SqueezeExciteBuffers { gate: Some(features.slice(..)), ..alone };
    assert_eq!(
        refusal(Epilogue::GateOnly, 2, over),
        "squeeze_excite: output `gate` overlaps `features` in the same buffer; give each its own range"
    );
    let half = SqueezeExciteBuffers { features: output.slice(256..512), output: Some(output.slice(0..512)), ..buffers };
    assert_eq!(bind(Epilogue::Scale, 2, half), Ok(3));
    let half = SqueezeExciteBuffers { features: output.slice(0..512), output: Some(output.slice(256..768)), ..buffers };
    assert_eq!(bind(Epilogue::Scale, 2, half), Ok(3));
    let over = SqueezeExciteBuffers { reduce_bias: Some(output.slice(0..256)), ..buffers };
    assert_eq!(
        refusal(Epilogue::Scale, 2, over),
        "squeeze_excite: output `output` overlaps `reduce_bias` in the same buffer; give each its own range"
    );
    let operator = SqueezeExcite::new(compiler::of(&gpu.device), SqueezeExciteOptions::STANDARD, Element::F32).unwrap();
    assert_eq!(
        operator
            .bind(&gpu.device, SqueezeExciteShape { features: Nchw::new(0, 4, 4, 4), reduced: 2 }, buffers)
            .unwrap()
            .dispatches()
            .len(),
        0
    );
    assert_eq!(
        operator
            .bind(&gpu.device, SqueezeExciteShape { features: Nchw::new(1, 4, 0, 4), reduced: 2 }, buffers)
            .map(|_| ())
            .unwrap_err()
            .to_string(),
        "squeeze_excite: shape of `features` is [1, 4, 0, 4], needs at least one pixel in each plane"
    );
}
