use num_traits::Float;
use visual_attention::host::Gpu;
use visual_attention::reference::{WindowAttentionGradients, WindowAttentionSaved};
use visual_attention::{
    Border, DispatchBound, Element, Nchw, Ncthw, PositionTables, RelativePosition, Size, WindowAttention,
    WindowAttentionBackward, WindowAttentionBackwardBuffers, WindowAttentionBuffers, WindowAttentionOptions,
    WindowAxis, reference, wgpu,
};

use crate::common::{
    self, Precision, Random, TestGpu, assert_within_tolerance_with_room, largest, rounded, softmax_room, wide,
};
use crate::compiler;
use crate::window_attention::axes::{any_extents, any_options};
use crate::window_attention::{Inputs, tables};

/// The gradients' names, in the order of the tests' arrays.
const NAMES: [&str; 6] = ["q", "k", "v", "tables.frames", "tables.rows or bias", "tables.columns"];

/// Inputs of one case: of the forward pass, what it saves, and upstream gradients.
struct Case {
    inputs: Inputs,
    y: Vec<f32>,
    log_sum_exp: Vec<f32>,
    y_gradient: Vec<f32>,
    log_sum_exp_gradient: Vec<f32>,
}

impl Case {
    fn random(seed: u64, options: &WindowAttentionOptions, shape: Ncthw, element: Element) -> Self {
        let inputs = Inputs::random(seed, options, shape, element);
        let forward = inputs.reference::<f64>(options, shape);
        let narrow = |values: &[f64]| -> Vec<f32> { values.iter().map(|&value| value as f32).collect() };
        let (y, log_sum_exp) = (narrow(&forward.y), narrow(&forward.log_sum_exp));
        let mut random = Random::new(seed + 1_000_000);
        let y_gradient = rounded(&random.normal(y.len()), element);
        let log_sum_exp_gradient = random.normal(log_sum_exp.len());
        Self { inputs, y, log_sum_exp, y_gradient, log_sum_exp_gradient }
    }

    fn reference<T: Float>(&self, options: &WindowAttentionOptions, shape: Ncthw, with_y: bool) -> [Vec<T>; 6] {
        let cast = |values: &[f32]| -> Vec<T> { values.iter().map(|&value| T::from(value).unwrap()).collect() };
        let [q, k, v, y] = [&self.inputs.q, &self.inputs.k, &self.inputs.v, &self.y].map(|values| cast(values));
        let [log_sum_exp, y_gradient, log_sum_exp_gradient] =
            [&self.log_sum_exp, &self.y_gradient, &self.log_sum_exp_gradient].map(|values| cast(values));
        let all = [0, 1, 2].map(|table| cast(&self.inputs.tables[table]));
        let saved = WindowAttentionSaved {
            q: &q,
            k: &k,
            v: &v,
            tables: tables(options, [0, 1, 2].map(|table| all[table].as_slice())),
            y: with_y.then_some(&y),
            log_sum_exp: &log_sum_exp,
            y_gradient: &y_gradient,
            log_sum_exp_gradient: Some(&log_sum_exp_gradient),
        };
        let WindowAttentionGradients { q, k, v, tables } = reference::window_attention_backward(shape, options, saved);
        let [frames, rows, columns] = match tables {
            PositionTables::None => [Vec::new(), Vec::new(), Vec::new()],
            PositionTables::Bias(bias) => [Vec::new(), bias, Vec::new()],
            PositionTables::Axes { frames, rows, columns } => [frames, rows, columns].map(Option::unwrap_or_default),
        };
        [q, k, v, frames, rows, columns]
    }
}

