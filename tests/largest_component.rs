use visual_attention::reference::{self, Components};
use visual_attention::{Connectivity, LabelBuffers, LargestComponent, LargestComponentBuffers, Nhw, Recording, wgpu};

use crate::common::{self, Output, Random, TestGpu, assert_exact};
use crate::compiler;

/// Everything that the operator can write, and the dispatch that does.
struct Job {
    mask: wgpu::Buffer,
    outputs: [Output; 4],
    recording: Recording,
}

impl Job {
    fn new(gpu: &TestGpu, shape: Nhw, connectivity: Connectivity, mask: &[u32]) -> Self {
        let mask = gpu.upload("mask", mask).unwrap();
        let plane = || gpu.output(shape.elements().unwrap() as usize, 4);
        let outputs = [plane(), plane(), plane(), gpu.output(shape.batch as usize * 4, 4)];
        let operator = LargestComponent::new(compiler::of(&gpu.device), connectivity).unwrap();
        let [labels, sizes, component, boxes] = [0, 1, 2, 3].map(|index: usize| outputs[index].slice());
        let buffers = LargestComponentBuffers {
            mask: mask.slice(..),
            boxes,
            component: Some(component),
            all: Some(LabelBuffers { labels, sizes }),
        };
        let recording = operator.bind(&gpu.device, shape, buffers).unwrap();
        Self { mask, outputs, recording }
    }

    fn run(&self, gpu: &TestGpu) -> Components {
        gpu.recording(&self.recording);
        let [labels, sizes, component, boxes] = &self.outputs;
        Components {
            labels: gpu.words(labels),
            sizes: gpu.words(sizes),
            component: gpu.words(component),
            boxes: gpu.words(boxes),
        }
    }
}

#[track_caller]
fn check(gpu: &TestGpu, shape: Nhw, mask: &[u32], what: &str) {
    for connectivity in [Connectivity::Four, Connectivity::Eight] {
        let actual = Job::new(gpu, shape, connectivity, mask).run(gpu);
        let expected = reference::largest_component(shape, connectivity, mask);
        let what = format!("{what}, {shape}, {connectivity:?}");
        assert_exact(&actual.labels, &expected.labels, format!("labels of {what}"));
        assert_exact(&actual.sizes, &expected.sizes, format!("sizes of {what}"));
        assert_exact(&actual.component, &expected.component, format!("component of {what}"));
        assert_eq!(actual.boxes, expected.boxes, "boxes of {what}");
    }
}

pub(crate) fn noise(seed: u64, len: usize, density: f32) -> Vec<u32> {
    let mut random = Random::new(seed);
    (0..len).map(|_| if random.unit() < density { 1 + random.below(9) } else { 0 }).collect()
}

pub(crate) fn draw(shape: Nhw, set: impl Fn(u32, u32) -> bool) -> Vec<u32> {
    let pixels = (0..shape.height).flat_map(|y| (0..shape.width).map(move |x| (y, x)));
    pixels.map(|(y, x)| u32::from(set(y, x))).collect()
}

/// One pixel wide, inwards, one pixel apart.
fn spiral(shape: Nhw) -> Vec<u32> {
    let (height, width) = (i64::from(shape.height), i64::from(shape.width));
    let mut mask = vec![0; (height * width) as usize];
    let set = |mask: &[u32], y: i64, x: i64| {
        (0..height).contains(&y) && (0..width).contains(&x) && mask[(y * width + x) as usize] == 1
    };
    let (mut y, mut x, mut direction) = (0, 0, 0);
    mask[0] = 1;
    loop {
        // At most one turn: a second would go back.
        let step = (0..2).find_map(|turn| {
            let (dy, dx) = [(0, 1), (1, 0), (0, -1), (-1, 0)][(direction + turn) % 4];
            let (ny, nx) = (y + dy, x + dx);
            let inside = (0..height).contains(&ny) && (0..width).contains(&nx);
            let free = inside && !set(&mask, ny, nx) && !set(&mask, ny + dy, nx + dx);
            free.then_some((ny, nx, (direction + turn) % 4))
        });
        let Some((ny, nx, next)) = step else { return mask };
        (y, x, direction) = (ny, nx, next);
        mask[(y * width + x) as usize] = 1;
    }
}

