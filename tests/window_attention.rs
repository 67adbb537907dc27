use std::time::Instant;
use visual_attention::*;
use crate::common::{self, Random};
#[test]
fn timing() {
    let Some(gpu) = common::gpu() else { return };
    for (depth, k, relative) in [(8, 7, Relative::PerHead), (8, 7, Relative::None), (8, 3, Relative::None), (32, 7, Relative::None), (128, 7, Relative::None), (8, 7, Relative::Bias)] {
        let options = WindowAttentionOptions { relative, ..WindowAttentionOptions::new(8, depth, k) };
        let shape = Nchw::new(1, 8 * depth, 56, 56);
        let x = Random::new(1).normal(shape.elements().unwrap() as usize);
        let q = gpu.input(&x, Element::F32);
        let table = gpu.input(&x[..64*64.min(x.len())], Element::F32);
        let y = gpu.output(x.len(), 4);
        let t = Instant::now();
        let operator = WindowAttention::new(&gpu.device, options, Element::F32).unwrap();
        let new = t.elapsed();
        let tables = match relative { Relative::None => RelativeTables::None, Relative::Bias => RelativeTables::Bias(table.slice(..)), _ => RelativeTables::Factorised{row: table.slice(..), column: table.slice(..)} };
        let d = operator.bind(&gpu.device, shape, WindowAttentionBuffers { q: q.slice(..), k: q.slice(..), v: q.slice(..), tables, y: y.slice(), log_sum_exp: None }).unwrap();
        let t = Instant::now(); gpu.dispatch(&d); gpu.wait().unwrap(); let first = t.elapsed();
        let t = Instant::now(); gpu.dispatch(&d); gpu.wait().unwrap(); let second = t.elapsed();
        eprintln!("d {depth} k {k} {relative:?}: new {new:?} first {first:?} second {second:?}");
    }
}
