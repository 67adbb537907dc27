use num_traits::Float;

use super::resize::resize_plane;
use crate::{CropEnd, Nchw, Sampling, Size};

/// Every image of `images [n, c, h, w]` cropped to its box `[xmin, ymin, xmax, ymax]` (inclusive, clamped to the image) and resampled
/// to `[n, c, oh, ow]` (AG-CNN, arXiv:1801.09927, Sec. III-B). With [`CropEnd::Exclusive`] the crop leaves out row `ymax` and column
/// `xmax`, unless nothing would be left.
#[must_use]
pub fn crop_resize<T: Float>(
    shape: Nchw,
    size: Size,
    end: CropEnd,
    sampling: Sampling,
    images: &[T],
    boxes: &[[i32; 4]],
) -> Vec<T> {
    if shape.is_empty() || size.is_empty() {
        return Vec::new();
    }
    let mut crops = Vec::new();
    let pixels = shape.size().pixels() as usize;
    for (image, [xmin, ymin, xmax, ymax]) in images.chunks_exact(shape.channels as usize * pixels).zip(boxes) {
        let (left, width) = span(*xmin, *xmax, shape.width, end);
        let (top, height) = span(*ymin, *ymax, shape.height, end);
        for plane in image.chunks_exact(pixels) {
            crops.extend(resize_plane(Size { height, width }, size, sampling, |row, column| {
                plane[(top + row) * shape.width as usize + left + column]
            }));
        }
    }
    crops
}

/// First pixel and count of a box on an axis of `length` pixels.
pub(super) fn span(low: i32, high: i32, length: u32, end: CropEnd) -> (usize, u32) {
    let last = i64::from(length) - 1;
    let first = i64::from(low).clamp(0, last);
    let end = i64::from(high).clamp(0, last) + i64::from(end == CropEnd::Inclusive);
    (first as usize, (end - first).max(1) as u32)
}
