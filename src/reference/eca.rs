use num_traits::Float;

use super::{channel_scale, global_mean};
use crate::{Activation, Epilogue, Nchw};

/// The gate and the output of Efficient Channel Attention (arXiv:1910.03151, Eq. 6). `gate[n, c]` = sigmoid(sum over `j` of
/// `weight[j] * s[n, c + j - (k - 1) / 2]`), where `s` is the mean of each plane, and zero outside the channels. `features`,
/// `identity` `[n, c, h, w]`, `weight [k]`; returns the gate `[n, c]` and [`channel_scale`] with it.
#[must_use]
pub fn eca<T: Float>(
    shape: Nchw,
    epilogue: Epilogue,
    features: &[T],
    weight: &[T],
    identity: Option<&[T]>,
) -> (Vec<T>, Vec<T>) {
    let channels = shape.channels as usize;
    let reach = (weight.len() - 1) / 2;
    let mut gate = Vec::new();
    for squeezed in global_mean(shape, features).chunks_exact(channels) {
        for c in 0..channels {
            let mut sum = T::zero();
            for (j, &tap) in weight.iter().enumerate() {
                if let Some(&value) = (c + j).checked_sub(reach).and_then(|at| squeezed.get(at)) {
                    sum = sum + tap * value;
                }
            }
            gate.push(Activation::Sigmoid.apply(sum));
        }
    }
    let output = channel_scale(shape, epilogue, features, &gate, identity);
    (gate, output)
}
