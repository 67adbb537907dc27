//! Positions of the pixels of a resampled axis, as exact ratios of integers: the host's half of `shaders/shared/bilinear.wgsl`.

use crate::names::names;
use crate::{Error, Size};

/// The positions that a resampled image takes its pixels from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Sampling {
    /// Pixels are areas: output `o` lies at `(o + 0.5) * n_in / n_out - 0.5`, clamped to the image. PyTorch's `align_corners=False`.
    #[default]
    HalfPixel,
    /// Corner pixels coincide: output `o` lies at `o * (n_in - 1) / (n_out - 1)`. PyTorch's `align_corners=True`.
    AlignedCorners,
}

names!(Sampling, "sampling", HalfPixel = "half_pixel", AlignedCorners = "aligned_corners");

/// One axis: output `o` lies at `max(o * multiplier + plus - minus, 0) / denominator` of `length` source pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Axis {
    pub(crate) multiplier: u32,
    pub(crate) plus: u32,
    pub(crate) minus: u32,
    pub(crate) denominator: u32,
    pub(crate) length: u32,
}

impl Axis {
    /// Both lengths must be at least 1. Fails if the terms of the ratio overflow 32 bits.
    pub(crate) fn new(op: &'static str, input: u32, output: u32, sampling: Sampling) -> Result<Self, Error> {
        let (a, b) = match sampling {
            Sampling::HalfPixel => (u64::from(input), u64::from(output)),
            Sampling::AlignedCorners if output == 1 => (0, 1),
            Sampling::AlignedCorners => (u64::from(input - 1), u64::from(output - 1)),
        };
        let divisor = gcd(a, b);
        let (a, b) = (a / divisor, b / divisor);
        let (multiplier, plus, minus, denominator) = match sampling {
            Sampling::HalfPixel => (2 * a, a, b, 2 * b),
            Sampling::AlignedCorners => (a, 0, 0, b),
        };
        // `quotient` in the shader takes denominators below 2^30.
        let largest = (u64::from(output - 1) * multiplier + plus).max(denominator * 4).max(minus);
        super::check::to_u32(op, "resampling ratio (about 2 * input * output, in lowest terms, of an axis)", largest)?;
        // All are at most `largest`, except the multiplier of a single output, which has no effect.
        let word = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        Ok(Self {
            multiplier: word(multiplier),
            plus: word(plus),
            minus: word(minus),
            denominator: word(denominator),
            length: input,
        })
    }

    /// How many of `count` outputs read one source pixel, at most. A pixel is read from less than one pixel away on either side.
    pub(crate) fn most_outputs(&self, count: u32) -> u32 {
        // A single source pixel, or a single output.
        if self.multiplier == 0 || self.length == 1 {
            return count;
        }
        // Positions before the first pixel and after the last are half a pixel away from these at most, and are clamped to them.
        count.min((2 * self.denominator).div_ceil(self.multiplier) + 1)
    }

    /// Whether every output pixel is the input pixel of the same index.
    pub(crate) const fn is_identity(&self) -> bool {
        self.multiplier == self.denominator
    }

    /// The axes of rows and of columns.
    pub(crate) fn both(op: &'static str, input: Size, output: Size, sampling: Sampling) -> Result<[Self; 2], Error> {
        Ok([Self::new(op, input.height, output.height, sampling)?, Self::new(op, input.width, output.width, sampling)?])
    }
}

/// The greatest common divisor.
pub(crate) fn gcd<T: num_traits::Num + Copy>(a: T, b: T) -> T {
    if b.is_zero() { a } else { gcd(b, a % b) }
}

/// Workgroup of the kernels that write pictures. Each invocation computes `TILE_PIXELS` pixels of a row: what depends on the
/// row alone is then computed once for all of the pixels.
pub(crate) const TILE: [u32; 3] = [16, 4, 1];
const TILE_PIXELS: u32 = 4;

