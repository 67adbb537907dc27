use visual_attention::host::Gpu;
use visual_attention::{
    Border, Element, Error, Nchw, PositionTables, QueryPosition, RelativePosition, Size, WindowAttention,
    WindowAttentionBuffers, WindowAttentionOptions, WindowWeightsBuffers, reference, wgpu,
};

use crate::common::{
    self, Precision, Random, TestGpu, assert_within_tolerance_with_room, log_sum_exp_room, rounded, softmax_room, wide,
};
use crate::compiler;

/// Inputs of one case, as they are once stored.
struct Inputs {
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    /// Row and column tables, or the bias table and nothing.
    tables: [Vec<f32>; 2],
}

struct Outputs {
    y: Vec<f32>,
    log_sum_exp: Vec<f32>,
}

/// Sizes of the tables, from their definition.
fn table_sizes(options: &WindowAttentionOptions) -> [u32; 2] {
    let (kh, kw) = (options.window.height, options.window.width);
    match options.relative {
        RelativePosition::None => [0, 0],
        RelativePosition::PerHead => [options.head_dim / 2 * kh, options.head_dim / 2 * kw],
        RelativePosition::WholeChannel => [options.channels() / 2 * kh, options.channels() / 2 * kw],
        _ => [options.heads * (2 * kh - 1) * (2 * kw - 1), 0],
    }
}

impl Inputs {
    /// Logits deviate by about 1.5, so that the softmax is neither flat nor one-hot.
    fn random(seed: u64, options: &WindowAttentionOptions, shape: Nchw, element: Element) -> Self {
        let mut random = Random::new(seed);
        let deviation = 1.2 / (f32::from(options.head_dim as u16).sqrt() * options.scale.abs().max(0.05)).sqrt();
        let mut numbers = |len: u64, factor: f32| -> Vec<f32> {
            let numbers: Vec<f32> = random.normal(len as usize).iter().map(|number| number * factor).collect();
            rounded(&numbers, element)
        };
        let len = shape.elements().unwrap();
        let (q, k, v) = (numbers(len, deviation), numbers(len, deviation), numbers(len, 1.0));
        let tables = table_sizes(options).map(|size| numbers(size.into(), if size == 0 { 0.0 } else { 0.5 }));
        Self { q, k, v, tables }
    }

    fn reference<T: num_traits::Float>(
        &self,
        options: &WindowAttentionOptions,
        shape: Nchw,
    ) -> reference::WindowAttentionResult<T> {
        let cast = |values: &[f32]| -> Vec<T> { values.iter().map(|&value| T::from(value).unwrap()).collect() };
        let [first, second] = [cast(&self.tables[0]), cast(&self.tables[1])];
        let tables = tables(options.relative, first.as_slice(), second.as_slice());
        reference::window_attention(shape, options, &cast(&self.q), &cast(&self.k), &cast(&self.v), tables)
    }
}

fn tables<T>(relative: RelativePosition, first: T, second: T) -> PositionTables<T> {
    match relative {
        RelativePosition::None => PositionTables::None,
        RelativePosition::Bias => PositionTables::Bias(first),
        _ => PositionTables::Factorised { row: first, column: second },
    }
}

fn run(gpu: &TestGpu, operator: &WindowAttention, shape: Nchw, element: Element, inputs: &Inputs) -> Outputs {
    let options = operator.options();
    let [q, k, v, first, second] = [&inputs.q, &inputs.k, &inputs.v, &inputs.tables[0], &inputs.tables[1]]
        .map(|values| gpu.input(values, element));
    let out = options.output(shape.size()).pixels() as usize * shape.batch as usize;
    let y = gpu.output(out * options.channels() as usize, element.bytes());
    let log_sum_exp = gpu.output(out * options.heads as usize, 4);
    let buffers = WindowAttentionBuffers {
        q: q.slice(..),
        k: k.slice(..),
        v: v.slice(..),
        tables: tables(options.relative, first.slice(..), second.slice(..)),
        y: y.slice(),
        log_sum_exp: Some(log_sum_exp.slice()),
    };
    gpu.recording(&operator.bind(&gpu.device, shape, buffers).unwrap());
    Outputs { y: gpu.floats(&y, element), log_sum_exp: gpu.words(&log_sum_exp) }
}