/// Runs the operator for the gradients that are `wanted`. The others are empty.
fn run(
    gpu: &TestGpu,
    operator: &WindowAttentionBackward,
    shape: Ncthw,
    element: Element,
    case: &Case,
    wanted: [bool; 6],
) -> [Vec<f32>; 6] {
    let options = operator.options();
    let inputs = &case.inputs;
    let [q, k, v, y_gradient] =
        [&inputs.q, &inputs.k, &inputs.v, &case.y_gradient].map(|values| gpu.input(values, element));
    let [y, log_sum_exp, log_sum_exp_gradient] =
        [&case.y, &case.log_sum_exp, &case.log_sum_exp_gradient].map(|values| gpu.input(values, Element::F32));
    let all = [0, 1, 2].map(|table| gpu.input(&inputs.tables[table], element));
    let bytes = |index: usize| if index < 3 { element.bytes() } else { 4 };
    let lens = [inputs.q.len(), inputs.k.len(), inputs.v.len()];
    let lens = [0, 1, 2, 3, 4, 5].map(|index| if index < 3 { lens[index] } else { inputs.tables[index - 3].len() });
    let outputs = [0, 1, 2, 3, 4, 5].map(|index| gpu.output(lens[index], bytes(index)));
    let out = |index: usize| (wanted[index] && lens[index] > 0).then(|| outputs[index].slice());
    let tables_gradient = match options.relative {
        RelativePosition::None => PositionTables::None,
        RelativePosition::Bias => out(4).map_or(PositionTables::None, PositionTables::Bias),
        _ => PositionTables::Axes { frames: out(3), rows: out(4), columns: out(5) },
    };
    let buffers = WindowAttentionBackwardBuffers {
        q: q.slice(..),
        k: k.slice(..),
        v: v.slice(..),
        tables: tables(options, [0, 1, 2].map(|table| all[table].slice(..))),
        y: (element == Element::F32).then(|| y.slice(..)),
        log_sum_exp: log_sum_exp.slice(..),
        y_gradient: y_gradient.slice(..),
        log_sum_exp_gradient: Some(log_sum_exp_gradient.slice(..)),
        q_gradient: out(0),
        k_gradient: out(1),
        v_gradient: out(2),
        tables_gradient,
    };
    gpu.recording(&operator.bind(&gpu.device, shape, buffers).unwrap());
    [0, 1, 2, 3, 4, 5].map(|index| match out(index) {
        Some(_) if index < 3 => gpu.floats(&outputs[index], element),
        Some(_) => gpu.words(&outputs[index]),
        None => Vec::new(),
    })
}

fn check(gpu: &TestGpu, options: WindowAttentionOptions, shape: impl Into<Ncthw>, element: Element, seed: u64) {
    let shape = shape.into();
    let operator = WindowAttentionBackward::new(compiler::of(&gpu.device), options, element).unwrap();
    check_with(gpu, &operator, shape, element, seed);
}

fn check_with(gpu: &TestGpu, operator: &WindowAttentionBackward, shape: Ncthw, element: Element, seed: u64) {
    let options = operator.options();
    let case = Case::random(seed, options, shape, element);
    let with_y = element == Element::F32;
    let exact = case.reference::<f64>(options, shape, with_y);
    let baseline = case.reference::<f32>(options, shape, with_y);
    let actual = run(gpu, operator, shape, element, &case, [true; 6]);
    for index in 0..6 {
        let precision = if index < 3 { Precision::from(element) } else { Precision::F32 };
        // Gradients may be three times as far off as the reference in f32, where other results may be twice.
        let (exact, baseline) = (&exact[index], &baseline[index]);
        let farther = exact.iter().zip(baseline).map(|(&r, &p)| (r + 1.5 * (f64::from(p) - r)) as f32);
        let farther: Vec<f32> = farther.collect();
        // Every weight may be off by what WGSL allows an exponential.
        let narrow: Vec<f32> = exact.iter().map(|&value| value as f32).collect();
        let room = 2.0 * softmax_room(options.keys(), largest(&narrow).max(1.0));
        let what = format!("{} of seed {seed} {element:?} {shape} {options:?}", NAMES[index]);
        assert_within_tolerance_with_room(&actual[index], exact, &farther, precision, room, what);
    }
}

/// Every option at random, together, over one, two and three axes.
#[test]
fn random_axes_match_the_reference() {
    let Some(gpu) = common::gpu() else { return };
    let elements = gpu.elements();
    for seed in 0..180u64 {
        let mut random = Random::new(seed);
        let options = any_options(&mut random, seed);
        let element = elements[usize::from(seed % 5 == 4 || seed % 7 == 3) % elements.len()];
        let operator = WindowAttentionBackward::new(compiler::of(&gpu.device), options, element).unwrap();
        for case in 0..4 {
            let [frames, rows, columns] = any_extents(&mut random, &options);
            let shape = Ncthw::new(1 + random.below(2), options.channels(), frames, rows, columns);
            check_with(gpu, &operator, shape, element, seed * 6 + case);
        }
    }
}