/// Workgroups of [`TILE`] that cover a picture.
pub(crate) fn tiles(size: Size) -> [u32; 2] {
    [size.width.div_ceil(TILE[0] * TILE_PIXELS), size.height.div_ceil(TILE[1])]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The kernels' arithmetic, in 32 bits as in the shader.
    fn position(axis: Axis, index: u32) -> (u32, u32) {
        let position = index * axis.multiplier + axis.plus;
        let numerator = position - position.min(axis.minus);
        let last = axis.length - 1;
        match numerator / axis.denominator {
            low if low >= last => (last, 0),
            low => (low, numerator % axis.denominator),
        }
    }

    /// The shader's `quotient`, with an `error` in each of its two float divisions. WGSL allows 2.5 units in the last place.
    fn quotient(numerator: u32, denominator: u32, error: [f32; 2]) -> u32 {
        let divided = |rest: f32, error: f32| rest / denominator as f32 * (1.0 + error * f32::EPSILON);
        let near = divided(numerator as f32, error[0]) as u32;
        let rest = numerator.wrapping_sub(near.wrapping_mul(denominator)) as i32;
        let nearer = near.wrapping_add_signed(divided(rest as f32, error[1]).floor() as i32);
        let remainder = numerator.wrapping_sub(nearer.wrapping_mul(denominator)) as i32;
        let denominator = denominator as i32;
        nearer.wrapping_add(u32::from(remainder >= denominator)).wrapping_sub(u32::from(remainder < 0))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100_000))]
        #[test]
        fn quotients_of_floats_are_exact(
            numerator in proptest::bits::u32::ANY,
            shift in 0u32..32,
            near in -3i64..4,
            denominator in (0u32..30, 1u32..1 << 30).prop_map(|(shift, any)| (any >> shift).max(1)),
            error in [-2.5f32..2.5, -2.5f32..2.5],
        ) {
            let numerator = numerator >> shift;
            prop_assert_eq!(quotient(numerator, denominator, error), numerator / denominator);
            // Near the multiples of the denominator, where the quotient changes.
            let multiple = i64::from(numerator / denominator * denominator) + near;
            if let Ok(numerator) = u32::try_from(multiple) {
                prop_assert_eq!(quotient(numerator, denominator, error), numerator / denominator);
            }
        }
    }

    proptest! {
        #[test]
        fn positions_are_the_definition(input in 1u32..5000, output in 1u32..5000, share in 0f64..1.0, aligned: bool) {
            let sampling = if aligned { Sampling::AlignedCorners } else { Sampling::HalfPixel };
            let axis = Axis::new("test", input, output, sampling).unwrap();
            let index = ((f64::from(output) * share) as u32).min(output - 1);
            let (low, remainder) = position(axis, index);
            let (n_in, n_out, o) = (f64::from(input), f64::from(output), f64::from(index));
            let expected = match sampling {
                Sampling::HalfPixel => ((o + 0.5) * n_in / n_out - 0.5).clamp(0.0, n_in - 1.0),
                Sampling::AlignedCorners if output == 1 => 0.0,
                Sampling::AlignedCorners => o * (n_in - 1.0) / (n_out - 1.0),
            };
            let actual = f64::from(low) + f64::from(remainder) / f64::from(axis.denominator);
            prop_assert!((actual - expected).abs() < 1e-9, "{} against {}", actual, expected);
        }
    }

    #[test]
    fn the_same_size_is_the_identity_at_any_length() {
        for length in [1, 2, 65_535, 1 << 24, 1 << 30] {
            for sampling in [Sampling::HalfPixel, Sampling::AlignedCorners] {
                let axis = Axis::new("test", length, length, sampling).unwrap();
                for index in [0, length / 2, length - 1] {
                    assert_eq!(position(axis, index), (index, 0));
                }
            }
        }
    }

    #[test]
    fn a_ratio_beyond_32_bits_is_refused() {
        let error = Axis::new("resize", 65_521, 65_519, Sampling::HalfPixel).unwrap_err();
        assert!(matches!(error, Error::LimitExceeded { op: "resize", needed: 8_585_675_277, .. }), "{error}");
    }
}
