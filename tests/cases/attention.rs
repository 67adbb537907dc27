//! Cases of the attention map and the attended region.

use num_traits::Float;
use visual_attention::host::Gpu;
use visual_attention::{
    AttendedRegion, AttendedRegionBuffers, AttendedRegionOptions, AttendedRegionShape, AttentionMap,
    AttentionMapBuffers, Connectivity, CropEnd, Element, LargestComponent, LargestComponentBuffers, Normalization,
    Sampling, Statistic, ThresholdRule, reference,
};

use super::{Case, Outputs, Problem, floats, integers, run, wide};
use crate::compiler;

fn statistic(case: &Case) -> Result<Statistic, Problem> {
    Ok(match case.text("reduce")? {
        "max_abs" => Statistic::MaxAbs,
        "mean_abs" => Statistic::MeanAbs,
        "rms" => Statistic::Rms,
        "l2" => Statistic::L2,
        "max" => Statistic::Max,
        "mean" => Statistic::Mean,
        _ => return Err(case.unknown("reduce")),
    })
}

pub(super) fn attention_map<T: Float>(gpu: Option<&Gpu>, case: &Case) -> Result<(Option<Outputs>, Outputs), Problem> {
    let x = case.input("x")?;
    let shape = x.nchw("x")?;
    let statistic = statistic(case)?;
    let on_gpu = gpu.map(|gpu| -> Result<Outputs, Problem> {
        let features = x.upload(gpu)?;
        let pixels = x.numbers.len() / shape.channels.max(1) as usize;
        let map = gpu.buffer("map", pixels as u64 * 4)?;
        let operator = AttentionMap::new(compiler::of(&gpu.device), statistic, x.element())?;
        let buffers = AttentionMapBuffers { features: features.slice(..), map: map.slice(..) };
        run(gpu, &operator.bind(&gpu.device, shape, buffers)?)?;
        Ok(vec![("map", floats(gpu, &map, Element::F32, pixels)?)])
    });
    Ok((on_gpu.transpose()?, vec![("map", wide(reference::attention_map(shape, statistic, &x.cast::<T>())))]))
}

fn connectivity(case: &Case) -> Result<Connectivity, Problem> {
    match case.integer("connectivity")? {
        4 => Ok(Connectivity::Four),
        8 => Ok(Connectivity::Eight),
        _ => Err(case.unknown("connectivity")),
    }
}

fn flat(boxes: &[[i32; 4]]) -> Vec<f64> {
    boxes.as_flattened().iter().map(|&side| f64::from(side)).collect()
}

