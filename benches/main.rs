//! `cargo bench` times every operator; `cargo bench -- attention_map` one of them, `cargo bench -- host` what they cost on the host.
//! Each is checked against its reference first. Times are the GPU's own where it has timestamps, with the caches flushed. A table of
//! all rows follows at the end, and is written to `target/bench/operators.tsv` with a roofline plot beside it.

mod attended_region;
mod attention_map;
mod bisenet;
mod bounding_box;
mod cbam;
mod channel_scale;
mod common;
mod crop_resize;
mod dense;
mod eca;
mod global_pool;
mod heat_overlay;
mod host;
mod largest_component;
mod normalize;
mod pointwise_conv;
mod resize;
mod sasa_layer;
mod sasa_stem;
mod scse;
mod squeeze_excite;
mod threshold;
mod window_attention;
mod window_pool;

#[expect(dead_code, unused_imports, reason = "the suite uses the rest")]
#[path = "../tests/common/mod.rs"]
mod suite;

use common::Bench;

fn main() {
    let Some(mut bench) = Bench::open() else { return };
    host::bench(&bench);
    attention_map::bench(&mut bench);
    normalize::bench(&mut bench);
    resize::bench(&mut bench);
    threshold::bench(&mut bench);
    largest_component::bench(&mut bench);
    bounding_box::bench(&mut bench);
    crop_resize::bench(&mut bench);
    heat_overlay::bench(&mut bench);
    attended_region::bench(&mut bench);
    global_pool::bench(&mut bench);
    dense::bench(&mut bench);
    channel_scale::bench(&mut bench);
    squeeze_excite::bench(&mut bench);
    bisenet::bench(&mut bench);
    cbam::bench(&mut bench);
    scse::bench(&mut bench);
    eca::bench(&mut bench);
    pointwise_conv::bench(&mut bench);
    sasa_layer::bench(&mut bench);
    sasa_stem::bench(&mut bench);
    window_attention::bench(&mut bench);
    window_pool::bench(&mut bench);
    bench.finish();
}
