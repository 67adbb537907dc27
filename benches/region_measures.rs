//! Tables of the regions of the masks that `component_labels` is timed on, by each order.

use visual_attention::{
    Connectivity, Nhw, RegionMeasures, RegionMeasuresBuffers, RegionMeasuresOptions, RegionOrder, reference, wgpu,
};

use crate::common::ceiling::software;
use crate::common::{Bench, noise};
use crate::component_labels::masks;

/// Rows of a table.
const ROWS: u32 = 1024;

pub(crate) fn bench(bench: &mut Bench) {
    let side = if software(&bench.gpu) { 1024 } else { 2048 };
    let shape = Nhw::new(1, side, side);
    let map = noise(u64::from(side) * u64::from(side));
    for (case, mask) in masks(shape) {
        let (labels, _) = reference::component_labels(shape, Connectivity::Eight, &mask);
        for &(name, order) in RegionOrder::NAMES {
            let options = RegionMeasuresOptions::new(ROWS).with_order(order);
            measure(bench, shape, options, &labels, &map, &format!("{case} by {name} {side}"));
        }
    }
}

fn measure(bench: &mut Bench, shape: Nhw, options: RegionMeasuresOptions, labels: &[u32], map: &[f32], case: &str) {
    let operator = RegionMeasures::new(&bench.gpu.device, options).expect("operator");
    let labels_in = bench.gpu.upload("labels", labels).expect("labels");
    let map_in = bench.gpu.upload("map", map).expect("map");
    let rows = u64::from(shape.batch) * u64::from(options.capacity);
    let buffer = |name: &str, words: u64| bench.gpu.buffer(name, words * 4).expect("output");
    let (count, areas, boxes) = (buffer("count", shape.batch.into()), buffer("areas", rows), buffer("boxes", 4 * rows));
    let (regions, sums, maxima) = (buffer("regions", rows), buffer("sums", rows), buffer("maxima", rows));
    let (centroids, positions) = (buffer("centroids", 2 * rows), buffer("positions", 2 * rows));
    let buffers = RegionMeasuresBuffers {
        labels: labels_in.slice(..),
        map: Some(map_in.slice(..)),
        count: count.slice(..),
        areas: areas.slice(..),
        boxes: boxes.slice(..),
        regions: Some(regions.slice(..)),
        centroids: Some(centroids.slice(..)),
        sums: Some(sums.slice(..)),
        maxima: Some(maxima.slice(..)),
        positions: Some(positions.slice(..)),
    };
    let recording = operator.bind(&bench.gpu.device, shape, buffers).expect("bind");
    bench.gpu.run(|pass| recording.record(pass)).expect("run");
    let wide: Vec<f64> = map.iter().copied().map(f64::from).collect();
    let expected = reference::region_measures(shape, &options, labels, Some(&wide));
    let words = |buffer: &wgpu::Buffer| -> Vec<u32> { bench.gpu.read(buffer.slice(..)).expect("output") };
    assert!(words(&regions) == expected.regions && words(&areas) == expected.areas, "{case}");
    let found: Vec<f32> = bench.gpu.read(sums.slice(..)).expect("sums");
    assert!(found.iter().zip(&expected.sums).all(|(&found, &exact)| found == exact as f32), "{case}");
    bench.measure("region_measures", case, "fused", operator.cost(shape), |pass| recording.record(pass));
}
