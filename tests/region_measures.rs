use visual_attention::reference::{self, RegionTable};
use visual_attention::{
    Connectivity, Error, Nhw, Recording, RegionMeasures, RegionMeasuresBuffers, RegionMeasuresOptions, RegionOrder,
    wgpu,
};

use crate::common::{self, Output, Precision, Random, TestGpu, assert_exact, assert_within_tolerance};
use crate::compiler;
use crate::largest_component::{adversaries, draw, noise};

const ORDERS: [RegionOrder; 3] = [RegionOrder::Raster, RegionOrder::Area, RegionOrder::Sum];

/// Everything that the operator can write, and the dispatches that do.
struct Job {
    labels: wgpu::Buffer,
    map: wgpu::Buffer,
    outputs: [Output; 8],
    recording: Recording,
}

impl Job {
    fn new(gpu: &TestGpu, shape: Nhw, options: RegionMeasuresOptions, labels: &[u32], map: &[f32]) -> Self {
        let (labels, map) = (gpu.upload("labels", labels).unwrap(), gpu.upload("map", map).unwrap());
        let rows = (shape.batch * options.capacity) as usize;
        let outputs = [shape.batch as usize, rows, rows, 4 * rows, 2 * rows, rows, rows, 2 * rows]
            .map(|words| gpu.output(words, 4));
        let [count, areas, regions, boxes, centroids, sums, maxima, positions] =
            [0, 1, 2, 3, 4, 5, 6, 7].map(|index: usize| outputs[index].slice());
        let operator = RegionMeasures::new(compiler::of(&gpu.device), options).unwrap();
        let buffers = RegionMeasuresBuffers {
            labels: labels.slice(..),
            map: Some(map.slice(..)),
            count,
            areas,
            boxes,
            regions: Some(regions),
            centroids: Some(centroids),
            sums: Some(sums),
            maxima: Some(maxima),
            positions: Some(positions),
        };
        let recording = operator.bind(&gpu.device, shape, buffers).unwrap();
        Self { labels, map, outputs, recording }
    }

    fn run(&self, gpu: &TestGpu) -> RegionTable<f32> {
        gpu.recording(&self.recording);
        let [count, areas, regions, boxes, centroids, sums, maxima, positions] = &self.outputs;
        RegionTable {
            count: gpu.words(count),
            areas: gpu.words(areas),
            regions: gpu.words(regions),
            boxes: gpu.words(boxes),
            centroids: gpu.words(centroids),
            sums: gpu.words(sums),
            maxima: gpu.words(maxima),
            positions: gpu.words(positions),
        }
    }
}

/// Numbers of many magnitudes and both signs.
fn values(seed: u64, len: usize) -> Vec<f32> {
    let mut random = Random::new(seed);
    (0..len).map(|_| random.range(-1.0, 1.5) * 2f32.powi(random.below(12) as i32 - 6)).collect()
}

#[track_caller]
fn same(
    actual: &RegionTable<f32>,
    shape: Nhw,
    options: RegionMeasuresOptions,
    labels: &[u32],
    map: &[f32],
    what: &str,
) {
    let what = format!("{what}, {shape}, {options:?}");
    let wide: Vec<f64> = map.iter().copied().map(f64::from).collect();
    let exact = reference::region_measures(shape, &options, labels, Some(&wide));
    let baseline = reference::region_measures(shape, &options, labels, Some(map));
    assert_exact(&actual.count, &exact.count, format!("count of {what}"));
    assert_exact(&actual.regions, &exact.regions, format!("regions of {what}"));
    assert_exact(&actual.areas, &exact.areas, format!("areas of {what}"));
    assert_eq!(actual.boxes, exact.boxes, "boxes of {what}");
    assert_eq!(actual.positions, exact.positions, "positions of {what}");
    let maxima: Vec<f32> = exact.maxima.iter().map(|&value| value as f32).collect();
    assert_eq!(actual.maxima, maxima, "maxima of {what}");
    // Sums are rounded once.
    let sums: Vec<f32> = exact.sums.iter().map(|&value| value as f32).collect();
    assert_eq!(actual.sums, sums, "sums of {what}");
    let [actual, plain] = [actual, &baseline].map(|table| table.centroids.as_flattened());
    let exact = exact.centroids.as_flattened();
    assert_within_tolerance(actual, exact, plain, Precision::F32, format!("centroids of {what}"));
}

