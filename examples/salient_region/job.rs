//! One picture: the features and the operators in one encoder, or the references.

use std::path::Path;
use std::time::Duration;

use half::f16;
use image::RgbImage;
use safetensors::{Dtype, SafeTensors};
use visual_attention::host::{Gpu, Timestamps};
use visual_attention::reference::{self, AttendedRegions};
use visual_attention::wgpu;
use visual_attention::{
    AttendedRegion, AttendedRegionBuffers, AttendedRegionOptions, AttendedRegionShape, ColorMap, Dispatch, Element,
    Error, HeatOverlay, HeatOverlayBuffers, HeatOverlayShape, Nchw,
};

use super::FilterBank;
use super::picture::{self, Picture};
use super::regions::{self, Region};

/// Feature maps of one picture.
#[derive(Clone)]
pub(crate) struct Features {
    shape: Nchw,
    element: Element,
    values: Vec<f32>,
}

impl Features {
    /// The feature maps of `count` pictures.
    pub(crate) fn load(path: &Path, count: usize) -> Result<Vec<Self>, String> {
        let fail = |reason: &dyn std::fmt::Display| format!("{}: {reason}", path.display());
        let bytes = std::fs::read(path).map_err(|error| fail(&error))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| fail(&format!("no safetensors file: {error}")))?;
        let names = file.names();
        let name = match names.as_slice() {
            [only] => *only,
            _ => "features",
        };
        let tensor = file.tensor(name).map_err(|_| fail(&"several tensors, none of them named `features`"))?;
        let (element, values): (_, Vec<f32>) = match tensor.dtype() {
            Dtype::F32 => (Element::F32, bytemuck::pod_collect_to_vec(tensor.data())),
            Dtype::F16 => {
                let halves: Vec<f16> = bytemuck::pod_collect_to_vec(tensor.data());
                (Element::F16, halves.into_iter().map(f16::to_f32).collect())
            }
            other => return Err(fail(&format!("`{name}` is {other:?}, needs F32 or F16"))),
        };
        let axes: Option<Vec<u32>> = tensor.shape().iter().map(|&axis| u32::try_from(axis).ok()).collect();
        let shape = match axes.as_deref() {
            Some(&[c, h, w]) => Nchw::new(1, c, h, w),
            Some(&[n, c, h, w]) => Nchw::new(n, c, h, w),
            _ => return Err(fail(&format!("`{name}` is {:?}, needs [n, c, h, w] or [c, h, w]", tensor.shape()))),
        };
        if shape.is_empty() || shape.batch as usize != count {
            return Err(fail(&format!(
                "`{name}` is {shape}, needs [{count}, c, h, w]: one image for each picture, none empty"
            )));
        }
        let one = Nchw { batch: 1, ..shape };
        let images = values.chunks_exact(values.len() / count);
        Ok(images.map(|image| Self { shape: one, element, values: image.to_vec() }).collect())
    }
}

impl Features {
    /// A map with a NaN or an infinity has no range to normalise by.
    fn warning(&self) -> Option<String> {
        let count = self.values.iter().filter(|value| !value.is_finite()).count();
        let then = "the mask may be empty, and the region is the whole picture then";
        (count > 0).then(|| format!("warning: {count} of {} features are not finite: {then}", self.values.len()))
    }
}

/// What is asked for.
pub(crate) struct Job<'a> {
    pub(crate) gpu: Option<&'a Gpu>,
    pub(crate) options: AttendedRegionOptions,
    pub(crate) colors: ColorMap,
    pub(crate) opacity: f32,
}

/// What came of it.
pub(crate) struct Outcome {
    /// The largest first.
    pub(crate) regions: Vec<Region>,
    pub(crate) report: Vec<String>,
    pub(crate) pictures: Vec<(String, RgbImage)>,
}

