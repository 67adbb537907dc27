use super::largest_component;
use crate::{Connectivity, Nhw};

/// Numbers the connected regions of `mask [n, h, w]` (set where not 0), as
/// [`ComponentLabels`](crate::ComponentLabels) does (Rosenfeld and Pfaltz 1966). Returns `labels [n, h, w]`: 0 where the mask is not set, else
/// 1, 2, .. in raster order of the regions' first pixels. And returns `count [n]`, the regions of each image.
#[must_use]
pub fn component_labels(shape: Nhw, connectivity: Connectivity, mask: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let firsts = largest_component(shape, connectivity, mask).labels;
    let pixels = shape.size().pixels() as usize;
    let (mut labels, mut count) = (Vec::new(), Vec::new());
    for image in (0..shape.batch as usize).map(|image| image * pixels..(image + 1) * pixels) {
        let firsts = &firsts[image];
        // Of each region, at its first pixel.
        let mut numbers = vec![0; pixels];
        let mut found = 0;
        for (pixel, &first) in firsts.iter().enumerate() {
            if first == pixel as u32 {
                found += 1;
                numbers[pixel] = found;
            }
            labels.push(if first == u32::MAX { 0 } else { numbers[first as usize] });
        }
        count.push(found);
    }
    (labels, count)
}
