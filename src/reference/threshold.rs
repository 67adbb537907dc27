use num_traits::Float;

use super::real;
use crate::{Nhw, ThresholdRule};

/// `mask[n, y, x]` = 1 where `map[n, y, x]` exceeds the threshold, strictly, else 0 (AG-CNN, arXiv:1801.09927, Eq. 4).
/// The map has the mask's size already: see [`resize`](super::resize). NaN exceeds nothing.
#[must_use]
pub fn threshold<T: Float>(shape: Nhw, rule: ThresholdRule, map: &[T]) -> Vec<u32> {
    if shape.is_empty() {
        return Vec::new();
    }
    let level = |value: T| (real::<T>(255.0) * value).floor();
    let mut mask = Vec::with_capacity(map.len());
    for image in map.chunks_exact(shape.size().pixels() as usize) {
        let otsu = if rule == ThresholdRule::Otsu { otsu_level(image) } else { 0 };
        mask.extend(image.iter().map(|&value| {
            u32::from(match rule {
                ThresholdRule::Value(threshold) => value > real(f64::from(threshold)),
                ThresholdRule::Level(threshold) => level(value) > real(f64::from(threshold)),
                ThresholdRule::Otsu => level(value) > real(f64::from(otsu)),
            })
        }));
    }
    mask
}

/// Otsu's threshold of one image, in levels `floor(255 * value)` clamped to 0..=255, without NaN (Otsu 1979, IEEE Trans. SMC
/// 9(1), Eq. 18). It is the lowest level that maximises the variance between two classes, the levels up to it and the levels
/// above it. At most 2^24 pixels.
///
/// With `N` pixels of level sum `S`, `w0` of sum `s0` in the lower class and `w1` in the upper, the variance of Eq. 18 is
/// `(S w0 - N s0)^2 / (N^2 w0 w1)`. The comparison of these fractions of integers is exact.
#[must_use]
pub fn otsu_level<T: Float>(image: &[T]) -> u8 {
    let mut histogram = [0u128; 256];
    for &value in image.iter().filter(|value| !value.is_nan()) {
        let level = (real::<T>(255.0) * value).floor().max(T::zero()).min(real(255.0));
        histogram[level.to_usize().unwrap_or(0)] += 1;
    }
    let total: u128 = histogram.iter().sum();
    let sum: u128 = (0..).zip(histogram).map(|(level, count)| level * count).sum();

    // The variance as a fraction: 0 while one of the classes is empty.
    let (mut best_level, mut best) = (0, (0u128, 1u128));
    let (mut w0, mut s0) = (0, 0);
    for (level, count) in (0u8..=255).zip(histogram) {
        w0 += count;
        s0 += u128::from(level) * count;
        let w1 = total - w0;
        if w0 == 0 || w1 == 0 {
            continue;
        }
        let candidate = ((sum * w0).abs_diff(total * s0).pow(2), w0 * w1);
        if less(best, candidate) {
            (best_level, best) = (level, candidate);
        }
    }
    best_level
}

/// Whether fraction `a` is less than `b`. Whole parts are compared first, so that the products fit.
fn less(a: (u128, u128), b: (u128, u128)) -> bool {
    let (whole_a, whole_b) = (a.0 / a.1, b.0 / b.1);
    whole_a < whole_b || (whole_a == whole_b && a.0 % a.1 * b.1 < b.0 % b.1 * a.1)
}
