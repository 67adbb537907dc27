//! The tests' own tools must be able to fail.

use crate::common::{self, Precision, check_exact, check_tolerance, check_tolerance_with_room};

#[test]
fn exact_comparison_rejects_nan_length_and_one_wrong_element() {
    assert!(check_exact(&[1.0f32, 2.0], &[1.0, 2.0]).is_ok());
    assert!(check_exact(&[0.0f32], &[-0.0]).is_ok());
    assert!(check_exact(&[f32::NAN], &[1.0]).is_err());
    assert!(check_exact(&[1.0], &[f32::NAN]).is_err());
    assert!(check_exact(&[f32::NAN], &[f32::NAN]).is_ok());
    assert!(check_exact(&[1.0f32], &[1.0, 1.0]).is_err());
    assert!(check_exact(&[1.0f32, 1.0], &[1.0]).is_err());
    assert!(check_exact(&[1.0, f32::from_bits(1.0f32.to_bits() + 1)], &[1.0, 1.0]).is_err());
    assert!(check_exact(&[7u32, 8], &[7, 9]).is_err());
}

#[test]
fn gate_rejects_nan_length_and_one_wrong_element() {
    let exact = [0.5f64, -1.25, 3.0];
    let baseline = [0.5f32, -1.25, 3.0];
    let gate = |actual: &[f32]| check_tolerance(actual, &exact, &baseline, Precision::F32);
    assert!(gate(&baseline).is_ok());
    assert!(gate(&[0.5, -1.25]).is_err());
    assert!(gate(&[0.5, f32::NAN, 3.0]).is_err());
    assert!(gate(&[0.5, f32::INFINITY, 3.0]).is_err());
    assert!(gate(&[0.5, -1.25001, 3.0]).is_err());
    assert!(check_tolerance(&[1.0], &[f64::NAN], &[f32::NAN], Precision::F32).is_err());
    assert!(check_tolerance(&[f32::NAN], &[f64::NAN], &[f32::NAN], Precision::F32).is_ok());
    // A half-precision output may be off by its own rounding, which is far more than that of f32.
    assert!(check_tolerance(&[3.001], &[3.0], &[3.0], Precision::F32).is_err());
    assert!(check_tolerance(&[3.001], &[3.0005], &[3.0005], Precision::F16).is_ok());
    assert!(check_tolerance(&[3.1], &[3.0005], &[3.0005], Precision::F16).is_err());
}

/// The room that WGSL leaves widens a gate and nothing else.
#[test]
fn room_for_exp_is_absolute() {
    let check = |y: f32| check_tolerance_with_room(&[y], &[0.25], &[0.25], Precision::F32, 1e-6);
    assert!(check(0.250_000_9).is_ok());
    assert!(check(0.250_001_2).is_err());
    assert!(check(f32::NAN).is_err());
}

#[test]
#[should_panic(expected = "beyond its output")]
fn guards_notice_a_stray_write() {
    let Some(gpu) = common::gpu() else { panic!("beyond its output: not checked without an adapter") };
    let output = gpu.output(3, 4);
    let whole = output.slice();
    let stray = whole.offset() + whole.size();
    gpu.queue.write_buffer(whole.buffer(), stray, &[0; 4]);
    let _ = gpu.words::<f32>(&output);
}

#[test]
fn an_unwritten_output_never_passes() {
    let Some(gpu) = common::gpu() else { return };
    let output = gpu.output(5, 4);
    assert!(gpu.words::<f32>(&output).iter().all(|value| value.is_nan()));
    let output = gpu.output(5, 2);
    assert!(gpu.floats(&output, visual_attention::Element::F16).iter().all(|value| value.is_nan()));
}

#[test]
#[should_panic(expected = "no longer fails on a driver: remove it")]
fn a_known_fault_that_has_gone_fails() {
    common::must_fail("a test", "a driver", "it has this fault", || panic!("still there"));
    common::must_fail("a test", "a driver", "it had this fault", || ());
}

#[test]
fn room_is_small_and_no_room_for_nan() {
    let room = common::softmax_room(49, 1.0);
    assert!(room < 4e-6, "{room}");
    assert!(common::log_sum_exp_room(49) < 4e-6);
    let gate = |actual: &[f32]| check_tolerance_with_room(actual, &[0.5], &[0.5], Precision::F32, room);
    assert!(gate(&[0.500_001]).is_ok());
    assert!(gate(&[0.500_01]).is_err());
    assert!(gate(&[f32::NAN]).is_err());
    assert!(gate(&[]).is_err());
}
