use num_traits::Float;

use super::dense::{Layer, Norm, dense};
use super::{channel_scale, global_mean};
use crate::{Activation, Epilogue, Nchw};

/// The gate and the output of BiSeNet's attention (arXiv:1808.00897, Fig. 2b and 2c). The gate is sigmoid(norm(`weight` mean)),
/// and the output is [`channel_scale`] with that gate. [`Epilogue::Scale`] is attention refinement, [`Epilogue::ScaleAdd`] is
/// feature fusion. `features`, `identity` `[n, c, h, w]`, `weight [c, c]`; returns `[n, c]` and `[n, c, h, w]`.
#[must_use]
pub fn bisenet<T: Float>(
    shape: Nchw,
    epilogue: Epilogue,
    features: &[T],
    weight: &[T],
    norm: Norm<'_, T>,
    identity: Option<&[T]>,
) -> (Vec<T>, Vec<T>) {
    let layer = Layer { weight, bias: None, norm: Some(norm) };
    let gate = dense(shape.channels as usize, &global_mean(shape, features), &layer, Activation::Sigmoid);
    let output = channel_scale(shape, epilogue, features, &gate, identity);
    (gate, output)
}
