use num_traits::Float;

use super::attention_map::maximum;
use super::real;
use crate::{Nhw, Normalization};

/// Each image of `map [n, h, w]` scaled to 0..1 by its own minimum and maximum, or divided by its maximum (AG-CNN,
/// arXiv:1801.09927, Sec. III-B). A constant map, or a map without a positive maximum to divide by, becomes zeros. A map with a
/// NaN becomes NaN.
#[must_use]
pub fn normalize<T: Float>(shape: Nhw, normalization: Normalization, map: &[T]) -> Vec<T> {
    if shape.is_empty() || normalization == Normalization::None {
        return map.to_vec();
    }
    let mut normalized = Vec::with_capacity(map.len());
    for image in map.chunks_exact(shape.size().pixels() as usize) {
        let low = lowest(image);
        let high = image.iter().copied().fold(T::neg_infinity(), maximum);
        // The range may overflow although the numbers do not. Halving the numbers and the range keeps their quotient.
        let half = if (high - low).is_finite() { T::one() } else { real(0.5) };
        normalized.extend(image.iter().map(|&value| match normalization {
            _ if high.is_nan() => high,
            _ if low == high => T::zero(),
            Normalization::Max if high <= T::zero() => T::zero(),
            Normalization::Max => value / high,
            Normalization::MinMax | Normalization::None => (half * value - half * low) / (half * high - half * low),
        }));
    }
    normalized
}

/// Minimum and maximum of each image of `map [n, h, w]`: `[n, 2]`. The maximum propagates NaN. The minimum is that of the other numbers, and
/// NaN if there are none.
#[must_use]
pub fn map_range<T: Float>(shape: Nhw, map: &[T]) -> Vec<T> {
    if shape.is_empty() {
        return Vec::new();
    }
    let images = map.chunks_exact(shape.size().pixels() as usize);
    images.flat_map(|image| [lowest(image), image.iter().copied().fold(T::neg_infinity(), maximum)]).collect()
}

fn lowest<T: Float>(image: &[T]) -> T {
    image.iter().copied().reduce(T::min).unwrap_or_else(T::nan)
}
