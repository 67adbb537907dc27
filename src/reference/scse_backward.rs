use num_traits::Float;

use super::channel_scale_backward::GateUpstream;
use super::squeeze_excite::{Excitation, squeeze_excite};
use super::squeeze_excite_backward::squeeze_excite_backward;
use super::sum;
use crate::{Activation, Epilogue, Nchw, ScSeCombine, ScSeOptions, SqueezeExciteOptions};

/// The gradients of [`scse`](super::scse()).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ScSeGradients<T> {
    /// `[n, c, h, w]`.
    pub features: Vec<T>,
    /// `[n, c, h, w]`. Empty except for [`Epilogue::Residual`].
    pub identity: Vec<T>,
    /// `[r, c]`.
    pub reduce_weight: Vec<T>,
    /// `[r]`.
    pub reduce_bias: Vec<T>,
    /// `[c, r]`.
    pub expand_weight: Vec<T>,
    /// `[c]`.
    pub expand_bias: Vec<T>,
    /// `[c]`.
    pub spatial_weight: Vec<T>,
    /// `[1]`.
    pub spatial_bias: Vec<T>,
}

/// The gradients of [`scse`](super::scse()): the formulas of [their page](crate::ops::scse_backward). Both gates are computed again from
/// `features [n, c, h, w]`. `output` and `output_gradient` are `[n, c, h, w]`, `output` for [`Epilogue::Residual`] only.
#[must_use]
#[expect(clippy::too_many_arguments, reason = "what the forward operator reads, and the two tensors behind it")]
pub fn scse_backward<T: Float>(
    shape: Nchw,
    options: ScSeOptions,
    features: &[T],
    excitation: &Excitation<'_, T>,
    spatial_weight: &[T],
    spatial_bias: Option<&[T]>,
    output: Option<&[T]>,
    output_gradient: &[T],
) -> ScSeGradients<T> {
    let (channels, pixels) = (shape.channels as usize, shape.size().pixels() as usize);
    let maps = shape.batch as usize * pixels;
    let at = |map: usize, c: usize| (map / pixels * channels + c) * pixels + map % pixels;
    // The upstream gradient behind the epilogue's ReLU.
    let passes = |index: usize| output.is_some_and(|output| output[index] > T::zero());
    let masked = options.epilogue == Epilogue::Residual;
    let upstream: Vec<T> = output_gradient
        .iter()
        .enumerate()
        .map(|(index, &gradient)| if masked && !passes(index) { T::zero() } else { gradient })
        .collect();
    let spatial_gate: Vec<T> = (0..maps)
        .map(|map| {
            let sum = sum(channels, |c| spatial_weight[c] * features[at(map, c)]);
            Activation::Sigmoid.apply(spatial_bias.map_or(sum, |bias| sum + bias[0]))
        })
        .collect();
    let (_, by_channel) = squeeze_excite(shape, SqueezeExciteOptions::STANDARD, features, excitation, None);

    // What each of the two products takes of the upstream gradient.
    let (mut of_channel, mut of_spatial) = (upstream.clone(), upstream.clone());
    if options.combine == ScSeCombine::Max {
        for (map, &gate) in spatial_gate.iter().enumerate() {
            for index in (0..channels).map(|c| at(map, c)) {
                // A NaN of both products takes the channel's, as does a NaN of that one alone.
                if by_channel[index].is_nan() || by_channel[index] >= features[index] * gate {
                    of_spatial[index] = T::zero();
                } else {
                    of_channel[index] = T::zero();
                }
            }
        }
    }

    let through_channel = GateUpstream { output: None, output_gradient: Some(&of_channel), gate_gradient: None };
    let channel = squeeze_excite_backward(shape, SqueezeExciteOptions::STANDARD, features, excitation, through_channel);
    let of_logit = |(map, &gate): (usize, &T)| {
        let of_gate = sum(channels, |c| of_spatial[at(map, c)] * features[at(map, c)]);
        of_gate * gate * (T::one() - gate)
    };
    let of_logits: Vec<T> = spatial_gate.iter().enumerate().map(of_logit).collect();
    let mut gradient = channel.features;
    for (map, &gate) in spatial_gate.iter().enumerate() {
        for (c, &weight) in spatial_weight.iter().enumerate() {
            let index = at(map, c);
            let value = gradient[index] + of_spatial[index] * gate + of_logits[map] * weight;
            gradient[index] = if options.epilogue == Epilogue::ScaleAdd { value + upstream[index] } else { value };
        }
    }
    ScSeGradients {
        features: gradient,
        identity: if options.epilogue == Epilogue::Residual { upstream } else { Vec::new() },
        reduce_weight: channel.reduce_weight,
        reduce_bias: channel.reduce_bias,
        expand_weight: channel.expand_weight,
        expand_bias: channel.expand_bias,
        spatial_weight: (0..channels).map(|c| sum(maps, |map| of_logits[map] * features[at(map, c)])).collect(),
        spatial_bias: vec![sum(maps, |map| of_logits[map])],
    }
}