/// Depths around every length of private array and chunk, large windows and strides, one head per channel.
#[test]
fn corners_match_the_reference() {
    let Some(gpu) = common::gpu() else { return };
    let base = WindowAttentionOptions::new(1, 8, 3);
    let with = |heads, head_dim, k| WindowAttentionOptions::new(heads, head_dim, k);
    let plain = |heads, head_dim, k| with(heads, head_dim, k).with_relative(RelativePosition::None);
    let cases = [
        (Nchw::new(1, 2, 1, 1), with(1, 2, 7)),
        (Nchw::new(2, 6, 3, 2), with(1, 6, 15)),
        (Nchw::new(1, 8, 3, 5), with(1, 8, 15).with_border(Border::Mask)),
        (Nchw::new(1, 16, 6, 7), with(16, 1, 3).with_relative(RelativePosition::WholeChannel)),
        (Nchw::new(1, 33, 9, 10), plain(1, 33, 3)),
        (Nchw::new(1, 64, 9, 10), with(1, 64, 3)),
        (Nchw::new(2, 128, 6, 5), with(1, 128, 3)),
        (Nchw::new(1, 127, 6, 5), plain(1, 127, 3).with_value_dim(20)),
        (Nchw::new(1, 20, 6, 5), plain(1, 20, 3).with_value_dim(130)),
        (
            Nchw::new(1, 8, 15, 20),
            with(2, 4, 15).with_border(Border::Shift).with_relative(RelativePosition::Bias).with_scale_relative(false),
        ),
        (Nchw::new(1, 48, 5, 17), with(2, 24, 5).with_border(Border::Mask)),
        (Nchw::new(1, 96, 9, 9), with(2, 48, 3).with_relative(RelativePosition::WholeChannel)),
        (Nchw::new(2, 80, 8, 11), with(2, 40, 5).with_border(Border::Shift).with_relative(RelativePosition::Bias)),
        (Nchw::new(1, 8, 1, 70), base.with_window(Size::new(1, 15))),
        (Nchw::new(1, 8, 70, 1), base.with_window(Size::new(15, 1))),
        (Nchw::new(1, 8, 40, 9), base.with_stride(Size::new(7, 2))),
        (Nchw::new(2, 8, 40, 9), base.with_stride(Size::new(2, 9))),
        (Nchw::new(1, 8, 40, 9), base.with_stride(Size::new(1_000_000, u32::MAX))),
        (Nchw::new(1, 8, 30, 9), base.with_stride(Size::new(6, 1)).with_dilation(Size::new(4, 2))),
        // More queries than a slice, in rows and in columns.
        (Nchw::new(1, 4, 45, 50), with(1, 4, 3).with_relative(RelativePosition::Sum)),
        (Nchw::new(1, 4, 2, 1100), with(2, 2, 2).with_relative(RelativePosition::PerHead)),
    ];
    for (seed, (shape, options)) in (1000..).zip(cases) {
        check(gpu, options, shape, Element::F32, seed);
    }
}

fn options_of_each_kind() -> Vec<WindowAttentionOptions> {
    let axes = [WindowAxis::new(2), WindowAxis::new(3), WindowAxis::new(3).with_stride(2)];
    let relatives = RelativePosition::NAMES.iter().map(|&(_, relative)| relative);
    relatives.map(|relative| WindowAttentionOptions::volume(3, 6, axes).with_relative(relative)).collect()
}

/// A gradient that is asked for alone has the same bits as beside all others.
#[test]
fn each_gradient_alone_has_the_same_bits() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Ncthw::new(2, 18, 3, 6, 9);
    for element in gpu.elements() {
        for options in options_of_each_kind() {
            let operator = WindowAttentionBackward::new(compiler::of(&gpu.device), options, element).unwrap();
            let case = Case::random(3, &options, shape, element);
            let all = run(gpu, &operator, shape, element, &case, [true; 6]);
            for index in 0..6 {
                let mut wanted = [false; 6];
                wanted[index] = true;
                let alone = run(gpu, &operator, shape, element, &case, wanted);
                for (other, gradient) in alone.iter().enumerate() {
                    let expected: &[f32] = if other == index { &all[other] } else { &[] };
                    assert!(gradient == expected, "{}, {element:?} {options:?}", NAMES[index]);
                }
            }
        }
    }
}