/// Weights of chosen queries.
fn weights(
    gpu: &TestGpu,
    operator: &WindowAttention,
    shape: Nchw,
    element: Element,
    inputs: &Inputs,
    queries: &[QueryPosition],
) -> Vec<f32> {
    let options = operator.options();
    let [q, k, first, second] =
        [&inputs.q, &inputs.k, &inputs.tables[0], &inputs.tables[1]].map(|values| gpu.input(values, element));
    let len = queries.len() * options.heads as usize * options.window.pixels() as usize;
    let weights = gpu.output(len, 4);
    let buffers = WindowWeightsBuffers {
        q: q.slice(..),
        k: k.slice(..),
        tables: tables(options.relative, first.slice(..), second.slice(..)),
        weights: weights.slice(),
    };
    gpu.recording(&operator.bind_weights(&gpu.device, shape, queries, buffers).unwrap());
    gpu.words(&weights)
}

fn check(gpu: &TestGpu, operator: &WindowAttention, shape: Nchw, element: Element, seed: u64) {
    let options = operator.options();
    let inputs = Inputs::random(seed, options, shape, element);
    let exact = inputs.reference::<f64>(options, shape);
    let baseline = inputs.reference::<f32>(options, shape);
    let actual = run(gpu, operator, shape, element, &inputs);
    let what = format!("seed {seed} {element:?} {shape} {options:?}");
    let largest = inputs.v.iter().fold(0.0f64, |largest, &value| largest.max(f64::from(value).abs()));
    let room = softmax_room(options.window.pixels(), largest);
    assert_within_tolerance_with_room(&actual.y, &exact.y, &baseline.y, element.into(), room, format!("y of {what}"));
    let (exact_lse, baseline_lse) = (&exact.log_sum_exp, &baseline.log_sum_exp);
    let room = log_sum_exp_room(options.window.pixels());
    let lse = format!("log_sum_exp of {what}");
    assert_within_tolerance_with_room(&actual.log_sum_exp, exact_lse, baseline_lse, Precision::F32, room, lse);

    let out = options.output(shape.size());
    let mut random = Random::new(seed);
    let queries: Vec<QueryPosition> = (0..3)
        .map(|_| QueryPosition {
            image: random.below(shape.batch),
            row: random.below(out.height),
            column: random.below(out.width),
        })
        .collect();
    let actual = weights(gpu, operator, shape, element, &inputs, &queries);
    let entries = options.window.pixels() as usize;
    let at = |query: &QueryPosition, head: u32| {
        let plane = query.image * options.heads + head;
        ((plane * out.height + query.row) * out.width + query.column) as usize * entries
    };
    let chosen: Vec<usize> = queries
        .iter()
        .flat_map(|query| (0..options.heads).map(move |head| (query, head)))
        .map(|(q, h)| at(q, h))
        .collect();
    let exact: Vec<f64> = chosen.iter().flat_map(|&first| exact.weights[first..first + entries].to_vec()).collect();
    let baseline: Vec<f32> =
        chosen.iter().flat_map(|&first| baseline.weights[first..first + entries].to_vec()).collect();
    let room = softmax_room(options.window.pixels(), 1.0);
    assert_within_tolerance_with_room(&actual, &exact, &baseline, Precision::F32, room, format!("weights of {what}"));
    for row in actual.chunks(entries) {
        let sum: f64 = wide(row).iter().sum();
        assert!((sum - 1.0).abs() < 1e-5, "weights of {what}: they sum to {sum}");
    }
}

