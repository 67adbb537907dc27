use visual_attention::reference::{self, AttendedRegions};
use visual_attention::{
    AttendedRegion, AttendedRegionBuffers, AttendedRegionOptions, AttendedRegionShape, Connectivity, CropEnd, Element,
    Error, Nchw, Nhw, Normalization, Sampling, Size, Statistic, ThresholdRule, wgpu,
};

use crate::common::{
    self, Precision, Random, SAMPLE_ROOM, TestGpu, assert_exact, assert_within_tolerance,
    assert_within_tolerance_with_room, largest, rounded, wide,
};
use crate::compiler;

struct Scene {
    features_shape: Nchw,
    images_shape: Nchw,
    crop: Size,
    features: Vec<f32>,
    images: Vec<f32>,
}

impl Scene {
    fn new(seed: u64, features_shape: Nchw, images_shape: Nchw, crop: Size) -> Self {
        let mut random = Random::new(seed);
        let features = random.normal(features_shape.elements().unwrap() as usize);
        let images = random.normal(images_shape.elements().unwrap() as usize);
        Self { features_shape, images_shape, crop, features, images }
    }

    fn run(&self, gpu: &TestGpu, options: AttendedRegionOptions, element: Element) -> AttendedRegions<f32> {
        let (features, images) = (gpu.input(&self.features, element), gpu.input(&self.images, element));
        let pixels = self.images_shape.plane().elements().unwrap() as usize;
        let all_boxes = (self.images_shape.batch * options.regions) as usize;
        let crop_len = all_boxes * self.images_shape.channels as usize * self.crop.pixels() as usize;
        let map = gpu.output(self.features_shape.plane().elements().unwrap() as usize, 4);
        let [map_up, mask, component] = [(); 3].map(|()| gpu.output(pixels, 4));
        let [boxes, count] = [4 * all_boxes, self.images_shape.batch as usize].map(|words| gpu.output(words, 4));
        let crops = gpu.output(crop_len, element.bytes());
        let operator = AttendedRegion::new(compiler::of(&gpu.device), options, element, element).unwrap();
        let buffers = AttendedRegionBuffers {
            features: features.slice(..),
            images: Some(images.slice(..)),
            map: map.slice(),
            map_up: Some(map_up.slice()),
            mask: Some(mask.slice()),
            component: Some(component.slice()),
            boxes: boxes.slice(),
            crops: Some(crops.slice()),
            count: None,
        };
        let recording = operator
            .bind(
                &gpu.device,
                AttendedRegionShape { features: self.features_shape, images: self.images_shape, crop: self.crop },
                buffers,
            )
            .unwrap();
        gpu.recording(&recording);
        let mut all = AttendedRegions {
            map: gpu.words(&map),
            map_up: gpu.words(&map_up),
            mask: gpu.words(&mask),
            component: gpu.words(&component),
            boxes: gpu.words(&boxes),
            crops: gpu.floats(&crops, element),
            count: Vec::new(),
        };
        // And again with nothing but the box: what is not asked for changes nothing.
        let [map_only, boxes_only] = [gpu.output(all.map.len(), 4), gpu.output(all.boxes.len() * 4, 4)];
        let buffers = AttendedRegionBuffers {
            images: None,
            map: map_only.slice(),
            map_up: None,
            mask: None,
            component: None,
            boxes: boxes_only.slice(),
            crops: None,
            ..buffers
        };
        let recording = operator
            .bind(
                &gpu.device,
                AttendedRegionShape { features: self.features_shape, images: self.images_shape, crop: self.crop },
                buffers,
            )
            .unwrap();
        gpu.recording(&recording);
        assert_eq!(gpu.words::<[i32; 4]>(&boxes_only), all.boxes, "{options:?}");
        // And once more with the count, for which one region is ranked among all.
        let component = gpu.output(pixels, 4);
        let buffers =
            AttendedRegionBuffers { count: Some(count.slice()), component: Some(component.slice()), ..buffers };
        let shape = AttendedRegionShape { features: self.features_shape, images: self.images_shape, crop: self.crop };
        gpu.recording(&operator.bind(&gpu.device, shape, buffers).unwrap());
        assert_eq!(gpu.words::<[i32; 4]>(&boxes_only), all.boxes, "{options:?}, counted");
        assert!(gpu.words::<u32>(&component) == all.component, "{options:?}, counted");
        all.count = gpu.words(&count);
        all
    }
}

