use num_traits::Float;

use super::dense::relu;
use crate::{Epilogue, Nchw};

/// `output[n, c, y, x]` = the epilogue of `features[n, c, y, x] * gate[n, c]` (Squeeze-and-Excitation, arXiv:1709.01507,
/// Eq. 4). `features [n, c, h, w]`, `gate [n, c]`, `identity [n, c, h, w]` for [`Epilogue::Residual`]; returns `[n, c, h, w]`, and
/// nothing for [`Epilogue::GateOnly`].
#[must_use]
pub fn channel_scale<T: Float>(
    shape: Nchw,
    epilogue: Epilogue,
    features: &[T],
    gate: &[T],
    identity: Option<&[T]>,
) -> Vec<T> {
    if epilogue == Epilogue::GateOnly {
        return Vec::new();
    }
    let pixels = shape.size().pixels() as usize;
    let mut output = Vec::with_capacity(features.len());
    for (index, &value) in features.iter().enumerate() {
        output.push(form_of(epilogue, value * gate[index / pixels], value, identity, index));
    }
    output
}

/// The epilogue of one feature: `value`, and `scaled`, its product with the gate.
pub(super) fn form_of<T: Float>(epilogue: Epilogue, scaled: T, value: T, identity: Option<&[T]>, index: usize) -> T {
    match (epilogue, identity) {
        (Epilogue::Residual, Some(identity)) => relu(scaled + identity[index]),
        (Epilogue::ScaleAdd, _) => scaled + value,
        _ => scaled,
    }
}
