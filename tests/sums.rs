//! The rounding error of a sum does not grow with the number of its terms: at most 96 roundings of the sum of magnitudes, in kernels and
//! in the f32 run of the references. A plain sum of equal numbers is off by up to half of a rounding for each of them.

use visual_attention::reference::{self, Excitation, Layer};
use visual_attention::{
    Activation, AttentionMap, AttentionMapBuffers, Dense, DenseBuffers, DenseShape, Element, Epilogue, GlobalPool,
    GlobalPoolBuffers, Nchw, PointwiseConv, PointwiseConvBuffers, PointwiseConvOptions, Squeeze, SqueezeExcite,
    SqueezeExciteBuffers, SqueezeExciteOptions, SqueezeExciteShape, Statistic,
};

use crate::common::{self, Random, TestGpu, rounded, wide};
use crate::compiler;

/// `count` numbers that a plain sum rounds the same way again and again, and `count` random ones.
fn terms(count: usize, element: Element) -> [Vec<f32>; 3] {
    let random: Vec<f32> = Random::new(count as u64).normal(count);
    [vec![60_000.0; count], vec![0.1; count], random].map(|values| rounded(&values, element))
}

/// 96 roundings of the sum of magnitudes, which is `magnitude`.
#[track_caller]
fn assert_close(who: &str, actual: f32, exact: f64, magnitude: f64) {
    let error = (f64::from(actual) - exact).abs() / (magnitude * 2.0f64.powi(-24));
    assert!(error <= 96.0, "{who}: {actual} is {error:.0} roundings from {exact}");
}

fn magnitude(values: impl Iterator<Item = f64>) -> f64 {
    values.map(f64::abs).sum()
}

#[test]
fn of_planes() {
    let Some(gpu) = common::gpu() else { return };
    for element in gpu.elements() {
        let operator = GlobalPool::new(compiler::of(&gpu.device), Squeeze::Mean, element).unwrap();
        // Two vector widths, one part and 64, and what a software adapter gives to 256 invocations.
        for (height, width) in [(128, 128), (127, 129), (1024, 1024), (1021, 1019), (2048, 2052)] {
            let shape = Nchw::new(1, 1, height, width);
            let pixels = (height * width) as usize;
            for values in terms(pixels, element) {
                let features = gpu.input(&values, element);
                let mean = gpu.output(1, 4);
                let buffers = GlobalPoolBuffers { features: features.slice(..), mean: Some(mean.slice()), max: None };
                gpu.recording(&operator.bind(&gpu.device, shape, buffers).unwrap());
                let exact = reference::global_mean(shape, &wide(&values))[0];
                let magnitude = magnitude(wide(&values).into_iter()) / pixels as f64;
                assert_close(&format!("{element:?} {shape}"), gpu.words(&mean)[0], exact, magnitude);
                let baseline = reference::global_mean(shape, &values)[0];
                assert_close(&format!("reference {shape}"), baseline, exact, magnitude);
            }
        }
    }
}

#[test]
fn of_channels() {
    let Some(gpu) = common::gpu() else { return };
    for (channels, pixels) in [(2048, 49), (2048, 4), (30_001, 3), (40_000, 4), (5000, 600)] {
        let shape = Nchw::new(1, channels, 1, pixels);
        for (statistic, term) in [
            (Statistic::L2, (|value| value * value) as fn(f64) -> f64),
            (Statistic::Rms, |value| value * value),
            (Statistic::MeanAbs, f64::abs),
        ] {
            for values in terms((channels * pixels) as usize, Element::F32) {
                let features = gpu.input(&values, Element::F32);
                let map = gpu.output(pixels as usize, 4);
                let operator = AttentionMap::new(compiler::of(&gpu.device), statistic, Element::F32).unwrap();
                let buffers = AttentionMapBuffers { features: features.slice(..), map: map.slice() };
                gpu.recording(&operator.bind(&gpu.device, shape, buffers).unwrap());
                let exact = reference::attention_map(shape, statistic, &wide(&values));
                let baseline = reference::attention_map(shape, statistic, &values);
                let actual: Vec<f32> = gpu.words(&map);
                for pixel in 0..pixels as usize {
                    let over_channels = values.iter().skip(pixel).step_by(pixels as usize);
                    let sum = magnitude(over_channels.map(|&value| term(value.into())));
                    // A root halves the relative error.
                    let magnitude = match statistic {
                        Statistic::MeanAbs => sum / f64::from(channels),
                        Statistic::Rms => (sum / f64::from(channels)).sqrt(),
                        _ => sum.sqrt() / f64::from(channels),
                    };
                    assert_close(&format!("{statistic:?} {shape}"), actual[pixel], exact[pixel], magnitude);
                    assert_close(&format!("reference {statistic:?} {shape}"), baseline[pixel], exact[pixel], magnitude);
                }
            }
        }
    }
}

