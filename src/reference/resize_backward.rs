use num_traits::Float;

use super::resize::neighbours;
use super::{real, sum};
use crate::{Nchw, Sampling, Size};

/// The gradient of [`resize`](super::resize) with respect to `input [n, c, h, w]`: the formula of
/// [its page](crate::ops::resize_backward). `output_gradient [n, c, oh, ow]`; returns `[n, c, h, w]`.
#[must_use]
pub fn resize_backward<T: Float>(shape: Nchw, size: Size, sampling: Sampling, output_gradient: &[T]) -> Vec<T> {
    let planes = shape.batch as usize * shape.channels as usize;
    let mut gradient = Vec::with_capacity(planes * shape.size().pixels() as usize);
    let rows = weights::<T>(shape.height, size.height, sampling);
    let columns = weights::<T>(shape.width, size.width, sampling);
    for plane in 0..planes {
        let upstream = &output_gradient[plane * size.pixels() as usize..];
        gradient.extend(transposed(&rows, &columns, |row, column| upstream[row * size.width as usize + column]));
    }
    gradient
}

/// For each source pixel of an axis the outputs that read it, with their weights.
pub(super) fn weights<T: Float>(input: u32, output: u32, sampling: Sampling) -> Vec<Vec<(usize, T)>> {
    let mut readers = vec![Vec::new(); input as usize];
    for o in 0..output {
        let (low, high, weight) = neighbours::<T>(input, output, sampling, o);
        readers[low].push((o as usize, real::<T>(1.0) - weight));
        if !weight.is_zero() {
            readers[high].push((o as usize, weight));
        }
    }
    readers
}

/// The gradient of one plane whose upstream gradient is read through `at(row, column)`: along rows, then along columns.
pub(super) fn transposed<T: Float>(
    rows: &[Vec<(usize, T)>],
    columns: &[Vec<(usize, T)>],
    at: impl Fn(usize, usize) -> T,
) -> Vec<T> {
    let width = columns.iter().flatten().map(|(o, _)| o + 1).max().unwrap_or(0);
    let mut gradient = Vec::with_capacity(rows.len() * columns.len());
    for readers in rows {
        let middle: Vec<T> =
            (0..width).map(|column| sum(readers.len(), |r| readers[r].1 * at(readers[r].0, column))).collect();
        gradient.extend(columns.iter().map(|readers| sum(readers.len(), |r| readers[r].1 * middle[readers[r].0])));
    }
    gradient
}
