use std::ops::Range;

use visual_attention::{
    Element, Nchw, PositionTables, RelativePosition, Size, WindowAttention, WindowAttentionBuffers,
    WindowAttentionOptions, reference, wgpu,
};

use crate::common::ceiling::software;
use crate::common::unfused::Unfused;
use crate::common::{Bench, noise};

const OPERATOR: &str = "window_attention";
/// Heads and their depths.
const HEADS: [(u32, u32); 3] = [(8, 8), (8, 32), (4, 64)];
/// Multiply-adds that a reference may take, on one core.
const CHECKED: u64 = 1 << 30;

pub(crate) fn bench(bench: &mut Bench) {
    for side in [56, 28] {
        for heads in HEADS {
            for k in [3, 5, 7, 11] {
                case(bench, 1, side, heads, k, false);
            }
        }
    }
    // The other stages, of which a software adapter has time for small ones, and what a GPU needs to be busy.
    for side in [14, 7] {
        case(bench, 8, side, (8, 32), 7, false);
    }
    if !software(&bench.gpu) {
        for heads in [(8, 32), (4, 64)] {
            case(bench, 8, 112, heads, 7, false);
            case(bench, 64, 28, heads, 7, false);
        }
    }
    for heads in HEADS {
        case(bench, 1, 56, heads, 7, true);
    }
    scaling(bench);
}

fn name(batch: u32, side: u32, (heads, head_dim): (u32, u32), k: u32) -> String {
    format!("{heads}x{head_dim} k{k} {}", Nchw::new(batch, heads * head_dim, side, side))
}

/// The operator and the composition of unfolded keys and values; with the paper's row and column embeddings or without.
fn case(bench: &mut Bench, batch: u32, side: u32, (heads, head_dim): (u32, u32), k: u32, embedded: bool) {
    let relative = if embedded { RelativePosition::PerHead } else { RelativePosition::None };
    let scale = 1.0 / (head_dim as f32).sqrt();
    let options = WindowAttentionOptions::new(heads, head_dim, k).with_relative(relative).with_scale(scale);
    let shape = Nchw::new(batch, heads * head_dim, side, side);
    let len = shape.elements().expect("small") as usize;
    let numbers = noise(3 * len as u64);
    let [q, key, value] = [0, 1, 2].map(|at| &numbers[at * len..][..len]);
    let table = noise(u64::from(head_dim) / 2 * u64::from(k));
    let [q_buffer, k_buffer, v_buffer, table_buffer] =
        [q, key, value, &table].map(|values| bench.gpu.upload("input", values).expect("input"));
    let y = bench.gpu.buffer("y", len as u64 * 4).expect("y");
    let operator = WindowAttention::new(&bench.gpu.device, options, Element::F32).expect("operator");
    let tables = if embedded {
        PositionTables::Factorised { row: table_buffer.slice(..), column: table_buffer.slice(..) }
    } else {
        PositionTables::None
    };
    let buffers = WindowAttentionBuffers {
        q: q_buffer.slice(..),
        k: k_buffer.slice(..),
        v: v_buffer.slice(..),
        tables,
        y: y.slice(..),
        log_sum_exp: None,
    };
    let recording = operator.bind(&bench.gpu.device, shape, buffers).expect("bind");
    let what = name(batch, side, (heads, head_dim), k) + if embedded { " embeddings" } else { "" };
    bench.gpu.run(|pass| recording.record(pass)).expect("run");
    let cost = operator.cost(shape);
    // Where the reference takes minutes, the two versions are checked against each other.
    let expected = if cost.flops / 2 <= CHECKED {
        let tables = if embedded {
            PositionTables::Factorised { row: &table[..], column: &table[..] }
        } else {
            PositionTables::None
        };
        let expected = reference::window_attention(shape, &options, q, key, value, tables).y;
        bench.check(&what, Element::F32, &y, &expected);
        expected
    } else {
        bench.gpu.read(y.slice(..)).expect("y")
    };
    bench.measure(OPERATOR, &what, "fused", cost, |pass| recording.record(pass));

    let mut unfused = Unfused::new(&bench.gpu);
    let tables = embedded.then_some([&table_buffer, &table_buffer]);
    let scaled = unfused.each(&format!("a[i] * {scale}f"), &[&q_buffer], len as u64);
    let y = unfolded(bench, &mut unfused, [&scaled, &k_buffer, &v_buffer], shape, &options, tables);
    bench.measure_unfused(OPERATOR, &what, cost, &unfused, &[(&y, &expected)]);
}

