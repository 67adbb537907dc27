use visual_attention::{
    AttendedRegion, AttendedRegionBuffers, AttendedRegionOptions, AttendedRegionShape, AttentionMap,
    AttentionMapBuffers, BoundingBox, BoundingBoxBuffers, CropEnd, CropResize, CropResizeBuffers, CropResizeShape,
    Element, LargestComponent, LargestComponentBuffers, Nchw, Normalize, NormalizeBuffers, Resize, ResizeBuffers,
    ResizeShape, Threshold, ThresholdBuffers, ThresholdShape, reference, wgpu,
};

use crate::common::ceiling::software;
use crate::common::unfused::{Join, Unfused};
use crate::common::{Bench, noise};
use crate::largest_component::{Components, passes};

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
                AttendedRegionShape { features, images, crop: images.size() },
                AttendedRegionBuffers {
                    features: features_in.slice(..),
                    images: Some(images_in.slice(..)),
                    map: map.slice(..),
                    map_up: None,
                    mask: None,
                    component: None,
                    boxes: boxes.slice(..),
                    crops: Some(crops.slice(..)),
                    count: None,
                },
            )
            .expect("bind");
        bench.gpu.run(|pass| fused.record(pass)).expect("run");
        let actual: Vec<[i32; 4]> = bench.gpu.read(boxes.slice(..)).expect("boxes");
        let expected = reference::attended_region(features, images, images.size(), &options, &values, &pixels);
        let case = format!("{features} {}", images.size());
        assert_eq!(actual, expected.boxes, "{case}");
        let cost = operator.cost(AttendedRegionShape { features, images, crop: images.size() });
        bench.measure("attended_region", &case, "fused", cost, |pass| fused.record(pass));

        let planes = Nchw { channels: 1, ..features };
        let buffers = AttentionMapBuffers { features: features_in.slice(..), map: map.slice(..) };
        let dispatches = [
            attention_map.bind(&device, features, buffers).expect("map"),
            normalize
                .bind(&device, features.plane(), NormalizeBuffers { map: map.slice(..), range: None })
                .expect("normalize"),
            resize
                .bind(
                    &device,
                    ResizeShape { input: planes, output: images.size() },
                    ResizeBuffers { input: map.slice(..), output: map_up.slice(..) },
                )
                .expect("resize"),
            threshold
                .bind(
                    &device,
                    ThresholdShape { map: images.plane(), mask: images.size() },
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
                    CropResizeShape { images, crop: images.size() },
                    CropResizeBuffers { images: images_in.slice(..), boxes: boxes.slice(..), crops: crops.slice(..) },
                )
                .expect("crop"),
        ];
        let record = |pass: &mut wgpu::ComputePass<'_>| {
            dispatches.iter().for_each(|dispatch| dispatch.record(pass));
        };
        bench.measure("attended_region", &case, "step by step", cost, record);

        let mut plain = Unfused::new(&bench.gpu);
        let magnitudes = plain.each("abs(a[i])", &[&features_in], values.len() as u64);
        let raw = plain.across(Join::Maximum, &magnitudes, features.channels, features.size().pixels());
        let normalized = plain.normalize(&raw, features.plane());
        let resized = plain.resize(&normalized, images.batch.into(), features.size(), images.size());
        let plain_mask = plain.each_of(["f32", "u32"], &format!("u32(a[i] > {LEVEL}f)"), &[&resized], plane);
        let [map_step, normalize_step, _, _, _, crop_step] = &dispatches;
        let to_the_mask = |pass: &mut wgpu::ComputePass<'_>| plain.record(pass);
        // Masks of a million pixels take a thousand passes, and a software adapter minutes.
        if !software(&bench.gpu) || plane / u64::from(images.batch) < 1 << 18 {
            bench.gpu.run(to_the_mask).expect("run");
            let passes = passes(images.plane(), &bench.gpu.read::<u32>(plain_mask.slice(..)).expect("mask"));
            let components = Components::new(bench, images.plane(), &plain_mask);
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
        let sampled = threshold
            .bind(&device, ThresholdShape { map: features.plane(), mask: images.size() }, low_map)
            .expect("threshold");
        let fused = |pass: &mut wgpu::ComputePass<'_>| {
            map_step.record(pass);
            normalize_step.record(pass);
            sampled.record(pass);
        };
        bench.gpu.run(fused).expect("run");
        bench.gpu.run(to_the_mask).expect("run");
        let masks = [&mask, &plain_mask].map(|mask| bench.gpu.read::<u32>(mask.slice(..)).expect("mask"));
        assert!(masks[0] == masks[1] && masks[0].contains(&1), "{case}: masks");
        let cost = attention_map.cost(features)
            + threshold.cost(ThresholdShape { map: features.plane(), mask: images.size() });
        bench.measure("attended_region", &format!("mask alone {case}"), "fused", cost, fused);
        bench.measure("attended_region", &format!("mask alone {case}"), "unfused", cost, to_the_mask);
    }
}

fn buffer(bench: &Bench, label: &str, len: u64) -> wgpu::Buffer {
    bench.gpu.buffer(label, len * 4).expect("buffer")
}
