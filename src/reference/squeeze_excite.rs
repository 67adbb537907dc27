use num_traits::Float;

use super::dense::{Layer, dense};
use super::{channel_scale, global_max, global_mean};
use crate::{Activation, Nchw, Squeeze, SqueezeExciteOptions};

/// Weights of an excitation: `reduce_weight [r, c]`, `expand_weight [c, r]`.
#[derive(Clone, Copy, Debug)]
pub struct Excitation<'a, T> {
    /// `[r, c]`.
    pub reduce_weight: &'a [T],
    /// `[r]`.
    pub reduce_bias: Option<&'a [T]>,
    /// `[c, r]`.
    pub expand_weight: &'a [T],
    /// `[c]`.
    pub expand_bias: Option<&'a [T]>,
}

/// The gate and the output of Squeeze-and-Excitation (arXiv:1709.01507, Eqs. 2-4). With both statistics the gate is that of
/// CBAM (arXiv:1807.06521, Eq. 2).
///
/// `f(s)` = `expand_weight activation(reduce_weight s + reduce_bias) + expand_bias`. The gate is g(f(mean)), g(f(maximum)) or
/// g(f(mean) + f(maximum)). `features`, `identity` `[n, c, h, w]`; returns the gate `[n, c]` and [`channel_scale`] with it.
#[must_use]
pub fn squeeze_excite<T: Float>(
    shape: Nchw,
    options: SqueezeExciteOptions,
    features: &[T],
    excitation: &Excitation<'_, T>,
    identity: Option<&[T]>,
) -> (Vec<T>, Vec<T>) {
    let channels = shape.channels as usize;
    let first = Layer { weight: excitation.reduce_weight, bias: excitation.reduce_bias, norm: None };
    let second = Layer { weight: excitation.expand_weight, bias: excitation.expand_bias, norm: None };
    let reduced = first.weight.len() / channels;
    let excite = |squeezed: Vec<T>| {
        let hidden = dense(channels, &squeezed, &first, options.activation);
        dense(reduced, &hidden, &second, Activation::None)
    };
    let logits = match options.squeeze {
        Squeeze::Mean => excite(global_mean(shape, features)),
        Squeeze::Max => excite(global_max(shape, features)),
        Squeeze::MeanAndMax => {
            let of_mean = excite(global_mean(shape, features));
            let of_maximum = excite(global_max(shape, features));
            of_mean.into_iter().zip(of_maximum).map(|(a, b)| a + b).collect()
        }
    };
    let gate: Vec<T> = logits.into_iter().map(|t| options.gate.apply(t)).collect();
    let output = channel_scale(shape, options.epilogue, features, &gate, identity);
    (gate, output)
}
