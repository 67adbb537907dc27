//! Options of pictures that enter and leave as textures: the transfer function of sRGB, and the normalization of networks.

use crate::Error;
use crate::names::names;

/// The transfer function of sRGB, IEC 61966-2-1, as it is applied to each colour on the way.
///
/// A device decodes a texture of an sRGB format when a kernel reads it, so that the kernel gets linear values. It decodes no other
/// format. Networks that were trained on pictures from files expect encoded values, as the files have them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ColorTransfer {
    /// Values stay as they are.
    #[default]
    None,
    /// Decodes: `x / 12.92` up to 0.04045, and `((x + 0.055) / 1.055)^2.4` above.
    SrgbToLinear,
    /// Encodes: `12.92 x` up to 0.0031308, and `1.055 x^(1 / 2.4) - 0.055` above.
    LinearToSrgb,
}

names!(
    ColorTransfer,
    "colour transfer",
    None = "none",
    SrgbToLinear = "srgb_to_linear",
    LinearToSrgb = "linear_to_srgb"
);

impl ColorTransfer {
    /// As the kernels number it.
    pub(crate) fn code(self) -> f64 {
        match self {
            Self::None => 0.0,
            Self::SrgbToLinear => 1.0,
            Self::LinearToSrgb => 2.0,
        }
    }
}

/// Mean and standard deviation of red, green and blue. A network sees `(x - mean) / deviation`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ColorNormalization {
    /// Means.
    pub mean: [f32; 3],
    /// Standard deviations, above 0.
    pub deviation: [f32; 3],
}

impl ColorNormalization {
    /// Values stay as they are.
    pub const NONE: Self = Self { mean: [0.0; 3], deviation: [1.0; 3] };
    /// The figures of `ImageNet` for sRGB-encoded values of 0..1, as torchvision's models expect them.
    pub const IMAGENET: Self = Self { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] };

    /// Refuses means that are not finite, and deviations that nothing can be divided by.
    pub(crate) fn check(self, op: &'static str) -> Result<(), Error> {
        let refuse = |parameter, given: [f32; 3], needed: &str| Error::InvalidParameter {
            op,
            parameter,
            given: format!("{given:?}"),
            needed: needed.into(),
        };
        if !self.mean.iter().all(|mean| mean.is_finite()) {
            return Err(refuse("mean", self.mean, "finite numbers"));
        }
        let divides = |deviation: &f32| *deviation > 0.0 && deviation.is_normal() && deviation.recip().is_normal();
        if !self.deviation.iter().all(divides) {
            return Err(refuse("deviation", self.deviation, "numbers of 2^-126 to 2^126"));
        }
        Ok(())
    }
}

impl Default for ColorNormalization {
    fn default() -> Self {
        Self::NONE
    }
}
