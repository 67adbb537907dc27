use visual_attention::{
    Border, Element, Error, MergeAttention, MergeAttentionBuffers, Nchw, PositionTables, RelativePosition, Size,
    WindowAttentionOptions, reference,
};

use crate::common::{
    self, Precision, Random, TestGpu, assert_within_tolerance_with_room, log_sum_exp_room, rounded, wide,
};
use crate::compiler;

/// Two results and their log-sum-exps.
struct Inputs {
    y: [Vec<f32>; 2],
    log_sum_exp: [Vec<f32>; 2],
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
        }
    }

    fn reference(&self, shape: Nchw, heads: u32) -> reference::MergedAttention<f64> {
        let [y1, y2] = [0, 1].map(|part| wide(&self.y[part]));
        let [first, second] = [0, 1].map(|part| wide(&self.log_sum_exp[part]));
        reference::merge_attention(shape, heads, &y1, &first, &y2, &second)
    }

    fn baseline(&self, shape: Nchw, heads: u32) -> reference::MergedAttention<f32> {
        let Self { y, log_sum_exp } = self;
        reference::merge_attention(shape, heads, &y[0], &log_sum_exp[0], &y[1], &log_sum_exp[1])
    }
}

fn run(gpu: &TestGpu, shape: Nchw, heads: u32, element: Element, inputs: &Inputs) -> (Vec<f32>, Vec<f32>) {
    let operator = MergeAttention::new(compiler::of(&gpu.device), heads, element).unwrap();
    let [y1, y2] = [0, 1].map(|part| gpu.input(&inputs.y[part], element));
    let [first, second] = [0, 1].map(|part| gpu.input(&inputs.log_sum_exp[part], Element::F32));
    let y = gpu.output(inputs.y[0].len(), element.bytes());
    let log_sum_exp = gpu.output(inputs.log_sum_exp[0].len(), 4);
    let buffers = MergeAttentionBuffers {
        y1: y1.slice(..),
        log_sum_exp1: first.slice(..),
        y2: y2.slice(..),
        log_sum_exp2: second.slice(..),
        y: y.slice(),
        log_sum_exp: Some(log_sum_exp.slice()),
    };
    gpu.recording(&operator.bind(&gpu.device, shape, buffers).unwrap());
    (gpu.floats(&y, element), gpu.words(&log_sum_exp))
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
        (2, [1, 14, 1, 63]),
    ];
    for element in gpu.elements() {
        for (seed, (heads, shape)) in (0..).zip(shapes) {
            let shape = Nchw::from(shape);
            for spread in [1.0, 30.0, 4000.0] {
                let inputs = Inputs::random(seed, shape, heads, spread, element);
                let (y, log_sum_exp) = run(gpu, shape, heads, element, &inputs);
                let (exact, baseline) = (inputs.reference(shape, heads), inputs.baseline(shape, heads));
                let what = format!("{element:?} {shape} heads {heads} spread {spread}");
                let (precision, room) = (Precision::from(element), 4.0 * f64::from(f32::EPSILON));
                assert_within_tolerance_with_room(&y, &exact.y, &baseline.y, precision, room, &what);
                let (sums, exact, baseline) = (&log_sum_exp, &exact.log_sum_exp, &baseline.log_sum_exp);
                assert_within_tolerance_with_room(sums, exact, baseline, Precision::F32, log_sum_exp_room(1), &what);
            }
        }
    }
}

