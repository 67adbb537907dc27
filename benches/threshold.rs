use visual_attention::{Nhw, Sampling, Threshold, ThresholdBuffers, ThresholdRule, ThresholdShape, reference, wgpu};

use crate::common::unfused::Unfused;
use crate::common::{Bench, noise};

const LEVEL: f32 = 0.7;

pub(crate) fn bench(bench: &mut Bench) {
    for shape in [Nhw::new(8, 224, 224), Nhw::new(1, 1024, 1024)] {
        let values = noise(shape.elements().expect("small"));
        let map = bench.gpu.upload("map", &values).expect("map");
        let mask = bench.gpu.buffer("mask", values.len() as u64 * 4).expect("mask");
        for rule in [ThresholdRule::Value(LEVEL), ThresholdRule::Otsu] {
            let operator = Threshold::new(&bench.gpu.device, rule, Sampling::HalfPixel).expect("operator");
            let buffers = ThresholdBuffers { map: map.slice(..), mask: mask.slice(..) };
            let recording = operator
                .bind(&bench.gpu.device, ThresholdShape { map: shape, mask: shape.size() }, buffers)
                .expect("bind");
            bench.gpu.run(|pass| recording.record(pass)).expect("run");
            let read =
                |bench: &Bench, mask: &wgpu::Buffer| -> Vec<u32> { bench.gpu.read(mask.slice(..)).expect("mask") };
            let case = format!("{rule:?} {shape}");
            let expected = reference::threshold(shape, rule, &values);
            assert!(read(bench, &mask) == expected, "{case}");
            let cost = operator.cost(ThresholdShape { map: shape, mask: shape.size() });
            bench.measure("threshold", &case, "fused", cost, |pass| recording.record(pass));

            let mut unfused = Unfused::new(&bench.gpu);
            let plain = match rule {
                ThresholdRule::Otsu => otsu(&mut unfused, &map, shape),
                _ => unfused.each_of(["f32", "u32"], &format!("u32(a[i] > {LEVEL}f)"), &[&map], map.size() / 4),
            };
            bench.gpu.run(|pass| unfused.record(pass)).expect("run");
            assert!(read(bench, &plain) == expected, "{case}, unfused");
            bench.measure("threshold", &case, "unfused", cost, |pass| unfused.record(pass));
        }
    }
}

/// Levels, their histogram, both running sums, the variance of each level, the best, the mask.
fn otsu(unfused: &mut Unfused, map: &wgpu::Buffer, shape: Nhw) -> wgpu::Buffer {
    let (len, pixels, bins) = (map.size() / 4, shape.size().pixels(), u64::from(shape.batch) * 256);
    let integers = ["u32", "u32"];
    let levels = unfused.each_of(["f32", "u32"], "u32(clamp(floor(255.0 * a[i]), 0.0, 255.0))", &[map], len);
    let counts = unfused.count(&levels, 256, pixels);
    let sums = unfused.each_of(integers, "a[i] * (i % 256u)", &[&counts], bins);
    let [counts, sums] = [&counts, &sums].map(|numbers| unfused.running_sum(numbers, 256));
    let all = "i / 256u * 256u + 255u";
    let difference = format!("(f32(b[{all}]) * (f32(a[i]) / f32(a[{all}])) - f32(b[i]))");
    let variance = format!("{difference} * {difference} / (f32(a[i]) * f32(a[{all}] - a[i]))");
    let two_classes = format!("a[i] != 0u && a[i] != a[{all}]");
    let variances =
        unfused.each_of(["u32", "f32"], &format!("select(0.0, {variance}, {two_classes})"), &[&counts, &sums], bins);
    let best = unfused.argmax("f32", &variances, 256);
    unfused.each_of(integers, &format!("u32(a[i] > b[i / #{pixels}])"), &[&levels, &best], len)
}
