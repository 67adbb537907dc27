use num_traits::Float;

use super::sum;
use crate::{Nhw, Normalization};

/// The gradient of [`normalize`](super::normalize): the formulas of [its page](crate::ops::normalize_backward). `map [n, h, w]` is the
/// normalised map, `range [n, 2]` is [`map_range`](super::map_range) of the map before, and `map_gradient [n, h, w]` the upstream gradient.
#[must_use]
pub fn normalize_backward<T: Float>(
    shape: Nhw,
    normalization: Normalization,
    map: &[T],
    range: &[T],
    map_gradient: &[T],
) -> Vec<T> {
    if shape.is_empty() || normalization == Normalization::None {
        return map_gradient.to_vec();
    }
    let pixels = shape.size().pixels() as usize;
    let by_maximum = normalization == Normalization::Max;
    let mut gradient = Vec::with_capacity(map.len());
    for (image, (y, g)) in map.chunks_exact(pixels).zip(map_gradient.chunks_exact(pixels)).enumerate() {
        let (low, high) = (range[2 * image], range[2 * image + 1]);
        if low == high || by_maximum && high <= T::zero() {
            gradient.extend(vec![T::zero(); pixels]);
            continue;
        }
        let (a, b) = (sum(pixels, |p| g[p]), sum(pixels, |p| g[p] * y[p]));
        let first = |value: T| y.iter().position(|&other| other == value);
        let (lowest, highest) = (first(T::zero()).filter(|_| !by_maximum), first(T::one()));
        let divisor = if by_maximum { high } else { high - low };
        gradient.extend((0..pixels).map(|pixel| {
            let mut value = g[pixel];
            if lowest == Some(pixel) {
                value = value - (a - b);
            }
            if highest == Some(pixel) {
                value = value - b;
            }
            value / divisor
        }));
    }
    gradient
}
