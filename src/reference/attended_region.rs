use num_traits::Float;

use super::{attention_map, crop_resize, largest_component, normalize, resize, threshold};
use crate::{AttendedRegionOptions, Nchw, Size};

/// Every result of [`attended_region`], step by step.
#[derive(Clone, Debug, PartialEq)]
pub struct AttendedRegions<T> {
    /// `[n, h, w]`: the normalised attention map.
    pub map: Vec<T>,
    /// `[n, H, W]`: the map at the size of the images.
    pub map_up: Vec<T>,
    /// `[n, H, W]`: 1 where the map exceeds the threshold.
    pub mask: Vec<u32>,
    /// `[n, H, W]`: 1 on the largest component of the mask.
    pub component: Vec<u32>,
    /// `[n]`: `[xmin, ymin, xmax, ymax]` of the component, inclusive.
    pub boxes: Vec<[i32; 4]>,
    /// `[n, c, oh, ow]`: the images cropped to the boxes and resized.
    pub crops: Vec<T>,
}

/// AG-CNN's attended region, step by step (Guan et al. 2018, arXiv:1801.09927, Eqs. 3 and 4, Sec. III-B). The attention map of
/// `features [n, k, h, w]` is normalised, resized to the images and thresholded. The box is that of the mask's largest component.
/// `images [n, c, H, W]` are cropped to the box and resized to `crop`.
#[must_use]
pub fn attended_region<T: Float>(
    features_shape: Nchw,
    images_shape: Nchw,
    crop: Size,
    options: &AttendedRegionOptions,
    features: &[T],
    images: &[T],
) -> AttendedRegions<T> {
    let map = attention_map(features_shape, options.statistic, features);
    let map = normalize(features_shape.plane(), options.normalization, &map);
    let one_channel = Nchw { channels: 1, ..features_shape };
    let map_up = resize(one_channel, images_shape.size(), options.sampling, &map);
    let mask = threshold(images_shape.plane(), options.threshold, &map_up);
    let components = largest_component(images_shape.plane(), options.connectivity, &mask);
    let crops = crop_resize(images_shape, crop, options.crop_end, options.sampling, images, &components.boxes);
    AttendedRegions { map, map_up, mask, component: components.component, boxes: components.boxes, crops }
}