/// Every parameter at random, together: 80 sets of options, 7 images each.
#[test]
fn random_cases_match_reference() {
    let Some(gpu) = common::gpu() else { return };
    let elements = gpu.elements();
    for seed in 0..80u64 {
        let mut random = Random::new(seed);
        let relative =
            [RelativePosition::None, RelativePosition::PerHead, RelativePosition::WholeChannel, RelativePosition::Bias]
                [seed as usize % 4];
        let border = [Border::Zero, Border::Mask, Border::Shift][seed as usize / 4 % 3];
        let odd = |random: &mut Random, below: u32| 2 * random.below(below) + 1;
        let window = Size::new(odd(&mut random, 6), odd(&mut random, 6));
        let dilation = Size::new(1 + random.below(3), 1 + random.below(3));
        let stride = match border {
            Border::Shift => Size::new(1, 1),
            _ => Size::new(1 + random.below(3), 1 + random.below(3)),
        };
        let even = 2 * (1 + random.below(4));
        let (heads, head_dim) = match relative {
            RelativePosition::PerHead => (1 + random.below(4), even),
            RelativePosition::WholeChannel => (even, 1 + random.below(7)),
            // A longer array in a quarter of the cases.
            _ => (1 + random.below(4), 1 + random.below(if seed % 16 == 3 { 21 } else { 8 })),
        };
        let options = WindowAttentionOptions::new(heads, head_dim, 1)
            .with_window(window)
            .with_dilation(dilation)
            .with_stride(stride)
            .with_border(border)
            .with_relative(relative)
            .with_scale([1.0, 0.353_553_4, -0.7, 0.11][random.below(4) as usize])
            .with_scale_relative(random.below(2) == 0);
        let element = elements[usize::from(seed % 5 == 4) % elements.len()];
        let operator = WindowAttention::new(compiler::of(&gpu.device), options, element).unwrap();
        for image in 0..7 {
            let mut extent = |window: u32, dilation: u32| match border {
                Border::Shift => window * dilation + random.below(7),
                _ => 1 + random.below(17),
            };
            let (height, width) = (extent(window.height, dilation.height), extent(window.width, dilation.width));
            let shape = Nchw::new(1 + random.below(3), options.channels(), height, width);
            check(gpu, &operator, shape, element, seed * 7 + image);
        }
    }
}

/// Depths around every length of private array and chunk, windows up to 31 and larger than the image, one head per channel.
#[test]
fn corners_match_reference() {
    let Some(gpu) = common::gpu() else { return };
    let base = WindowAttentionOptions::new(1, 8, 3);
    let with = |heads, head_dim, k| WindowAttentionOptions::new(heads, head_dim, k);
    let plain = |heads, head_dim, k| with(heads, head_dim, k).with_relative(RelativePosition::None);
    let cases = [
        (Nchw::new(1, 2, 1, 1), with(1, 2, 7)),
        (Nchw::new(2, 6, 3, 2), with(1, 6, 31)),
        (Nchw::new(1, 8, 3, 5), with(1, 8, 31).with_border(Border::Mask)),
        (Nchw::new(1, 16, 6, 7), with(16, 1, 3).with_relative(RelativePosition::WholeChannel)),
        (Nchw::new(1, 17, 5, 9), plain(17, 1, 5)),
        (Nchw::new(1, 33, 9, 10), plain(1, 33, 3)),
        (Nchw::new(1, 31, 9, 10), plain(1, 31, 5)),
        (Nchw::new(1, 64, 9, 10), with(1, 64, 3)),
        (Nchw::new(2, 128, 6, 5), with(1, 128, 3)),
        (Nchw::new(1, 127, 6, 5), plain(1, 127, 3)),
        (Nchw::new(1, 128, 4, 3), plain(1, 128, 31)),
        (
            Nchw::new(1, 8, 31, 40),
            with(2, 4, 31).with_border(Border::Shift).with_relative(RelativePosition::Bias).with_scale_relative(false),
        ),
        // Heads that several invocations of a GPU have between them, some of which get none of the channels.
        (Nchw::new(1, 32, 9, 10), with(1, 32, 7)),
        (Nchw::new(1, 48, 5, 17), with(2, 24, 5).with_border(Border::Mask)),
        (Nchw::new(1, 96, 9, 9), with(2, 48, 3).with_relative(RelativePosition::WholeChannel)),
        (Nchw::new(2, 80, 8, 11), with(2, 40, 5).with_border(Border::Shift).with_relative(RelativePosition::Bias)),
        (Nchw::new(1, 64, 30, 9), plain(1, 64, 5).with_dilation(Size::new(3, 2)).with_stride(Size::new(2, 1))),
        (Nchw::new(1, 72, 9, 10), with(1, 72, 3)),
        (Nchw::new(1, 8, 1, 70), base.with_window(Size::new(1, 15))),
        (Nchw::new(1, 8, 70, 1), base.with_window(Size::new(15, 1))),
        (Nchw::new(1, 8, 40, 9), base.with_stride(Size::new(7, 2))),
        (Nchw::new(2, 8, 40, 9), base.with_stride(Size::new(2, 9))),
        (Nchw::new(1, 8, 40, 9), base.with_stride(Size::new(1_000_000, u32::MAX))),
        (Nchw::new(1, 8, 30, 9), base.with_stride(Size::new(6, 1)).with_dilation(Size::new(4, 2))),
    ];
    for (seed, (shape, options)) in (1000..).zip(cases) {
        let operator = WindowAttention::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
        check(gpu, &operator, shape, Element::F32, seed);
    }
}

