use num_traits::Float;

use crate::{Nhw, RegionMeasuresOptions, RegionOrder};

/// What [`region_measures`] finds: for each image a table of as many rows as the capacity.
#[derive(Clone, Debug, PartialEq)]
pub struct RegionTable<T> {
    /// `[n]`: the largest label.
    pub count: Vec<u32>,
    /// `[n, rows]`: the label of each row, 0 in a row beyond the count.
    pub regions: Vec<u32>,
    /// `[n, rows]`: pixels.
    pub areas: Vec<u32>,
    /// `[n, rows]`: `[xmin, ymin, xmax, ymax]`, inclusive.
    pub boxes: Vec<[i32; 4]>,
    /// `[n, rows]`: mean column and mean row.
    pub centroids: Vec<[T; 2]>,
    /// `[n, rows]`: sums of the map; zeros without one.
    pub sums: Vec<T>,
    /// `[n, rows]`: maxima of the map; zeros without one.
    pub maxima: Vec<T>,
    /// `[n, rows]`: column and row of the first pixel with the maximum; zeros without a map.
    pub positions: Vec<[i32; 2]>,
}

/// Measures of the regions of `labels [n, h, w]`, as scikit-image's `regionprops_table` has them, and of `map [n, h, w]` in them. A label
/// without pixels, and a row beyond the count, has zeros. Labels above `h * w` are background.
#[must_use]
pub fn region_measures<T: Float>(
    shape: Nhw,
    options: &RegionMeasuresOptions,
    labels: &[u32],
    map: Option<&[T]>,
) -> RegionTable<T> {
    let pixels = shape.size().pixels() as usize;
    let width = shape.width as usize;
    let rows = options.capacity as usize;
    let mut table = RegionTable {
        count: Vec::new(),
        regions: Vec::new(),
        areas: Vec::new(),
        boxes: Vec::new(),
        centroids: Vec::new(),
        sums: Vec::new(),
        maxima: Vec::new(),
        positions: Vec::new(),
    };
    for image in (0..shape.batch as usize).map(|image| image * pixels..(image + 1) * pixels) {
        let map = map.map(|map| &map[image.clone()]);
        // The pixels of every region, in raster order.
        let mut regions: Vec<Vec<usize>> = Vec::new();
        for (pixel, &label) in labels[image].iter().enumerate() {
            let label = label as usize;
            if (1..=pixels).contains(&label) {
                regions.resize(regions.len().max(label), Vec::new());
                regions[label - 1].push(pixel);
            }
        }
        table.count.push(regions.len() as u32);
        let sum = |pixels: &[usize]| map.map_or(T::zero(), |map| super::sum(pixels.len(), |k| map[pixels[k]]));
        let mut order: Vec<usize> = (0..regions.len()).collect();
        match options.order {
            RegionOrder::Raster => {}
            RegionOrder::Area => order.sort_by_key(|&region| std::cmp::Reverse(regions[region].len())),
            RegionOrder::Sum => {
                let sums: Vec<T> = regions.iter().map(|pixels| sum(pixels)).collect();
                // Sorting is stable: of equal ones the first stays first.
                order.sort_by(|&a, &b| {
                    let (empty, nan) = (|r: usize| regions[r].is_empty(), |r: usize| sums[r].is_nan());
                    empty(a)
                        .cmp(&empty(b))
                        .then(nan(b).cmp(&nan(a)))
                        .then_with(|| sums[b].partial_cmp(&sums[a]).unwrap_or(std::cmp::Ordering::Equal))
                });
            }
        }
        for row in 0..rows {
            let region = order.get(row);
            table.regions.push(region.map_or(0, |&region| region as u32 + 1));
            let pixels = region.map_or(&[][..], |&region| &regions[region]);
            table.areas.push(pixels.len() as u32);
            let (columns, lines) = (pixels.iter().map(|p| p % width), pixels.iter().map(|p| p / width));
            let side = |side: Option<usize>| side.unwrap_or(0) as i32;
            table.boxes.push([
                side(columns.clone().min()),
                side(lines.clone().min()),
                side(columns.clone().max()),
                side(lines.clone().max()),
            ]);
            let mean = |sum: usize| super::real::<T>(sum as f64 / pixels.len().max(1) as f64);
            table.centroids.push([mean(columns.sum()), mean(lines.sum())]);
            table.sums.push(sum(pixels));
            let above = |value: T, than: T| !than.is_nan() && (value.is_nan() || value > than);
            let first = map.and_then(|map| {
                let larger = |best: usize, &pixel: &usize| if above(map[pixel], map[best]) { pixel } else { best };
                pixels.first().map(|&first| pixels.iter().fold(first, larger))
            });
            table.maxima.push(first.zip(map).map_or(T::zero(), |(pixel, map)| map[pixel]));
            table.positions.push(first.map_or([0, 0], |pixel| [(pixel % width) as i32, (pixel / width) as i32]));
        }
    }
    table
}
