use num_traits::Float;

use super::attention_map_backward::first_largest;
use super::real;
use crate::Nchw;

/// The gradient of [`global_mean`](super::global_mean) and [`global_max`](super::global_max) with respect to `features [n, c, h, w]`: the
/// formula of [its page](crate::ops::global_pool_backward). Each upstream gradient is `[n, c]`, and one that is absent counts as zeros.
/// Without `max_gradient` the features are not read.
#[must_use]
pub fn global_pool_backward<T: Float>(
    shape: Nchw,
    features: &[T],
    mean_gradient: Option<&[T]>,
    max_gradient: Option<&[T]>,
) -> Vec<T> {
    let pixels = shape.size().pixels() as usize;
    let planes = shape.batch as usize * shape.channels as usize;
    let mut gradient = Vec::with_capacity(planes * pixels);
    for plane in 0..planes {
        let share = mean_gradient.map_or(T::zero(), |mean| mean[plane] / real(pixels as f64));
        let first = max_gradient.map(|max| (first_largest(pixels, |p| features[plane * pixels + p]), max[plane]));
        gradient.extend((0..pixels).map(|pixel| match first {
            Some((at, max)) if at == pixel => share + max,
            _ => share,
        }));
    }
    gradient
}
