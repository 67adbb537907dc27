use visual_attention::{
    CrossAttentionBackward, CrossAttentionBackwardBuffers, CrossAttentionOptions, CrossAttentionShape, Element, Error,
    Ncthw, reference, wgpu,
};

use crate::common::{self, Random, TestGpu, assert_within_tolerance_with_room, largest, rounded, softmax_room, wide};
use crate::compiler;

/// Inputs, saved log-sum-exps of the f64 reference, and the upstream gradients.
struct Inputs {
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    log_sum_exp: Vec<f32>,
    y_gradient: Vec<f32>,
    log_sum_exp_gradient: Vec<f32>,
}

/// Of queries, keys and values.
type Gradients<T> = [Vec<T>; 3];
const NAMES: [&str; 3] = ["q", "k", "v"];

fn in_order<T>(found: reference::CrossAttentionGradients<T>) -> Gradients<T> {
    [found.q, found.k, found.v]
}

impl Inputs {
    fn random(seed: u64, shape: CrossAttentionShape, options: &CrossAttentionOptions, element: Element) -> Self {
        let mut random = Random::new(seed);
        let mut numbers = |len: u64, element| rounded(&random.normal(len as usize), element);
        let keys = u64::from(shape.queries.batch) * u64::from(shape.keys);
        let positions = shape.queries.positions() * u64::from(shape.queries.batch);
        let q = numbers(shape.queries.elements().unwrap(), element);
        let k = numbers(keys * u64::from(options.channels()), element);
        let v = numbers(keys * u64::from(options.value_channels()), element);
        let saved = reference::cross_attention(shape, options, &wide(&q), &wide(&k), &wide(&v)).log_sum_exp;
        Self {
            log_sum_exp: saved.into_iter().map(|value| value as f32).collect(),
            y_gradient: numbers(positions * u64::from(options.value_channels()), element),
            log_sum_exp_gradient: numbers(positions * u64::from(options.heads), Element::F32),
            q,
            k,
            v,
        }
    }

    fn reference(
        &self,
        shape: CrossAttentionShape,
        options: &CrossAttentionOptions,
        with_sums: bool,
    ) -> (Gradients<f64>, Gradients<f32>) {
        let Self { q, k, v, log_sum_exp, y_gradient, log_sum_exp_gradient } = self;
        let sums = with_sums.then_some(log_sum_exp_gradient.as_slice());
        let baseline = reference::cross_attention_backward(shape, options, [q, k, v], log_sum_exp, y_gradient, sums);
        let wide_inputs = [q, k, v].map(|values| wide(values));
        let [q, k, v] = [0, 1, 2].map(|index| wide_inputs[index].as_slice());
        let (saved, upstream, sums) = (wide(log_sum_exp), wide(y_gradient), sums.map(wide));
        let sums = sums.as_deref();
        let exact = reference::cross_attention_backward(shape, options, [q, k, v], &saved, &upstream, sums);
        (in_order(exact), in_order(baseline))
    }
}

/// The gradients that are `wanted`; the others are empty.
fn run(
    gpu: &TestGpu,
    shape: CrossAttentionShape,
    (options, element): (CrossAttentionOptions, Element),
    inputs: &Inputs,
    with_sums: bool,
    wanted: [bool; 3],
) -> Gradients<f32> {
    let operator = CrossAttentionBackward::new(compiler::of(&gpu.device), options, element).unwrap();
    let Inputs { q, k, v, log_sum_exp, y_gradient, log_sum_exp_gradient } = inputs;
    let tensors = [q, k, v, y_gradient].map(|values| gpu.input(values, element));
    let sums = [log_sum_exp, log_sum_exp_gradient].map(|values| gpu.input(values, Element::F32));
    let outputs = [q, k, v].map(|values| gpu.output(values.len(), element.bytes()));
    let slice = |index: usize| wanted[index].then(|| outputs[index].slice());
    let buffers = CrossAttentionBackwardBuffers {
        q: tensors[0].slice(..),
        k: tensors[1].slice(..),
        v: tensors[2].slice(..),
        log_sum_exp: sums[0].slice(..),
        y_gradient: tensors[3].slice(..),
        log_sum_exp_gradient: with_sums.then(|| sums[1].slice(..)),
        q_gradient: slice(0),
        k_gradient: slice(1),
        v_gradient: slice(2),
    };
    gpu.recording(&operator.bind(&gpu.device, shape, buffers).unwrap());
    [0, 1, 2].map(|index| if wanted[index] { gpu.floats(&outputs[index], element) } else { Vec::new() })
}