/// Ranks of pixels, boxes and the number of components: all components of a mask, the largest taken again and again.
fn ranked(plane: Nhw, options: &AttendedRegionOptions, mask: &[u32]) -> (Vec<u32>, Vec<[i32; 4]>, Vec<u32>) {
    let mut left = mask.to_vec();
    let mut ranks = vec![0; mask.len()];
    let images = plane.batch as usize;
    let mut boxes = vec![[0; 4]; images * options.regions as usize];
    for region in 0..options.regions {
        let largest = reference::largest_component(plane, options.connectivity, &left);
        for ((rank, left), component) in ranks.iter_mut().zip(&mut left).zip(largest.component) {
            *rank += component * (region + 1);
            *left *= 1 - component;
        }
        for (image, found) in largest.boxes.into_iter().enumerate() {
            boxes[image * options.regions as usize + region as usize] = found;
        }
    }
    let sizes = reference::largest_component(plane, options.connectivity, mask).sizes;
    let count = sizes.chunks(sizes.len() / images);
    (ranks, boxes, count.map(|sizes| sizes.iter().filter(|&&size| size > 0).count() as u32).collect())
}

/// Each step against its reference on what the GPU itself computed before, so that no rounding can carry a pixel over the
/// threshold between the two.
fn check(gpu: &TestGpu, scene: &Scene, options: AttendedRegionOptions, element: Element) -> AttendedRegions<f32> {
    let what = format!("{options:?} {element:?} {} {}", scene.features_shape, scene.images_shape);
    let actual = scene.run(gpu, options, element);
    let features = rounded(&scene.features, element);
    let (shape, size) = (scene.features_shape, scene.images_shape.size());
    let exact = reference::attention_map(shape, options.statistic, &wide(&features));
    let exact = reference::normalize(shape.plane(), options.normalization, &exact);
    let baseline = reference::attention_map(shape, options.statistic, &features);
    let baseline = reference::normalize(shape.plane(), options.normalization, &baseline);
    assert_within_tolerance(&actual.map, &exact, &baseline, Precision::F32, format!("map, {what}"));

    let planes = Nchw { channels: 1, ..shape };
    let exact = reference::resize(planes, size, options.sampling, &wide(&actual.map));
    let baseline = reference::resize(planes, size, options.sampling, &actual.map);
    let room = SAMPLE_ROOM * largest(&actual.map);
    assert_within_tolerance_with_room(
        &actual.map_up,
        &exact,
        &baseline,
        Precision::F32,
        room,
        format!("map_up, {what}"),
    );

    let plane = scene.images_shape.plane();
    let mask = reference::threshold(plane, options.threshold, &actual.map_up);
    assert_exact(&actual.mask, &mask, format!("mask, {what}"));
    let (component, boxes, count) = ranked(plane, &options, &mask);
    assert_exact(&actual.component, &component, format!("component, {what}"));
    assert_eq!(actual.boxes, boxes, "boxes, {what}");
    assert_eq!(actual.count, count, "count, {what}");
    if options.regions == 1 {
        let largest = reference::largest_component(plane, options.connectivity, &mask);
        assert_exact(&component, &largest.component, format!("one component, {what}"));
        assert_eq!(boxes, largest.boxes, "one box, {what}");
    }

    let images = rounded(&scene.images, element);
    let (sampling, end) = (options.sampling, options.crop_end);
    // Each image once for each of its boxes.
    let repeated = images.chunks(images.len() / plane.batch as usize);
    let repeated: Vec<f32> =
        repeated.flat_map(|image| std::iter::repeat_n(image, options.regions as usize)).flatten().copied().collect();
    let crops_shape = Nchw { batch: plane.batch * options.regions, ..scene.images_shape };
    let exact = reference::crop_resize(crops_shape, scene.crop, end, sampling, &wide(&repeated), &actual.boxes);
    let baseline = reference::crop_resize(crops_shape, scene.crop, end, sampling, &repeated, &actual.boxes);
    let room = SAMPLE_ROOM * largest(&images);
    assert_within_tolerance_with_room(&actual.crops, &exact, &baseline, element.into(), room, format!("crops, {what}"));
    actual
}

