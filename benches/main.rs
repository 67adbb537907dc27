//! `cargo bench` times every operator; `cargo bench -- attention_map` one of them. Each is checked against its reference first.
//! Times are the GPU's own where it has timestamps. A table of all rows follows at the end.

mod attention_map;
mod bisenet;
mod cbam;
mod channel_scale;
mod common;
mod dense;
mod eca;
mod global_pool;
mod scse;
mod squeeze_excite;

use common::Bench;

fn main() {
    let Some(mut bench) = Bench::open() else { return };
    attention_map::bench(&mut bench);
    global_pool::bench(&mut bench);
    dense::bench(&mut bench);
    channel_scale::bench(&mut bench);
    squeeze_excite::bench(&mut bench);
    bisenet::bench(&mut bench);
    cbam::bench(&mut bench);
    scse::bench(&mut bench);
    eca::bench(&mut bench);
    bench.finish();
}
