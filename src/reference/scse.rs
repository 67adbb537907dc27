use num_traits::Float;

use super::attention_map::maximum;
use super::channel_scale::form_of;
use super::squeeze_excite::{Excitation, squeeze_excite};
use super::sum;
use crate::{Activation, Nchw, ScSeCombine, ScSeOptions, SqueezeExciteOptions};

/// Concurrent spatial and channel Squeeze-and-Excitation (arXiv:1803.02579, Sec. 2): the sum, or the maximum, of
/// Squeeze-and-Excitation and of `x * sigmoid(sum over c of weight[c] * x[c] + bias)` at each pixel. `features [n, c, h, w]`,
/// `spatial_weight [c]`, `spatial_bias [1]`, `identity [n, c, h, w]` for [`Epilogue::Residual`](crate::Epilogue::Residual); returns
/// `[n, c, h, w]`.
#[must_use]
pub fn scse<T: Float>(
    shape: Nchw,
    options: ScSeOptions,
    features: &[T],
    excitation: &Excitation<'_, T>,
    spatial_weight: &[T],
    spatial_bias: Option<&[T]>,
    identity: Option<&[T]>,
) -> Vec<T> {
    let (_, by_channel) = squeeze_excite(shape, SqueezeExciteOptions::STANDARD, features, excitation, None);
    let (channels, pixels) = (shape.channels as usize, shape.size().pixels() as usize);
    let mut output = Vec::with_capacity(features.len());
    for (image, by_channel) in features.chunks_exact(channels * pixels).zip(by_channel.chunks_exact(channels * pixels))
    {
        let gate = |pixel: usize| {
            let sum = sum(channels, |c| spatial_weight[c] * image[c * pixels + pixel]);
            Activation::Sigmoid.apply(spatial_bias.map_or(sum, |bias| sum + bias[0]))
        };
        let gates: Vec<T> = (0..pixels).map(gate).collect();
        for (index, (&value, &by_channel)) in image.iter().zip(by_channel).enumerate() {
            let by_pixel = value * gates[index % pixels];
            let joined = match options.combine {
                ScSeCombine::Add => by_channel + by_pixel,
                ScSeCombine::Max => maximum(by_channel, by_pixel),
            };
            output.push(form_of(options.epilogue, joined, value, identity, output.len()));
        }
    }
    output
}