/// The composition that needs no kernel of its own: keys and values unfolded, embeddings added to the keys, products, softmax,
/// weighted sums; for as many heads at once as a binding holds.
pub(crate) fn unfolded(
    bench: &Bench,
    unfused: &mut Unfused,
    [q, key, value]: [&wgpu::Buffer; 3],
    shape: Nchw,
    options: &WindowAttentionOptions,
    tables: Option<[&wgpu::Buffer; 2]>,
) -> wgpu::Buffer {
    let WindowAttentionOptions { heads, head_dim, window, .. } = *options;
    let padding = Size::new((window.height - 1) / 2, (window.width - 1) / 2);
    let (entries, pixels) = (window.pixels() as u32, shape.size().pixels() as u32);
    let y = unfused.tensor(shape.elements().expect("small"));
    let limit = bench.gpu.device.limits().max_storage_buffer_binding_size;
    let head_bytes = u64::from(head_dim * entries * pixels) * 4;
    assert!(head_bytes <= limit, "one head, unfolded, exceeds a binding");
    // No more planes than a dispatch has workgroups in a dimension, and not more memory than it takes to be busy.
    let together = ((limit.min(1 << 30) / head_bytes) as u32).min(65_535 / head_dim);
    let all = shape.batch * heads;
    for first in (0..all).step_by(together as usize) {
        let heads = first..all.min(first + together);
        let planes = heads.start * head_dim..heads.end * head_dim;
        let mut keys = unfused.unfold(key, planes.clone(), shape.size(), window, padding);
        if let Some([row, column]) = tables {
            let (half, entry) = (head_dim / 2, format!("i / #{pixels} % #{entries}"));
            let channel = format!("i / #{} % #{head_dim}", entries * pixels);
            let of_row = format!("b[{channel} % #{half} * #{} + {entry} / #{}]", window.height, window.width);
            let of_column = format!("c[{channel} % #{half} * #{0} + {entry} % #{0}]", window.width);
            let embedded = format!("a[i] + select({of_row}, {of_column}, {channel} >= #{half})");
            keys = unfused.each(&embedded, &[&keys, row, column], keys.size() / 4);
        }
        let values = unfused.unfold(value, planes, shape.size(), window, padding);
        attend(unfused, [q, &keys, &values, &y], heads, head_dim, entries, pixels);
    }
    y
}

/// Products, softmax and weighted sums of these heads.
pub(crate) fn attend(
    unfused: &mut Unfused,
    [q, keys, values, y]: [&wgpu::Buffer; 4],
    heads: Range<u32>,
    head_dim: u32,
    entries: u32,
    pixels: u32,
) {
    let count = heads.len() as u32;
    let scores = unfused.tensor(u64::from(count * entries) * u64::from(pixels));
    let words = [head_dim, entries, pixels, heads.start];
    let groups = pixels.div_ceil(64);
    unfused.kernel(include_str!("baseline/scores.wgsl"), &words, &[q, keys, &scores], [groups, entries, count]);
    unfused.softmax(&scores, entries, pixels);
    unfused.kernel(include_str!("baseline/mix.wgsl"), &words, &[&scores, values, y], [groups, 1, count * head_dim]);
}

/// How the time grows.
fn scaling(bench: &Bench) {
    let time =
        |side, heads, k| bench.median(OPERATOR, &name(1, side, heads, k), "fused").map(|time| time.as_secs_f64());
    for heads in HEADS {
        let (count, head_dim) = heads;
        for k in [3, 5, 7, 11] {
            if let (Some(small), Some(large)) = (time(28, heads, k), time(56, heads, k)) {
                println!(
                    "{count}x{head_dim} k{k}: 4 times the pixels take {:.2} times as long (at most 4.4)",
                    large / small
                );
            }
        }
        for side in [56, 28] {
            if let (Some(small), Some(large)) = (time(side, heads, 7), time(side, heads, 11)) {
                println!(
                    "{side}x{side} {count}x{head_dim}: k 7 -> 11 takes {:.2} times as long (at most 2.9)",
                    large / small
                );
            }
        }
    }
}