#[track_caller]
fn check(gpu: &TestGpu, shape: Nhw, capacity: u32, labels: &[u32], what: &str) {
    let map = values(u64::from(capacity), labels.len());
    for order in ORDERS {
        let options = RegionMeasuresOptions::new(capacity).with_order(order);
        let actual = Job::new(gpu, shape, options, labels, &map).run(gpu);
        same(&actual, shape, options, labels, &map, what);
    }
}

fn labels_of(shape: Nhw, mask: &[u32]) -> Vec<u32> {
    reference::component_labels(shape, Connectivity::Four, mask).0
}

/// By hand: an L of 4 pixels, and a single pixel.
#[test]
fn a_small_table_is_that_of_regionprops() {
    let Some(gpu) = common::gpu() else { return };
    let labels = [
        [1, 0, 0, 2], //
        [1, 0, 0, 0],
        [1, 1, 0, 0],
    ];
    let map = [
        [0.5f32, 9.0, 9.0, -3.0], //
        [2.0, 9.0, 9.0, 9.0],
        [-1.0, 2.0, 9.0, 9.0],
    ];
    let options = RegionMeasuresOptions::new(3);
    let shape = Nhw::new(1, 3, 4);
    let expected = RegionTable {
        count: vec![2],
        regions: vec![1, 2, 0],
        areas: vec![4, 1, 0],
        boxes: vec![[0, 0, 1, 2], [3, 0, 3, 0], [0; 4]],
        centroids: vec![[0.25, 1.25], [3.0, 0.0], [0.0; 2]],
        sums: vec![3.5, -3.0, 0.0],
        maxima: vec![2.0, -3.0, 0.0],
        positions: vec![[0, 1], [3, 0], [0; 2]],
    };
    let (labels, map) = (labels.as_flattened(), map.as_flattened());
    assert_eq!(Job::new(gpu, shape, options, labels, map).run(gpu), expected);
    assert_eq!(reference::region_measures(shape, &options, labels, Some(map)), expected);
}

#[test]
fn small_masks_match_reference() {
    let Some(gpu) = common::gpu() else { return };
    for (height, width) in [(1, 1), (1, 300), (300, 1), (33, 65), (40, 97)] {
        let shape = Nhw::new(1, height, width);
        for (what, mask) in adversaries(shape) {
            check(gpu, shape, 7, &labels_of(shape, &mask), what);
        }
    }
}

#[test]
fn images_of_a_batch_are_measured_alone() {
    let Some(gpu) = common::gpu() else { return };
    let one = Nhw::new(1, 37, 70);
    let pictures = adversaries(one);
    let shape = Nhw { batch: pictures.len() as u32, ..one };
    let mask: Vec<u32> = pictures.into_iter().flat_map(|(_, mask)| mask).collect();
    for capacity in [1, 66, 3000] {
        check(gpu, shape, capacity, &labels_of(shape, &mask), "batch");
    }
}

/// Labels with gaps, regions in pieces, and numbers that no label can have.
#[test]
fn any_labels_are_measured() {
    let Some(gpu) = common::gpu() else { return };
    for seed in 0..12 {
        let mut random = Random::new(seed);
        let shape = Nhw::new(1 + random.below(3), 1 + random.below(70), 1 + random.below(90));
        let pixels = shape.size().pixels() as u32;
        let most = [5, pixels + 3, u32::MAX][seed as usize % 3];
        let labels: Vec<u32> = (0..shape.elements().unwrap()).map(|_| random.below(most)).collect();
        check(gpu, shape, 1 + random.below(40), &labels, "any labels");
    }
}