/// One key and many, counts that four does not divide, heads of every remainder of eight, other heads of the values, frames, and several
/// tiles of queries.
#[test]
fn matches_reference() {
    let Some(gpu) = common::gpu() else { return };
    let with = CrossAttentionOptions::new;
    let cases = [
        ([1, 1, 1, 1], 1, with(1, 1)),
        ([2, 1, 5, 13], 7, with(2, 3)),
        ([1, 3, 4, 11], 77, with(4, 16)),
        ([3, 1, 17, 16], 4, with(1, 27).with_value_dim(9)),
        ([1, 2, 3, 171], 5, with(3, 8).with_value_dim(40)),
        ([1, 1, 1, 63], 130, with(1, 64).with_scale(-0.3)),
        ([1, 1, 2, 35], 3, with(1, 1024).with_value_dim(17)),
        // On a software adapter so many keys leave the loops of an invocation room for chunks of eight channels alone.
        ([1, 1, 1, 3], 901, with(1, 64)),
    ];
    for element in gpu.elements() {
        for (seed, ([batch, frames, height, width], keys, options)) in (0..).zip(cases) {
            let queries = Ncthw::new(batch, options.channels(), frames, height, width);
            let shape = CrossAttentionShape { queries, keys };
            let inputs = Inputs::random(seed, shape, &options, element);
            for with_sums in [true, false] {
                let found = run(gpu, shape, (options, element), &inputs, with_sums, [true; 3]);
                let (exact, baseline) = inputs.reference(shape, &options, with_sums);
                for (index, name) in NAMES.into_iter().enumerate() {
                    let what = format!("{name} {element:?} {shape:?} {options:?}");
                    let room = softmax_room(keys.into(), largest(&baseline[index]));
                    let (exact, baseline) = (&exact[index], &baseline[index]);
                    assert_within_tolerance_with_room(&found[index], exact, baseline, element.into(), room, what);
                }
            }
        }
    }
}

#[test]
fn each_gradient_alone_has_the_bits_of_all_however_work_is_divided() {
    let Some(gpu) = common::gpu() else { return };
    let limits = wgpu::Limits { max_storage_buffer_binding_size: 16 << 10, ..wgpu::Limits::default() };
    let Some(small) = common::gpu_with(&limits) else { return };
    let options = CrossAttentionOptions::new(2, 7).with_value_dim(9);
    let shape = CrossAttentionShape { queries: Ncthw::new(3, 14, 1, 17, 19), keys: 11 };
    let inputs = Inputs::random(5, shape, &options, Element::F32);
    let run = |gpu: &TestGpu, wanted| run(gpu, shape, (options, Element::F32), &inputs, true, wanted);
    let all = run(gpu, [true; 3]);
    assert_eq!(run(&small, [true; 3]), all);
    for index in 0..3 {
        let alone = run(gpu, [0, 1, 2].map(|other| other == index));
        assert_eq!(alone[index], all[index], "{}", NAMES[index]);
    }
    assert_eq!(run(gpu, [false; 3]), [const { Vec::<f32>::new() }; 3]);
}

