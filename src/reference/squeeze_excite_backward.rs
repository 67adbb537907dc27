use num_traits::Float;

use super::channel_scale_backward::{GateUpstream, add_squeezed, squeezed};
use super::dense::{Layer, dense};
use super::dense_backward::dense_backward;
use super::squeeze_excite::Excitation;
use crate::{Activation, Nchw, SqueezeExciteOptions};

/// The gradients of [`squeeze_excite`](super::squeeze_excite()).
#[derive(Clone, Debug, PartialEq)]
pub struct SqueezeExciteGradients<T> {
    /// `[n, c, h, w]`.
    pub features: Vec<T>,
    /// `[n, c, h, w]`. Empty except for [`Epilogue::Residual`](crate::Epilogue::Residual).
    pub identity: Vec<T>,
    /// `[r, c]`.
    pub reduce_weight: Vec<T>,
    /// `[r]`.
    pub reduce_bias: Vec<T>,
    /// `[c, r]`.
    pub expand_weight: Vec<T>,
    /// `[c]`.
    pub expand_bias: Vec<T>,
}

/// The gradients of [`squeeze_excite`](super::squeeze_excite()): the formulas of [its page](crate::ops::squeeze_excite_backward).
/// Pooled vectors, hidden vector and gate are computed again from `features [n, c, h, w]`.
#[must_use]
pub fn squeeze_excite_backward<T: Float>(
    shape: Nchw,
    options: SqueezeExciteOptions,
    features: &[T],
    excitation: &Excitation<'_, T>,
    upstream: GateUpstream<'_, T>,
) -> SqueezeExciteGradients<T> {
    let channels = shape.channels as usize;
    let first = Layer { weight: excitation.reduce_weight, bias: excitation.reduce_bias, norm: None };
    let second = Layer { weight: excitation.expand_weight, bias: excitation.expand_bias, norm: None };
    let reduced = first.weight.len() / channels;
    let vectors = squeezed(shape, options.squeeze, features);
    let hidden: Vec<_> = vectors.iter().map(|vector| dense(channels, vector, &first, options.activation)).collect();
    let terms: Vec<_> = hidden.iter().map(|vector| dense(reduced, vector, &second, Activation::None)).collect();
    let logits = add(&terms);
    let gate: Vec<T> = logits.iter().map(|&t| options.gate.apply(t)).collect();

    let scaled = upstream.scaled(shape, options.epilogue, features, &gate);
    let of_logits: Vec<T> = scaled.gate.iter().zip(&logits).map(|(&g, &t)| g * options.gate.derivative(t)).collect();
    let of_second: Vec<_> =
        hidden.iter().map(|vector| dense_backward(reduced, vector, &second, Activation::None, &of_logits)).collect();
    let of_first: Vec<_> = vectors
        .iter()
        .zip(&of_second)
        .map(|(vector, of)| dense_backward(channels, vector, &first, options.activation, &of.input))
        .collect();
    let of_squeezed: Vec<_> = of_first.iter().map(|of| of.input.clone()).collect();
    let mut gradient = scaled.features;
    add_squeezed(shape, options.squeeze, features, &of_squeezed, &mut gradient);
    let sum_of = |of: &dyn Fn(usize) -> Vec<T>| add(&(0..vectors.len()).map(of).collect::<Vec<_>>());
    SqueezeExciteGradients {
        features: gradient,
        identity: scaled.identity,
        reduce_weight: sum_of(&|vector| of_first[vector].weight.clone()),
        reduce_bias: sum_of(&|vector| of_first[vector].bias.clone()),
        expand_weight: sum_of(&|vector| of_second[vector].weight.clone()),
        expand_bias: sum_of(&|vector| of_second[vector].bias.clone()),
    }
}

/// The sum of vectors of one length.
fn add<T: Float>(vectors: &[Vec<T>]) -> Vec<T> {
    let mut vectors = vectors.iter();
    let first = vectors.next().cloned().unwrap_or_default();
    vectors.fold(first, |sum, vector| sum.iter().zip(vector).map(|(&a, &b)| a + b).collect())
}