#[test]
fn thousands_of_regions_are_ordered() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nhw::new(1, 512, 500);
    for density in [0.3, 0.59] {
        let labels = labels_of(shape, &noise(11, 512 * 500, density));
        assert!(labels.iter().max() > Some(&4000), "{:?}", labels.iter().max());
        check(gpu, shape, 5000, &labels, "noise");
    }
    // More than one label for each invocation that ranks them.
    let labels = labels_of(shape, &draw(shape, |y, x| (x + y) % 2 == 0));
    assert_eq!(labels.iter().max(), Some(&128_000));
    check(gpu, shape, 130_000, &labels, "checkerboard");
}

/// NaN, infinities, signed zeros, subnormal numbers, sums that cancel or overflow.
#[test]
fn special_values_are_summed() {
    let Some(gpu) = common::gpu() else { return };
    let (inf, nan, tiny, huge) = (f32::INFINITY, f32::NAN, f32::from_bits(1), f32::MAX);
    let rows: [[f32; 6]; 14] = [
        [nan, 1.0, nan, inf, 2.0, 3.0],
        [inf, 1.0, 2.0, 3.0, inf, 0.0],
        [-inf, 1.0, 2.0, -inf, 0.0, 0.0],
        [inf, -inf, 1.0, 2.0, 3.0, 4.0],
        [-0.0, 0.0, -0.0, -0.0, 0.0, -0.0],
        [tiny, tiny, tiny, -tiny, tiny, 0.0],
        [huge, huge, -huge, 1.0, 2.0, 3.0],
        [huge, huge, 0.0, 0.0, 0.0, 0.0],
        [-huge, -huge, 0.0, 0.0, 0.0, 0.0],
        [1e8, 1.0, -1e8, 0.25, 0.0, 0.0],
        [1.0, 2f32.powi(-24), 2f32.powi(-59), 0.0, 0.0, 0.0],
        [1.0, 2f32.powi(-24), 0.0, 0.0, 0.0, 0.0],
        [1e-38, -1e-38, 5e-39, 3e-45, -2e-41, 1e-39],
        [16_777_216.0, 1.0, 1.0, 1.0, -16_777_216.0, 0.5],
    ];
    let shape = Nhw::new(1, 14, 6);
    let labels: Vec<u32> = (0..14).flat_map(|row| [row + 1; 6]).collect();
    let wide: Vec<f64> = rows.as_flattened().iter().copied().map(f64::from).collect();
    let exact = reference::region_measures(shape, &RegionMeasuresOptions::new(14), &labels, Some(&wide));
    for order in ORDERS {
        let options = RegionMeasuresOptions::new(15).with_order(order);
        let actual = Job::new(gpu, shape, options, &labels, rows.as_flattened()).run(gpu);
        let (&last, regions) = actual.regions.split_last().unwrap();
        assert_eq!(last, 0, "{order}");
        let mut sorted = regions.to_vec();
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(1..=14), "{order}: {regions:?}");
        let same = |a: f32, e: f64| a == e as f32 || a.is_nan() && e.is_nan();
        for (row, &region) in regions.iter().enumerate() {
            let label = region as usize - 1;
            let (sum, maximum) = (actual.sums[row], actual.maxima[row]);
            // The sum of region 11 needs more digits than f64 has.
            assert!(region == 11 || same(sum, exact.sums[label]), "{order}, sum of {region}: {sum:e}");
            assert!(same(maximum, exact.maxima[label]), "{order}, maximum of {region}: {maximum:e}");
            assert_eq!(actual.positions[row], exact.positions[label], "{order}, position of {region}");
        }
        let sum_of = |label: u32| actual.sums[actual.regions.iter().position(|&region| region == label).unwrap()];
        assert_eq!(sum_of(11), 1.0 + f32::EPSILON, "2^-59 decides how the half is rounded");
        assert_eq!(sum_of(12), 1.0, "a half is rounded to even");
        assert_eq!(sum_of(6).to_bits(), 3, "subnormal numbers stay");
        // NaN first, infinite sums among those that overflow, equal sums by label.
        if order == RegionOrder::Sum {
            assert_eq!(regions, [1, 4, 2, 8, 7, 14, 10, 11, 12, 13, 6, 5, 3, 9]);
        }
    }
}

