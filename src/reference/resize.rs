use num_traits::Float;

use super::dense::clamp;
use super::real;
use crate::{Nchw, Sampling, Size};

/// `input [n, c, h, w]` resampled to `[n, c, oh, ow]`, bilinear, without antialiasing. Along rows and then columns, the result
/// is `(1 - f) * v[i0] + f * v[i1]` at position `i0 + f` of [`Sampling`]. It is clamped to lie between `v[i0]` and `v[i1]` in
/// spite of rounding. A neighbour whose weight is exactly 0 is left out.
#[must_use]
pub fn resize<T: Float>(shape: Nchw, size: Size, sampling: Sampling, input: &[T]) -> Vec<T> {
    if shape.is_empty() || size.is_empty() {
        return Vec::new();
    }
    let mut output = Vec::new();
    for plane in input.chunks_exact(shape.size().pixels() as usize) {
        output.extend(resize_plane(shape.size(), size, sampling, |row, column| {
            plane[row * shape.width as usize + column]
        }));
    }
    output
}

/// Resamples one plane, which is read through `at(row, column)`.
pub(super) fn resize_plane<T: Float>(
    input: Size,
    output: Size,
    sampling: Sampling,
    at: impl Fn(usize, usize) -> T,
) -> Vec<T> {
    // The result lies between the two numbers in spite of rounding.
    let blend = |low: T, high: T, weight: T| {
        if weight == T::zero() {
            low
        } else {
            clamp((T::one() - weight) * low + weight * high, low.min(high), low.max(high))
        }
    };
    let mut resampled = Vec::with_capacity(output.pixels() as usize);
    for row in 0..output.height {
        let (r0, r1, fr) = neighbours::<T>(input.height, output.height, sampling, row);
        for column in 0..output.width {
            let (c0, c1, fc) = neighbours::<T>(input.width, output.width, sampling, column);
            let left = blend(at(r0, c0), at(r1, c0), fr);
            let right = blend(at(r0, c1), at(r1, c1), fr);
            resampled.push(blend(left, right, fc));
        }
    }
    resampled
}

/// The two source pixels of output `o` on an axis, and the weight of the second. The position is a ratio of integers, so it is exact.
pub(super) fn neighbours<T: Float>(n_in: u32, n_out: u32, sampling: Sampling, o: u32) -> (usize, usize, T) {
    let (n_in, n_out, o) = (u64::from(n_in), u64::from(n_out), u64::from(o));
    let (numerator, denominator) = match sampling {
        Sampling::HalfPixel => (((2 * o + 1) * n_in).saturating_sub(n_out), 2 * n_out),
        Sampling::AlignedCorners if n_out == 1 => (0, 1),
        Sampling::AlignedCorners => (o * (n_in - 1), n_out - 1),
    };
    let (i0, remainder) = (numerator / denominator, numerator % denominator);
    if i0 >= n_in - 1 {
        let last = n_in as usize - 1;
        return (last, last, T::zero());
    }
    (i0 as usize, i0 as usize + 1, real::<T>(remainder as f64) / real::<T>(denominator as f64))
}
