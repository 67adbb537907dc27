//! Options of the attended region.

use crate::kernel::resample::Sampling;
use crate::ops::attention_map::Statistic;
use crate::ops::crop_resize::CropEnd;
use crate::ops::largest_component::Connectivity;
use crate::ops::normalize::Normalization;
use crate::ops::threshold::ThresholdRule;

/// Options of an [`AttendedRegion`](crate::AttendedRegion), step by step.
///
/// The default is the paper's: `max |f|`, min-max normalisation, half-pixel bilinear resizing, threshold 0.7, 8 neighbours, the
/// whole box.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct AttendedRegionOptions {
    /// Statistic over the channels of each feature pixel.
    pub statistic: Statistic,
    /// Normalisation of the map.
    pub normalization: Normalization,
    /// Positions of the map's pixels at the images' size, and of the crops' pixels.
    pub sampling: Sampling,
    /// Threshold of the map at the images' size.
    pub threshold: ThresholdRule,
    /// Which pixels of the mask are neighbours.
    pub connectivity: Connectivity,
    /// Whether a crop holds the last row and column of its box.
    pub crop_end: CropEnd,
    /// Regions of each image, by descending area; at least 1.
    pub regions: u32,
}

impl Default for AttendedRegionOptions {
    fn default() -> Self {
        Self {
            statistic: Statistic::MaxAbs,
            normalization: Normalization::MinMax,
            sampling: Sampling::HalfPixel,
            threshold: ThresholdRule::default(),
            connectivity: Connectivity::Eight,
            crop_end: CropEnd::Inclusive,
            regions: 1,
        }
    }
}

impl AttendedRegionOptions {
    /// With this statistic of the attention map.
    #[must_use]
    pub const fn with_statistic(self, statistic: Statistic) -> Self {
        Self { statistic, ..self }
    }

    /// With this normalisation of the map.
    #[must_use]
    pub const fn with_normalization(self, normalization: Normalization) -> Self {
        Self { normalization, ..self }
    }

    /// With these positions of resampled pixels.
    #[must_use]
    pub const fn with_sampling(self, sampling: Sampling) -> Self {
        Self { sampling, ..self }
    }

    /// With this threshold.
    #[must_use]
    pub const fn with_threshold(self, threshold: ThresholdRule) -> Self {
        Self { threshold, ..self }
    }

    /// With these neighbours of a pixel.
    #[must_use]
    pub const fn with_connectivity(self, connectivity: Connectivity) -> Self {
        Self { connectivity, ..self }
    }

    /// With this end of a crop.
    #[must_use]
    pub const fn with_crop_end(self, crop_end: CropEnd) -> Self {
        Self { crop_end, ..self }
    }

    /// With as many regions of each image.
    #[must_use]
    pub const fn with_regions(self, regions: u32) -> Self {
        Self { regions, ..self }
    }
}