#[test]
fn runs_give_the_same_bits_and_replays_start_afresh() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nhw::new(2, 90, 131);
    let len = shape.elements().unwrap() as usize;
    for order in ORDERS {
        let options = RegionMeasuresOptions::new(40).with_order(order);
        let job = Job::new(gpu, shape, options, &vec![1; len], &vec![1.0; len]);
        job.run(gpu);
        for seed in 0..4 {
            let labels = labels_of(shape, &noise(seed, len, 0.2 + 0.2 * seed as f32));
            let map = values(seed, len);
            gpu.queue.write_buffer(&job.labels, 0, bytemuck::cast_slice(&labels));
            gpu.queue.write_buffer(&job.map, 0, bytemuck::cast_slice(&map));
            let first = job.run(gpu);
            same(&first, shape, options, &labels, &map, "replay");
            assert!((0..20).all(|_| job.run(gpu) == first), "{order}, seed {seed}");
        }
    }
}

#[test]
fn refusals_name_what_is_wrong() {
    let Some(gpu) = common::gpu() else { return };
    let compiler = compiler::of(&gpu.device);
    let error = RegionMeasures::new(compiler, RegionMeasuresOptions::new(0)).unwrap_err();
    assert!(matches!(error, Error::InvalidParameter { parameter: "capacity", .. }), "{error}");
    let buffers: Vec<_> = (0..4).map(|_| gpu.buffer("any", 4096).unwrap()).collect();
    let given = RegionMeasuresBuffers {
        labels: buffers[0].slice(..),
        map: None,
        count: buffers[1].slice(..),
        areas: buffers[2].slice(..),
        boxes: buffers[3].slice(..),
        regions: None,
        centroids: None,
        sums: None,
        maxima: None,
        positions: None,
    };
    let shape = Nhw::new(1, 4, 5);
    let operator = RegionMeasures::new(compiler, RegionMeasuresOptions::new(3)).unwrap();
    let sums = gpu.buffer("sums", 4096).unwrap();
    let with_sums = RegionMeasuresBuffers { sums: Some(sums.slice(..)), ..given };
    let error = operator.bind(&gpu.device, shape, with_sums).unwrap_err();
    assert!(matches!(error, Error::InvalidParameter { parameter: "sums", .. }), "{error}");
    let by_sum = RegionMeasuresOptions::new(3).with_order(RegionOrder::Sum);
    let error = RegionMeasures::new(compiler, by_sum).unwrap().bind(&gpu.device, shape, given).unwrap_err();
    assert!(matches!(error, Error::InvalidParameter { parameter: "map", .. }), "{error}");
    let error = operator.bind(&gpu.device, Nhw::new(1, 0, 5), given).unwrap_err();
    assert!(matches!(error, Error::InvalidShape { binding: "labels", .. }), "{error}");
    assert_eq!(operator.bind(&gpu.device, Nhw::new(0, 4, 5), given).unwrap().dispatches().len(), 0);
}

#[test]
fn scratch_is_as_documented() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nhw::new(3, 1024, 1000);
    for (order, bytes) in [(RegionOrder::Raster, 0), (RegionOrder::Area, 12), (RegionOrder::Sum, 28)] {
        let options = RegionMeasuresOptions::new(100).with_order(order);
        let operator = RegionMeasures::new(compiler::of(&gpu.device), options).unwrap();
        assert_eq!(operator.scratch_bytes(shape), 3 * (6400 + bytes * 1_024_000));
    }
}