/// Masks whose components are long, many, or almost alike.
pub(crate) fn adversaries(shape: Nhw) -> Vec<(&'static str, Vec<u32>)> {
    let Nhw { height, width, .. } = shape;
    let len = (height * width) as usize;
    vec![
        ("nothing", vec![0; len]),
        ("everything", vec![1; len]),
        ("snake", draw(shape, |y, x| y % 2 == 0 || x == if y % 4 == 1 { width - 1 } else { 0 })),
        ("upright snake", draw(shape, |y, x| x % 2 == 0 || y == if x % 4 == 1 { height - 1 } else { 0 })),
        ("spiral", spiral(shape)),
        ("checkerboard", draw(shape, |y, x| (x + y) % 2 == 0)),
        ("stripes", draw(shape, |y, _| y % 2 == 0)),
        ("upright stripes", draw(shape, |_, x| x % 2 == 0)),
        ("comb, teeth down", draw(shape, |y, x| y == 0 || x % 2 == 0)),
        ("comb, teeth up", draw(shape, |y, x| y == height - 1 || x % 2 == 0)),
        ("comb, teeth left", draw(shape, |y, x| x == width - 1 || y % 2 == 0)),
        ("diagonals", draw(shape, |y, x| (x + y) % 3 == 0)),
        ("staircase", draw(shape, |y, x| (x + y) % 4 < 2)),
        ("dots", draw(shape, |y, x| x % 2 == 0 && y % 2 == 0)),
        ("noise at the threshold of 4 neighbours", noise(1, len, 0.593)),
        ("noise at the threshold of 8 neighbours", noise(2, len, 0.407)),
        ("sparse noise", noise(3, len, 0.1)),
        ("dense noise", noise(4, len, 0.8)),
    ]
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

/// One pixel in each place of a tile and its neighbours, and every pair of neighbours across the sides of tiles.
#[test]
fn single_pixels_and_pairs_across_tiles() {
    let Some(gpu) = common::gpu() else { return };
    let (height, width) = (18, 66);
    let mut masks = Vec::new();
    for y in 6..11 {
        for x in 29..36 {
            for (dy, dx) in [(0, 0), (0, 1), (1, 0), (1, 1), (1, -1)] {
                let mut mask = vec![0; (height * width) as usize];
                mask[(y * width + x) as usize] = 1;
                mask[((y + dy) * width + x + dx) as usize] = 1;
                masks.extend(mask);
            }
        }
    }
    let shape = Nhw::new(5 * 7 * 5, height as u32, width as u32);
    check(gpu, shape, &masks, "pairs");
}

#[test]
fn images_of_a_batch_do_not_see_each_other() {
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
    for seed in 0..60 {
        let mut random = Random::new(seed);
        let shape = Nhw::new(1 + random.below(3), 1 + random.below(90), 1 + random.below(140));
        let density = random.range(0.1, 0.95);
        check(gpu, shape, &noise(seed, shape.elements().unwrap() as usize, density), &format!("density {density}"));
    }
}

#[test]
fn ties_go_to_the_first_in_raster_order() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nhw::new(1, 40, 80);
    // Equal squares, in tiles of their own, across tiles, and one that starts in an earlier row further right.
    for corners in [[(0, 70), (1, 0)], [(7, 30), (30, 3)], [(20, 40), (20, 10)], [(3, 3), (35, 75)]] {
        let inside = |y: u32, x: u32| {
            corners.iter().any(|&(top, left)| (top..top + 4).contains(&y) && (left..left + 4).contains(&x))
        };
        let mask = draw(shape, inside);
        check(gpu, shape, &mask, "ties");
    }
}

#[test]
fn large_adversaries_match_reference() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nhw::new(1, 1024, 1024);
    for (what, mask) in adversaries(shape) {
        check(gpu, shape, &mask, what);
    }
}

/// Unions race for the same trees: a lost one shows as a wrong label, but seldom, so many runs.
#[test]
fn hundreds_of_runs_give_the_same_bits() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nhw::new(1, 130, 515);
    for (what, mask) in [("stripes", draw(shape, |y, _| y % 2 == 0)), ("noise", noise(7, 130 * 515, 0.5))] {
        for connectivity in [Connectivity::Four, Connectivity::Eight] {
            let expected = reference::largest_component(shape, connectivity, &mask);
            let job = Job::new(gpu, shape, connectivity, &mask);
            for run in 0..250 {
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
        assert!(job.run(gpu) == reference::largest_component(shape, Connectivity::Eight, &mask), "seed {seed}");
    }
}

#[test]
fn scratch_is_at_most_eight_bytes_for_each_pixel() {
    let Some(gpu) = common::gpu() else { return };
    let operator = LargestComponent::new(compiler::of(&gpu.device), Connectivity::Eight).unwrap();
    for (height, width) in
        [(1, 1), (1, 4), (4, 4), (1, 4096), (4096, 4), (4096, 5), (33, 33), (1024, 1024), (4096, 4096)]
    {
        let shape = Nhw::new(3, height, width);
        let allowed = 3 * (8 * shape.size().pixels() + 4096);
        assert!(operator.scratch_bytes(shape) <= allowed, "{shape}: {}", operator.scratch_bytes(shape));
    }
    let large = Nhw::new(1, 1024, 1024);
    assert!(operator.scratch_bytes(large) < 45 * large.size().pixels() / 10);
}