/// More regions than there are, ties, and images of a batch with other numbers of regions.
#[test]
fn several_regions_match_reference() {
    let Some(gpu) = common::gpu() else { return };
    let scenes = [
        Scene::new(11, Nchw::new(3, 5, 11, 13), Nchw::new(3, 3, 61, 40), Size::new(20, 33)),
        Scene::new(12, Nchw::new(2, 2, 30, 40), Nchw::new(2, 2, 31, 45), Size::new(1, 7)),
    ];
    for element in gpu.elements() {
        for scene in &scenes {
            for (regions, threshold) in [(2, 0.3), (3, 0.5), (40, 0.9), (5, 2.0)] {
                for connectivity in [Connectivity::Four, Connectivity::Eight] {
                    let options = AttendedRegionOptions::default()
                        .with_regions(regions)
                        .with_connectivity(connectivity)
                        .with_threshold(ThresholdRule::Value(threshold));
                    let found = check(gpu, scene, options, element);
                    let [height, width] = [scene.images_shape.height, scene.images_shape.width].map(|side| side as i32);
                    let missing = found.count.iter().map(|&count| regions.saturating_sub(count)).sum::<u32>();
                    let whole = found.boxes.iter().filter(|&&found| found == [0, 0, width - 1, height - 1]).count();
                    assert!(whole >= missing as usize, "{missing} regions are missing, {whole} boxes are whole images");
                }
            }
        }
    }
}

/// Turns of images that fit a binding, whose crops are the same bits.
#[test]
fn crops_of_several_regions_are_divided_by_image() {
    let Some(gpu) = common::gpu() else { return };
    let limits = wgpu::Limits { max_storage_buffer_binding_size: 48 << 10, ..wgpu::Limits::default() };
    let Some(limited) = common::gpu_with(&limits) else { return };
    let scene = Scene::new(13, Nchw::new(9, 2, 9, 8), Nchw::new(9, 3, 32, 32), Size::new(8, 16));
    let options = AttendedRegionOptions::default().with_regions(2).with_threshold(ThresholdRule::Value(0.6));
    assert_eq!(scene.run(&limited, options, Element::F32), scene.run(gpu, options, Element::F32));
}

#[test]
fn no_region_is_refused() {
    let Some(gpu) = common::gpu() else { return };
    let options = AttendedRegionOptions::default().with_regions(0);
    let error = AttendedRegion::new(compiler::of(&gpu.device), options, Element::F32, Element::F32).unwrap_err();
    assert!(matches!(error, Error::InvalidParameter { parameter: "regions", .. }), "{error}");
}

#[test]
fn every_option_matches_reference() {
    let Some(gpu) = common::gpu() else { return };
    let scenes = [
        Scene::new(1, Nchw::new(2, 5, 7, 9), Nchw::new(2, 3, 61, 40), Size::new(20, 33)),
        Scene::new(2, Nchw::new(1, 70, 7, 7), Nchw::new(1, 1, 112, 112), Size::new(112, 112)),
        Scene::new(3, Nchw::new(3, 4, 30, 40), Nchw::new(3, 2, 30, 40), Size::new(1, 7)),
        Scene::new(4, Nchw::new(1, 3, 50, 64), Nchw::new(1, 3, 20, 11), Size::new(9, 9)),
    ];
    let default = AttendedRegionOptions::default();
    let mut ways = vec![default];
    ways.extend(Statistic::ALL.map(|statistic| default.with_statistic(statistic)));
    ways.extend([0.0, 0.5, 0.95].map(|t| default.with_threshold(ThresholdRule::Value(t))));
    ways.push(default.with_threshold(ThresholdRule::Level(178)).with_crop_end(CropEnd::Exclusive));
    ways.push(default.with_threshold(ThresholdRule::Otsu));
    ways.push(default.with_connectivity(Connectivity::Four));
    ways.push(default.with_sampling(Sampling::AlignedCorners));
    ways.push(default.with_normalization(Normalization::Max));
    ways.push(default.with_normalization(Normalization::None).with_threshold(ThresholdRule::Value(1.4)));
    for element in gpu.elements() {
        for scene in &scenes {
            for options in &ways {
                check(gpu, scene, *options, element);
            }
        }
    }
}