#[test]
fn of_matrix_rows() {
    let Some(gpu) = common::gpu() else { return };
    let operator = Dense::new(compiler::of(&gpu.device), Activation::None, Element::F32).unwrap();
    for inputs in [2048, 20_001, 70_000, 140_000] {
        let shape = DenseShape { batch: 1, inputs, second_inputs: 0, outputs: 2 };
        for values in terms(inputs as usize, Element::F32) {
            let weights: Vec<f32> = [1.0, 0.3].iter().flat_map(|&weight| vec![weight; inputs as usize]).collect();
            let (input, weight, output) =
                (gpu.input(&values, Element::F32), gpu.input(&weights, Element::F32), gpu.output(2, 4));
            let buffers = DenseBuffers {
                input: input.slice(..),
                second: None,
                weight: weight.slice(..),
                bias: None,
                norm: None,
                output: output.slice(),
            };
            gpu.recording(&operator.bind(&gpu.device, shape, buffers).unwrap());
            let (wide_values, wide_weights) = (wide(&values), wide(&weights));
            let layer = Layer { weight: &wide_weights, bias: None, norm: None };
            let exact = reference::dense(inputs as usize, &wide_values, &layer, Activation::None);
            let layer = Layer { weight: &weights, bias: None, norm: None };
            let baseline = reference::dense(inputs as usize, &values, &layer, Activation::None);
            let actual: Vec<f32> = gpu.words(&output);
            for row in 0..2 {
                let magnitude = magnitude(wide_values.iter().map(|value| value * wide_weights[row * inputs as usize]));
                assert_close(&format!("{inputs} inputs"), actual[row], exact[row], magnitude);
                assert_close(&format!("reference of {inputs} inputs"), baseline[row], exact[row], magnitude);
            }
        }
    }
}

/// The gate alone, without an activation: the sum over the hidden vector is the second layer's.
#[test]
fn of_gates() {
    let Some(gpu) = common::gpu() else { return };
    let options = SqueezeExciteOptions::STANDARD
        .with_activation(Activation::None)
        .with_gate(Activation::None)
        .with_epilogue(Epilogue::GateOnly);
    let operator = SqueezeExcite::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
    for (channels, reduced) in [(70_000, 1), (2, 10_000), (1, 70_000)] {
        let shape = Nchw::new(1, channels, 1, 1);
        let features = vec![0.1; channels as usize];
        let weights = vec![0.7; (channels * reduced) as usize];
        let expand = vec![1.0; (channels * reduced) as usize];
        let gate = gpu.output(channels as usize, 4);
        let [x, w1, w2] = [&features, &weights, &expand].map(|values| gpu.input(values, Element::F32));
        let buffers = SqueezeExciteBuffers {
            features: x.slice(..),
            reduce_weight: w1.slice(..),
            reduce_bias: None,
            expand_weight: w2.slice(..),
            expand_bias: None,
            identity: None,
            gate: Some(gate.slice()),
            output: None,
        };
        gpu.recording(&operator.bind(&gpu.device, SqueezeExciteShape { features: shape, reduced }, buffers).unwrap());
        let [x, w1, w2] = [&features, &weights, &expand].map(|values| wide(values));
        let excitation = Excitation { reduce_weight: &w1, reduce_bias: None, expand_weight: &w2, expand_bias: None };
        let (exact, _) = reference::squeeze_excite(shape, options, &x, &excitation, None);
        // Two sums, one after the other.
        assert_close(&format!("{channels} channels, {reduced} reduced"), gpu.words(&gate)[0], exact[0], 2.0 * exact[0]);
    }
}

fn project(gpu: &TestGpu, options: PointwiseConvOptions, shape: Nchw, x: &[f32], weights: &[f32]) -> Vec<f32> {
    let operator = PointwiseConv::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
    let y = gpu.output((shape.height * shape.width * options.outputs) as usize, 4);
    let (x, weights) = (gpu.input(x, Element::F32), gpu.input(weights, Element::F32));
    let buffers = PointwiseConvBuffers {
        x: x.slice(..),
        weights: weights.slice(..),
        bias: None,
        y: [Some(y.slice()), None, None],
    };
    gpu.recording(&operator.bind(&gpu.device, shape, buffers).unwrap());
    gpu.words(&y)
}

#[test]
fn of_projections() {
    let Some(gpu) = common::gpu() else { return };
    // Two and three levels of blocks, one number and four to a load, and one block more or less.
    for (inputs, pixels) in [(1, 3), (2047, 3), (2048, 4), (2050, 3), (8192, 4), (8196, 4), (9000, 8), (31_774, 1)] {
        let options = PointwiseConvOptions::new(inputs, 3);
        let shape = Nchw::new(1, inputs, 1, pixels);
        let weights: Vec<f32> = [1.0, 0.3, -0.7].iter().flat_map(|&weight| vec![weight; inputs as usize]).collect();
        for x in terms((inputs * pixels) as usize, Element::F32) {
            let actual = project(gpu, options, shape, &x, &weights);
            let exact = reference::pointwise_conv(shape, &options, &wide(&x), &wide(&weights), None).remove(0);
            let baseline = reference::pointwise_conv(shape, &options, &x, &weights, None).remove(0);
            for index in 0..actual.len() {
                let (output, pixel) = (index / pixels as usize, index % pixels as usize);
                let weight = f64::from(weights[output * inputs as usize]);
                let terms = x.iter().skip(pixel).step_by(pixels as usize);
                let magnitude = magnitude(terms.map(|&value| weight * f64::from(value)));
                assert_close(&format!("{inputs} inputs, {pixels} pixels"), actual[index], exact[index], magnitude);
                assert_close(&format!("reference of {inputs} inputs"), baseline[index], exact[index], magnitude);
            }
        }
    }
}
