use std::ops::Range;

use visual_attention::{
    Border, Element, Nchw, Ncthw, PositionTables, RelativePosition, Size, WindowAttention, WindowAttentionBuffers,
    WindowAttentionOptions, WindowAxis, reference, wgpu,
};

use crate::common::ceiling::software;
use crate::common::unfused::Unfused;
use crate::common::unfused::windows::places;
use crate::common::{Bench, noise};

const OPERATOR: &str = "window_attention";
/// Heads and their depths.
const HEADS: [(u32, u32); 3] = [(8, 8), (8, 32), (4, 64)];
/// Keys of a window, and positions of a line.
const LINES: [(u32, u32); 3] = [(128, 4096), (64, 4096), (128, 2048)];
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
    axes(bench);
    scaling(bench);
}

/// Windows of sequences, videos and blocks.
fn axes(bench: &mut Bench) {
    let shift = |keys| WindowAxis::new(keys).with_border(Border::Shift);
    for (keys, length) in LINES {
        let line = WindowAttentionOptions::line(1, 64, shift(keys));
        over(bench, &format!("1x64 line {keys}"), Ncthw::new(1, 64, 1, 1, length), line);
    }
    let video = |keys: [u32; 3]| WindowAttentionOptions::volume(4, 16, keys.map(shift));
    over(bench, "4x16 video 3x7x7", Ncthw::new(1, 64, 8, 28, 28), video([3, 7, 7]));
    over(bench, "4x16 video 5x5x5", Ncthw::new(1, 64, 8, 28, 28), video([5, 5, 5]));
    for (k, side) in [(7, 56), (8, 64)] {
        let swin = WindowAttentionOptions::swin(3, 32, k, k / 2).with_relative(RelativePosition::None);
        over(bench, &format!("3x32 swin {k}"), Ncthw::new(1, 96, 1, side, side), swin);
    }
    let halo = WindowAttentionOptions::halo(4, 16, 8, 3).with_relative(RelativePosition::None);
    over(bench, "4x16 halo 8+3", Ncthw::new(1, 64, 1, 64, 64), halo);
}

/// The operator and the composition of gathered keys and values, for windows over any axes.
fn over(bench: &mut Bench, what: &str, shape: Ncthw, options: WindowAttentionOptions) {
    let what = format!("{what} {shape}");
    let len = shape.elements().expect("small");
    let numbers = [0, 1, 2].map(|_| noise(len));
    let [q, k, v] = [0, 1, 2].map(|at| bench.gpu.upload("input", &numbers[at]).expect("input"));
    let y = bench.gpu.buffer("y", len * 4).expect("y");
    let operator = WindowAttention::new(&bench.gpu.device, options, Element::F32).expect("operator");
    let buffers = WindowAttentionBuffers {
        q: q.slice(..),
        k: k.slice(..),
        v: v.slice(..),
        tables: PositionTables::None,
        y: y.slice(..),
        log_sum_exp: None,
    };
    let recording = operator.bind(&bench.gpu.device, shape, buffers).expect("bind");
    bench.gpu.run(|pass| recording.record(pass)).expect("run");
    let cost = operator.cost(shape);
    let [queries, keys, values] = &numbers;
    let expected = reference::window_attention(shape, &options, queries, keys, values, PositionTables::None).y;
    bench.check(&what, Element::F32, &y, &expected);
    bench.measure(OPERATOR, &what, "fused", cost, |pass| recording.record(pass));

    let positions = shape.positions() as u32;
    let entries = options.keys() as u32;
    let places = places(shape, &options);
    let places = bench.gpu.upload("places", &places).expect("places");
    let mut unfused = Unfused::new(&bench.gpu);
    let scaled = unfused.each(&format!("a[i] * {}f", options.scale), &[&q], len);
    let gathered = unfused.tensor(len);
    let limit = bench.gpu.device.limits().max_storage_buffer_binding_size;
    let head_bytes = u64::from(options.head_dim * entries) * u64::from(positions) * 4;
    assert!(head_bytes <= limit, "one head, gathered, exceeds a binding");
    let gather = |unfused: &mut Unfused, x: &wgpu::Buffer, head: u32| {
        let plane = format!("(#{} + i / #{}) * #{positions}", head * options.head_dim, entries * positions);
        let place = format!("b[i % #{}]", entries * positions);
        unfused.each(
            &format!("select(0.0, a[{plane} + u32(max({place}, 0.0))], {place} >= 0.0)"),
            &[x, &places],
            head_bytes / 4,
        )
    };
    for head in 0..shape.batch * options.heads {
        let keys = gather(&mut unfused, &k, head);
        let values = gather(&mut unfused, &v, head);
        let masked = Some(&places);
        attend(
            &mut unfused,
            [&scaled, &keys, &values, &gathered],
            head..head + 1,
            options.head_dim,
            entries,
            positions,
            masked,
        );
    }
    bench.measure_unfused(OPERATOR, &what, cost, &unfused, &[(&gathered, &expected)]);
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
        PositionTables::rows_and_columns(table_buffer.slice(..), table_buffer.slice(..))
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
        let tables =
            if embedded { PositionTables::rows_and_columns(&table[..], &table[..]) } else { PositionTables::None };
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
    let WindowAttentionOptions { heads, head_dim, axes: [_, rows, columns], .. } = *options;
    let window = Size::new(rows.keys, columns.keys);
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
        attend(unfused, [q, &keys, &values, &y], heads, head_dim, entries, pixels, None);
    }
    y
}

/// Products, softmax and weighted sums of these heads; returns the softmax. `places` is below -1 for keys that are left out.
pub(crate) fn attend(
    unfused: &mut Unfused,
    [q, keys, values, y]: [&wgpu::Buffer; 4],
    heads: Range<u32>,
    head_dim: u32,
    entries: u32,
    pixels: u32,
    places: Option<&wgpu::Buffer>,
) -> wgpu::Buffer {
    let count = heads.len() as u32;
    let mut scores = unfused.tensor(u64::from(count * entries) * u64::from(pixels));
    let words = [head_dim, entries, pixels, heads.start];
    let groups = pixels.div_ceil(64);
    unfused.kernel(include_str!("baseline/scores.wgsl"), &words, &[q, keys, &scores], [groups, entries, count]);
    if let Some(places) = places {
        // The lowest logit counts as left out beside any other.
        let len = scores.size() / 4;
        scores =
            unfused.each(&format!("select(a[i], -3e38, b[i % #{}] < -1.5)", entries * pixels), &[&scores, places], len);
    }
    unfused.softmax(&scores, entries, pixels);
    unfused.kernel(include_str!("baseline/mix.wgsl"), &words, &[&scores, values, y], [groups, 1, count * head_dim]);
    scores
}

/// How the time grows.
fn scaling(bench: &Bench) {
    let [whole, fewer_keys, shorter] = LINES.map(|(keys, length)| {
        bench.median(OPERATOR, &format!("1x64 line {keys} {}", Ncthw::new(1, 64, 1, 1, length)), "fused")
    });
    if let (Some(whole), Some(fewer_keys), Some(shorter)) = (whole, fewer_keys, shorter) {
        let times = |less: std::time::Duration| whole.as_secs_f64() / less.as_secs_f64();
        println!(
            "line: twice the keys of a window take {:.2} times as long, and twice the line {:.2} times (at most 2.2)",
            times(fewer_keys),
            times(shorter)
        );
    }
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
