//! What the tests share: the device, inputs, outputs that can't pass unwritten, and the gates.

pub(crate) mod arbitrary;
pub(crate) mod backward;
pub(crate) mod catalogue;
pub(crate) mod compiler;
pub(crate) mod describing;
pub(crate) mod fixture;
mod gpu;
mod guards;
mod known_faults;
pub(crate) mod loop_bounds;
pub(crate) mod problems;
mod random;
mod tolerance;

pub(crate) use gpu::{Output, TestGpu, gpu, gpu_with, is_software, rounded, skipped};
pub(crate) use known_faults::{must_fail, with_known_faults};
pub(crate) use random::Random;
pub(crate) use tolerance::{
    EXP_ROOM, NORM_ROOM, Precision, SAMPLE_ROOM, assert_exact, assert_within_tolerance, assert_within_tolerance_of_exp,
    assert_within_tolerance_with_room, check_exact, check_gradient, check_tolerance, check_tolerance_with_room,
    log_sum_exp_room, softmax_room,
};
use visual_attention::wgpu::Limits;

/// The same numbers in f64, for the oracle.
pub(crate) fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}

/// A device whose bindings hold no more than `bytes`, so that plans divide the work; skipped as [`gpu`].
pub(crate) fn gpu_with_bindings_of(bytes: u64) -> Option<TestGpu> {
    gpu_with(&Limits { max_storage_buffer_binding_size: bytes, ..Limits::default() })
}

/// The largest magnitude of finite numbers.
pub(crate) fn largest(values: &[f32]) -> f64 {
    values.iter().filter(|value| value.is_finite()).fold(0.0, |largest, value| largest.max(f64::from(value.abs())))
}
