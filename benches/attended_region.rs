use visual_attention::{
    AttendedRegion, AttendedRegionBuffers, AttendedRegionOptions, AttentionMap, AttentionMapBuffers, BoundingBox,
    BoundingBoxBuffers, CropEnd, CropResize, CropResizeBuffers, Element, LargestComponent, LargestComponentBuffers,
    Nchw, Normalize, NormalizeBuffers, Resize, ResizeBuffers, Threshold, ThresholdBuffers, reference, wgpu,
};

use crate::common::ceiling::software;
use crate::common::unfused::{Unfused, groups};
use crate::common::{Bench, noise};

/// The threshold of the default options.
const LEVEL: f32 = 0.7;

/// The fused operator against its own parts one after another, the map resized and the mask written in between, and against a
/// dispatch for each elementary operation: components are then labelled as eager frameworks do it, by the smallest label of a
/// pixel's neighbours, as often as this mask needs it.
pub(crate) fn bench(bench: &mut Bench) {
    let options = AttendedRegionOptions::default();
    let device = bench.gpu.device.clone();
    let (f32, sampling) = (Element::F32, options.sampling);
    let operator = AttendedRegion::new(&device, options, f32, f32).expect("operator");
    let attention_map = AttentionMap::new(&device, options.statistic, f32).expect("attention map");
    let normalize = Normalize::new(&device, options.normalization).expect("normalize");
    let resize = Resize::new(&device, sampling, f32).expect("resize");
    let threshold = Threshold::new(&device, options.threshold, sampling).expect("threshold");
    let largest = LargestComponent::new(&device, options.connectivity).expect("largest component");
    let crop_resize = CropResize::new(&device, CropEnd::Inclusive, sampling, f32).expect("crop");

    for (features, images) in [
        (Nchw::new(1, 2048, 7, 7), Nchw::new(1, 3, 224, 224)),
        (Nchw::new(8, 2048, 7, 7), Nchw::new(8, 3, 224, 224)),
        (Nchw::new(1, 64, 112, 112), Nchw::new(1, 3, 1024, 1024)),
    ] {
        let (values, pixels) = (noise(features.elements().expect("small")), noise(images.elements().expect("small")));
        let features_in = bench.gpu.upload("features", &values).expect("features");
        let images_in = bench.gpu.upload("images", &pixels).expect("images");
        let plane = images.plane().elements().expect("small");
        let map = buffer(bench, "map", features.plane().elements().expect("small"));
        let (map_up, mask) = (buffer(bench, "map_up", plane), buffer(bench, "mask", plane));
        let boxes = buffer(bench, "boxes", u64::from(images.batch) * 4);
        let crops = buffer(bench, "crops", pixels.len() as u64);
        let fused = operator
            .bind(
                &device,
                features,
                images,
                images.size(),
                AttendedRegionBuffers {
                    features: features_in.slice(..),
                    images: Some(images_in.slice(..)),
                    map: map.slice(..),
                    map_up: None,
                    mask: None,
                    component: None,
                    boxes: boxes.slice(..),
                    crops: Some(crops.slice(..)),
                },
            )
            .expect("dispatch");
        bench.gpu.run(|pass| fused.record(pass)).expect("run");
        let actual: Vec<[i32; 4]> = bench.gpu.read(boxes.slice(..)).expect("boxes");
        let expected = reference::attended_region(features, images, images.size(), &options, &values, &pixels);
        let case = format!("{features} {}", images.size());
        assert_eq!(actual, expected.boxes, "{case}");
        let cost = operator.cost(features, images, images.size());
        bench.measure("attended_region", &case, "fused", cost, |pass| fused.record(pass));

        let planes = Nchw { channels: 1, ..features };
        let buffers = AttentionMapBuffers { features: features_in.slice(..), map: map.slice(..) };
        let steps = [
            attention_map.bind(&device, features, buffers).expect("map"),
            normalize.bind(&device, features.plane(), NormalizeBuffers { map: map.slice(..) }).expect("normalize"),
            resize
                .bind(&device, planes, images.size(), ResizeBuffers { input: map.slice(..), output: map_up.slice(..) })
                .expect("resize"),
            threshold
                .bind(
                    &device,
                    images.plane(),
                    images.size(),
                    ThresholdBuffers { map: map_up.slice(..), mask: mask.slice(..) },
                )
                .expect("threshold"),
            largest
                .bind(
                    &device,
                    images.plane(),
                    LargestComponentBuffers {
                        mask: mask.slice(..),
                        boxes: boxes.slice(..),
                        component: None,
                        all: None,
                    },
                )
                .expect("component"),
            crop_resize
                .bind(
                    &device,
                    images,
                    images.size(),
                    CropResizeBuffers { images: images_in.slice(..), boxes: boxes.slice(..), crops: crops.slice(..) },
                )
                .expect("crop"),
        ];
        let record = |pass: &mut wgpu::ComputePass<'_>| {
            steps.iter().for_each(|step| step.record(pass));
        };
        bench.measure("attended_region", &case, "step by step", cost, record);

        let level = bench.gpu.upload("level", &[LEVEL]).expect("level");
        let [magnitudes, low, high, above, range] = [
            features.elements().expect("small"),
            features.batch.into(),
            features.batch.into(),
            features.plane().elements().expect("small"),
            features.batch.into(),
        ]
        .map(|len| buffer(bench, "intermediate", len));
        let raw = buffer(bench, "raw map", features.plane().elements().expect("small"));
        let (mut before, mut after) = (Unfused::default(), Unfused::default());
        let of_map = groups(features.plane().elements().expect("small"));
        let mut step = |source, input, tensors, groups| {
            let params = [features.size().pixels() as u32, features.channels, input, 0];
            before.step(&bench.gpu, source, params, tensors, groups);
        };
        let abs = include_str!("baseline/unfused_abs.wgsl");
        let channel_max = include_str!("baseline/unfused_channel_max.wgsl");
        let extreme = include_str!("baseline/unfused_extreme.wgsl");
        let subtract = include_str!("baseline/unfused_subtract.wgsl");
        let divide = include_str!("baseline/unfused_divide.wgsl");
        step(abs, 0, [&features_in, &level, &magnitudes], groups(values.len() as u64));
        step(channel_max, 0, [&magnitudes, &level, &raw], of_map);
        step(extreme, 0, [&raw, &level, &low], [features.batch, 1]);
        step(extreme, 1, [&raw, &level, &high], [features.batch, 1]);
        step(subtract, 0, [&raw, &low, &above], of_map);
        // One number for each image on both sides: planes of one pixel.
        let one = [1, 1, 0, 0];
        before.step(&bench.gpu, subtract, one, [&high, &low, &range], [1, 1]);
        let params = [features.size().pixels() as u32, 1, 0, 0];
        before.step(&bench.gpu, divide, params, [&above, &range, &map], of_map);
        let greater = include_str!("baseline/unfused_greater.wgsl");
        after.step(&bench.gpu, greater, one, [&map_up, &level, &mask], groups(plane));
        let [map_step, normalize_step, resize_step, _, _, crop_step] = &steps;
        let to_the_mask = |pass: &mut wgpu::ComputePass<'_>| {
            before.record(pass);
            resize_step.record(pass);
            after.record(pass);
        };
        // Masks of a million pixels take a thousand passes, and a software adapter minutes.
        if !software(&bench.gpu) || plane / u64::from(images.batch) < 1 << 18 {
            bench.gpu.run(to_the_mask).expect("run");
            let passes = passes(images, &bench.gpu.read::<u32>(mask.slice(..)).expect("mask"));
            let components = Components::new(bench, images, &mask);
            let corners = BoundingBox::new(&device).expect("bounding box");
            let of_component = BoundingBoxBuffers { mask: components.component.slice(..), boxes: boxes.slice(..) };
            let corners = corners.bind(&device, images.plane(), of_component).expect("box");
            let unfused = |pass: &mut wgpu::ComputePass<'_>| {
                to_the_mask(pass);
                components.record(pass, passes);
                corners.record(pass);
                crop_step.record(pass);
            };
            bench.gpu.run(unfused).expect("run");
            let actual: Vec<[i32; 4]> = bench.gpu.read(boxes.slice(..)).expect("boxes");
            assert_eq!(actual, expected.boxes, "{case}, unfused");
            bench.measure("attended_region", &case, "unfused", cost, unfused);
        }

        // The first three operators alone, the map resampled as it is compared.
        let low_map = ThresholdBuffers { map: map.slice(..), mask: mask.slice(..) };
        let sampled = threshold.bind(&device, features.plane(), images.size(), low_map).expect("threshold");
        let fused = |pass: &mut wgpu::ComputePass<'_>| {
            map_step.record(pass);
            normalize_step.record(pass);
            sampled.record(pass);
        };
        let masks = [&fused as &dyn Fn(&mut wgpu::ComputePass<'_>), &to_the_mask].map(|record| {
            bench.gpu.run(|pass| record(pass)).expect("run");
            bench.gpu.read::<u32>(mask.slice(..)).expect("mask")
        });
        assert!(masks[0] == masks[1] && masks[0].contains(&1), "{case}: masks");
        let cost = attention_map.cost(features) + threshold.cost(features.plane(), images.size());
        bench.measure("threshold", &format!("map, normalized {case}"), "fused", cost, fused);
        bench.measure("threshold", &format!("map, normalized {case}"), "unfused", cost, to_the_mask);
    }
}

