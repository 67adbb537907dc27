//! Every region of a mask: noise at the percolation thresholds, one large region, and about 100,000 small ones.

use visual_attention::{ComponentLabels, ComponentLabelsBuffers, Connectivity, Nhw, reference};

use crate::common::Bench;
use crate::common::ceiling::software;
use crate::largest_component::of_density;

pub(crate) fn bench(bench: &mut Bench) {
    let side = if software(&bench.gpu) { 1024 } else { 2048 };
    let shape = Nhw::new(1, side, side);
    for (case, mask) in masks(shape) {
        for connectivity in [Connectivity::Four, Connectivity::Eight] {
            measure(bench, connectivity, shape, &mask, &format!("{case} {connectivity:?} {side}"));
        }
    }
}

/// Masks by their name. Small regions are 3 by 4 pixels, with gaps of 3.
pub(crate) fn masks(shape: Nhw) -> Vec<(&'static str, Vec<u32>)> {
    let pixels = (0..shape.height).flat_map(|y| (0..shape.width).map(move |x| (y, x)));
    let small = pixels.map(|(y, x)| u32::from(y % 6 < 3 && x % 7 < 4)).collect();
    let full = vec![1; shape.size().pixels() as usize];
    vec![("noise 0.593", of_density(shape, 0.593)), ("one region", full), ("small regions", small)]
}

fn measure(bench: &mut Bench, connectivity: Connectivity, shape: Nhw, mask: &[u32], case: &str) {
    let operator = ComponentLabels::new(&bench.gpu.device, connectivity).expect("operator");
    let input = bench.gpu.upload("mask", mask).expect("mask");
    let labels = bench.gpu.buffer("labels", input.size()).expect("labels");
    let count = bench.gpu.buffer("count", u64::from(shape.batch) * 4).expect("count");
    let buffers = ComponentLabelsBuffers { mask: input.slice(..), labels: labels.slice(..), count: count.slice(..) };
    let recording = operator.bind(&bench.gpu.device, shape, buffers).expect("bind");
    bench.gpu.run(|pass| recording.record(pass)).expect("run");
    let actual: Vec<u32> = bench.gpu.read(labels.slice(..)).expect("labels");
    assert!(actual == reference::component_labels(shape, connectivity, mask).0, "{case}");
    bench.measure("component_labels", case, "fused", operator.cost(shape), |pass| recording.record(pass));
}
