//! `cargo bench` times every operator; `cargo bench -- attention_map` one of them. Each is checked against its reference first.
//! Times are the GPU's own where it has timestamps. A table of all rows follows at the end.

mod attention_map;
mod common;

use common::Bench;

fn main() {
    let Some(mut bench) = Bench::open() else { return };
    attention_map::bench(&mut bench);
    bench.finish();
}