/// The largest component, an operation at a time.
struct Components {
    first: Unfused,
    /// To and fro.
    spread: [Unfused; 2],
    largest: Unfused,
    component: wgpu::Buffer,
}

impl Components {
    fn new(bench: &Bench, images: Nchw, mask: &wgpu::Buffer) -> Self {
        let (plane, batch) = (images.plane().elements().expect("small"), u64::from(images.batch));
        let [labels, other, counts, component] =
            ["labels", "labels", "counts", "component"].map(|l| buffer(bench, l, plane));
        let label = buffer(bench, "label", batch);
        let params = [images.size().pixels() as u32, images.width, 0, 0];
        let step = |steps: &mut Unfused, source, [a, b, y]: [&wgpu::Buffer; 3], groups| {
            steps.step(&bench.gpu, source, params, [a, b, y], groups);
        };
        let everywhere = groups(plane);
        let (mut first, mut there, mut back, mut largest) =
            (Unfused::default(), Unfused::default(), Unfused::default(), Unfused::default());
        step(&mut first, include_str!("baseline/unfused_label.wgsl"), [mask, mask, &labels], everywhere);
        let spread = include_str!("baseline/unfused_spread.wgsl");
        step(&mut there, spread, [&labels, mask, &other], everywhere);
        step(&mut back, spread, [&other, mask, &labels], everywhere);
        step(&mut largest, include_str!("baseline/unfused_clear.wgsl"), [&labels, mask, &counts], everywhere);
        step(&mut largest, include_str!("baseline/unfused_count.wgsl"), [&labels, mask, &counts], everywhere);
        step(&mut largest, include_str!("baseline/unfused_argmax.wgsl"), [&counts, mask, &label], [images.batch, 1]);
        step(&mut largest, include_str!("baseline/unfused_equal.wgsl"), [&labels, &label, &component], everywhere);
        Self { first, spread: [there, back], largest, component }
    }

