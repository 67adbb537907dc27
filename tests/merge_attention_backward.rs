use visual_attention::{Element, Error, MergeAttentionBackward, MergeAttentionBackwardBuffers, Nchw, reference};

use crate::common::{self, Precision, Random, TestGpu, assert_within_tolerance_with_room, rounded, wide};
use crate::compiler;

/// Two results with their log-sum-exps, and the upstream gradients.
struct Inputs {
    y: [Vec<f32>; 2],
    log_sum_exp: [Vec<f32>; 2],
    y_gradient: Vec<f32>,
    log_sum_exp_gradient: Vec<f32>,
}

/// As the operator's tensors: `y1`, `log_sum_exp1`, `y2`, `log_sum_exp2`.
type Gradients<T> = [Vec<T>; 4];
const NAMES: [&str; 4] = ["y1", "log_sum_exp1", "y2", "log_sum_exp2"];

fn in_order<T>(found: reference::MergeAttentionGradients<T>) -> Gradients<T> {
    [found.y1, found.log_sum_exp1, found.y2, found.log_sum_exp2]
}

impl Inputs {
    /// Log-sum-exps deviate by `spread`.
    fn random(seed: u64, shape: Nchw, heads: u32, spread: f32, element: Element) -> Self {
        let mut random = Random::new(seed);
        let len = shape.elements().unwrap() as usize;
        let queries = len / (shape.channels / heads) as usize;
        Self {
            y: [0, 1].map(|_| rounded(&random.normal(len), element)),
            log_sum_exp: [0, 1].map(|_| random.normal(queries).iter().map(|number| number * spread).collect()),
            y_gradient: rounded(&random.normal(len), element),
            log_sum_exp_gradient: random.normal(queries),
        }
    }

    fn reference(&self, shape: Nchw, heads: u32, with_sums: bool) -> (Gradients<f64>, Gradients<f32>) {
        let Self { y, log_sum_exp, y_gradient, log_sum_exp_gradient } = self;
        let parts = [0, 1].map(|part| (y[part].as_slice(), log_sum_exp[part].as_slice()));
        let sums = with_sums.then_some(log_sum_exp_gradient.as_slice());
        let baseline = reference::merge_attention_backward(shape, heads, parts, y_gradient, sums);
        let wide_parts = [0, 1].map(|part| (wide(&y[part]), wide(&log_sum_exp[part])));
        let parts = [0, 1].map(|part| (wide_parts[part].0.as_slice(), wide_parts[part].1.as_slice()));
        let (upstream, sums) = (wide(y_gradient), sums.map(wide));
        let exact = reference::merge_attention_backward(shape, heads, parts, &upstream, sums.as_deref());
        (in_order(exact), in_order(baseline))
    }
}

/// The gradients that are `wanted`; the others are empty.
fn run(
    gpu: &TestGpu,
    shape: Nchw,
    (heads, element): (u32, Element),
    inputs: &Inputs,
    with_sums: bool,
    wanted: [bool; 4],
) -> Gradients<f32> {
    let operator = MergeAttentionBackward::new(compiler::of(&gpu.device), heads, element).unwrap();
    let [y1, y2] = [0, 1].map(|part| gpu.input(&inputs.y[part], element));
    let [first, second] = [0, 1].map(|part| gpu.input(&inputs.log_sum_exp[part], Element::F32));
    let upstream = gpu.input(&inputs.y_gradient, element);
    let sums = gpu.input(&inputs.log_sum_exp_gradient, Element::F32);
    let (result, sum) = (inputs.y[0].len(), inputs.log_sum_exp[0].len());
    let outputs = [(result, element), (sum, Element::F32), (result, element), (sum, Element::F32)]
        .map(|(len, element)| gpu.output(len, element.bytes()));
    let slice = |index: usize| wanted[index].then(|| outputs[index].slice());
    let buffers = MergeAttentionBackwardBuffers {
        y1: y1.slice(..),
        log_sum_exp1: first.slice(..),
        y2: y2.slice(..),
        log_sum_exp2: second.slice(..),
        y_gradient: upstream.slice(..),
        log_sum_exp_gradient: with_sums.then(|| sums.slice(..)),
        y1_gradient: slice(0),
        log_sum_exp1_gradient: slice(1),
        y2_gradient: slice(2),
        log_sum_exp2_gradient: slice(3),
    };
    gpu.recording(&operator.bind(&gpu.device, shape, buffers).unwrap());
    [0, 1, 2, 3].map(|index| match wanted[index] {
        true => gpu.floats(&outputs[index], if index % 2 == 0 { element } else { Element::F32 }),
        false => Vec::new(),
    })
}

