use visual_attention::{Element, Nchw, Pooling, Size, WindowPool, WindowPoolBuffers, reference};

use crate::common::{self, Precision, Random, TestGpu, assert_exact, assert_within_tolerance, rounded, wide};
use crate::compiler;

fn run(gpu: &TestGpu, shape: Nchw, pooling: Pooling, window: Size, element: Element, x: &[f32]) -> Vec<f32> {
    let operator = WindowPool::new(compiler::of(&gpu.device), pooling, window, element).unwrap();
    let out = operator.output(shape.size()).pixels() * u64::from(shape.batch * shape.channels);
    let (x, y) = (gpu.input(x, element), gpu.output(out as usize, element.bytes()));
    let buffers = WindowPoolBuffers { x: x.slice(..), y: y.slice() };
    gpu.recording(&operator.bind(&gpu.device, shape, buffers).unwrap());
    gpu.floats(&y, element)
}

#[test]
fn matches_reference() {
    let Some(gpu) = common::gpu() else { return };
    let cases = [
        (Nchw::new(1, 1, 1, 1), Size::new(1, 1)),
        (Nchw::new(2, 3, 8, 6), Size::new(2, 2)),
        (Nchw::new(1, 5, 7, 9), Size::new(2, 2)),
        (Nchw::new(1, 64, 33, 35), Size::new(4, 4)),
        (Nchw::new(3, 2, 13, 5), Size::new(13, 2)),
        (Nchw::new(1, 2, 3, 3), Size::new(4, 1)),
    ];
    for element in gpu.elements() {
        for (seed, (shape, window)) in (0..).zip(cases) {
            let x = rounded(&Random::new(seed).normal(shape.elements().unwrap() as usize), element);
            let what = format!("{element:?} {shape} {window}");
            let actual = run(gpu, shape, Pooling::Max, window, element, &x);
            assert_exact(&actual, &reference::window_pool(shape, Pooling::Max, window, &x), &what);
            let actual = run(gpu, shape, Pooling::Mean, window, element, &x);
            let exact = reference::window_pool(shape, Pooling::Mean, window, &wide(&x));
            let baseline = reference::window_pool(shape, Pooling::Mean, window, &x);
            assert_within_tolerance(&actual, &exact, &baseline, Precision::from(element), &what);
        }
    }
}

#[test]
fn nan_stays_in_its_window() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nchw::new(1, 1, 4, 6);
    let mut x = Random::new(1).normal(24);
    x[8] = -f32::NAN;
    x[0] = f32::INFINITY;
    for pooling in [Pooling::Mean, Pooling::Max] {
        let window = Size::new(2, 2);
        let actual = run(gpu, shape, pooling, window, Element::F32, &x);
        let expected = reference::window_pool(shape, pooling, window, &x);
        let special = |values: &[f32]| -> Vec<f32> {
            values.iter().map(|&value| if value.is_finite() { 0.0 } else { value }).collect()
        };
        assert_exact(&special(&actual), &special(&expected), format!("{pooling:?}"));
        assert_eq!(actual.iter().filter(|value| value.is_nan()).count(), 1);
    }
}

#[test]
fn refuses_what_has_no_meaning() {
    let Some(gpu) = common::gpu() else { return };
    let refused = |window: Size, words: &[&str]| {
        let error = WindowPool::new(compiler::of(&gpu.device), Pooling::Mean, window, Element::F32)
            .map(|_| ())
            .unwrap_err()
            .to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    };
    refused(Size::new(0, 2), &["[0, 2]", "at least [1, 1]"]);
    if common::is_software(gpu) {
        refused(Size::new(256, 256), &["65792", "32767", "window smaller"]);
    }
}
