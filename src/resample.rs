//! Where the pixels of a resampled axis lie, as exact ratios of integers: the host's half of `shaders/shared/bilinear.wgsl`.

use crate::{Error, Size};

/// Which positions a resampled image takes its pixels from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Sampling {
    /// Pixels are areas: output `o` lies at `(o + 0.5) * n_in / n_out - 0.5`, cut to the image. PyTorch's `align_corners=False`.
    #[default]
    HalfPixel,
    /// Corner pixels fall on each other: output `o` lies at `o * (n_in - 1) / (n_out - 1)`. PyTorch's `align_corners=True`.
    AlignedCorners,
}

/// One axis: output `o` lies at `max(o * multiplier + plus - minus, 0) / denominator` of `length` source pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Axis {
    pub(crate) multiplier: u32,
    pub(crate) plus: u32,
    pub(crate) minus: u32,
    pub(crate) denominator: u32,
    pub(crate) length: u32,
}

impl Axis {
    /// Both lengths must be at least 1. Fails where the ratio's terms leave 32 bits.
    pub(crate) fn new(op: &'static str, input: u32, output: u32, sampling: Sampling) -> Result<Self, Error> {
        let (a, b) = match sampling {
            Sampling::HalfPixel => (u64::from(input), u64::from(output)),
            Sampling::AlignedCorners if output == 1 => (0, 1),
            Sampling::AlignedCorners => (u64::from(input - 1), u64::from(output - 1)),
        };
        let divisor = greatest_common_divisor(a, b);
        let (a, b) = (a / divisor, b / divisor);
        let (multiplier, plus, minus, denominator) = match sampling {
            Sampling::HalfPixel => (2 * a, a, b, 2 * b),
            Sampling::AlignedCorners => (a, 0, 0, b),
        };
        let largest = (u64::from(output - 1) * multiplier + plus).max(denominator).max(minus);
        crate::pipeline::to_u32(
            op,
            "resampling ratio (about 2 * input * output, in lowest terms, of an axis)",
            largest,
        )?;
        // All at most `largest`, or unused where a single output leaves the multiplier without effect.
        let word = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        Ok(Self {
            multiplier: word(multiplier),
            plus: word(plus),
            minus: word(minus),
            denominator: word(denominator),
            length: input,
        })
    }

    /// Rows and columns.
    pub(crate) fn both(op: &'static str, input: Size, output: Size, sampling: Sampling) -> Result<[Self; 2], Error> {
        Ok([Self::new(op, input.height, output.height, sampling)?, Self::new(op, input.width, output.width, sampling)?])
    }
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The kernels' arithmetic, in 32 bits as there.
    fn position(axis: Axis, index: u32) -> (u32, u32) {
        let position = index * axis.multiplier + axis.plus;
        let numerator = position - position.min(axis.minus);
        let last = axis.length - 1;
        match numerator / axis.denominator {
            low if low >= last => (last, 0),
            low => (low, numerator % axis.denominator),
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
