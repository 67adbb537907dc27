use visual_attention::{
    Element, Error, Nchw, SasaStemBackward, SasaStemBackwardBuffers, SasaStemOptions, Size, reference, wgpu,
};

use crate::common::{self, Random, TestGpu, assert_within_tolerance_with_room, largest, rounded, softmax_room, wide};
use crate::compiler;

const BASE: SasaStemOptions = SasaStemOptions::new(2, 4, 6);
const NAMES: [&str; 5] = ["x", "projections", "row", "column", "mix"];

/// `x`, projections, row, column and mix, and the gradient of the output.
struct Inputs {
    tensors: [Vec<f32>; 5],
    y_gradient: Vec<f32>,
}

/// Of the tensors in the same order.
type Gradients<T> = [Vec<T>; 5];

fn in_order<T>(found: reference::SasaStemGradients<T>) -> Gradients<T> {
    [found.x, found.projections, found.row, found.column, found.mix]
}

impl Inputs {
    fn random(seed: u64, shape: Nchw, options: &SasaStemOptions, element: Element) -> Self {
        let mut random = Random::new(seed);
        let mut numbers = |len: u32, factor: f32| {
            let numbers: Vec<f32> = random.normal(len as usize).iter().map(|number| number * factor).collect();
            rounded(&numbers, element)
        };
        let pixels = shape.batch * shape.height * shape.width;
        Self {
            tensors: [
                numbers(pixels * shape.channels, 1.0),
                numbers((2 + options.mixtures) * options.channels() * options.inputs, 0.4),
                numbers(options.embeddings * options.window.height, 0.7),
                numbers(options.embeddings * options.window.width, 0.7),
                numbers(options.mixtures * options.embeddings, 0.7),
            ],
            y_gradient: numbers(pixels * options.channels(), 1.0),
        }
    }

    fn reference(&self, shape: Nchw, options: &SasaStemOptions) -> (Gradients<f64>, Gradients<f32>) {
        let [x, projections, row, column, mix] = &self.tensors;
        let tables = [row.as_slice(), column, mix];
        let baseline = reference::sasa_stem_backward(shape, options, x, projections, tables, &self.y_gradient);
        let [x, projections, row, column, mix] = [x, projections, row, column, mix].map(|values| wide(values));
        let (tables, upstream) = ([row.as_slice(), &column, &mix], wide(&self.y_gradient));
        let exact = reference::sasa_stem_backward(shape, options, &x, &projections, tables, &upstream);
        (in_order(exact), in_order(baseline))
    }
}

/// The gradients that are `wanted`; the others are empty.
fn run(
    gpu: &TestGpu,
    shape: Nchw,
    (options, element): (SasaStemOptions, Element),
    inputs: &Inputs,
    wanted: [bool; 5],
) -> Gradients<f32> {
    let operator = SasaStemBackward::new(compiler::of(&gpu.device), options, element).unwrap();
    let given = inputs.tensors.each_ref().map(|values| gpu.input(values, element));
    let upstream = gpu.input(&inputs.y_gradient, element);
    let elements = [element, Element::F32, Element::F32, Element::F32, Element::F32];
    let outputs = [0, 1, 2, 3, 4].map(|index| gpu.output(inputs.tensors[index].len(), elements[index].bytes()));
    let slice = |index: usize| wanted[index].then(|| outputs[index].slice());
    let buffers = SasaStemBackwardBuffers {
        x: given[0].slice(..),
        projections: given[1].slice(..),
        row: given[2].slice(..),
        column: given[3].slice(..),
        mix: given[4].slice(..),
        y_gradient: upstream.slice(..),
        x_gradient: slice(0),
        projections_gradient: slice(1),
        row_gradient: slice(2),
        column_gradient: slice(3),
        mix_gradient: slice(4),
    };
    gpu.recording(&operator.bind(&gpu.device, shape, buffers).unwrap());
    let read = |index: usize| gpu.floats(&outputs[index], elements[index]);
    [0, 1, 2, 3, 4].map(|index| if wanted[index] { read(index) } else { Vec::new() })
}

