use visual_attention::{
    Element, Error, HeadNorm, HeadNormRotaryBackward, HeadNormRotaryBackwardBuffers, HeadNormRotaryOptions, Ncthw,
    reference, wgpu,
};

use crate::common::{self, Precision, Random, TestGpu, assert_within_tolerance_with_room, rounded, wide};
use crate::compiler;

/// What WGSL lets an adapter do to a number up to `largest`: a root and three divisions to 2.5 ULP each, and as much for products.
fn room(exact: &[f64]) -> f64 {
    16.0 * f64::from(f32::EPSILON) * exact.iter().fold(0f64, |largest, value| largest.max(value.abs()))
}

struct Inputs {
    x: Vec<f32>,
    /// Empty for no weight.
    weight: Vec<f32>,
    y_gradient: Vec<f32>,
}

impl Inputs {
    fn random(seed: u64, shape: Ncthw, head_dim: u32, element: Element) -> Self {
        let mut random = Random::new(seed);
        let mut numbers = |len: u64| rounded(&random.normal(len as usize), element);
        let len = shape.elements().unwrap();
        Self { x: numbers(len), weight: numbers(head_dim.into()), y_gradient: numbers(len) }
    }

    fn reference(&self, shape: Ncthw, options: &HeadNormRotaryOptions) -> [(Vec<f64>, Vec<f32>); 2] {
        let Self { x, weight, y_gradient } = self;
        let given = (!weight.is_empty()).then_some(weight.as_slice());
        let baseline = reference::head_norm_rotary_backward(shape, options, x, given, y_gradient);
        let (x, weight, y_gradient) = (wide(x), given.map(wide), wide(y_gradient));
        let exact = reference::head_norm_rotary_backward(shape, options, &x, weight.as_deref(), &y_gradient);
        [(exact.x, baseline.x), (exact.weight, baseline.weight)]
    }
}

/// The gradients of `x` and of the weight that are `wanted`; the others are empty.
fn run(
    gpu: &TestGpu,
    shape: Ncthw,
    options: HeadNormRotaryOptions,
    element: Element,
    inputs: &Inputs,
    wanted: [bool; 2],
) -> [Vec<f32>; 2] {
    let operator = HeadNormRotaryBackward::new(compiler::of(&gpu.device), options, element).unwrap();
    let [x, weight, upstream] =
        [&inputs.x, &inputs.weight, &inputs.y_gradient].map(|values| gpu.input(values, element));
    let head_dim = (shape.channels / options.heads) as usize;
    let outputs = [gpu.output(inputs.x.len(), element.bytes()), gpu.output(head_dim, 4)];
    let buffers = HeadNormRotaryBackwardBuffers {
        x: x.slice(..),
        weight: (!inputs.weight.is_empty()).then(|| weight.slice(..)),
        y_gradient: upstream.slice(..),
        x_gradient: wanted[0].then(|| outputs[0].slice()),
        weight_gradient: wanted[1].then(|| outputs[1].slice()),
    };
    gpu.recording(&operator.bind(&gpu.device, shape, buffers).unwrap());
    [(0, element), (1, Element::F32)]
        .map(|(index, element)| if wanted[index] { gpu.floats(&outputs[index], element) } else { Vec::new() })
}

/// Norms, splits with and without channels that do not turn, heads of odd and of many channels, one axis and three, more positions than a
/// tile of the weight's gradient.
#[test]
fn matches_reference() {
    let Some(gpu) = common::gpu() else { return };
    let with = HeadNormRotaryOptions::new;
    let cases = [
        ([1, 1, 1, 1, 1], with(1)),
        ([2, 12, 1, 5, 13], with(2).with_norm(HeadNorm::Rms).with_split([0, 2, 4])),
        ([1, 128, 3, 4, 5], with(2).with_norm(HeadNorm::Rms).with_split([16, 24, 24]).with_scale(0.125)),
        ([1, 21, 2, 8, 8], with(3).with_norm(HeadNorm::L2).with_split([2, 2, 2]).with_scale(-2.5)),
        ([3, 64, 1, 1, 65], with(4).with_split([0, 0, 16])),
        ([1, 200, 2, 3, 11], with(1).with_norm(HeadNorm::L2).with_split([4, 0, 6]).with_epsilon(20.0)),
        ([1, 200, 1, 3, 11], with(1).with_norm(HeadNorm::L2).with_split([4, 0, 6]).with_epsilon(14.0)),
        ([1, 1030, 1, 2, 3], with(1).with_norm(HeadNorm::Rms).with_split([0, 1030, 0]).with_base(100.0)),
        ([2, 10, 40, 1, 1], with(1).with_norm(HeadNorm::Rms).with_split([10, 0, 0]).with_epsilon(0.5)),
        ([2, 6, 1, 65, 67], with(2).with_norm(HeadNorm::Rms).with_split([0, 0, 2])),
        ([1, 12, 2, 3, 4], with(1).with_norm(HeadNorm::L2).with_split([4, 4, 4]).with_first([1000, 7, 3])),
        ([1, 6, 1, 2, 4], with(1).with_norm(HeadNorm::L2).with_epsilon(-0.0)),
    ];
    for element in gpu.elements() {
        for (seed, (shape, options)) in (0..).zip(cases) {
            let shape = Ncthw::from(shape);
            let mut inputs = Inputs::random(seed, shape, shape.channels / options.heads, element);
            for with_weight in [true, false] {
                if !with_weight {
                    inputs.weight.clear();
                }
                let found = run(gpu, shape, options, element, &inputs, [true; 2]);
                let expected = inputs.reference(shape, &options);
                let precisions = [Precision::from(element), Precision::F32];
                for (index, (exact, baseline)) in expected.iter().enumerate() {
                    let what = format!("{element:?} {shape} {options:?} weight {with_weight}, gradient {index}");
                    let precision = precisions[index];
                    assert_within_tolerance_with_room(&found[index], exact, baseline, precision, room(exact), what);
                }
            }
        }
    }
}