#[test]
fn a_window_of_one_returns_the_values() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nchw::new(2, 12, 7, 9);
    for border in [Border::Zero, Border::Mask, Border::Shift] {
        let options = WindowAttentionOptions::new(3, 4, 1).with_border(border);
        let operator = WindowAttention::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
        let inputs = Inputs::random(1, &options, shape, Element::F32);
        let y = run(gpu, &operator, shape, Element::F32, &inputs).y;
        let room = softmax_room(1, 4.0);
        assert_within_tolerance_with_room(&y, &wide(&inputs.v), &inputs.v, Precision::F32, room, format!("{border:?}"));
    }
}

/// A constant added to every logit of a head changes its log-sum-exp by as much, and nothing else.
#[test]
fn a_constant_added_to_all_logits_changes_nothing() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nchw::new(1, 12, 9, 11);
    let options = WindowAttentionOptions::new(3, 4, 5)
        .with_relative(RelativePosition::Bias)
        .with_border(Border::Mask)
        .with_scale_relative(false);
    let operator = WindowAttention::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
    let mut inputs = Inputs::random(2, &options, shape, Element::F32);
    let before = run(gpu, &operator, shape, Element::F32, &inputs);
    inputs.tables[0].iter_mut().for_each(|bias| *bias += 4.0);
    let after = run(gpu, &operator, shape, Element::F32, &inputs);
    for (a, b) in before.y.iter().zip(&after.y) {
        assert!((a - b).abs() < 1e-5, "{a} and {b}");
    }
    for (a, b) in before.log_sum_exp.iter().zip(&after.log_sum_exp) {
        assert!((a + 4.0 - b).abs() < 1e-5, "{a} and {b}");
    }
}

/// Logits of 300 either way: the softmax is one-hot nearly everywhere, and never NaN.
#[test]
fn large_logits_are_stable() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nchw::new(1, 8, 12, 13);
    for border in [Border::Zero, Border::Mask, Border::Shift] {
        let options = WindowAttentionOptions::new(2, 4, 5).with_border(border);
        let operator = WindowAttention::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
        let mut inputs = Inputs::random(3, &options, shape, Element::F32);
        // The tables' part would dwarf the keys otherwise.
        for values in [&mut inputs.q, &mut inputs.k] {
            values.iter_mut().for_each(|value| *value = value.signum() * 8.66);
        }
        let exact = inputs.reference::<f64>(&options, shape);
        let largest = exact.log_sum_exp.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
        assert!(largest > 290.0, "{largest}");
        let actual = run(gpu, &operator, shape, Element::F32, &inputs);
        // A logit of 300 is rounded to 2^-15, which is the relative error of its weight.
        for (a, e) in actual.y.iter().zip(&exact.y) {
            assert!((f64::from(*a) - e).abs() < 2e-4, "{a}, expected {e}");
        }
    }
}

