use visual_attention::{ComponentLabels, ComponentLabelsBuffers, Connectivity, Nhw, Recording, reference, wgpu};

use crate::common::{self, Output, Random, TestGpu, assert_exact};
use crate::compiler;
use crate::largest_component::{adversaries, draw, noise};

/// The outputs, and the dispatches that write them.
struct Job {
    mask: wgpu::Buffer,
    labels: Output,
    count: Output,
    recording: Recording,
}

impl Job {
    fn new(gpu: &TestGpu, shape: Nhw, connectivity: Connectivity, mask: &[u32]) -> Self {
        let mask = gpu.upload("mask", mask).unwrap();
        let labels = gpu.output(shape.elements().unwrap() as usize, 4);
        let count = gpu.output(shape.batch as usize, 4);
        let operator = ComponentLabels::new(compiler::of(&gpu.device), connectivity).unwrap();
        let buffers = ComponentLabelsBuffers { mask: mask.slice(..), labels: labels.slice(), count: count.slice() };
        let recording = operator.bind(&gpu.device, shape, buffers).unwrap();
        Self { mask, labels, count, recording }
    }

    fn run(&self, gpu: &TestGpu) -> (Vec<u32>, Vec<u32>) {
        gpu.recording(&self.recording);
        (gpu.words(&self.labels), gpu.words(&self.count))
    }
}

#[track_caller]
fn check(gpu: &TestGpu, shape: Nhw, mask: &[u32], what: &str) {
    for connectivity in [Connectivity::Four, Connectivity::Eight] {
        let (labels, count) = Job::new(gpu, shape, connectivity, mask).run(gpu);
        let expected = reference::component_labels(shape, connectivity, mask);
        let what = format!("{what}, {shape}, {connectivity:?}");
        assert_exact(&count, &expected.1, format!("count of {what}"));
        assert_exact(&labels, &expected.0, format!("labels of {what}"));
    }
}

/// By hand: the regions of a small picture, with 4 and with 8 neighbours.
#[test]
fn a_small_mask_has_the_labels_of_scipy() {
    let Some(gpu) = common::gpu() else { return };
    let mask = [
        [0, 1, 0, 0, 1], //
        [1, 0, 0, 1, 1],
        [1, 0, 1, 0, 0],
    ];
    let four = [0, 1, 0, 0, 2, 3, 0, 0, 2, 2, 3, 0, 4, 0, 0];
    let eight = [0, 1, 0, 0, 2, 1, 0, 0, 2, 2, 1, 0, 2, 0, 0];
    let shape = Nhw::new(1, 3, 5);
    for (connectivity, labels, count) in [(Connectivity::Four, four, 4), (Connectivity::Eight, eight, 2)] {
        let expected = (labels.to_vec(), vec![count]);
        assert_eq!(Job::new(gpu, shape, connectivity, mask.as_flattened()).run(gpu), expected);
        assert_eq!(reference::component_labels(shape, connectivity, mask.as_flattened()), expected);
    }
}

#[test]
fn small_masks_match_reference() {
    let Some(gpu) = common::gpu() else { return };
    for (height, width) in [(1, 1), (1, 2), (2, 1), (1, 300), (300, 1), (8, 32), (9, 33), (7, 31), (17, 64), (40, 97)] {
        let shape = Nhw::new(1, height, width);
        for (what, mask) in adversaries(shape) {
            check(gpu, shape, &mask, what);
        }
    }
}

#[test]
fn images_of_a_batch_are_numbered_alone() {
    let Some(gpu) = common::gpu() else { return };
    let one = Nhw::new(1, 37, 70);
    let pictures = adversaries(one);
    let shape = Nhw { batch: pictures.len() as u32, ..one };
    let mask: Vec<u32> = pictures.into_iter().flat_map(|(_, mask)| mask).collect();
    check(gpu, shape, &mask, "batch");
}

#[test]
fn random_shapes_and_densities_match_reference() {
    let Some(gpu) = common::gpu() else { return };
    for seed in 0..40 {
        let mut random = Random::new(seed);
        let shape = Nhw::new(1 + random.below(3), 1 + random.below(90), 1 + random.below(140));
        let density = random.range(0.1, 0.95);
        check(gpu, shape, &noise(seed, shape.elements().unwrap() as usize, density), &format!("density {density}"));
    }
}

/// Several blocks of the prefix sum, whose last one is not full.
#[test]
fn large_adversaries_match_reference() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nhw::new(1, 1024, 1000);
    for (what, mask) in adversaries(shape) {
        check(gpu, shape, &mask, what);
    }
}

/// One column wide, a word holds one pixel: 300,000 words are 293 blocks, more than the last scan has invocations.
#[test]
fn more_blocks_than_invocations() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nhw::new(2, 300_000, 1);
    check(gpu, shape, &noise(5, 600_000, 0.7), "column");
    check(gpu, shape, &draw(Nhw::new(1, 600_000, 1), |y, _| y % 2 == 0), "dashes");
}

#[test]
fn a_hundred_runs_give_the_same_bits() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nhw::new(1, 130, 515);
    for (what, mask) in [("stripes", draw(shape, |y, _| y % 2 == 0)), ("noise", noise(7, 130 * 515, 0.59))] {
        for connectivity in [Connectivity::Four, Connectivity::Eight] {
            let expected = reference::component_labels(shape, connectivity, &mask);
            let job = Job::new(gpu, shape, connectivity, &mask);
            for run in 0..100 {
                assert!(job.run(gpu) == expected, "{what} {connectivity:?}: run {run} differs");
            }
        }
    }
}

/// A dispatch replayed on another mask owes nothing to the mask before.
#[test]
fn replays_start_afresh() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nhw::new(2, 50, 75);
    let job = Job::new(gpu, shape, Connectivity::Eight, &vec![1; 2 * 50 * 75]);
    for seed in 0..10 {
        let mask = noise(seed, 2 * 50 * 75, 0.05 + 0.1 * seed as f32);
        gpu.queue.write_buffer(&job.mask, 0, bytemuck::cast_slice(&mask));
        assert!(job.run(gpu) == reference::component_labels(shape, Connectivity::Eight, &mask), "seed {seed}");
    }
}

#[test]
fn scratch_is_as_documented() {
    let Some(gpu) = common::gpu() else { return };
    let operator = ComponentLabels::new(compiler::of(&gpu.device), Connectivity::Eight).unwrap();
    for (height, width) in [(1, 1), (1, 4), (4, 4), (1, 4096), (4096, 4), (4096, 5), (33, 33), (1024, 1024)] {
        let shape = Nhw::new(3, height, width);
        let allowed = 3 * (12 * shape.size().pixels() + 6144);
        assert!(operator.scratch_bytes(shape) <= allowed, "{shape}: {}", operator.scratch_bytes(shape));
    }
    let large = Nhw::new(1, 1024, 1024);
    assert!(operator.scratch_bytes(large) <= 46 * large.size().pixels() / 10);
}
