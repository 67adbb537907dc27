use num_traits::Float;

use super::crop_resize::span;
use super::resize_backward::{transposed, weights};
use crate::{CropEnd, Nchw, Sampling, Size};

/// The gradient of [`crop_resize`](super::crop_resize) with respect to `images [n, c, h, w]`: the formula of
/// [its page](crate::ops::crop_resize_backward). `crops_gradient [n, c, oh, ow]`; returns `[n, c, h, w]`.
#[must_use]
pub fn crop_resize_backward<T: Float>(
    shape: Nchw,
    size: Size,
    end: CropEnd,
    sampling: Sampling,
    boxes: &[[i32; 4]],
    crops_gradient: &[T],
) -> Vec<T> {
    let (channels, pixels) = (shape.channels as usize, shape.size().pixels() as usize);
    let mut gradient = vec![T::zero(); shape.batch as usize * channels * pixels];
    if gradient.is_empty() {
        return gradient;
    }
    for (image, [xmin, ymin, xmax, ymax]) in boxes.iter().enumerate() {
        let (left, width) = span(*xmin, *xmax, shape.width, end);
        let (top, height) = span(*ymin, *ymax, shape.height, end);
        let rows = weights::<T>(height, size.height, sampling);
        let columns = weights::<T>(width, size.width, sampling);
        for plane in image * channels..(image + 1) * channels {
            let upstream = &crops_gradient[plane * size.pixels() as usize..];
            let inside = transposed(&rows, &columns, |row, column| upstream[row * size.width as usize + column]);
            for (index, value) in inside.into_iter().enumerate() {
                let (row, column) = (top + index / width as usize, left + index % width as usize);
                gradient[plane * pixels + row * shape.width as usize + column] = value;
            }
        }
    }
    gradient
}
