//! What the page's first part shows, from the references.

use visual_attention::reference;
use wasm_bindgen::prelude::*;

use crate::filter_bank::FilterBank;
use crate::look::Look;
use crate::{Outcome, failed};

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
