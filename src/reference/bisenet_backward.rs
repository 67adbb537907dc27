use num_traits::Float;

use super::channel_scale_backward::{GateUpstream, add_squeezed};
use super::dense::{Layer, Norm, dense};
use super::dense_backward::dense_backward;
use super::global_mean;
use crate::{Activation, Epilogue, Nchw, Squeeze};

/// The gradients of [`bisenet`](super::bisenet()).
#[derive(Clone, Debug, PartialEq)]
pub struct BiSeNetGradients<T> {
    /// `[n, c, h, w]`.
    pub features: Vec<T>,
    /// `[n, c, h, w]`. Empty except for [`Epilogue::Residual`].
    pub identity: Vec<T>,
    /// `[c, c]`.
    pub weight: Vec<T>,
    /// `[c]`.
    pub norm_weight: Vec<T>,
    /// `[c]`.
    pub norm_bias: Vec<T>,
}

/// The gradients of [`bisenet`](super::bisenet()): the formulas of [its page](crate::ops::bisenet_backward). Means and gates are computed
/// again from `features [n, c, h, w]`.
#[must_use]
pub fn bisenet_backward<T: Float>(
    shape: Nchw,
    epilogue: Epilogue,
    features: &[T],
    weight: &[T],
    norm: Norm<'_, T>,
    upstream: GateUpstream<'_, T>,
) -> BiSeNetGradients<T> {
    let channels = shape.channels as usize;
    let layer = Layer { weight, bias: None, norm: Some(norm) };
    let mean = global_mean(shape, features);
    let gate = dense(channels, &mean, &layer, Activation::Sigmoid);
    let scaled = upstream.scaled(shape, epilogue, features, &gate);
    let of_layer = dense_backward(channels, &mean, &layer, Activation::Sigmoid, &scaled.gate);
    let mut gradient = scaled.features;
    add_squeezed(shape, Squeeze::Mean, features, &[of_layer.input], &mut gradient);
    BiSeNetGradients {
        features: gradient,
        identity: scaled.identity,
        weight: of_layer.weight,
        norm_weight: of_layer.norm_weight,
        norm_bias: of_layer.bias,
    }
}
