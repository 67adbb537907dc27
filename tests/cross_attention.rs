use visual_attention::{
    Border, CrossAttention, CrossAttentionBuffers, CrossAttentionOptions, CrossAttentionShape, Element, Error, Ncthw,
    PositionTables, WindowAttentionOptions, WindowAxis, reference,
};

use crate::common::{
    self, Precision, Random, TestGpu, assert_within_tolerance_with_room, log_sum_exp_room, rounded, softmax_room, wide,
};
use crate::compiler;

struct Inputs {
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
}

impl Inputs {
    fn random(seed: u64, shape: CrossAttentionShape, options: &CrossAttentionOptions, element: Element) -> Self {
        let mut random = Random::new(seed);
        let mut numbers = |len: u64| rounded(&random.normal(len as usize), element);
        let keys = u64::from(shape.queries.batch) * u64::from(shape.keys);
        Self {
            q: numbers(shape.queries.elements().unwrap()),
            k: numbers(keys * u64::from(options.channels())),
            v: numbers(keys * u64::from(options.value_channels())),
        }
    }
}

/// `y` and the log-sum-exps.
fn run(
    gpu: &TestGpu,
    shape: CrossAttentionShape,
    options: CrossAttentionOptions,
    element: Element,
    inputs: &Inputs,
) -> (Vec<f32>, Vec<f32>) {
    let operator = CrossAttention::new(compiler::of(&gpu.device), options, element).unwrap();
    let [q, k, v] = [&inputs.q, &inputs.k, &inputs.v].map(|values| gpu.input(values, element));
    let queries = shape.queries.positions() as usize * shape.queries.batch as usize;
    let y = gpu.output(queries * options.value_channels() as usize, element.bytes());
    let log_sum_exp = gpu.output(queries * options.heads as usize, 4);
    let buffers = CrossAttentionBuffers {
        q: q.slice(..),
        k: k.slice(..),
        v: v.slice(..),
        y: y.slice(),
        log_sum_exp: Some(log_sum_exp.slice()),
    };
    gpu.recording(&operator.bind(&gpu.device, shape, buffers).unwrap());
    (gpu.floats(&y, element), gpu.words(&log_sum_exp))
}

/// One key and many, counts that four does not divide, heads of every remainder of eight, other heads of the values, frames.
#[test]
fn matches_reference() {
    let Some(gpu) = common::gpu() else { return };
    let with = CrossAttentionOptions::new;
    let cases = [
        ([1, 1, 1, 1], 1, with(1, 1)),
        ([2, 1, 5, 13], 7, with(2, 3)),
        ([1, 3, 4, 11], 77, with(4, 16)),
        ([3, 1, 8, 8], 4, with(1, 27).with_value_dim(9)),
        ([1, 2, 1, 65], 5, with(3, 8).with_value_dim(40)),
        ([1, 1, 1, 63], 130, with(1, 64).with_scale(-0.3)),
        ([1, 1, 2, 3], 3, with(1, 1024).with_value_dim(17)),
        // On a software adapter so many keys leave the loops of an invocation room for chunks of eight channels alone.
        ([1, 1, 1, 3], 1601, with(1, 64)),
    ];
    for element in gpu.elements() {
        for (seed, ([batch, frames, height, width], keys, options)) in (0..).zip(cases) {
            let queries = Ncthw::new(batch, options.channels(), frames, height, width);
            let shape = CrossAttentionShape { queries, keys };
            let inputs = Inputs::random(seed, shape, &options, element);
            let (y, sums) = run(gpu, shape, options, element, &inputs);
            let Inputs { q, k, v } = &inputs;
            let exact = reference::cross_attention(shape, &options, &wide(q), &wide(k), &wide(v));
            let baseline = reference::cross_attention(shape, &options, q, k, v);
            let what = format!("{element:?} {shape:?} {options:?}");
            let largest = v.iter().fold(0f64, |largest, &value| largest.max(f64::from(value).abs()));
            let room = softmax_room(keys.into(), largest);
            assert_within_tolerance_with_room(&y, &exact.y, &baseline.y, element.into(), room, &what);
            let (exact, baseline) = (&exact.log_sum_exp, &baseline.log_sum_exp);
            let room = log_sum_exp_room(keys.into());
            assert_within_tolerance_with_room(&sums, exact, baseline, Precision::F32, room, &what);
        }
    }
}

