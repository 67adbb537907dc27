use visual_attention::{
    AttendedRegion, AttendedRegionBuffers, AttendedRegionOptions, AttentionMap, AttentionMapBuffers, CropEnd,
    CropResize, CropResizeBuffers, Element, LargestComponent, LargestComponentBuffers, Nchw, Normalize,
    NormalizeBuffers, Resize, ResizeBuffers, Threshold, ThresholdBuffers, reference, wgpu,
};

use crate::common::{Bench, noise};

/// The fused operator against its own parts one after another, the map resized and the mask written in between.
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
        let buffer = |label: &str, len: u64| bench.gpu.buffer(label, len * 4).expect("buffer");
        let (values, pixels) = (noise(features.elements().expect("small")), noise(images.elements().expect("small")));
        let features_in = bench.gpu.upload("features", &values).expect("features");
        let images_in = bench.gpu.upload("images", &pixels).expect("images");
        let plane = images.plane().elements().expect("small");
        let map = buffer("map", features.plane().elements().expect("small"));
        let (map_up, mask) = (buffer("map_up", plane), buffer("mask", plane));
        let boxes = buffer("boxes", u64::from(images.batch) * 4);
        let crops = buffer("crops", pixels.len() as u64);
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
    }
}
