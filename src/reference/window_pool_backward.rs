use num_traits::Float;

use super::attention_map_backward::first_largest;
use super::real;
use crate::{Nchw, Pooling, Size};

/// The gradient of [`window_pool`](super::window_pool) with respect to `x [n, c, h, w]`: the formula of
/// [its page](crate::ops::window_pool_backward). `y_gradient [n, c, floor(h / kh), floor(w / kw)]`; returns `[n, c, h, w]`. A mean does not
/// read `x`.
#[must_use]
pub fn window_pool_backward<T: Float>(
    shape: Nchw,
    pooling: Pooling,
    window: Size,
    x: &[T],
    y_gradient: &[T],
) -> Vec<T> {
    let [height, width, kh, kw] =
        [shape.height, shape.width, window.height, window.width].map(|extent| extent as usize);
    let (rows, columns) = (height / kh, width / kw);
    let planes = shape.batch as usize * shape.channels as usize;
    let mut gradient = vec![T::zero(); planes * height * width];
    for plane in 0..planes {
        for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
            let upstream = y_gradient[(plane * rows + row) * columns + column];
            let at = |index: usize| (plane * height + row * kh + index / kw) * width + column * kw + index % kw;
            match pooling {
                Pooling::Mean => (0..kh * kw).for_each(|index| gradient[at(index)] = upstream / real((kh * kw) as f64)),
                Pooling::Max => gradient[at(first_largest(kh * kw, |index| x[at(index)]))] = upstream,
            }
        }
    }
    gradient
}
