//! What the tests share: the device, inputs, outputs that can't pass unwritten, and the gates.

mod gate;
mod gpu;
mod random;

pub(crate) use gate::{
    Precision, assert_exact, assert_within_gate, assert_within_gate_and_room, check_exact, check_gate,
    check_gate_and_room, log_sum_exp_room, softmax_room,
};
pub(crate) use gpu::{Output, TestGpu, gpu, rounded};
pub(crate) use random::Random;

/// The same numbers in f64, for the oracle.
pub(crate) fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}
