//! The whole suite in one binary, one module for each operator: one link of wgpu, one device.
//! `cargo test attention_map` runs one operator's tests.

mod cases;
mod common;

mod attention_map;
mod bisenet;
mod cbam;
mod channel_scale;
mod dense;
mod eca;
mod global_pool;
mod golden;
mod harness;
mod papers;
mod scse;
mod squeeze_excite;
