use visual_attention::{
    Element, Error, HeadNorm, HeadNormRotary, HeadNormRotaryBuffers, HeadNormRotaryOptions, Ncthw, reference, wgpu,
};

use crate::common::{self, Random, TestGpu, assert_within_tolerance_with_room, rounded, wide};
use crate::compiler;

/// What WGSL lets an adapter do to a number up to `largest`: a root and two divisions to 2.5 ULP each, and half as much for products.
fn room(largest: f64) -> f64 {
    8.0 * f64::from(f32::EPSILON) * largest
}

fn run(
    gpu: &TestGpu,
    shape: Ncthw,
    options: HeadNormRotaryOptions,
    element: Element,
    [x, weight]: [&[f32]; 2],
    in_place: bool,
) -> Vec<f32> {
    let operator = HeadNormRotary::new(compiler::of(&gpu.device), options, element).unwrap();
    let (input, weight_buffer) = (gpu.input(x, element), gpu.input(weight, element));
    let y = if in_place { gpu.filled(x, element) } else { gpu.output(x.len(), element.bytes()) };
    let buffers = HeadNormRotaryBuffers {
        x: if in_place { y.slice() } else { input.slice(..) },
        weight: (!weight.is_empty()).then(|| weight_buffer.slice(..)),
        y: y.slice(),
    };
    gpu.recording(&operator.bind(&gpu.device, shape, buffers).unwrap());
    gpu.floats(&y, element)
}

/// Norms, splits with and without channels that do not turn, heads of odd and of many channels, one axis and three.
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
        ([1, 1030, 1, 2, 3], with(1).with_norm(HeadNorm::Rms).with_split([0, 1030, 0]).with_base(100.0)),
        ([2, 10, 40, 1, 1], with(1).with_norm(HeadNorm::Rms).with_split([10, 0, 0]).with_epsilon(0.5)),
        ([1, 12, 2, 3, 4], with(1).with_norm(HeadNorm::L2).with_split([4, 4, 4]).with_first([1000, 7, 3])),
        ([1, 6, 1, 2, 4], with(1).with_norm(HeadNorm::L2).with_epsilon(-0.0)),
    ];
    for element in gpu.elements() {
        for (seed, (shape, options)) in (0..).zip(cases) {
            let shape = Ncthw::from(shape);
            let mut random = Random::new(seed);
            let x = rounded(&random.normal(shape.elements().unwrap() as usize), element);
            let head_dim = (shape.channels / options.heads) as usize;
            for weight in [Vec::new(), rounded(&random.normal(head_dim), element)] {
                let given = |empty: bool| (!empty).then_some(());
                let (wide_x, wide_weight) = (wide(&x), wide(&weight));
                let exact = given(weight.is_empty()).map(|()| wide_weight.as_slice());
                let exact = reference::head_norm_rotary(shape, &options, &wide_x, exact);
                let baseline = given(weight.is_empty()).map(|()| weight.as_slice());
                let baseline = reference::head_norm_rotary(shape, &options, &x, baseline);
                let largest = exact.iter().fold(0f64, |largest, y| largest.max(y.abs()));
                for in_place in [false, true] {
                    let y = run(gpu, shape, options, element, [&x, &weight], in_place);
                    let what = format!("{element:?} {shape} {options:?}, in place {in_place}");
                    assert_within_tolerance_with_room(&y, &exact, &baseline, element.into(), room(largest), what);
                }
            }
        }
    }
}

/// The same bits where heads are divided among dispatches, in place too: heads of 780 bytes begin between aligned offsets.
#[test]
fn divided_work_gives_the_same_bits() {
    let Some(gpu) = common::gpu() else { return };
    let limits = wgpu::Limits { max_storage_buffer_binding_size: 2048, ..wgpu::Limits::default() };
    let Some(small) = common::gpu_with(&limits) else { return };
    let shape = Ncthw::new(3, 6, 1, 5, 13);
    let options = HeadNormRotaryOptions::new(2).with_norm(HeadNorm::Rms).with_split([0, 0, 2]);
    let mut random = Random::new(3);
    let (x, weight) = (random.normal(shape.elements().unwrap() as usize), random.normal(3));
    let whole = run(gpu, shape, options, Element::F32, [&x, &weight], false);
    for in_place in [false, true] {
        let divided = run(&small, shape, options, Element::F32, [&x, &weight], in_place);
        assert!(whole == divided, "in place {in_place}");
    }
}

