//! `cargo bench` times every operator; `cargo bench -- attention_map` one of them. Each is checked against its reference first.
//! Times are the GPU's own where it has timestamps. A table of all rows follows at the end.

mod attention_map;
mod common;
mod pointwise_conv;
mod sasa_layer;
mod sasa_stem;
mod window_attention;
mod window_pool;

use common::Bench;

fn main() {
    let Some(mut bench) = Bench::open() else { return };
    attention_map::bench(&mut bench);
    pointwise_conv::bench(&mut bench);
    sasa_layer::bench(&mut bench);
    sasa_stem::bench(&mut bench);
    window_attention::bench(&mut bench);
    window_pool::bench(&mut bench);
    bench.finish();
}