/// A constant map has an empty mask, and so has a threshold that nothing exceeds or a map with a NaN: the whole image is the region.
#[test]
fn an_empty_mask_gives_the_whole_image() {
    let Some(gpu) = common::gpu() else { return };
    let mut scene = Scene::new(5, Nchw::new(3, 2, 6, 6), Nchw::new(3, 3, 24, 31), Size::new(24, 31));
    scene.features[..72].fill(0.5);
    scene.features[72 + 7] = f32::NAN;
    let actual = scene.run(gpu, AttendedRegionOptions::default(), Element::F32);
    let pixels = 3 * 24 * 31;
    for image in 0..2 {
        assert_eq!(actual.boxes[image], [0, 0, 30, 23]);
        assert!(actual.component[image * 24 * 31..(image + 1) * 24 * 31].iter().all(|&pixel| pixel == 0));
        let image = image * pixels..(image + 1) * pixels;
        assert_exact(&actual.crops[image.clone()], &scene.images[image], "the whole image at its own size");
    }
    assert_exact(&actual.map[..36], &[0.0; 36], "a constant map");
    assert_ne!(actual.boxes[2], [0, 0, 30, 23]);
    let nothing = AttendedRegionOptions::default().with_threshold(ThresholdRule::Value(1.0));
    assert_eq!(scene.run(gpu, nothing, Element::F32).boxes, [[0, 0, 30, 23]; 3]);
}

/// Bindings that hold one plane of the pictures, and few workgroups on each axis: dozens of parts, the same bits.
#[test]
fn results_do_not_depend_on_how_the_work_is_divided() {
    let Some(gpu) = common::gpu() else { return };
    let limits = wgpu::Limits {
        max_storage_buffer_binding_size: 40 << 10,
        max_compute_workgroups_per_dimension: 5,
        ..wgpu::Limits::default()
    };
    let Some(small) = common::gpu_with(&limits) else { return };
    // Planes of neither 256 nor 16 bytes, so that parts start inside bindings.
    let scene = Scene::new(6, Nchw::new(7, 9, 13, 11), Nchw::new(7, 3, 95, 101), Size::new(31, 57));
    for threshold in [ThresholdRule::Value(0.6), ThresholdRule::Otsu] {
        let options = AttendedRegionOptions::default().with_threshold(threshold);
        for element in gpu.elements() {
            let whole = scene.run(gpu, options, element);
            let divided = scene.run(&small, options, element);
            assert!(whole == divided, "{options:?} {element:?}");
        }
    }
}

#[test]
fn refusals_name_what_is_wrong() {
    let Some(gpu) = common::gpu() else { return };
    let options = AttendedRegionOptions::default();
    let operator = AttendedRegion::new(compiler::of(&gpu.device), options, Element::F32, Element::F32).unwrap();
    let buffers: Vec<_> = (0..4).map(|_| gpu.buffer("any", 4096).unwrap()).collect();
    let given = AttendedRegionBuffers {
        features: buffers[0].slice(..),
        images: None,
        map: buffers[1].slice(..),
        map_up: None,
        mask: None,
        component: None,
        boxes: buffers[2].slice(..),
        crops: None,
        count: None,
    };
    let (features, images) = (Nchw::new(2, 2, 4, 4), Nchw::new(2, 3, 8, 8));
    let crop = Size::new(8, 8);
    let refuse = |features, images, buffers| {
        operator.bind(&gpu.device, AttendedRegionShape { features, images, crop }, buffers).unwrap_err()
    };

    let error = refuse(Nchw { batch: 3, ..features }, images, given);
    assert!(matches!(error, Error::InvalidShape { op: "attended_region", binding: "images", .. }), "{error}");
    let error = refuse(features, images, AttendedRegionBuffers { crops: Some(buffers[3].slice(..)), ..given });
    assert!(matches!(error, Error::InvalidParameter { parameter: "crops", .. }), "{error}");
    // An output of one step over an input that only another step reads.
    let arena = gpu.buffer("arena", 1 << 16).unwrap();
    let error = refuse(
        features,
        images,
        AttendedRegionBuffers {
            images: Some(arena.slice(0..8192)),
            crops: Some(buffers[3].slice(..)),
            mask: Some(arena.slice(1024..)),
            ..given
        },
    );
    assert_eq!(error, Error::Aliased { op: "attended_region", output: "mask", other: "images" });
    let error = refuse(features, Nchw { height: 0, ..images }, given);
    assert!(matches!(error, Error::InvalidShape { op: "attended_region", .. }), "{error}");
    let nan = options.with_threshold(ThresholdRule::Value(f32::NAN));
    let error = AttendedRegion::new(compiler::of(&gpu.device), nan, Element::F32, Element::F32).unwrap_err();
    assert!(matches!(error, Error::InvalidParameter { op: "attended_region", parameter: "threshold", .. }), "{error}");
    // And what is right goes through.
    let _ = operator.bind(&gpu.device, AttendedRegionShape { features, images, crop }, given).unwrap();
}
