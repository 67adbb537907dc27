//! What the page's first part shows: the attended region of a picture, as in the example `salient_region`, as one plan that ends in a
//! texture.

use serde::{Deserialize, Serialize};
use visual_attention::{
    AttendedRegion, AttendedRegionBuffers, AttendedRegionOptions, AttendedRegionShape, ColorMap, Compiler, Element,
    HeatOverlay, HeatOverlayShape, HeatOverlayTexture, Nchw,
};
use wasm_bindgen::prelude::*;

use crate::filter_bank::FilterBank;
use crate::recorder::plan::Plan;
use crate::request::Device;
use crate::{Outcome, failed, json};

/// The picture's size and the page's controls.
#[derive(Debug, Deserialize)]
pub(crate) struct Look {
    pub(crate) width: u32,
    pub(crate) height: u32,
    statistic: String,
    /// `otsu` or `value:0.7`.
    threshold: String,
    connectivity: String,
    colors: String,
    pub(crate) opacity: f32,
}

impl Look {
    pub(crate) fn images(&self) -> Nchw {
        Nchw::new(1, 3, self.height, self.width)
    }

    pub(crate) fn features(&self) -> Nchw {
        FilterBank::shape(self.height, self.width).into()
    }

    fn shape(&self) -> AttendedRegionShape {
        let images = self.images();
        AttendedRegionShape { features: self.features(), images, crop: images.size() }
    }

    pub(crate) fn options(&self) -> Outcome<AttendedRegionOptions> {
        Ok(AttendedRegionOptions::default()
            .with_statistic(self.statistic.parse().map_err(failed)?)
            .with_threshold(self.threshold.parse().map_err(failed)?)
            .with_connectivity(self.connectivity.parse().map_err(failed)?))
    }

    pub(crate) fn colors(&self) -> Outcome<ColorMap> {
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

/// Version of the crate.
#[wasm_bindgen]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").into()
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
        count: None,
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