/// Attention to the even keys of a row and attention to its odd keys, merged, is attention to the whole row.
#[test]
fn merged_parts_are_attention_over_all_keys() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nchw::new(1, 8, 1, 40);
    let mut random = Random::new(5);
    let [q, k, v] = [0, 1, 2].map(|_| random.normal(shape.elements().unwrap() as usize));
    let options = WindowAttentionOptions::new(2, 4, 1)
        .with_window(Size::new(1, 79))
        .with_border(Border::Mask)
        .with_relative(RelativePosition::None);
    // Attention of every query to the kept keys, by the definition.
    let attend = |kept: &dyn Fn(usize) -> bool| {
        let mut parts = (vec![0f64; q.len()], vec![0f64; 2 * 40]);
        for head in 0..2 {
            for query in 0..40 {
                let at =
                    |tensor: &[f32], channel: usize, pixel: usize| f64::from(tensor[(head * 4 + channel) * 40 + pixel]);
                let keys: Vec<_> = (0..40).filter(|&key| kept(key)).collect();
                let logits: Vec<f64> =
                    keys.iter().map(|&key| (0..4).map(|c| at(&q, c, query) * at(&k, c, key)).sum()).collect();
                let total: f64 = logits.iter().map(|logit| logit.exp()).sum();
                parts.1[head * 40 + query] = total.ln();
                for channel in 0..4 {
                    let sum: f64 =
                        keys.iter().zip(&logits).map(|(&key, logit)| logit.exp() * at(&v, channel, key)).sum();
                    parts.0[(head * 4 + channel) * 40 + query] = sum / total;
                }
            }
        }
        parts
    };
    let narrow = |values: &[f64]| values.iter().map(|&value| value as f32).collect::<Vec<_>>();
    let (even, odd) = (attend(&|key| key % 2 == 0), attend(&|key| key % 2 == 1));
    let inputs = Inputs { y: [narrow(&even.0), narrow(&odd.0)], log_sum_exp: [narrow(&even.1), narrow(&odd.1)] };
    let (y, log_sum_exp) = run(gpu, shape, 2, Element::F32, &inputs);
    let whole = reference::window_attention(shape, &options, &wide(&q), &wide(&k), &wide(&v), PositionTables::None);
    for (actual, exact) in y.iter().zip(&whole.y).chain(log_sum_exp.iter().zip(&whole.log_sum_exp)) {
        assert!((f64::from(*actual) - exact).abs() < 2e-6 * exact.abs().max(1.0), "{actual} {exact}");
    }
}

/// Each combination of a query without keys, NaN, infinity and the largest numbers.
#[test]
fn results_without_keys_take_no_part() {
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
    let inputs = Inputs { y: [result(&first, 2.0), result(&second, 8.0)], log_sum_exp: [first, second] };
    let (y, log_sum_exp) = run(gpu, shape, 1, Element::F32, &inputs);
    let exact = inputs.reference(shape, 1);
    let close = |actual: f32, exact: f64| {
        let actual = f64::from(actual);
        actual.is_nan() && exact.is_nan() || actual == exact || (actual - exact).abs() <= 1e-6 * exact.abs().max(1.0)
    };
    for (index, pair) in pairs.iter().enumerate() {
        assert!(close(y[index], exact.y[index]), "{pair:?}: {} and {}", y[index], exact.y[index]);
        let (actual, exact) = (log_sum_exp[index], exact.log_sum_exp[index]);
        assert!(close(actual, exact), "{pair:?}: {actual} and {exact}");
    }
    let of = |first: f32, second: f32| {
        let index = pairs.iter().position(|pair| *pair == (first, second)).unwrap();
        (y[index], log_sum_exp[index])
    };
    assert_eq!(of(f32::NEG_INFINITY, 1.0), (8.0, 1.0));
    assert_eq!(of(1.0, f32::NEG_INFINITY), (2.0, 1.0));
    assert_eq!(of(f32::NEG_INFINITY, f32::NEG_INFINITY), (0.0, f32::NEG_INFINITY));
    assert_eq!(of(3e38, -3e38), (2.0, 3e38));
    assert!(of(f32::INFINITY, 1.0).0.is_nan() && of(f32::INFINITY, 1.0).1.is_nan());
}

/// A weight that underflows is still a weight: 0 * NaN is NaN, in the kernel and in the reference.
#[test]
fn only_minus_infinity_leaves_a_result_out() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nchw::new(1, 1, 1, 2);
    for value in [f32::NAN, f32::INFINITY] {
        let y = [vec![1.0, 1.0], vec![value, value]];
        let inputs = Inputs { y, log_sum_exp: [vec![0.0, 0.0], vec![-4000.0, f32::NEG_INFINITY]] };
        let (actual, _) = run(gpu, shape, 1, Element::F32, &inputs);
        for y in [wide(&actual), inputs.reference(shape, 1).y, wide(&inputs.baseline(shape, 1).y)] {
            assert!(y[0].is_nan() && y[1] == 1.0, "{value}: {y:?}");
        }
    }
}

#[test]
fn refuses_what_has_no_meaning() {
    let Some(gpu) = common::gpu() else { return };
    let error = MergeAttention::new(compiler::of(&gpu.device), 0, Element::F32).map(|_| ()).unwrap_err();
    assert_eq!(error.to_string(), "merge_attention: `heads` is 0, needs at least 1");
    let operator = MergeAttention::new(compiler::of(&gpu.device), 3, Element::F32).unwrap();
    let error = operator.tensors(Nchw::new(1, 8, 2, 2)).unwrap_err();
    assert!(matches!(error, Error::InvalidShape { op: "merge_attention", binding: "y1", .. }), "{error}");
    assert!(error.to_string().contains("a multiple of 3 channels"), "{error}");
}
