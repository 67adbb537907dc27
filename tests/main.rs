//! The whole suite in one binary, one module for each operator: one link of wgpu, one device.
//! `cargo test attention_map` runs one operator's tests.

mod cases;
mod common;

mod attended_region;
mod attention_map;
mod bounding_box;
mod crop_resize;
mod embedding;
mod errors;
mod golden;
mod harness;
mod heat_overlay;
mod largest_component;
mod normalize;
mod resize;
mod threshold;
