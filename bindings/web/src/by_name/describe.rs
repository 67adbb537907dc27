//! Operators by name: what they are, what they need, the plan of one, and its reference.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use visual_attention::Compiler;
use visual_attention::operators::{self, Slices};
use wasm_bindgen::prelude::*;

use super::arrays::Arrays;
use super::call::{Call, Tensor};
use crate::recorder::plan::Plan;
use crate::request::Device;
use crate::{Outcome, failed, json as text};

/// Every operator: name, one line, and a small problem with the names of its axes.
#[wasm_bindgen]
pub fn operators() -> Outcome<String> {
    let of = |entry: &operators::Entry| {
        let operators::Example { options, inputs, optional, .. } = entry.example;
        let options: BTreeMap<_, _> = options.iter().copied().collect();
        let inputs: serde_json::Map<String, Value> =
            inputs.iter().map(|(name, axes)| ((*name).to_owned(), json!(axes))).collect();
        json!({ "name": entry.name, "about": entry.about,
                "example": { "options": options, "inputs": inputs, "optional": optional } })
    };
    text(&operators::all().iter().map(of).collect::<Vec<_>>())
}

/// The options of a call's operator: name, values, default.
#[wasm_bindgen]
pub fn options(call: &str) -> Outcome<String> {
    let call = Call::parse(call).map_err(failed)?;
    let entry = call.entry().map_err(failed)?;
    let specs = entry.options(super::describing::describing(), &call.options()).map_err(failed)?;
    let of =
        |spec: &operators::OptionSpec| json!({ "name": spec.name, "values": spec.values, "default": spec.default });
    text(&specs.iter().map(of).collect::<Vec<_>>())
}

/// Every tensor of a call.
#[wasm_bindgen]
pub fn tensors(call: &str) -> Outcome<String> {
    let call = Call::parse(call).map_err(failed)?;
    let specs = call.described().map_err(failed)?.tensors(&call.shapes()).map_err(failed)?;
    text(&specs.iter().map(Tensor::from).collect::<Vec<_>>())
}

/// What one run of a call moves and computes.
#[wasm_bindgen]
pub fn cost(call: &str) -> Outcome<String> {
    let call = Call::parse(call).map_err(failed)?;
    let cost = call.described().map_err(failed)?.cost(&call.shapes()).map_err(failed)?;
    text(&json!({ "bytes": cost.bytes, "flops": cost.flops, "parameters": cost.parameters }))
}

/// What the plain CPU reference computes in f64: every output by name.
#[wasm_bindgen]
pub fn reference(call: &str, inputs: &Arrays) -> Outcome<Arrays> {
    let call = Call::parse(call).map_err(failed)?;
    let operator = call.described().map_err(failed)?;
    operator.reference_f64(&call.shapes(), &inputs.to_operators()).map(Into::into).map_err(failed)
}

/// A part of a buffer of the caller's.
#[derive(Debug, Deserialize)]
struct Slice {
    /// Which buffer. Tensors that share one have the same number.
    buffer: usize,
    /// Of the whole buffer.
    bytes: u64,
    /// `GPUBufferUsage`.
    usage: u32,
    offset: u64,
    size: u64,
}

/// The plan of a call on a device, for these slices of the caller's buffers. Every check of the operator's `bind` is made here.
#[wasm_bindgen]
pub fn plan(call: &str, device: &str, slices: &str) -> Outcome<String> {
    let call = Call::parse(call).map_err(failed)?;
    let device: Device = serde_json::from_str(device).map_err(failed)?;
    let slices: BTreeMap<String, Slice> = serde_json::from_str(slices).map_err(failed)?;
    let device = device.recorder();
    let mut buffers: BTreeMap<usize, wgpu::Buffer> = BTreeMap::new();
    for slice in slices.values() {
        buffers.entry(slice.buffer).or_insert_with(|| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: slice.bytes,
                usage: wgpu::BufferUsages::from_bits_truncate(slice.usage),
                mapped_at_creation: false,
            })
        });
    }
    let mut given = Vec::new();
    for (name, Slice { buffer, bytes, offset, size, .. }) in &slices {
        if offset.checked_add(*size).is_none_or(|end| end > *bytes) || *size == 0 {
            return Err(failed(format!(
                "`{name}`: {size} bytes from {offset} on are not in a buffer of {bytes} bytes"
            )));
        }
        given.push((name.as_str(), buffers[buffer].slice(*offset..*offset + *size)));
    }
    let operator = call.open(Compiler::from(&device)).map_err(failed)?;
    let recording = operator.bind(&device, &call.shapes(), &Slices::new(given)).map_err(failed)?;
    recording.record(&mut device.create_command_encoder(&Default::default()).begin_compute_pass(&Default::default()));
    // A buffer behind several tensors has the name of the first.
    let name = |number| slices.iter().find(|(_, slice)| slice.buffer == number).map(|(name, _)| name.clone());
    let named: Vec<_> = buffers.into_iter().filter_map(|(number, buffer)| Some((name(number)?, buffer))).collect();
    text(&Plan::of(&device, &named))
}