/// NaN and +infinity in a logit make the query NaN, and no other query; a query whose every logit is -infinity is zeros.
#[test]
fn special_logits_follow_the_reference() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nchw::new(1, 4, 11, 13);
    let pixels = shape.size().pixels() as usize;
    for border in [Border::Zero, Border::Mask, Border::Shift] {
        for special in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for tensor in 0..3 {
                let options = WindowAttentionOptions::new(2, 2, 3).with_border(border);
                let operator = WindowAttention::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
                let mut inputs = Inputs::random(4, &options, shape, Element::F32);
                let values = [&mut inputs.q, &mut inputs.k, &mut inputs.v];
                for (index, values) in values.into_iter().enumerate() {
                    if index == tensor {
                        values[pixels + 5 * 13 + 6] = special;
                    }
                }
                let exact = inputs.reference::<f64>(&options, shape);
                let y = run(gpu, &operator, shape, Element::F32, &inputs).y;
                for (index, (a, e)) in y.iter().zip(&exact.y).enumerate() {
                    let close = (f64::from(*a) - e).abs() < 1e-5;
                    let same = a.is_nan() && e.is_nan() || f64::from(*a) == *e || close;
                    assert!(same, "{border:?} {special} in tensor {tensor}: element {index} is {a}, expected {e}");
                }
            }
        }
    }
    let options = WindowAttentionOptions::new(2, 2, 3).with_relative(RelativePosition::Bias).with_scale_relative(false);
    let operator = WindowAttention::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
    let mut inputs = Inputs::random(5, &options, shape, Element::F32);
    inputs.tables[0].fill(f32::NEG_INFINITY);
    let outputs = run(gpu, &operator, shape, Element::F32, &inputs);
    assert!(outputs.y.iter().all(|&value| value == 0.0));
    assert!(outputs.log_sum_exp.iter().all(|&value| value == f32::NEG_INFINITY));
    let queries = [QueryPosition { image: 0, row: 3, column: 4 }];
    let rows = weights(gpu, &operator, shape, Element::F32, &inputs, &queries);
    assert!(rows.iter().all(|&value| value == 0.0));
}

/// A finite logit takes part, however low: masks made with the smallest finite number give the mean of what they leave where they
/// mask every key, and only the border rule leaves keys out.
#[test]
fn the_lowest_finite_logits_take_part() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nchw::new(1, 4, 6, 7);
    let queries = [QueryPosition { image: 0, row: 0, column: 0 }, QueryPosition { image: 0, row: 3, column: 4 }];
    for border in [Border::Zero, Border::Mask, Border::Shift] {
        let options = WindowAttentionOptions::new(2, 2, 3)
            .with_relative(RelativePosition::Bias)
            .with_border(border)
            .with_scale_relative(false);
        let operator = WindowAttention::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
        for lowest in [-f32::MAX, -3e38, -2e38, -1.75e38] {
            let mut inputs = Inputs::random(6, &options, shape, Element::F32);
            inputs.q.fill(0.0);
            // All keys of the first head, and all but one of the second.
            inputs.tables[0].fill(lowest);
            inputs.tables[0][25 + 12] = 1.0;
            let exact = inputs.reference::<f64>(&options, shape);
            let outputs = run(gpu, &operator, shape, Element::F32, &inputs);
            for (index, (y, e)) in outputs.y.iter().zip(&exact.y).enumerate() {
                assert!((f64::from(*y) - e).abs() < 1e-5, "{border:?} {lowest}: element {index} is {y}, expected {e}");
            }
            for (y, e) in outputs.log_sum_exp.iter().zip(&exact.log_sum_exp) {
                assert!((f64::from(*y) - e).abs() <= 1e-6 * e.abs(), "{border:?} {lowest}: {y}, expected {e}");
            }
            let rows = weights(gpu, &operator, shape, Element::F32, &inputs, &queries);
            let chosen = queries.iter().flat_map(|query| [0, 42].map(|head| head + query.row * 7 + query.column));
            let expected = chosen.flat_map(|row| exact.weights[row as usize * 9..][..9].to_vec());
            for (y, e) in rows.iter().zip(expected) {
                assert!((f64::from(*y) - e).abs() < 1e-6, "{border:?} {lowest}: weight {y}, expected {e}");
            }
        }
    }
}

