//! What the page's first part shows: the attended region of a picture, as in the example `salient_region`, as one plan that ends in a
//! texture; and the same on the references.

use serde::{Deserialize, Serialize};
use visual_attention::{
    AttendedRegion, AttendedRegionBuffers, AttendedRegionOptions, AttendedRegionShape, ColorMap, Compiler, Element,
    HeatOverlay, HeatOverlayShape, HeatOverlayTexture, Nchw, reference,
};
use wasm_bindgen::prelude::*;

use crate::filter_bank::FilterBank;
use crate::recorder::plan::Plan;
use crate::request::Device;
use crate::{Outcome, failed, json};

/// The picture's size and the page's controls.
#[derive(Debug, Deserialize)]
struct Look {
    width: u32,
    height: u32,
    statistic: String,
    /// `otsu` or `value:0.7`.
    threshold: String,
    connectivity: String,
    colors: String,
    opacity: f32,
}

impl Look {
    fn images(&self) -> Nchw {
        Nchw::new(1, 3, self.height, self.width)
    }

    fn features(&self) -> Nchw {
        FilterBank::shape(self.height, self.width).into()
    }

    fn shape(&self) -> AttendedRegionShape {
        let images = self.images();
        AttendedRegionShape { features: self.features(), images, crop: images.size() }
    }

    fn options(&self) -> Outcome<AttendedRegionOptions> {
        Ok(AttendedRegionOptions::default()
            .with_statistic(self.statistic.parse().map_err(failed)?)
            .with_threshold(self.threshold.parse().map_err(failed)?)
            .with_connectivity(self.connectivity.parse().map_err(failed)?))
    }

    fn colors(&self) -> Outcome<ColorMap> {
        match self.colors.as_str() {
            "turbo" => Ok(ColorMap::Turbo),
            "viridis" => Ok(ColorMap::Viridis),
            "grey" => Ok(ColorMap::Grey),
            other => Err(failed(format!("`{other}` is no colour map; known are turbo, viridis, grey"))),
        }
    }
}

#[derive(Debug, Serialize)]
struct Planned {
    #[serde(flatten)]
    plan: Plan,
    /// Names and bytes of the buffers that the plan takes. Its texture is `overlay`.
    tensors: Vec<(String, u64)>,
}