/// Images of a batch have the same bits as images by themselves, but for the tables, which add up images.
#[test]
fn a_batch_changes_no_image() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Ncthw::new(2, 18, 3, 6, 9);
    for options in options_of_each_kind() {
        let operator = WindowAttentionBackward::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
        let case = Case::random(5, &options, shape, Element::F32);
        let both = run(gpu, &operator, shape, Element::F32, &case, [true; 6]);
        let half = |values: &[f32]| values[values.len() / 2..].to_vec();
        let inputs = &case.inputs;
        let second = Case {
            inputs: Inputs {
                q: half(&inputs.q),
                k: half(&inputs.k),
                v: half(&inputs.v),
                tables: inputs.tables.clone(),
            },
            y: half(&case.y),
            log_sum_exp: half(&case.log_sum_exp),
            y_gradient: half(&case.y_gradient),
            log_sum_exp_gradient: half(&case.log_sum_exp_gradient),
        };
        let one = Ncthw { batch: 1, ..shape };
        let alone = run(gpu, &operator, one, Element::F32, &second, [true; 6]);
        for index in 0..3 {
            assert!(half(&both[index]) == alone[index], "{} {options:?}", NAMES[index]);
        }
    }
}

/// The same bits whether the work fits one dispatch or not.
#[test]
fn divided_work_has_the_same_bits() {
    if common::gpu().is_none() {
        return;
    }
    let shape = Ncthw::new(3, 18, 3, 9, 23);
    for options in options_of_each_kind() {
        let case = Case::random(6, &options, shape, Element::F32);
        let of = |limits: &wgpu::Limits, bound: DispatchBound| {
            let gpu = common::gpu_with(limits).unwrap();
            let compiler = compiler::of(&gpu.device).with_dispatch_bound(bound);
            let operator = WindowAttentionBackward::new(compiler, options, Element::F32).unwrap();
            run(&gpu, &operator, shape, Element::F32, &case, [true; 6])
        };
        let whole = of(&wgpu::Limits::default(), DispatchBound::NONE);
        // The queries whose logits' gradients share scratch: a slice of a frame, a frame, all frames of a head.
        let sizes: &[u64] = if options.relative == RelativePosition::Bias { &[72, 144, 432] } else { &[64] };
        for kib in sizes {
            let small = wgpu::Limits {
                max_storage_buffer_binding_size: kib << 10,
                max_compute_workgroups_per_dimension: 8,
                ..wgpu::Limits::default()
            };
            assert!(whole == of(&small, DispatchBound::NONE), "{kib} KiB, {options:?}");
        }
        assert!(whole == of(&wgpu::Limits::default(), DispatchBound::new(1 << 16, u64::MAX)), "{options:?}");
    }
}

/// Queries without keys, whose log-sum-exp is -infinity, have no gradient and reach none.
#[test]
fn queries_without_keys_add_nothing() {
    let Some(gpu) = common::gpu() else { return };
    for options in options_of_each_kind() {
        let shape = Ncthw::new(1, 18, 3, 6, 9);
        let operator = WindowAttentionBackward::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
        let mut case = Case::random(7, &options, shape, Element::F32);
        let expected = {
            case.y_gradient.fill(0.0);
            case.log_sum_exp_gradient.fill(0.0);
            run(gpu, &operator, shape, Element::F32, &case, [true; 6])
        };
        case.log_sum_exp.fill(f32::NEG_INFINITY);
        case.y_gradient.fill(f32::NAN);
        case.inputs.q.fill(f32::NAN);
        case.inputs.k.fill(f32::INFINITY);
        let empty = run(gpu, &operator, shape, Element::F32, &case, [true; 6]);
        assert!(empty.iter().flatten().all(|&value| value == 0.0), "{options:?}");
        assert!(expected.iter().flatten().all(|&value| value == 0.0), "{options:?}");
    }
}