fn words(values: &[u32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}

pub(super) fn largest_component(gpu: Option<&Gpu>, case: &Case) -> Result<(Option<Outputs>, Outputs), Problem> {
    let mask = case.input("mask")?;
    let shape = mask.nhw("mask")?;
    let connectivity = connectivity(case)?;
    let on_gpu = gpu.map(|gpu| -> Result<Outputs, Problem> {
        let input = mask.integers(gpu)?;
        let component = gpu.buffer("component", mask.numbers.len() as u64 * 4)?;
        let boxes = gpu.buffer("boxes", u64::from(shape.batch) * 16)?;
        let operator = LargestComponent::new(compiler::of(&gpu.device), connectivity)?;
        let buffers = LargestComponentBuffers {
            mask: input.slice(..),
            boxes: boxes.slice(..),
            component: Some(component.slice(..)),
            all: None,
        };
        run(gpu, &operator.bind(&gpu.device, shape, buffers)?)?;
        Ok(vec![("component", integers(gpu, &component)?), ("bbox", integers(gpu, &boxes)?)])
    });
    let set: Vec<u32> = mask.numbers.iter().map(|&value| u32::from(value != 0.0)).collect();
    let reference = reference::largest_component(shape, connectivity, &set);
    let reference = vec![("component", words(&reference.component)), ("bbox", flat(&reference.boxes))];
    Ok((on_gpu.transpose()?, reference))
}

pub(super) fn attended_region<T: Float>(gpu: Option<&Gpu>, case: &Case) -> Result<(Option<Outputs>, Outputs), Problem> {
    let (x, image) = (case.input("x")?, case.input("image")?);
    let (features, images) = (x.nchw("x")?, image.nchw("image")?);
    if features.is_empty() || images.is_empty() || features.batch != images.batch {
        return Err(Problem::Malformed(format!("`in.x` is {features}, `in.image` {images}")));
    }
    if case.attrs["image_size"] != serde_json::json!([images.height, images.width]) {
        return Err(case.unknown("image_size"));
    }
    let sampling = if case.flag("align_corners")? { Sampling::AlignedCorners } else { Sampling::HalfPixel };
    let threshold = match case.text("quantize")? {
        "none" => ThresholdRule::Value(case.number("threshold")? as f32),
        "u8" => {
            let level = u8::try_from(case.integer("threshold_u8")?);
            ThresholdRule::Level(level.map_err(|_| case.unknown("threshold_u8"))?)
        }
        _ => return Err(case.unknown("quantize")),
    };
    let crop_end = match case.text("crop_end")? {
        "inclusive" => CropEnd::Inclusive,
        "exclusive" => CropEnd::Exclusive,
        _ => return Err(case.unknown("crop_end")),
    };
    let options = AttendedRegionOptions::default()
        .with_statistic(statistic(case)?)
        .with_normalization(Normalization::MinMax)
        .with_sampling(sampling)
        .with_threshold(threshold)
        .with_connectivity(connectivity(case)?)
        .with_crop_end(crop_end);
    let on_gpu = gpu.map(|gpu| -> Result<Outputs, Problem> {
        let (x_buffer, image_buffer) = (x.upload(gpu)?, image.upload(gpu)?);
        let batch = u64::from(features.batch);
        let map = gpu.buffer("map", batch * features.size().pixels() * 4)?;
        let plane = || gpu.buffer("plane", batch * images.size().pixels() * 4);
        let (map_up, mask, component) = (plane()?, plane()?, plane()?);
        let boxes = gpu.buffer("boxes", batch * 16)?;
        let crops = gpu.buffer("crops", image.numbers.len() as u64 * image.element().bytes())?;
        let operator = AttendedRegion::new(compiler::of(&gpu.device), options, x.element(), image.element())?;
        let buffers = AttendedRegionBuffers {
            features: x_buffer.slice(..),
            images: Some(image_buffer.slice(..)),
            map: map.slice(..),
            map_up: Some(map_up.slice(..)),
            mask: Some(mask.slice(..)),
            component: Some(component.slice(..)),
            boxes: boxes.slice(..),
            crops: Some(crops.slice(..)),
        };
        run(gpu, &operator.bind(&gpu.device, AttendedRegionShape { features, images, crop: images.size() }, buffers)?)?;
        let (map_len, up_len) = ((map.size() / 4) as usize, (map_up.size() / 4) as usize);
        Ok(vec![
            ("map", floats(gpu, &map, Element::F32, map_len)?),
            ("map_up", floats(gpu, &map_up, Element::F32, up_len)?),
            ("mask", integers(gpu, &mask)?),
            ("component", integers(gpu, &component)?),
            ("bbox", integers(gpu, &boxes)?),
            ("crop", floats(gpu, &crops, image.element(), image.numbers.len())?),
        ])
    });
    let reference =
        reference::attended_region(features, images, images.size(), &options, &x.cast::<T>(), &image.cast::<T>());
    let reference = vec![
        ("map", wide(reference.map)),
        ("map_up", wide(reference.map_up)),
        ("mask", words(&reference.mask)),
        ("component", words(&reference.component)),
        ("bbox", flat(&reference.boxes)),
        ("crop", wide(reference.crops)),
    ];
    Ok((on_gpu.transpose()?, reference))
}