/// The sum of a window's values overflows where their mean does not.
#[test]
fn values_near_the_largest_number_have_a_mean() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nchw::new(1, 4, 9, 9);
    for window in [1, 3, 7] {
        let options = WindowAttentionOptions::new(2, 2, window).with_border(Border::Shift);
        let operator = WindowAttention::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
        let mut inputs = Inputs::random(7, &options, shape, Element::F32);
        inputs.v.fill(3e38);
        let outputs = run(gpu, &operator, shape, Element::F32, &inputs);
        assert!(outputs.y.iter().all(|y| (y / 3e38 - 1.0).abs() < 1e-5), "window {window}: {:?}", &outputs.y[..9]);
    }
}

/// The same bits whether a batch fits one dispatch or not.
#[test]
fn a_split_changes_nothing() {
    if common::gpu().is_none() {
        return;
    }
    let shape = Nchw::new(5, 18, 19, 23);
    let options = WindowAttentionOptions::new(3, 6, 5).with_relative(RelativePosition::Bias);
    let inputs = Inputs::random(6, &options, shape, Element::F32);
    let run = |limits: &wgpu::Limits| -> (Vec<u32>, usize) {
        let gpu = Gpu::open_with(wgpu::Features::empty(), limits).unwrap();
        let operator = WindowAttention::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
        let [q, k, v, bias] =
            [&inputs.q, &inputs.k, &inputs.v, &inputs.tables[0]].map(|values| gpu.upload("input", values).unwrap());
        let y = gpu.buffer("y", shape.elements().unwrap() * 4).unwrap();
        let buffers = WindowAttentionBuffers {
            q: q.slice(..),
            k: k.slice(..),
            v: v.slice(..),
            tables: PositionTables::Bias(bias.slice(..)),
            y: y.slice(..),
            log_sum_exp: None,
        };
        let recording = operator.bind(&gpu.device, shape, buffers).unwrap();
        gpu.run(|pass| recording.record(pass)).unwrap();
        (gpu.read(y.slice(..)).unwrap(), recording.dispatches().len())
    };
    let (whole, one) = run(&wgpu::Limits::default());
    let (parts, several) = run(&wgpu::Limits {
        max_storage_buffer_binding_size: 32 << 10,
        max_compute_workgroups_per_dimension: 1,
        ..wgpu::Limits::default()
    });
    assert_eq!(one, 1);
    assert!(several > 15, "{several}");
    assert!(whole == parts);
}

