use visual_attention::{BoundingBox, BoundingBoxBuffers, Error, Nhw, reference};

use crate::common::{self, Random, TestGpu, assert_exact};

fn run(gpu: &TestGpu, shape: Nhw, mask: &[u32]) -> Vec<i32> {
    let (mask, boxes) = (gpu.upload("mask", mask).unwrap(), gpu.output(shape.batch as usize * 4, 4));
    let operator = BoundingBox::new(&gpu.device).unwrap();
    let buffers = BoundingBoxBuffers { mask: mask.slice(..), boxes: boxes.slice() };
    gpu.recording(&operator.bind(&gpu.device, shape, buffers).unwrap());
    gpu.words(&boxes)
}

#[test]
fn matches_reference() {
    let Some(gpu) = common::gpu() else { return };
    for shape in
        [Nhw::new(1, 1, 1), Nhw::new(4, 3, 200), Nhw::new(3, 200, 3), Nhw::new(5, 65, 63), Nhw::new(2, 1100, 130)]
    {
        let pixels = shape.size().pixels() as usize;
        for seed in 0..8u64 {
            let mut random = Random::new(seed);
            let mut mask = vec![0; pixels * shape.batch as usize];
            // From an empty mask to a dense one; any value but 0 is set.
            for _ in 0..(1u64 << (2 * seed)) - 1 {
                let index = random.below(mask.len() as u32) as usize;
                mask[index] = 1 + random.below(5);
            }
            let actual = run(gpu, shape, &mask);
            assert_exact(&actual, reference::bounding_box(shape, &mask).as_flattened(), format!("{shape} seed {seed}"));
        }
    }
}

#[test]
fn corners_and_nothing() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nhw::new(3, 50, 70);
    let mut mask = vec![0; 3 * 3500];
    mask[69] = 1;
    mask[2 * 3500 + 49 * 70] = 9;
    assert_eq!(run(gpu, shape, &mask), [69, 0, 69, 0, 0, 0, 69, 49, 0, 49, 0, 49]);
}

/// Every row of a share is a round of an invocation's loops, and so is its column: the tallest mask that is taken, and one of
/// which a software driver would leave out half.
#[test]
fn tall_and_narrow() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nhw::new(1, 64 * 16_383, 1);
    let mut mask = vec![0; shape.height as usize];
    mask[shape.height as usize - 1] = 1;
    let last = shape.height as i32 - 1;
    assert_eq!(run(gpu, shape, &mask), [0, last, 0, last]);
    let shape = Nhw::new(1, 64 * 32_767, 1);
    let (mask, boxes) = (gpu.buffer("mask", 4 * shape.size().pixels()).unwrap(), gpu.output(4, 4));
    let buffers = BoundingBoxBuffers { mask: mask.slice(..), boxes: boxes.slice() };
    let error = BoundingBox::new(&gpu.device).unwrap().bind(&gpu.device, shape, buffers).unwrap_err();
    assert!(matches!(error, Error::LimitExceeded { needed: 65_534, given: 32_767, .. }), "{error}");
}
