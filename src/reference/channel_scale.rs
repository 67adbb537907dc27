use num_traits::Float;

use super::dense::relu;
use crate::{Form, Nchw};

/// `output[n, c, y, x]` = the form of `features[n, c, y, x] * gate[n, c]` (Squeeze-and-Excitation, arXiv:1709.01507, Eq. 4).
/// `features [n, c, h, w]`, `gate [n, c]`, `identity [n, c, h, w]` for [`Form::Residual`]; returns `[n, c, h, w]`, and nothing
/// for [`Form::GateOnly`].
#[must_use]
pub fn channel_scale<T: Float>(shape: Nchw, form: Form, features: &[T], gate: &[T], identity: Option<&[T]>) -> Vec<T> {
    if form == Form::GateOnly {
        return Vec::new();
    }
    let pixels = shape.size().pixels() as usize;
    let mut output = Vec::with_capacity(features.len());
    for (index, &value) in features.iter().enumerate() {
        output.push(form_of(form, value * gate[index / pixels], value, identity, index));
    }
    output
}

/// What the form makes of a feature `value` that is `scaled` by its gate.
pub(super) fn form_of<T: Float>(form: Form, scaled: T, value: T, identity: Option<&[T]>, index: usize) -> T {
    match (form, identity) {
        (Form::Residual, Some(identity)) => relu(scaled + identity[index]),
        (Form::ScaleAdd, _) => scaled + value,
        _ => scaled,
    }
}
