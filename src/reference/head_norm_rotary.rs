use num_traits::Float;

use super::{real, sum};
use crate::{HeadNorm, HeadNormRotaryOptions, Ncthw};

/// For each head and position: `t = x / sqrt(mean of x^2 + eps)` (arXiv:1910.07467, Eq. 4), `x / max(|x|, eps)` or `x`, then `t * weight *
/// scale`, and then pairs `(2j, 2j + 1)` of its channels turned by `position * base^(-2j / s)` (arXiv:2104.09864, Eq. 34).
///
/// `x [n, heads*d, t, h, w]`, `weight [d]`; returns a tensor like `x`. The first `s = split[0]` channels turn by the frame, the next
/// `split[1]` by the row, and the next `split[2]` by the column. The others do not turn.
#[must_use]
pub fn head_norm_rotary<T: Float>(
    shape: impl Into<Ncthw>,
    options: &HeadNormRotaryOptions,
    x: &[T],
    weight: Option<&[T]>,
) -> Vec<T> {
    let shape = shape.into();
    let positions = shape.positions() as usize;
    let head_dim = (shape.channels / options.heads) as usize;
    let (epsilon, scale) = (real::<T>(options.epsilon.into()), real::<T>(options.scale.into()));
    let mut y = vec![T::zero(); x.len()];
    for head in 0..(shape.batch * options.heads) as usize {
        for position in 0..positions {
            let at = |channel: usize| (head * head_dim + channel) * positions + position;
            let squares = sum(head_dim, |channel| x[at(channel)] * x[at(channel)]);
            let length = match options.norm {
                HeadNorm::None => T::one(),
                HeadNorm::Rms => (squares / real(head_dim as f64) + epsilon).sqrt(),
                HeadNorm::L2 if squares.sqrt() < epsilon => epsilon,
                HeadNorm::L2 => squares.sqrt(),
            };
            for channel in 0..head_dim {
                let weight = weight.map_or(T::one(), |weight| weight[channel]);
                y[at(channel)] = x[at(channel)] / length * (scale * weight);
            }
            let (height, width) = (shape.height as usize, shape.width as usize);
            let places = [position / (height * width), position / width % height, position % width];
            let mut first = 0;
            let places = [0, 1, 2].map(|axis| places[axis] as f64 + f64::from(options.first[axis]));
            for (place, split) in places.into_iter().zip(options.split) {
                for pair in 0..split / 2 {
                    let exponent = f64::from(2 * pair) / f64::from(split);
                    let angle = place * f64::from(options.base).powf(-exponent);
                    let (cosine, sine) = (real::<T>(angle.cos()), real::<T>(angle.sin()));
                    let even = first + 2 * pair as usize;
                    let (a, b) = (y[at(even)], y[at(even + 1)]);
                    y[at(even)] = a * cosine - b * sine;
                    y[at(even + 1)] = a * sine + b * cosine;
                }
                first += split as usize;
            }
        }
    }
    y
}
