use num_traits::Float;

use super::channel_scale_backward::{GateUpstream, add_squeezed};
use super::{eca, global_mean, sum};
use crate::{Epilogue, Nchw, Squeeze};

/// The gradients of [`eca`](super::eca()).
#[derive(Clone, Debug, PartialEq)]
pub struct EcaGradients<T> {
    /// `[n, c, h, w]`.
    pub features: Vec<T>,
    /// `[n, c, h, w]`. Empty except for [`Epilogue::Residual`].
    pub identity: Vec<T>,
    /// `[taps]`.
    pub weight: Vec<T>,
}

/// The gradients of [`eca`](super::eca()): the formulas of [its page](crate::ops::eca_backward). Means and gates are computed again from
/// `features [n, c, h, w]`.
#[must_use]
pub fn eca_backward<T: Float>(
    shape: Nchw,
    epilogue: Epilogue,
    features: &[T],
    weight: &[T],
    upstream: GateUpstream<'_, T>,
) -> EcaGradients<T> {
    let (channels, batch) = (shape.channels as usize, shape.batch as usize);
    let reach = (weight.len() - 1) / 2;
    let mean = global_mean(shape, features);
    let (gate, _) = eca(shape, Epilogue::GateOnly, features, weight, None);
    let scaled = upstream.scaled(shape, epilogue, features, &gate);
    let of_logits: Vec<T> = scaled.gate.iter().zip(&gate).map(|(&g, &y)| g * y * (T::one() - y)).collect();
    // The index in a vector of channel `c + ahead - behind`, if that is a channel.
    let moved = |c: usize, ahead: usize, behind: usize| (c + ahead).checked_sub(behind).filter(|&at| at < channels);
    let mut of_mean = Vec::new();
    for of_logits in of_logits.chunks_exact(channels) {
        for c in 0..channels {
            let taps: Vec<_> = weight.iter().enumerate().filter_map(|(j, &w)| Some((w, moved(c, reach, j)?))).collect();
            of_mean.push(sum(taps.len(), |index| taps[index].0 * of_logits[taps[index].1]));
        }
    }
    let of_tap = |image: usize, j: usize| {
        let pairs: Vec<_> = (0..channels).filter_map(|c| Some((c, moved(c, j, reach)?))).collect();
        let first = image * channels;
        sum(pairs.len(), |index| of_logits[first + pairs[index].0] * mean[first + pairs[index].1])
    };
    let mut gradient = scaled.features;
    add_squeezed(shape, Squeeze::Mean, features, &[of_mean], &mut gradient);
    EcaGradients {
        features: gradient,
        identity: scaled.identity,
        weight: (0..weight.len()).map(|j| sum(batch, |image| of_tap(image, j))).collect(),
    }
}