impl Job<'_> {
    pub(crate) fn run(&self, picture: &Picture, features: Option<Features>) -> Result<Outcome, String> {
        let warning = features.as_ref().and_then(Features::warning);
        let mut outcome = match self.gpu {
            Some(gpu) => self.on_gpu(gpu, picture, features).map_err(|error| error.to_string())?,
            None => self.on_cpu(picture, features),
        };
        outcome.report.splice(0..0, warning);
        Ok(outcome)
    }

    fn on_gpu(&self, gpu: &Gpu, picture: &Picture, given: Option<Features>) -> Result<Outcome, Error> {
        let images = Nchw::new(1, 3, picture.height, picture.width);
        let size = images.size();
        let pixels = size.pixels();
        let [_, c, h, w] = FilterBank::shape(picture.height, picture.width);
        let (shape, element) =
            given.as_ref().map_or((Nchw::new(1, c, h, w), Element::F32), |given| (given.shape, given.element));

        let device = &gpu.device;
        let picture_buffer = gpu.upload("picture", &picture.planes)?;
        let features = match &given {
            Some(given) if given.element == Element::F16 => {
                let mut halves: Vec<_> = given.values.iter().map(|&value| f16::from_f32(value)).collect();
                halves.resize(halves.len().next_multiple_of(2), f16::ZERO);
                gpu.upload("features", &halves)?
            }
            Some(given) => gpu.upload("features", &given.values)?,
            None => gpu.buffer("features", shape.elements().unwrap_or(0) * 4)?,
        };
        let map = gpu.buffer("map", shape.size().pixels() * 4)?;
        let [mask, component, overlay] =
            [gpu.buffer("mask", pixels * 4)?, gpu.buffer("component", pixels * 4)?, gpu.buffer("overlay", pixels * 4)?];
        let asked = u64::from(self.options.regions);
        let (boxes, crops) = (gpu.buffer("boxes", asked * 16)?, gpu.buffer("crops", asked * pixels * 12)?);

        let region = AttendedRegion::new(device, self.options, element, Element::F32)?;
        let region = region.bind(
            device,
            AttendedRegionShape { features: shape, images, crop: size },
            AttendedRegionBuffers {
                features: features.slice(..),
                images: Some(picture_buffer.slice(..)),
                map: map.slice(..),
                map_up: None,
                mask: Some(mask.slice(..)),
                component: Some(component.slice(..)),
                boxes: boxes.slice(..),
                crops: Some(crops.slice(..)),
                count: None,
            },
        )?;
        let heat = HeatOverlay::new(device, &self.colors, self.options.sampling, Element::F32)?;
        let heat = heat.bind(
            device,
            HeatOverlayShape { map: shape.plane(), pictures: images },
            self.opacity,
            HeatOverlayBuffers { map: map.slice(..), pictures: picture_buffer.slice(..), overlay: overlay.slice(..) },
        )?;
        let filter_bank = given.is_none().then(|| FilterBank::new(device));

        // One encoder for the application's kernels and ours. Each step has a pass of its own only so that it can be timed:
        // `region.record(&mut pass)` puts all of them into one.
        let dispatches: Vec<&Dispatch> = region.dispatches().chain(heat.dispatches()).collect();
        let first = u32::from(filter_bank.is_some());
        let timestamps = Timestamps::new(gpu, first + dispatches.len() as u32)?;
        let writes = |pass: u32| timestamps.as_ref().and_then(|timestamps| timestamps.writes(pass));
        let submit = || {
            gpu.submit(|encoder| {
                if let Some(filter_bank) = &filter_bank {
                    let (height, width) = (picture.height, picture.width);
                    filter_bank.record(device, encoder, &picture_buffer, height, width, &features, writes(0));
                }
                for (index, dispatch) in (first..).zip(&dispatches) {
                    dispatch.record(&mut encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                        label: Some(dispatch.label()),
                        timestamp_writes: writes(index),
                    }));
                }
                if let Some(timestamps) = &timestamps {
                    timestamps.resolve(encoder);
                }
            })
        };
        submit()?;

        let on_gpu = AttendedRegions::<f32> {
            map: gpu.read(map.slice(..))?,
            map_up: Vec::new(),
            mask: gpu.read(mask.slice(..))?,
            component: gpu.read(component.slice(..))?,
            boxes: gpu.read(boxes.slice(..))?,
            crops: gpu.read(crops.slice(..))?,
            count: Vec::new(),
        };
        let overlay: Vec<u8> = gpu.read(overlay.slice(..))?;

        let values = match &given {
            Some(given) => given.values.clone(),
            None => gpu.read(features.slice(..))?,
        };
        let mut report = self.compare(&on_gpu, &overlay, shape, picture, &values);
        if given.is_none() {
            let on_cpu = FilterBank::on_cpu(&picture.planes, picture.height, picture.width);
            report.push(format!("  features {:.1e}", largest_difference(&values, &on_cpu)));
        }
        // Once more for the clock: the first run includes what the driver compiles at first use.
        submit()?;
        match timestamps.as_ref().map(|timestamps| timestamps.read(gpu)).transpose() {
            Ok(Some(times)) => {
                let labels =
                    filter_bank.iter().map(|_| "filter_bank").chain(dispatches.iter().map(|dispatch| dispatch.label()));
                report.push(format!("GPU time: {:.2?} in all (second run)", times.iter().sum::<Duration>()));
                report.extend(labels.zip(times).map(|(label, time)| format!("  {label:<28} {time:>10.2?}")));
            }
            Ok(None) => report.push("GPU time: not known, the adapter has no timestamps".into()),
            Err(error) => report.push(format!("GPU time: not known, {error}")),
        }
        Ok(outcome(picture, &on_gpu, &overlay, report))
    }

    /// The largest difference from the reference on the same features; crops and overlays on the GPU's own boxes and maps, so that
    /// each step is held against its reference.
    fn compare(
        &self,
        on_gpu: &AttendedRegions<f32>,
        overlay: &[u8],
        shape: Nchw,
        picture: &Picture,
        features: &[f32],
    ) -> Vec<String> {
        let on_cpu = self.reference(shape, picture, features);
        let images = Nchw::new(1, 3, picture.height, picture.width);
        let Job { options, .. } = self;
        let crop = |found: &[i32; 4]| {
            let (end, sampling, boxes) = (options.crop_end, options.sampling, std::slice::from_ref(found));
            reference::crop_resize(images, images.size(), end, sampling, &picture.planes, boxes)
        };
        let crops: Vec<f32> = on_gpu.boxes.iter().flat_map(crop).collect();
        let (map, crop) = (largest_difference(&on_gpu.map, &on_cpu.map), largest_difference(&on_gpu.crops, &crops));
        let heat = overlay.iter().zip(self.overlay(shape, picture, &on_gpu.map)).map(|(a, b)| a.abs_diff(b)).max();
        let mask = on_gpu.mask.iter().zip(&on_cpu.mask).filter(|(a, b)| a != b).count();
        let same_boxes = if on_gpu.boxes == on_cpu.boxes { "the same" } else { "another" };
        let boxes = if on_gpu.boxes.len() == 1 { "box" } else { "boxes" };
        vec![
            format!("largest difference from the CPU reference: {:.1e}", map.max(crop)),
            format!("  map {map:.1e}, crop {crop:.1e}, overlay {} of 255", heat.unwrap_or(0)),
            format!("  mask {mask} of {} pixels, {boxes} {same_boxes}", on_gpu.mask.len()),
        ]
    }

    fn reference(&self, shape: Nchw, picture: &Picture, features: &[f32]) -> AttendedRegions<f32> {
        let images = Nchw::new(1, 3, picture.height, picture.width);
        reference::attended_region(shape, images, images.size(), &self.options, features, &picture.planes)
    }

    fn overlay(&self, shape: Nchw, picture: &Picture, map: &[f32]) -> Vec<u8> {
        let images = Nchw::new(1, 3, picture.height, picture.width);
        let table = self.colors.table();
        let sampling = self.options.sampling;
        let overlay =
            reference::heat_overlay(shape.plane(), images, sampling, &table, self.opacity, map, &picture.planes);
        overlay.into_iter().map(|value| (value * 255.0 + 0.5) as u8).collect()
    }

    fn on_cpu(&self, picture: &Picture, given: Option<Features>) -> Outcome {
        let [_, c, h, w] = FilterBank::shape(picture.height, picture.width);
        let (shape, values) = match given {
            Some(given) => (given.shape, given.values),
            None => {
                let values = FilterBank::on_cpu(&picture.planes, picture.height, picture.width);
                (Nchw::new(1, c, h, w), values)
            }
        };
        let result = self.reference(shape, picture, &values);
        let overlay = self.overlay(shape, picture, &result.map);
        outcome(picture, &result, &overlay, Vec::new())
    }
}

fn outcome(picture: &Picture, result: &AttendedRegions<f32>, overlay: &[u8], report: Vec<String>) -> Outcome {
    let Picture { height, width, .. } = *picture;
    let found = regions::regions(result);
    let mut pictures = vec![
        ("overlay.png".to_owned(), picture::from_rgba(height, width, overlay)),
        ("mask.png".to_owned(), regions::mask_with_boxes(height, width, result, &found)),
    ];
    let crops = result.crops.chunks_exact(picture.planes.len()).take(found.len());
    pictures.extend(crops.enumerate().map(|(index, planes)| {
        let name = if index == 0 { "crop.png".to_owned() } else { format!("crop_{}.png", index + 1) };
        (name, picture::from_planes(height, width, planes))
    }));
    Outcome { regions: found, report, pictures }
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    // A NaN on one side only is the largest difference there is.
    let difference = |(a, b): (&f32, &f32)| match (a.is_nan(), b.is_nan()) {
        (true, true) => 0.0,
        (false, false) => (a - b).abs(),
        _ => f32::INFINITY,
    };
    a.iter().zip(b).map(difference).fold(0.0, f32::max)
}