#[test]
fn matches_reference() {
    let Some(gpu) = common::gpu() else { return };
    let shapes = [
        (1, [1, 1, 1, 1]),
        (2, [2, 6, 5, 13]),
        (3, [1, 27, 8, 8]),
        (1, [3, 17, 1, 65]),
        (4, [2, 32, 9, 7]),
        (1, [1, 200, 1, 63]),
    ];
    for element in gpu.elements() {
        for (seed, (heads, shape)) in (0..).zip(shapes) {
            let shape = Nchw::from(shape);
            for (spread, with_sums) in [(1.0, true), (30.0, false), (4000.0, true)] {
                let inputs = Inputs::random(seed, shape, heads, spread, element);
                let found = run(gpu, shape, (heads, element), &inputs, with_sums, [true; 4]);
                let (exact, baseline) = inputs.reference(shape, heads, with_sums);
                for (index, name) in NAMES.into_iter().enumerate() {
                    let what = format!("{name} {element:?} {shape} heads {heads} spread {spread}");
                    let precision = if index % 2 == 0 { Precision::from(element) } else { Precision::F32 };
                    // The weight of a result, once or twice.
                    let largest = exact[index].iter().fold(1f64, |largest, value| largest.max(value.abs()));
                    let room = 8.0 * f64::from(f32::EPSILON) * largest;
                    let (found, exact, baseline) = (&found[index], &exact[index], &baseline[index]);
                    assert_within_tolerance_with_room(found, exact, baseline, precision, room, what);
                }
            }
        }
    }
}

#[test]
fn each_gradient_alone_has_the_bits_of_all() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nchw::new(2, 6, 5, 13);
    let inputs = Inputs::random(4, shape, 2, 1.0, Element::F32);
    let run = |wanted| run(gpu, shape, (2, Element::F32), &inputs, true, wanted);
    let all = run([true; 4]);
    for index in 0..4 {
        let alone = run([0, 1, 2, 3].map(|other| other == index));
        assert_eq!(alone[index], all[index], "{}", NAMES[index]);
    }
    assert_eq!(run([false; 4]), [const { Vec::<f32>::new() }; 4]);
}

/// Each combination of a query without keys, NaN, infinity and the largest numbers.
#[test]
fn results_without_keys_have_no_gradient() {
    let Some(gpu) = common::gpu() else { return };
    let values = [0.0, 1.0, f32::NEG_INFINITY, f32::NAN, f32::INFINITY, 3e38, -3e38];
    let pairs: Vec<(f32, f32)> =
        values.iter().flat_map(|&first| values.iter().map(move |&second| (first, second))).collect();
    let shape = Nchw::new(1, 2, 1, pairs.len() as u32);
    let (first, second): (Vec<f32>, Vec<f32>) = pairs.iter().copied().unzip();
    // What is left out may hold anything.
    let result = |sums: &[f32], value: f32| -> Vec<f32> {
        let one = sums.iter().map(|&sum| if sum == f32::NEG_INFINITY { f32::NAN } else { value });
        one.clone().chain(one).collect()
    };
    let inputs = Inputs {
        y: [result(&first, 2.0), result(&second, 8.0)],
        log_sum_exp: [first, second],
        y_gradient: vec![0.5; 2 * pairs.len()],
        log_sum_exp_gradient: vec![3.0; pairs.len()],
    };
    let found = run(gpu, shape, (1, Element::F32), &inputs, true, [true; 4]);
    let (exact, _) = inputs.reference(shape, 1, true);
    for (index, name) in NAMES.into_iter().enumerate() {
        for (at, (&actual, &exact)) in found[index].iter().zip(&exact[index]).enumerate() {
            let pair = pairs[at % pairs.len()];
            let same = actual.is_nan() && exact.is_nan() || (f64::from(actual) - exact).abs() <= 1e-5;
            assert!(same, "{name} {pair:?}: {actual} and {exact}");
        }
    }
    let of = |first: f32, second: f32| {
        let index = pairs.iter().position(|pair| *pair == (first, second)).unwrap();
        [0, 1, 2, 3].map(|gradient| found[gradient][index])
    };
    assert_eq!(of(f32::NEG_INFINITY, 1.0), [0.0, 0.0, 0.5, 3.0]);
    assert_eq!(of(f32::NEG_INFINITY, f32::NEG_INFINITY), [0.0; 4]);
    assert_eq!(of(3e38, -3e38), [0.5, 3.0, 0.0, 0.0]);
    assert!(of(f32::INFINITY, 1.0).iter().all(|gradient| gradient.is_nan()));
}

#[test]
fn refuses_what_has_no_meaning() {
    let Some(gpu) = common::gpu() else { return };
    let error = MergeAttentionBackward::new(compiler::of(&gpu.device), 0, Element::F32).map(|_| ()).unwrap_err();
    assert_eq!(error.to_string(), "merge_attention_backward: `heads` is 0, needs at least 1");
    let operator = MergeAttentionBackward::new(compiler::of(&gpu.device), 3, Element::F32).unwrap();
    let error = operator.tensors(Nchw::new(1, 8, 2, 2)).unwrap_err();
    assert!(matches!(error, Error::InvalidShape { op: "merge_attention_backward", binding: "y1", .. }), "{error}");
}
