use num_traits::Float;

use super::real;
use crate::{Nchw, Statistic};

/// The gradient of [`attention_map`](super::attention_map) with respect to its features: the formulas of
/// [its page](crate::ops::attention_map_backward). `features [n, c, h, w]`, `map` and `map_gradient` `[n, h, w]`; returns
/// `[n, c, h, w]`. Statistics that do not need `features` or `map` do not read them.
#[must_use]
pub fn attention_map_backward<T: Float>(
    shape: Nchw,
    statistic: Statistic,
    features: &[T],
    map: &[T],
    map_gradient: &[T],
) -> Vec<T> {
    let (channels, pixels) = (shape.channels as usize, shape.size().pixels() as usize);
    let count = real::<T>(channels as f64);
    let mut gradient = vec![T::zero(); map_gradient.len() * channels];
    for (index, &upstream) in map_gradient.iter().enumerate() {
        let first = index / pixels * channels * pixels + index % pixels;
        let feature = |c: usize| features[first + c * pixels];
        let by_root = |divisor: T| if map[index].is_zero() { T::zero() } else { upstream / (divisor * map[index]) };
        for c in 0..channels {
            gradient[first + c * pixels] = match statistic {
                Statistic::MaxAbs if c != first_largest(channels, |c| feature(c).abs()) => T::zero(),
                Statistic::Max if c != first_largest(channels, feature) => T::zero(),
                Statistic::MaxAbs => upstream * sign(feature(c)),
                Statistic::Max => upstream,
                Statistic::MeanAbs => upstream / count * sign(feature(c)),
                Statistic::Mean => upstream / count,
                Statistic::Rms => by_root(count) * feature(c),
                Statistic::L2 => by_root(count * count) * feature(c),
            };
        }
    }
    gradient
}

/// Where the largest of `n` numbers is first found. NaN counts as the largest.
pub(super) fn first_largest<T: Float>(n: usize, value: impl Fn(usize) -> T) -> usize {
    (1..n).fold(0, |best, index| {
        let (a, b) = (value(best), value(index));
        if !a.is_nan() && (b > a || b.is_nan()) { index } else { best }
    })
}

/// -1, 0 or 1; NaN for NaN.
pub(super) fn sign<T: Float>(value: T) -> T {
    if value.is_zero() { T::zero() } else { value.signum() }
}
