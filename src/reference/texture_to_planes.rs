use num_traits::Float;

use super::real;
use crate::{ColorNormalization, ColorTransfer, Size};

/// `(transfer(texel.c) - mean(c)) / deviation(c)` of each colour of each texel, as planes `[1, 3, h, w]`. `texels` are `[h, w, 4]`, as a
/// shader reads them: of an sRGB texture the linear values.
///
/// Source: IEC 61966-2-1 and torchvision's `Normalize`.
#[must_use]
pub fn texture_to_planes<T: Float>(
    size: Size,
    transfer: ColorTransfer,
    normalization: ColorNormalization,
    texels: &[T],
) -> Vec<T> {
    let pixels = size.pixels() as usize;
    let mut planes = Vec::with_capacity(3 * pixels);
    for channel in 0..3 {
        let [mean, deviation] =
            [normalization.mean, normalization.deviation].map(|values| real::<T>(f64::from(values[channel])));
        for pixel in 0..pixels {
            planes.push((transferred(transfer, texels[4 * pixel + channel]) - mean) / deviation);
        }
    }
    planes
}

/// The transfer function of sRGB for one number, IEC 61966-2-1, to linear values or from them. Negative numbers stay on its linear part,
/// and NaN stays NaN.
#[must_use]
pub fn transferred<T: Float>(transfer: ColorTransfer, value: T) -> T {
    match transfer {
        ColorTransfer::None => value,
        ColorTransfer::SrgbToLinear if value <= real(0.04045) => value / real(12.92),
        ColorTransfer::SrgbToLinear => ((value + real(0.055)) / real(1.055)).powf(real(2.4)),
        ColorTransfer::LinearToSrgb if value <= real(0.003_130_8) => value * real(12.92),
        ColorTransfer::LinearToSrgb => real::<T>(1.055) * value.powf(real(1.0 / 2.4)) - real(0.055),
    }
}