/// The forward operator on the GPU, then the backward one on what it wrote.
#[test]
fn the_forward_operators_results_are_what_it_reads() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Ncthw::new(1, 18, 3, 6, 9);
    for options in options_of_each_kind() {
        let mut case = Case::random(8, &options, shape, Element::F32);
        let exact = case.reference::<f64>(&options, shape, true);
        let forward = WindowAttention::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
        let inputs = &case.inputs;
        let [q, k, v] = [&inputs.q, &inputs.k, &inputs.v].map(|values| gpu.input(values, Element::F32));
        let all = [0, 1, 2].map(|table| gpu.input(&inputs.tables[table], Element::F32));
        let (y, log_sum_exp) = (gpu.output(case.y.len(), 4), gpu.output(case.log_sum_exp.len(), 4));
        let buffers = WindowAttentionBuffers {
            q: q.slice(..),
            k: k.slice(..),
            v: v.slice(..),
            tables: tables(&options, [0, 1, 2].map(|table| all[table].slice(..))),
            y: y.slice(),
            log_sum_exp: Some(log_sum_exp.slice()),
        };
        gpu.recording(&forward.bind(&gpu.device, shape, buffers).unwrap());
        case.y = gpu.words(&y);
        case.log_sum_exp = gpu.words(&log_sum_exp);
        let operator = WindowAttentionBackward::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
        let actual = run(gpu, &operator, shape, Element::F32, &case, [true; 6]);
        for index in 0..6 {
            let most = wide(&actual[index]).iter().zip(&exact[index]).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            let size = exact[index].iter().fold(1.0, |size: f64, value| size.max(value.abs()));
            assert!(most <= 4e-6 * size, "{} is {most:e} off, {options:?}", NAMES[index]);
        }
    }
}

#[test]
fn refuses_what_does_not_fit() {
    let Some(gpu) = common::gpu() else { return };
    let options = WindowAttentionOptions::new(2, 4, 3);
    let refused = |options: WindowAttentionOptions, words: &[&str]| {
        let error = WindowAttentionBackward::new(compiler::of(&gpu.device), options, Element::F32).map(|_| ());
        let error = error.unwrap_err().to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    };
    refused(WindowAttentionOptions::new(2, 5, 3), &["window_attention_backward", "head_dim", "a multiple of 2"]);
    refused(options.with_stride(Size::new(1, 0)), &["window_attention_backward", "columns.stride", "at least 1"]);
    if common::is_software(gpu) {
        refused(WindowAttentionOptions::new(1, 128, 63), &["window_attention_backward", "make the window smaller"]);
    }

    let operator = WindowAttentionBackward::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
    let shape = Nchw::new(1, 8, 4, 4);
    let opened: &Gpu = gpu;
    let buffers: Vec<_> = (0..12).map(|_| opened.buffer("any", 4096).unwrap()).collect();
    let slice = |index: usize| buffers[index].slice(..);
    let base = WindowAttentionBackwardBuffers {
        q: slice(0),
        k: slice(1),
        v: slice(2),
        tables: PositionTables::rows_and_columns(slice(3), slice(4)),
        y: Some(slice(5)),
        log_sum_exp: slice(6),
        y_gradient: slice(7),
        log_sum_exp_gradient: None,
        q_gradient: Some(slice(8)),
        k_gradient: None,
        v_gradient: None,
        tables_gradient: PositionTables::None,
    };
    let bind = |shape: Nchw, buffers| operator.bind(&gpu.device, shape, buffers).map(|_| ()).unwrap_err().to_string();
    assert!(operator.bind(&gpu.device, shape, base).is_ok());
    let nothing = WindowAttentionBackwardBuffers { q_gradient: None, ..base };
    assert!(operator.bind(&gpu.device, shape, nothing).unwrap().dispatches().len() == 0);
    assert!(operator.bind(&gpu.device, Nchw::new(0, 8, 4, 4), base).unwrap().dispatches().len() == 0);
    for (buffers, words) in [
        (WindowAttentionBackwardBuffers { y: None, ..base }, ["`y`", "needs it"]),
        (WindowAttentionBackwardBuffers { q_gradient: Some(slice(1)), ..base }, ["q_gradient", "`k`"]),
        (WindowAttentionBackwardBuffers { tables: PositionTables::None, ..base }, ["tables", "PerHead"]),
        (
            WindowAttentionBackwardBuffers { tables_gradient: PositionTables::Bias(slice(9)), ..base },
            ["tables", "PerHead"],
        ),
    ] {
        let error = bind(shape, buffers);
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    }
    assert!(bind(Nchw::new(1, 9, 4, 4), base).contains("8 channels"));
    assert!(bind(Nchw::new(1, 8, 40, 40), base).contains("`q`"));
}