    /// An even number of passes ends where the rest reads.
    fn record(&self, pass: &mut wgpu::ComputePass<'_>, passes: usize) {
        self.first.record(pass);
        for at in 0..passes.next_multiple_of(2) {
            self.spread[at % 2].record(pass);
        }
        self.largest.record(pass);
    }
}

/// How far the smallest index of a component is from any of its pixels at most: so often must it spread to its neighbours.
fn passes(images: Nchw, mask: &[u32]) -> usize {
    let (width, pixels) = (images.width as usize, images.size().pixels() as usize);
    let mut most = 0;
    for mask in mask.chunks(pixels) {
        let mut distance = vec![usize::MAX; pixels];
        for first in 0..pixels {
            if mask[first] == 0 || distance[first] != usize::MAX {
                continue;
            }
            distance[first] = 0;
            let mut found = vec![first];
            let mut next = 0;
            while let Some(&pixel) = found.get(next) {
                next += 1;
                most = most.max(distance[pixel]);
                let (row, column) = (pixel / width, pixel % width);
                for r in row.saturating_sub(1)..(row + 2).min(pixels / width) {
                    for c in column.saturating_sub(1)..(column + 2).min(width) {
                        let near = r * width + c;
                        if mask[near] != 0 && distance[near] == usize::MAX {
                            distance[near] = distance[pixel] + 1;
                            found.push(near);
                        }
                    }
                }
            }
        }
    }
    most
}

fn buffer(bench: &Bench, label: &str, len: u64) -> wgpu::Buffer {
    bench.gpu.buffer(label, len * 4).expect("buffer")
}