/// Attention to a window and attention to extra keys, merged by their log-sum-exps, is attention over both at once.
#[test]
fn extra_keys_join_a_window() {
    let Some(gpu) = common::gpu() else { return };
    let queries = Ncthw::new(1, 8, 1, 1, 20);
    let axis = WindowAxis::new(5).with_border(Border::Shift);
    let window = WindowAttentionOptions::line(2, 4, axis);
    let options = CrossAttentionOptions::new(2, 4);
    let shape = CrossAttentionShape { queries, keys: 3 };
    let extra = Inputs::random(1, shape, &options, Element::F32);
    let Inputs { q, k, v } = Inputs::random(2, CrossAttentionShape { queries, keys: 20 }, &options, Element::F32);
    let (y, sums) = run(gpu, shape, options, Element::F32, &Inputs { q: q.clone(), ..extra });
    let extra = Inputs::random(1, shape, &options, Element::F32);
    let near = reference::window_attention(queries, &window, &wide(&q), &wide(&k), &wide(&v), PositionTables::None);
    let merged = reference::merge_attention(queries, 2, &near.y, &near.log_sum_exp, &wide(&y), &wide(&sums));
    for head in 0..2 {
        for query in 0..20 {
            let first = (query as i64 - 2).clamp(0, 15) as usize;
            let q_of = |c: usize| f64::from(q[(head * 4 + c) * 20 + query]);
            let of = |k: &[f32], v: &[f32], count: usize, key: usize| -> (f64, Vec<f64>) {
                let at = |tensor: &[f32], c: usize| f64::from(tensor[(head * 4 + c) * count + key]);
                ((0..4).map(|c| q_of(c) * at(k, c)).sum::<f64>() / 2.0, (0..4).map(|c| at(v, c)).collect())
            };
            let both: Vec<_> = (first..first + 5)
                .map(|key| of(&k, &v, 20, key))
                .chain((0..3).map(|key| of(&extra.k, &extra.v, 3, key)))
                .collect();
            let total: f64 = both.iter().map(|(logit, _)| logit.exp()).sum();
            for c in 0..4 {
                let expected: f64 = both.iter().map(|(logit, value)| logit.exp() / total * value[c]).sum();
                let actual = merged.y[(head * 4 + c) * 20 + query];
                assert!((actual - expected).abs() < 2e-6, "{actual}, expected {expected}");
            }
        }
    }
}

/// The lowest finite logits take part, a key of -infinity does not, and NaN or +infinity gives NaN.
#[test]
fn special_logits_follow_the_reference() {
    let Some(gpu) = common::gpu() else { return };
    let shape = CrossAttentionShape { queries: Ncthw::new(1, 1, 1, 1, 1), keys: 3 };
    let options = CrossAttentionOptions::new(1, 1).with_scale(1.0);
    let (infinity, nan) = (f32::INFINITY, f32::NAN);
    for (logits, y, log_sum_exp) in [
        ([-f32::MAX; 3], 2.0, -f32::MAX),
        ([-infinity, 0.0, 0.0], 2.5, 2f32.ln()),
        ([-infinity; 3], 0.0, -infinity),
        ([3e38, -3e38, 3e38], 2.0, 3e38),
        ([infinity, 0.0, 0.0], nan, nan),
        ([0.0, nan, 0.0], nan, nan),
    ] {
        let inputs = Inputs { q: vec![1.0], k: logits.to_vec(), v: vec![1.0, 2.0, 3.0] };
        let found = run(gpu, shape, options, Element::F32, &inputs);
        let near = |a: f32, b: f32| a == b || a.is_nan() && b.is_nan() || (a - b).abs() < 1e-6;
        assert!(near(found.0[0], y) && near(found.1[0], log_sum_exp), "{logits:?}: {found:?}");
        let exact = reference::cross_attention(shape, &options, &[1.0f64], &wide(&inputs.k), &wide(&inputs.v));
        assert!(near(exact.y[0] as f32, y), "{logits:?}: {exact:?}");
    }
}

#[test]
fn refuses_what_has_no_meaning() {
    let Some(gpu) = common::gpu() else { return };
    let refused = |options: CrossAttentionOptions, words: &[&str]| {
        let error = CrossAttention::new(compiler::of(&gpu.device), options, Element::F32).map(|_| ()).unwrap_err();
        let error = error.to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    };
    let base = CrossAttentionOptions::new(2, 4);
    refused(CrossAttentionOptions::new(0, 4), &["heads", "0", "at least 1"]);
    refused(CrossAttentionOptions::new(2, 0), &["head_dim", "0", "1 to 1024"]);
    refused(base.with_value_dim(1025), &["value_dim", "1025", "1 to 1024"]);
    refused(base.with_scale(f32::NAN), &["scale", "NaN", "finite"]);
    refused(CrossAttentionOptions::new(1 << 30, 8), &["heads", "1073741824", "at most"]);
    let operator = CrossAttention::new(compiler::of(&gpu.device), base, Element::F32).unwrap();
    let queries = Ncthw::new(1, 8, 1, 2, 2);
    let error = operator.tensors(CrossAttentionShape { queries, keys: 0 }).unwrap_err();
    assert!(matches!(error, Error::InvalidShape { op: "cross_attention", binding: "k", .. }), "{error}");
    let wrong = CrossAttentionShape { queries: Ncthw { channels: 9, ..queries }, keys: 1 };
    let error = operator.tensors(wrong).unwrap_err();
    assert!(error.to_string().contains("8 channels: 2 heads of head_dim 4"), "{error}");
    if common::is_software(gpu) {
        let many = CrossAttentionShape { queries, keys: 40_000 };
        let buffer = gpu.upload("keys", &vec![0f32; 320_000]).unwrap();
        let y = gpu.buffer("y", 256).unwrap();
        let all = buffer.slice(..);
        let buffers = CrossAttentionBuffers { q: all, k: all, v: all, y: y.slice(..), log_sum_exp: None };
        // As the operator's page says.
        let deep = CrossAttention::new(compiler::of(&gpu.device), CrossAttentionOptions::new(1, 64), Element::F32);
        let queries = Ncthw::new(1, 64, 1, 1, 1);
        let fits = CrossAttentionShape { queries, keys: 1700 };
        assert!(deep.unwrap().bind(&gpu.device, fits, buffers).is_ok());
        let error = operator.bind(&gpu.device, many, buffers).unwrap_err().to_string();
        assert!(error.contains("rounds") && error.contains("MergeAttention"), "{error}");
    }
}