/// A query whose log-sum-exp is -infinity takes no part, whatever it holds. Without queries, keys and values have the gradient 0.
#[test]
fn queries_without_keys_and_keys_without_queries() {
    let Some(gpu) = common::gpu() else { return };
    let options = CrossAttentionOptions::new(1, 1).with_scale(1.0);
    let shape = CrossAttentionShape { queries: Ncthw::new(1, 1, 1, 1, 2), keys: 2 };
    let inputs = Inputs {
        q: vec![f32::NEG_INFINITY, 0.0],
        k: vec![1.0, 1.0],
        v: vec![1.0, 3.0],
        log_sum_exp: vec![f32::NEG_INFINITY, 2f32.ln()],
        y_gradient: vec![f32::NAN, 1.0],
        log_sum_exp_gradient: vec![f32::NAN, 0.0],
    };
    let found = run(gpu, shape, (options, Element::F32), &inputs, true, [true; 3]);
    let (exact, _) = inputs.reference(shape, &options, true);
    for (found, exact) in found.iter().zip(&exact) {
        assert!(found.iter().zip(exact).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-6), "{found:?} {exact:?}");
    }
    assert_eq!(found[0][0], 0.0);
    let shape = CrossAttentionShape { queries: Ncthw::new(1, 1, 1, 0, 2), keys: 2 };
    let none = Vec::new;
    let inputs = Inputs { q: none(), log_sum_exp: none(), y_gradient: none(), log_sum_exp_gradient: none(), ..inputs };
    let operator = CrossAttentionBackward::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
    let [empty, k] = [&[0.0, 0.0], inputs.k.as_slice()].map(|values| gpu.input(values, Element::F32));
    let outputs = [gpu.output(2, 4), gpu.output(2, 4)];
    let buffers = CrossAttentionBackwardBuffers {
        q: empty.slice(..),
        k: k.slice(..),
        v: k.slice(..),
        log_sum_exp: empty.slice(..),
        y_gradient: empty.slice(..),
        log_sum_exp_gradient: None,
        q_gradient: None,
        k_gradient: Some(outputs[0].slice()),
        v_gradient: Some(outputs[1].slice()),
    };
    gpu.recording(&operator.bind(&gpu.device, shape, buffers).unwrap());
    assert_eq!(outputs.map(|output| gpu.floats(&output, Element::F32)), [[0.0; 2], [0.0; 2]]);
}

#[test]
fn refuses_what_has_no_meaning() {
    let Some(gpu) = common::gpu() else { return };
    let base = CrossAttentionOptions::new(2, 4);
    let error =
        CrossAttentionBackward::new(compiler::of(&gpu.device), base.with_value_dim(1025), Element::F32).map(|_| ());
    let error = error.unwrap_err().to_string();
    assert!(error.contains("cross_attention_backward") && error.contains("1 to 1024"), "{error}");
    let operator = CrossAttentionBackward::new(compiler::of(&gpu.device), base, Element::F32).unwrap();
    let queries = Ncthw::new(1, 8, 1, 2, 2);
    let error = operator.tensors(CrossAttentionShape { queries, keys: 0 }).unwrap_err();
    assert!(matches!(error, Error::InvalidShape { op: "cross_attention_backward", binding: "k", .. }), "{error}");
    if common::is_software(gpu) {
        let operator =
            CrossAttentionBackward::new(compiler::of(&gpu.device), CrossAttentionOptions::new(1, 64), Element::F32);
        let operator = operator.unwrap();
        let buffer = gpu.upload("keys", &vec![0f32; 64 * 1000]).unwrap();
        let gradient = gpu.buffer("gradient", 256).unwrap();
        let all = buffer.slice(..);
        let buffers = CrossAttentionBackwardBuffers {
            q: all,
            k: all,
            v: all,
            log_sum_exp: all,
            y_gradient: all,
            log_sum_exp_gradient: None,
            q_gradient: Some(gradient.slice(..)),
            k_gradient: None,
            v_gradient: None,
        };
        // As the operator's page says.
        let queries = Ncthw::new(1, 64, 1, 1, 1);
        let bind = |keys| operator.bind(&gpu.device, CrossAttentionShape { queries, keys }, buffers);
        assert!(bind(950).is_ok());
        let error = bind(1000).unwrap_err().to_string();
        assert!(error.contains("rounds") && error.contains("MergeAttention"), "{error}");
    }
}
