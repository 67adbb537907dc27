//! The whole suite in one binary, one module for each operator: one link of wgpu, one device.
//! `cargo test attention_map` runs one operator's tests.

mod cases;
mod common;

mod attention_map;
mod golden;
mod harness;
mod window_attention;