/// The plan from planes `[3, height, width]` in the buffer `picture` to the texture `overlay`, with `map`, `mask`, `component`, `boxes` and
/// `crops` on the way.
#[wasm_bindgen]
pub fn look(request: &str, device: &str) -> Outcome<String> {
    let look: Look = serde_json::from_str(request).map_err(failed)?;
    let device: Device = serde_json::from_str(device).map_err(failed)?;
    let (device, images, features) = (device.recorder(), look.images(), look.features());
    let pixels = images.size().pixels();
    let buffer = |(name, bytes): (&str, u64)| {
        let usage = wgpu::BufferUsages::STORAGE;
        let descriptor = wgpu::BufferDescriptor { label: Some(name), size: bytes, usage, mapped_at_creation: false };
        (name.to_owned(), device.create_buffer(&descriptor))
    };
    let sizes = [
        ("picture", pixels * 12),
        ("features", features.elements().unwrap_or(0) * 4),
        ("map", features.size().pixels() * 4),
        ("mask", pixels * 4),
        ("component", pixels * 4),
        ("boxes", 16),
        ("crops", pixels * 12),
    ];
    let buffers = sizes.map(buffer);
    let [picture, features, map, mask, component, boxes, crops] = buffers.each_ref().map(|(_, buffer)| buffer);
    let overlay = device.create_texture(&wgpu::TextureDescriptor {
        label: Some("overlay"),
        size: wgpu::Extent3d { width: look.width, height: look.height, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::Rgba8Unorm,
        usage: wgpu::TextureUsages::STORAGE_BINDING,
        view_formats: &[],
    });

    let options = look.options()?;
    let compiler = Compiler::from(&device).at_first_use();
    let region = AttendedRegion::new(compiler, options, Element::F32, Element::F32).map_err(failed)?;
    let region_buffers = AttendedRegionBuffers {
        features: features.slice(..),
        images: Some(picture.slice(..)),
        map: map.slice(..),
        map_up: None,
        mask: Some(mask.slice(..)),
        component: Some(component.slice(..)),
        boxes: boxes.slice(..),
        crops: Some(crops.slice(..)),
    };
    let region = region.bind(&device, look.shape(), region_buffers).map_err(failed)?;
    let heat = HeatOverlay::new(compiler, &look.colors()?, options.sampling, Element::F32).map_err(failed)?;
    let heat_shape = HeatOverlayShape { map: look.features().plane(), pictures: images };
    let heat_buffers = HeatOverlayTexture { map: map.slice(..), pictures: picture.slice(..), overlay: &overlay };
    let heat = heat.bind_texture(&device, heat_shape, look.opacity, heat_buffers).map_err(failed)?;

    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    FilterBank::new(&device).record(&device, &mut encoder, picture, look.height, look.width, features, None);
    let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
    region.record(&mut pass);
    heat.record(&mut pass);
    drop(pass);
    let tensors = sizes.map(|(name, bytes)| (name.to_owned(), bytes)).to_vec();
    json(&Planned { plan: Plan::of(&device, &buffers), tensors })
}

/// What the references make of a picture: RGBA pixels, and the box.
#[wasm_bindgen]
pub struct Looked {
    overlay: Vec<u8>,
    mask: Vec<u32>,
    component: Vec<u32>,
    crop: Vec<u8>,
    found: Vec<i32>,
}

#[wasm_bindgen]
impl Looked {
    /// Computes it, from RGBA pixels.
    #[wasm_bindgen(constructor)]
    pub fn new(request: &str, rgba: &[u8]) -> Outcome<Looked> {
        let look: Look = serde_json::from_str(request).map_err(failed)?;
        let (images, options) = (look.images(), look.options()?);
        let plane = |channel| rgba.chunks_exact(4).map(move |pixel| f32::from(pixel[channel]) / 255.0);
        let planes: Vec<f32> = (0..3).flat_map(plane).collect();
        let features = FilterBank::on_cpu(&planes, look.height, look.width);
        if images.elements() != Some(planes.len() as u64) || features.is_empty() {
            return Err(failed("the pixels are not those of a picture of this size"));
        }
        let shape = look.features();
        let found = reference::attended_region(shape, images, images.size(), &options, &features, &planes);
        let (table, sampling) = (look.colors()?.table(), options.sampling);
        let heat = reference::heat_overlay(shape.plane(), images, sampling, &table, look.opacity, &found.map, &planes);
        let byte = |value: f32| (value * 255.0 + 0.5) as u8;
        let pixels = images.size().pixels() as usize;
        let crop = (0..pixels).flat_map(|pixel| [0, 1, 2, 3].map(|channel| (channel, pixel)));
        Ok(Self {
            overlay: heat.into_iter().map(byte).collect(),
            mask: found.mask,
            component: found.component,
            crop: crop.map(|(c, p)| if c < 3 { byte(found.crops[c * pixels + p]) } else { 255 }).collect(),
            found: found.boxes[0].to_vec(),
        })
    }

    /// The heat overlay, RGBA.
    pub fn overlay(&self) -> Vec<u8> {
        self.overlay.clone()
    }

    /// 1 where the map exceeds the threshold.
    pub fn mask(&self) -> Vec<u32> {
        self.mask.clone()
    }

    /// 1 on the largest component.
    pub fn component(&self) -> Vec<u32> {
        self.component.clone()
    }

    /// The crop, RGBA.
    pub fn crop(&self) -> Vec<u8> {
        self.crop.clone()
    }

    /// xmin, ymin, xmax, ymax, inclusive.
    #[wasm_bindgen(js_name = box)]
    pub fn found(&self) -> Vec<i32> {
        self.found.clone()
    }
}
