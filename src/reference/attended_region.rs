use num_traits::Float;

use super::{attention_map, component_labels, crop_resize, normalize, region_measures, resize, threshold};
use crate::{AttendedRegionOptions, Nchw, RegionMeasuresOptions, RegionOrder, Size};

/// Every result of [`attended_region`], step by step.
#[derive(Clone, Debug, PartialEq)]
pub struct AttendedRegions<T> {
    /// `[n, h, w]`: the normalised attention map.
    pub map: Vec<T>,
    /// `[n, H, W]`: the map at the size of the images.
    pub map_up: Vec<T>,
    /// `[n, H, W]`: 1 where the map exceeds the threshold.
    pub mask: Vec<u32>,
    /// `[n, H, W]`: r on the r-th largest component of the mask, 0 elsewhere.
    pub component: Vec<u32>,
    /// `[n, k]`: `[xmin, ymin, xmax, ymax]` of the k largest components, inclusive.
    pub boxes: Vec<[i32; 4]>,
    /// `[n * k, c, oh, ow]`: the images cropped to the boxes and resized.
    pub crops: Vec<T>,
    /// `[n]`: components of the mask.
    pub count: Vec<u32>,
}

/// AG-CNN's attended region, step by step (Guan et al. 2018, arXiv:1801.09927, Eqs. 3 and 4, Sec. III-B). The attention map of
/// `features [n, c, h, w]` is normalised, resized to the images and thresholded. The boxes are those of the mask's largest components,
/// k of them as the options say, or the whole image where there are fewer. `images [n, c, H, W]` are cropped to the boxes and resized to
/// `crop`.
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
    let plane = images_shape.plane();
    let (labels, count) = component_labels(plane, options.connectivity, &mask);
    let by_area = RegionMeasuresOptions::new(options.regions).with_order(RegionOrder::Area);
    let table = region_measures::<T>(plane, &by_area, &labels, None);
    let whole = [0, 0, images_shape.width as i32 - 1, images_shape.height as i32 - 1];
    let box_of = |(&area, &found): (&u32, &[i32; 4])| if area == 0 { whole } else { found };
    let boxes: Vec<_> = table.areas.iter().zip(&table.boxes).map(box_of).collect();
    let (pixels, regions) = (plane.size().pixels() as usize, options.regions as usize);
    let rank = |(pixel, &label): (usize, &u32)| {
        let rows = &table.regions[pixel / pixels * regions..][..regions];
        let row = rows.iter().position(|&region| region == label && label != 0);
        row.map_or(0, |row| row as u32 + 1)
    };
    let component = labels.iter().enumerate().map(rank).collect();
    // An image for each box.
    let values = pixels * images_shape.channels as usize;
    let repeated: Vec<T> =
        (0..boxes.len()).flat_map(|crop| images[crop / regions * values..][..values].to_vec()).collect();
    let each = Nchw { batch: boxes.len() as u32, ..images_shape };
    let crops = crop_resize(each, crop, options.crop_end, options.sampling, &repeated, &boxes);
    AttendedRegions { map, map_up, mask, component, boxes, crops, count }
}
