use num_traits::Float;

use super::{real, sum};
use crate::{HeadNorm, HeadNormRotaryOptions, Ncthw};

/// What [`head_norm_rotary_backward`] computes.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadNormRotaryGradients<T> {
    /// `[n, heads*d, t, h, w]`.
    pub x: Vec<T>,
    /// `[d]`.
    pub weight: Vec<T>,
}

/// The gradients of [`head_norm_rotary`](super::head_norm_rotary): the formulas of [its page](crate::ops::head_norm_rotary_backward).
///
/// `x, y_gradient [n, heads*d, t, h, w]`, `weight [d]`; without a weight, its gradient is that of ones.
#[must_use]
pub fn head_norm_rotary_backward<T: Float>(
    shape: impl Into<Ncthw>,
    options: &HeadNormRotaryOptions,
    x: &[T],
    weight: Option<&[T]>,
    y_gradient: &[T],
) -> HeadNormRotaryGradients<T> {
    let shape = shape.into();
    let positions = shape.positions() as usize;
    let head_dim = (shape.channels / options.heads) as usize;
    let heads = (shape.batch * options.heads) as usize;
    let (epsilon, scale) = (real::<T>(options.epsilon.into()), real::<T>(options.scale.into()));
    let mut gradient = vec![T::zero(); x.len()];
    // The gradient of the weight before it is summed over positions, and before the scale.
    let mut products = vec![T::zero(); x.len()];
    for (head, position) in (0..heads).flat_map(|head| (0..positions).map(move |position| (head, position))) {
        let at = |channel: usize| (head * head_dim + channel) * positions + position;
        let back = turned_back(shape, options, position, |channel| y_gradient[at(channel)]);
        let length = sum(head_dim, |channel| x[at(channel)] * x[at(channel)]);
        let length = match options.norm {
            HeadNorm::None => T::one(),
            HeadNorm::Rms => (length / real(head_dim as f64) + epsilon).sqrt(),
            HeadNorm::L2 if length.sqrt() <= epsilon => epsilon,
            HeadNorm::L2 => length.sqrt(),
        };
        if length.is_zero() {
            continue;
        }
        let normal = |channel: usize| x[at(channel)] / length;
        let after_norm = |channel: usize| back[channel] * (scale * weight.map_or(T::one(), |weight| weight[channel]));
        let along = || sum(head_dim, |channel| after_norm(channel) * normal(channel));
        let share = match options.norm {
            HeadNorm::None => T::zero(),
            HeadNorm::Rms => along() / real(head_dim as f64),
            HeadNorm::L2 if length == epsilon => T::zero(),
            HeadNorm::L2 => along(),
        };
        for channel in 0..head_dim {
            gradient[at(channel)] = match options.norm {
                HeadNorm::None => after_norm(channel),
                _ => (after_norm(channel) - normal(channel) * share) / length,
            };
            products[at(channel)] = back[channel] * normal(channel);
        }
    }
    let weight_gradient = (0..head_dim).map(|channel| {
        let of = |index: usize| (index / positions * head_dim + channel) * positions + index % positions;
        scale * sum(heads * positions, |index| products[of(index)])
    });
    HeadNormRotaryGradients { weight: weight_gradient.collect(), x: gradient }
}

/// The channels of a head at a position, their pairs turned by the negative of the forward pass's angles.
fn turned_back<T: Float>(
    shape: Ncthw,
    options: &HeadNormRotaryOptions,
    position: usize,
    upstream: impl Fn(usize) -> T,
) -> Vec<T> {
    let mut back: Vec<T> = (0..(shape.channels / options.heads) as usize).map(upstream).collect();
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
            let (a, b) = (back[even], back[even + 1]);
            back[even] = a * cosine + b * sine;
            back[even + 1] = b * cosine - a * sine;
        }
        first += split as usize;
    }
    back
}