/// A rotation keeps the length of a head, and the product of a query and a key depends on the distance of their positions alone.
#[test]
fn products_depend_on_the_distance() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Ncthw::new(1, 16, 6, 5, 7);
    let options = HeadNormRotaryOptions::new(1).with_split([4, 4, 8]);
    let mut random = Random::new(1);
    // The same query and the same key at every position.
    let [q, k] = [0, 1].map(|_| random.normal(16));
    let everywhere = |head: &[f32]| head.iter().flat_map(|&value| vec![value; 6 * 5 * 7]).collect::<Vec<_>>();
    let turned = [&q, &k].map(|head| run(gpu, shape, options, Element::F32, [&everywhere(head), &[]], false));
    let at = |tensor: &[f32], [frame, row, column]: [usize; 3]| -> Vec<f64> {
        (0..16).map(|channel| f64::from(tensor[((channel * 6 + frame) * 5 + row) * 7 + column])).collect()
    };
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let length = dot(&wide(&q), &wide(&q));
    let expected = dot(&at(&turned[0], [3, 1, 4]), &at(&turned[1], [1, 2, 0]));
    for (query, key) in [([5, 3, 6], [3, 4, 2]), ([2, 0, 5], [0, 1, 1])] {
        let (query, key) = (at(&turned[0], query), at(&turned[1], key));
        assert!((dot(&query, &query) - length).abs() < 1e-5 * length);
        assert!((dot(&query, &key) - expected).abs() < 1e-5 * length, "{} {expected}", dot(&query, &key));
    }
    // At position 0 nothing turns.
    assert_eq!(at(&turned[0], [0, 0, 0]), wide(&q));
}

/// NaN and infinities stay in their head and position; a head of zeros stays zeros.
#[test]
fn special_numbers_stay_where_they_are() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Ncthw::new(1, 4, 1, 1, 3);
    for norm in [HeadNorm::Rms, HeadNorm::L2] {
        let options = HeadNormRotaryOptions::new(1).with_norm(norm);
        for special in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut x = vec![0.0; 12];
            x[1] = special;
            (0..4).for_each(|channel| x[channel * 3 + 2] = 1.0);
            let y = run(gpu, shape, options, Element::F32, [&x, &[]], false);
            for channel in 0..4 {
                assert_eq!(y[channel * 3], 0.0, "{norm:?}");
                let value = y[channel * 3 + 2];
                assert!((value - if norm == HeadNorm::Rms { 1.0 } else { 0.5 }).abs() < 1e-6, "{norm:?} {value}");
            }
            assert!(y[1].is_nan(), "{norm:?} {special}: {}", y[1]);
            let expected = reference::head_norm_rotary(shape, &options, &x, None);
            assert!(y.iter().zip(&expected).all(|(y, e)| y.is_nan() == e.is_nan()), "{norm:?} {special}: {y:?}");
        }
    }
}

#[test]
fn refuses_what_has_no_meaning() {
    let Some(gpu) = common::gpu() else { return };
    let base = HeadNormRotaryOptions::new(2);
    let refused = |options: HeadNormRotaryOptions, words: &[&str]| {
        let error = HeadNormRotary::new(compiler::of(&gpu.device), options, Element::F32).map(|_| ()).unwrap_err();
        let error = error.to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    };
    refused(HeadNormRotaryOptions::new(0), &["heads", "0", "at least 1"]);
    refused(base.with_split([0, 3, 0]), &["split", "[0, 3, 0]", "even"]);
    refused(base.with_epsilon(-1.0), &["epsilon", "-1", "0 or more"]);
    refused(base.with_epsilon(f32::NAN), &["epsilon", "NaN", "0 or more"]);
    refused(base.with_base(0.0), &["base", "0", "above 0"]);
    refused(base.with_scale(f32::INFINITY), &["scale", "inf", "finite"]);
    // Sixteen bytes a position fit, and a table of 64 bytes a position does not.
    let limits = wgpu::Limits { max_buffer_size: 1 << 20, ..wgpu::Limits::default() };
    if let Some(small) = common::gpu_with(&limits) {
        let options = HeadNormRotaryOptions::new(1).with_split([0, 0, 16]);
        let element = if gpu.elements().len() > 1 { Element::F16 } else { Element::F32 };
        let operator = HeadNormRotary::new(compiler::of(&small.device), options, element).unwrap();
        let positions = (1 << 20) / 16 / element.bytes() as u32;
        let x = small.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: 1 << 20,
            usage: wgpu::BufferUsages::STORAGE,
            mapped_at_creation: false,
        });
        let buffers = HeadNormRotaryBuffers { x: x.slice(..), weight: None, y: x.slice(..) };
        let error = operator.bind(&small.device, Ncthw::new(1, 16, 1, 1, positions), buffers).unwrap_err();
        assert!(matches!(error, Error::LimitExceeded { limit: "max_buffer_size", .. }), "{error}");
    }
    let operator = HeadNormRotary::new(compiler::of(&gpu.device), base, Element::F32).unwrap();
    let x = gpu.upload("x", &vec![0f32; 44_000]).unwrap();
    let buffers = HeadNormRotaryBuffers { x: x.slice(..), weight: None, y: x.slice(..) };
    assert!(operator.bind(&gpu.device, Ncthw::new(1, 32_000, 1, 1, 1), buffers).is_ok());
    let error = operator.bind(&gpu.device, Ncthw::new(1, 44_000, 1, 1, 1), buffers).unwrap_err();
    assert!(matches!(error, Error::LimitExceeded { limit: "loop rounds of one invocation", .. }), "{error}");
    let operator = HeadNormRotary::new(compiler::of(&gpu.device), base.with_split([4, 4, 2]), Element::F32).unwrap();
    for (channels, words) in [(15, "a multiple of 2 channels"), (16, "at least 10 channels")] {
        let error = operator.tensors(Ncthw::new(1, channels, 2, 2, 2)).unwrap_err();
        assert!(matches!(error, Error::InvalidShape { op: "head_norm_rotary", binding: "x", .. }), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
}