#[test]
fn each_gradient_alone_has_the_bits_of_both_however_work_is_divided() {
    let Some(gpu) = common::gpu() else { return };
    let limits = wgpu::Limits { max_storage_buffer_binding_size: 2048, ..wgpu::Limits::default() };
    let Some(small) = common::gpu_with(&limits) else { return };
    let shape = Ncthw::new(3, 6, 1, 5, 13);
    for norm in [HeadNorm::None, HeadNorm::Rms] {
        let options = HeadNormRotaryOptions::new(2).with_norm(norm).with_split([0, 0, 2]);
        let inputs = Inputs::random(7, shape, 3, Element::F32);
        let run = |gpu: &TestGpu, wanted| run(gpu, shape, options, Element::F32, &inputs, wanted);
        let [x, weight] = run(gpu, [true; 2]);
        assert_eq!(run(gpu, [true, false]), [x.clone(), Vec::new()], "{norm:?}");
        assert_eq!(run(gpu, [false, true]), [Vec::new(), weight.clone()], "{norm:?}");
        assert_eq!(run(gpu, [false; 2]), [const { Vec::<f32>::new() }; 2]);
        assert_eq!(run(&small, [true; 2]), [x, weight], "{norm:?}");
    }
}

/// A head of zeros has the gradient 0 where nothing keeps its length above 0. No image gives the weight the gradient 0.
#[test]
fn zero_heads_and_empty_tensors() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Ncthw::new(1, 4, 1, 1, 3);
    for norm in [HeadNorm::Rms, HeadNorm::L2] {
        let options = HeadNormRotaryOptions::new(1).with_norm(norm).with_epsilon(0.0);
        let inputs = Inputs { x: vec![0.0; 12], weight: vec![1.0; 4], y_gradient: vec![1.0; 12] };
        let [x, weight] = run(gpu, shape, options, Element::F32, &inputs, [true; 2]);
        assert_eq!((x, weight), (vec![0.0; 12], vec![0.0; 4]), "{norm:?}");
        // Below epsilon a head is divided by a constant.
        let options = options.with_norm(HeadNorm::L2).with_epsilon(0.5);
        let [x, _] = run(gpu, shape, options, Element::F32, &inputs, [true; 2]);
        assert_eq!(x, vec![2.0; 12]);
    }
    let operator = HeadNormRotaryBackward::new(compiler::of(&gpu.device), HeadNormRotaryOptions::new(1), Element::F32);
    let (empty, weight_gradient) = (gpu.input(&[0.0], Element::F32), gpu.output(4, 4));
    let buffers = HeadNormRotaryBackwardBuffers {
        x: empty.slice(..),
        weight: None,
        y_gradient: empty.slice(..),
        x_gradient: None,
        weight_gradient: Some(weight_gradient.slice()),
    };
    let recording = operator.unwrap().bind(&gpu.device, Ncthw::new(0, 4, 1, 2, 2), buffers).unwrap();
    gpu.recording(&recording);
    assert_eq!(gpu.floats(&weight_gradient, Element::F32), [0.0; 4]);
}

#[test]
fn refuses_what_has_no_meaning() {
    let Some(gpu) = common::gpu() else { return };
    let base = HeadNormRotaryOptions::new(2);
    let error = HeadNormRotaryBackward::new(compiler::of(&gpu.device), base.with_split([0, 3, 0]), Element::F32);
    let error = error.map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("head_norm_rotary_backward") && error.contains("even numbers"), "{error}");
    let operator = HeadNormRotaryBackward::new(compiler::of(&gpu.device), base.with_split([0, 0, 4]), Element::F32);
    let error = operator.unwrap().tensors(Ncthw::new(1, 6, 1, 2, 2)).unwrap_err();
    assert!(matches!(error, Error::InvalidShape { op: "head_norm_rotary_backward", binding: "x", .. }), "{error}");
    let operator = HeadNormRotaryBackward::new(compiler::of(&gpu.device), HeadNormRotaryOptions::new(1), Element::F32);
    let operator = operator.unwrap();
    let buffer = gpu.buffer("any", 4 * 10_700).unwrap();
    let gradient = gpu.buffer("gradient", 4 * 10_700).unwrap();
    let buffers = HeadNormRotaryBackwardBuffers {
        x: buffer.slice(..),
        weight: None,
        y_gradient: buffer.slice(..),
        x_gradient: Some(gradient.slice(..)),
        weight_gradient: None,
    };
    // As the operator's page says.
    assert!(operator.bind(&gpu.device, Ncthw::new(1, 10_699, 1, 1, 1), buffers).is_ok());
    let error = operator.bind(&gpu.device, Ncthw::new(1, 10_700, 1, 1, 1), buffers).unwrap_err();
    assert!(matches!(error, Error::LimitExceeded { limit: "loop rounds of one invocation", .. }), "{error}");
}
