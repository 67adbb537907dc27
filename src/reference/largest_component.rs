use crate::{Connectivity, Nhw};

/// The components of every mask, and the largest of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Components {
    /// `[n, h, w]`: the smallest linear index `y * w + x` of the pixel's component, or `u32::MAX` where the mask is not set.
    pub labels: Vec<u32>,
    /// `[n, h, w]`: at the pixel whose index is a component's label, the component's size; 0 elsewhere.
    pub sizes: Vec<u32>,
    /// `[n, h, w]`: 1 on the largest component, else 0. Of equally large components, the one with the smallest label.
    pub component: Vec<u32>,
    /// `[n]`: `[xmin, ymin, xmax, ymax]` of the largest component, all inclusive; the whole image where the mask is empty.
    pub boxes: Vec<[i32; 4]>,
}

/// Labels the connected components of `mask [n, h, w]` (set where not 0), breadth first from each pixel in raster order, and
/// picks the largest of each image (AG-CNN, arXiv:1801.09927, Sec. III-B).
#[must_use]
pub fn largest_component(shape: Nhw, connectivity: Connectivity, mask: &[u32]) -> Components {
    let (height, width) = (i64::from(shape.height), i64::from(shape.width));
    let edges = [(-1, 0), (0, -1), (0, 1), (1, 0)];
    let corners = [(-1, -1), (-1, 1), (1, -1), (1, 1)];
    let neighbours: Vec<(i64, i64)> = match connectivity {
        Connectivity::Four => edges.to_vec(),
        Connectivity::Eight => [edges, corners].concat(),
    };
    let mut labels = vec![u32::MAX; mask.len()];
    let mut sizes = vec![0; mask.len()];
    let mut component = vec![0; mask.len()];
    let mut boxes = Vec::new();
    let pixels = shape.size().pixels() as usize;
    for image in (0..shape.batch as usize).map(|image| image * pixels..(image + 1) * pixels) {
        let mask = &mask[image.clone()];
        let labels = &mut labels[image.clone()];
        let mut largest = Vec::new();
        for first in 0..pixels {
            if mask[first] == 0 || labels[first] != u32::MAX {
                continue;
            }
            labels[first] = first as u32;
            let mut found = vec![first];
            let mut next = 0;
            while let Some(&pixel) = found.get(next) {
                next += 1;
                let (y, x) = (pixel as i64 / width, pixel as i64 % width);
                for (dy, dx) in &neighbours {
                    let (y, x) = (y + dy, x + dx);
                    let neighbour = (y * width + x) as usize;
                    let inside = (0..height).contains(&y) && (0..width).contains(&x);
                    if inside && mask[neighbour] != 0 && labels[neighbour] == u32::MAX {
                        labels[neighbour] = first as u32;
                        found.push(neighbour);
                    }
                }
            }
            sizes[image.start + first] = found.len() as u32;
            if found.len() > largest.len() {
                largest = found;
            }
        }
        for &pixel in &largest {
            component[image.start + pixel] = 1;
        }
        boxes.extend(super::bounding_box(Nhw { batch: 1, ..shape }, &component[image]));
    }
    Components { labels, sizes, component, boxes }
}
