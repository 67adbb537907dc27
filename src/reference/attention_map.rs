use num_traits::Float;

use super::real;
use crate::{Nchw, Statistic};

/// `map[n, y, x]` = the statistic over `c` of `features[n, c, y, x]` (AG-CNN, arXiv:1801.09927, Eq. 3).
/// `features [n, c, h, w]`; returns `[n, h, w]`. Maxima propagate NaN.
#[must_use]
pub fn attention_map<T: Float>(shape: Nchw, statistic: Statistic, features: &[T]) -> Vec<T> {
    if shape.is_empty() {
        return Vec::new();
    }
    let (channels, pixels) = (shape.channels as usize, shape.size().pixels() as usize);
    let count = real::<T>(channels as f64);
    let mut map = Vec::with_capacity(shape.batch as usize * pixels);
    for image in features.chunks_exact(channels * pixels) {
        for pixel in 0..pixels {
            let over_channels = image[pixel..].iter().step_by(pixels).copied();
            let sum = |term: fn(T) -> T| super::sum(channels, |c| term(image[c * pixels + pixel]));
            map.push(match statistic {
                Statistic::MaxAbs => over_channels.map(T::abs).fold(T::zero(), maximum),
                Statistic::MeanAbs => sum(T::abs) / count,
                Statistic::Rms => (sum(|value| value * value) / count).sqrt(),
                Statistic::L2 => sum(|value| value * value).sqrt() / count,
                Statistic::Max => over_channels.fold(T::neg_infinity(), maximum),
                Statistic::Mean => sum(|value| value) / count,
            });
        }
    }
    map
}

/// The larger of two numbers; NaN if either is NaN.
pub(super) fn maximum<T: Float>(a: T, b: T) -> T {
    if a.is_nan() || a > b { a } else { b }
}