#[test]
fn refuses_what_has_no_meaning() {
    let Some(gpu) = common::gpu() else { return };
    let base = WindowAttentionOptions::new(2, 4, 3);
    let refused = |options: WindowAttentionOptions, words: &[&str]| {
        let error =
            WindowAttention::new(compiler::of(&gpu.device), options, Element::F32).map(|_| ()).unwrap_err().to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    };
    refused(base.with_window(Size::new(4, 3)), &["window.height", "4", "odd"]);
    refused(base.with_window(Size::new(3, 0)), &["window.width", "0", "odd"]);
    refused(WindowAttentionOptions::new(2, 5, 3), &["head_dim", "5", "even"]);
    refused(WindowAttentionOptions::new(2, 0, 3), &["head_dim", "0", "1 to 128"]);
    refused(WindowAttentionOptions::new(2, 129, 3), &["head_dim", "129", "1 to 128"]);
    refused(WindowAttentionOptions::new(0, 4, 3), &["heads", "0", "at least 1"]);
    refused(
        WindowAttentionOptions::new(3, 3, 3).with_relative(RelativePosition::WholeChannel),
        &["3 x 3", "even number of channels"],
    );
    refused(base.with_scale(f32::NAN), &["scale", "NaN", "finite"]);
    refused(base.with_scale(f32::INFINITY), &["scale", "inf", "finite"]);
    refused(base.with_stride(Size::new(1, 0)), &["stride.width", "0", "at least 1"]);
    refused(base.with_dilation(Size::new(0, 1)), &["dilation.height", "0", "at least 1"]);
    refused(base.with_border(Border::Shift).with_stride(Size::new(2, 1)), &["stride", "[2, 1]", "[1, 1]"]);
    // Only software adapters have a bound on loops.
    if common::is_software(gpu) {
        let advice = ["rounds", "32767", "make the window smaller", "or use a GPU"];
        refused(WindowAttentionOptions::new(2, 64, 201).with_relative(RelativePosition::None), &advice);
        let window = Size::new(u32::MAX, u32::MAX);
        let widest = WindowAttentionOptions::new(1 << 24, 4, 1).with_window(window);
        refused(widest.with_relative(RelativePosition::Bias), &advice);
    }

    let shift = base.with_border(Border::Shift).with_dilation(Size::new(3, 1)).with_relative(RelativePosition::None);
    let buffer = gpu.upload("x", &[0f32; 1024]).unwrap();
    let output = gpu.upload("y", &[0f32; 1024]).unwrap();
    let bind = |options: WindowAttentionOptions, shape: Nchw, tables: PositionTables<wgpu::BufferSlice<'_>>| -> Error {
        let operator = WindowAttention::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
        let (q, y) = (buffer.slice(..), output.slice(..));
        let buffers = WindowAttentionBuffers { q, k: q, v: q, tables, y, log_sum_exp: None };
        operator.bind(&gpu.device, shape, buffers).unwrap_err()
    };
    let says = |error: Error, words: &[&str]| {
        let error = error.to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    };
    says(bind(shift, Nchw::new(1, 8, 8, 8), PositionTables::None), &["9", "at most 8"]);
    says(
        bind(shift, Nchw::new(1, 9, 9, 9), PositionTables::None),
        &["[1, 9, 9, 9]", "8 channels: 2 heads of head_dim 4"],
    );
    says(bind(base, Nchw::new(1, 8, 4, 4), PositionTables::None), &["PositionTables::None", "PerHead"]);
    let small = buffer.slice(..20);
    let whole = buffer.slice(..);
    let tables = PositionTables::Factorised { row: whole, column: small };
    says(bind(base, Nchw::new(1, 8, 4, 4), tables), &["tables.column", "20", "24"]);
    let bias = base.with_relative(RelativePosition::Bias);
    says(bind(bias, Nchw::new(1, 8, 4, 4), PositionTables::Bias(buffer.slice(..196))), &["tables.bias", "196", "200"]);

    let operator = WindowAttention::new(compiler::of(&gpu.device), bias, Element::F32).unwrap();
    let buffers =
        WindowWeightsBuffers { q: whole, k: whole, tables: PositionTables::Bias(whole), weights: output.slice(..) };
    let outside = [QueryPosition { image: 0, row: 4, column: 0 }];
    says(
        operator.bind_weights(&gpu.device, Nchw::new(1, 8, 4, 4), &outside, buffers).unwrap_err(),
        &["query.row", "4"],
    );
}
