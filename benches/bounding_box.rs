use visual_attention::{BoundingBox, BoundingBoxBuffers, Nhw, reference, wgpu};

use crate::common::unfused::{Join, Unfused};
use crate::common::{Bench, noise};

pub(crate) fn bench(bench: &mut Bench) {
    let operator = BoundingBox::new(&bench.gpu.device).expect("operator");
    for shape in [Nhw::new(8, 224, 224), Nhw::new(1, 1024, 1024)] {
        let mask: Vec<u32> =
            noise(shape.elements().expect("small")).iter().map(|&value| u32::from(value > 0.99)).collect();
        let input = bench.gpu.upload("mask", &mask).expect("mask");
        let boxes = bench.gpu.buffer("boxes", u64::from(shape.batch) * 16).expect("boxes");
        let buffers = BoundingBoxBuffers { mask: input.slice(..), boxes: boxes.slice(..) };
        let recording = operator.bind(&bench.gpu.device, shape, buffers).expect("bind");
        bench.gpu.run(|pass| recording.record(pass)).expect("run");
        let expected = reference::bounding_box(shape, &mask);
        let read =
            |bench: &Bench, boxes: &wgpu::Buffer| -> Vec<[i32; 4]> { bench.gpu.read(boxes.slice(..)).expect("boxes") };
        assert_eq!(read(bench, &boxes), expected, "{shape}");
        let (case, cost) = (shape.to_string(), operator.cost(shape));
        bench.measure("bounding_box", &case, "fused", cost, |pass| recording.record(pass));

        let mut unfused = Unfused::new(&bench.gpu);
        let boxes = corners(&mut unfused, &input, shape);
        bench.gpu.run(|pass| unfused.record(pass)).expect("run");
        assert_eq!(read(bench, &boxes), expected, "{shape}, unfused");
        bench.measure("bounding_box", &case, "unfused", cost, |pass| unfused.record(pass));
    }
}

/// Which rows and columns have anything set, the first and last of each, side by side. Takes masks of 0 and 1 with something set.
fn corners(unfused: &mut Unfused, mask: &wgpu::Buffer, shape: Nhw) -> wgpu::Buffer {
    let Nhw { batch, height, width } = shape;
    let (images, integers) = (u64::from(batch), ["u32", "u32"]);
    let columns = unfused.across_of("u32", Join::Maximum, mask, height, width.into());
    let rows = unfused.rows_of("u32", Join::Maximum, mask, images * u64::from(height));
    let [columns, rows] = [(columns, width), (rows, height)].map(|(set, length)| {
        let [first, last] = [(length, Join::Minimum), (0, Join::Maximum)].map(|(none, join)| {
            let at = format!("select(#{none}, i % #{length}, a[i] != 0u)");
            let at = unfused.each_of(integers, &at, &[&set], images * u64::from(length));
            unfused.rows_of("u32", join, &at, images)
        });
        [first, last]
    });
    let side_by_side =
        "select(select(a[i / 4u], b[i / 4u], i % 4u == 1u), select(c[i / 4u], d[i / 4u], i % 4u == 3u), i % 4u > 1u)";
    unfused.each_of(integers, side_by_side, &[&columns[0], &rows[0], &columns[1], &rows[1]], images * 4)
}
