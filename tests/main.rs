//! The whole suite in one binary, one module for each operator: one link of wgpu, one device.
//! `cargo test attention_map` runs one operator's tests.

mod cases;
mod common;

mod attention_map;
mod golden;
mod harness;
mod papers;
mod pointwise_conv;
mod sasa_layer;
mod sasa_stem;
mod window_attention;
mod window_pool;