/// The shapes of the forward operator's test, and more queries than a tile of the mixture's gradient.
#[test]
fn matches_reference() {
    let Some(gpu) = common::gpu() else { return };
    let cases = [
        (Nchw::new(1, 3, 9, 10), BASE),
        (Nchw::new(2, 3, 1, 1), SasaStemOptions::new(1, 19, 6)),
        (Nchw::new(1, 5, 7, 17), BASE.with_inputs(5).with_window(Size::new(3, 6)).with_mixtures(1)),
        (Nchw::new(1, 3, 6, 8), BASE.with_window(Size::new(2, 5)).with_padding(Size::new(1, 2))),
        (Nchw::new(2, 3, 12, 9), SasaStemOptions::new(8, 8, 1).with_padding(Size::new(0, 5)).with_scale(-0.4)),
        (
            Nchw::new(1, 1, 61, 69),
            SasaStemOptions::new(1, 1, 2).with_inputs(1).with_window(Size::new(2, 2)).with_padding(Size::new(1, 0)),
        ),
    ];
    for element in gpu.elements() {
        for (seed, (shape, options)) in (0..).zip(cases) {
            let inputs = Inputs::random(seed, shape, &options, element);
            let found = run(gpu, shape, (options, element), &inputs, [true; 5]);
            let (exact, baseline) = inputs.reference(shape, &options);
            for (index, name) in NAMES.into_iter().enumerate() {
                // Two softmaxes, one inside the other, then sums over pixels in which large terms may cancel.
                let room = softmax_room(options.window.pixels(), 1.0) + softmax_room(options.mixtures.into(), 1.0);
                let room = room * largest(&baseline[index]);
                let precision = if index == 0 { element } else { Element::F32 };
                let what = format!("{name} {element:?} {shape} {options:?}");
                let (exact, baseline) = (&exact[index], &baseline[index]);
                assert_within_tolerance_with_room(&found[index], exact, baseline, precision.into(), room, what);
            }
        }
    }
}

#[test]
fn each_gradient_alone_has_the_bits_of_all_however_work_is_divided() {
    let Some(gpu) = common::gpu() else { return };
    let limits = wgpu::Limits { max_storage_buffer_binding_size: 16 << 10, ..wgpu::Limits::default() };
    let Some(small) = common::gpu_with(&limits) else { return };
    let shape = Nchw::new(3, 3, 5, 7);
    let inputs = Inputs::random(5, shape, &BASE, Element::F32);
    let run = |gpu: &TestGpu, wanted| run(gpu, shape, (BASE, Element::F32), &inputs, wanted);
    let all = run(gpu, [true; 5]);
    assert_eq!(run(&small, [true; 5]), all);
    for index in 0..5 {
        let alone = run(gpu, [0, 1, 2, 3, 4].map(|other| other == index));
        assert_eq!(alone[index], all[index], "{}", NAMES[index]);
    }
    assert_eq!(run(gpu, [false; 5]), [const { Vec::<f32>::new() }; 5]);
}

/// One pixel, whose logit is the product of its own query and key: a query without keys has no gradient, NaN gives NaN.
#[test]
fn infinite_and_nan_logits() {
    let Some(gpu) = common::gpu() else { return };
    let options = SasaStemOptions::new(1, 1, 1)
        .with_inputs(1)
        .with_window(Size::new(1, 1))
        .with_padding(Size::new(0, 0))
        .with_mixtures(1);
    let shape = Nchw::new(1, 1, 1, 1);
    for (x, key) in [(f32::INFINITY, -1.0), (f32::INFINITY, 1.0), (f32::NAN, 1.0), (2.0, -1.0)] {
        let tensors = [vec![x], vec![1.0, key, 1.0], vec![0.5], vec![0.5], vec![0.5]];
        let inputs = Inputs { tensors, y_gradient: vec![3.0] };
        let found = run(gpu, shape, (options, Element::F32), &inputs, [true; 5]);
        let (exact, _) = inputs.reference(shape, &options);
        for (index, name) in NAMES.into_iter().enumerate() {
            for (&actual, &exact) in found[index].iter().zip(&exact[index]) {
                let same = actual.is_nan() && exact.is_nan() || f64::from(actual) == exact;
                assert!(same, "{name}, {x} times {key}: {actual} and {exact}");
            }
        }
        // A query whose only logit is -infinite.
        assert!(key == 1.0 || x == 2.0 || found[0] == [0.0], "{:?}", found[0]);
    }
}

#[test]
fn refuses_what_has_no_meaning() {
    let Some(gpu) = common::gpu() else { return };
    let refused = |options: SasaStemOptions, words: &[&str]| {
        let error = SasaStemBackward::new(compiler::of(&gpu.device), options, Element::F32).map(|_| ());
        let error = error.unwrap_err().to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    };
    refused(BASE.with_mixtures(0), &["sasa_stem_backward", "mixtures", "0", "at least 1"]);
    refused(BASE.with_scale(f32::NAN), &["sasa_stem_backward", "scale", "NaN", "finite"]);
    if common::is_software(gpu) {
        refused(BASE.with_window(Size::new(70, 70)), &["rounds", "32767", "window smaller"]);
    }
    let operator = SasaStemBackward::new(compiler::of(&gpu.device), BASE, Element::F32).unwrap();
    let error = operator.tensors(Nchw::new(1, 4, 3, 3)).unwrap_err();
    assert!(matches!(error, Error::InvalidShape { op: "sasa_stem_backward", binding: "x", .. }), "{error}");
}
