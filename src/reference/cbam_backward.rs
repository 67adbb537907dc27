use num_traits::Float;

use super::channel_scale_backward::GateUpstream;
use super::dense::Layer;
use super::spatial_gate_backward::{SpatialGateGradients, spatial_gate_backward};
use super::squeeze_excite::Excitation;
use super::squeeze_excite_backward::{SqueezeExciteGradients, squeeze_excite_backward};
use super::{channel_scale, squeeze_excite, sum};
use crate::{CbamOptions, Epilogue, Nchw, Squeeze, SqueezeExciteOptions};

/// The gradients of [`cbam`](super::cbam()).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CbamGradients<T> {
    /// `[n, c, h, w]`.
    pub features: Vec<T>,
    /// `[n, c, h, w]`. Empty except for [`Epilogue::Residual`].
    pub identity: Vec<T>,
    /// Of the channel gate. Its `features` and `identity` are those that pass through the gate alone.
    pub channel: SqueezeExciteGradients<T>,
    /// Of the spatial gate. Its `features` are the gradients of the features times the channel gate.
    pub spatial: SpatialGateGradients<T>,
}

/// The gradients of [`cbam`](super::cbam()): the formulas of [their page](crate::ops::cbam_backward). `features`, and in `upstream`
/// `output` and `output_gradient`, are `[n, c, h, w]`; there is no upstream gradient of a gate.
#[must_use]
pub fn cbam_backward<T: Float>(
    shape: Nchw,
    options: CbamOptions,
    kernel: usize,
    features: &[T],
    excitation: &Excitation<'_, T>,
    conv: &Layer<'_, T>,
    upstream: GateUpstream<'_, T>,
) -> CbamGradients<T> {
    let CbamOptions { activation, gate, epilogue } = options;
    let squeeze = Squeeze::MeanAndMax;
    let channel_options = SqueezeExciteOptions { squeeze, activation, gate, epilogue: Epilogue::GateOnly };
    let (channel_gate, _) = squeeze_excite(shape, channel_options, features, excitation, None);
    let gated = channel_scale(shape, Epilogue::Scale, features, &channel_gate, None);
    // The features that the epilogue adds are those before the channel gate.
    let of_gated = if epilogue == Epilogue::ScaleAdd { Epilogue::Scale } else { epilogue };
    let spatial = spatial_gate_backward(shape, of_gated, kernel, &gated, conv, upstream);

    let pixels = shape.size().pixels() as usize;
    let of_gate: Vec<T> = (0..channel_gate.len())
        .map(|plane| {
            let first = plane * pixels;
            sum(pixels, |pixel| spatial.features[first + pixel] * features[first + pixel])
        })
        .collect();
    let through = GateUpstream { output: None, output_gradient: None, gate_gradient: Some(&of_gate) };
    let channel = squeeze_excite_backward(shape, channel_options, features, excitation, through);
    let added = upstream.output_gradient.filter(|_| epilogue == Epilogue::ScaleAdd);
    let features = (0..features.len()).map(|index| {
        let value = spatial.features[index] * channel_gate[index / pixels] + channel.features[index];
        added.map_or(value, |gradient| value + gradient[index])
    });
    CbamGradients { features: features.collect(), identity: spatial.identity.clone(), channel, spatial }
}
