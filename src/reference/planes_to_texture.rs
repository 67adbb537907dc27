use num_traits::Float;

use super::real;
use super::texture_to_planes::transferred;
use crate::{ColorNormalization, ColorTransfer, Nchw};

/// `transfer(planes(c) * deviation(c) + mean(c))` of each pixel: texels `[h, w, 4]`, alpha 1, before they are clamped and rounded to the
/// texture's format. `shape` is `[1, 3, h, w]`, or `[1, 1, h, w]` for grey, which takes mean and deviation of red.
///
/// Source: IEC 61966-2-1 and torchvision's `Normalize`.
#[must_use]
pub fn planes_to_texture<T: Float>(
    shape: Nchw,
    transfer: ColorTransfer,
    normalization: ColorNormalization,
    planes: &[T],
) -> Vec<T> {
    let pixels = shape.size().pixels() as usize;
    let mut texels = Vec::with_capacity(4 * pixels);
    for pixel in 0..pixels {
        for channel in 0..3 {
            let plane = channel.min(shape.channels as usize - 1);
            let [mean, deviation] =
                [normalization.mean, normalization.deviation].map(|values| real::<T>(f64::from(values[plane])));
            texels.push(transferred(transfer, planes[plane * pixels + pixel] * deviation + mean));
        }
        texels.push(T::one());
    }
    texels
}
