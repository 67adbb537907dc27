// Windowed attention: computes the softmax weights of chosen queries, for inspection.
//
// Source    Ramachandran et al. 2019, arXiv:1906.05909, Eqs. 2 and 3; formula in shaders/window_attention.wgsl
// Host      src/ops/window_attention/weights.rs        Reference  src/reference/window_attention.rs
// Shapes    q, k [n, g*d, t, h, w], tables as in window_attention, queries [m, 4] (image, frame, row, column)
//           -> weights [m, g, kt*kh*kw] f32
// Grid      x: heads, z: queries; one workgroup per head and query, whose invocations share the window
// Numerics  softmax in f32 with the largest logit subtracted; a NaN or +infinite logit gives NaN, a row without keys gives zeros
// Uses      `frames_axis`, `rows_axis`, `columns_axis`, `window_axis` of shared/window.wgsl
// Needs     f16 variants: SHADER_F16

override RELATIVE: u32 = 0u;

struct Params {
    origin: u32,
    weights_base: u32,
    queries_base: u32,
    heads: u32,
    head_dim: u32,
    // Channels of the axes' tables, counted in a head or in all heads: from `begin` to one before `end`.
    frame_table_begin: u32,
    frame_table_end: u32,
    row_table_begin: u32,
    row_table_end: u32,
    column_table_begin: u32,
    column_table_end: u32,
    // 1: the tables span the channels of all heads.
    whole_channel: u32,
    // 1: the tables have an entry for each offset of a key, 2 * keys - 1. 0: for each entry of a window.
    by_offset: u32,
    scale: f32,
    relative_scale: f32,
    frames_extent: i32,
    frames_keys: i32,
    frames_dilation: i32,
    frames_stride: i32,
    frames_group: i32,
    frames_lead: i32,
    frames_border: u32,
    rows_extent: i32,
    rows_keys: i32,
    rows_dilation: i32,
    rows_stride: i32,
    rows_group: i32,
    rows_lead: i32,
    rows_border: u32,
    columns_extent: i32,
    columns_keys: i32,
    columns_dilation: i32,
    columns_stride: i32,
    columns_group: i32,
    columns_lead: i32,
    columns_border: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<Inner>;
@group(0) @binding(2) var<storage, read> k: array<Inner>;
@group(0) @binding(3) var<storage, read> frame_table: array<Element>;
@group(0) @binding(4) var<storage, read> row_table: array<Element>;
@group(0) @binding(5) var<storage, read> column_table: array<Element>;
@group(0) @binding(6) var<storage, read> queries: array<u32>;
@group(0) @binding(7) var<storage, read_write> weights: array<f32>;

const SIZE = 64u;
// Marks a key that is left out. Logits are stored halved: every finite one is then above this mark, and the difference of two does not
// overflow. Halving and doubling are exact.
const NONE = -3.4028234e38;
const MINUS_INFINITY = 0xff800000u;

var<workgroup> wg_partial: array<f32, SIZE>;
var<workgroup> wg_poisoned: atomic<u32>;

fn reduce(index: u32, value: f32, largest: bool) -> f32 {
    wg_partial[index] = value;
    workgroupBarrier();
    for (var stride = SIZE / 2u; stride > 0u; stride /= 2u) {
        if index < stride {
            let a = wg_partial[index];
            let b = wg_partial[index + stride];
            wg_partial[index] = select(a + b, max(a, b), largest);
        }
        workgroupBarrier();
    }
    let result = wg_partial[0];
    workgroupBarrier();
    return result;
}

fn place(frame: i32, row: i32, column: i32) -> u32 {
    return u32((frame * params.rows_extent + row) * params.columns_extent + column);
}

fn takes_part(entry: i32, window: Window) -> bool {
    return entry >= window.begin && entry < window.end;
}

// Entries of the table of an axis.
fn table_entries(keys: i32) -> u32 {
    return u32(select(keys, 2 * keys - 1, params.by_offset == 1u));
}

// The entry of an axis's table, for an entry of a window. Entries that take no part may lie outside a table by offset.
fn table_entry(entry: i32, window: Window, keys: i32) -> u32 {
    return u32(select(entry, bias_entry(entry, window, keys), params.by_offset == 1u));
}

fn bias_entry(entry: i32, window: Window, keys: i32) -> i32 {
    return clamp(entry + window.offset, 0, 2 * keys - 2);
}

@compute @workgroup_size(64)
fn window_attention_weights(
    @builtin(local_invocation_index) index: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    if index == 0u {
        atomicStore(&wg_poisoned, 0u);
    }
    workgroupBarrier();
    let head = params.origin + group.x;
    let first = params.queries_base + group.z * 4u;
    let image = queries[first];
    let query_frame = i32(queries[first + 1u]);
    let query_row = i32(queries[first + 2u]);
    let query_column = i32(queries[first + 3u]);
    let along = window_axis(query_frame, frames_axis());
    let down = window_axis(query_row, rows_axis());
    let across = window_axis(query_column, columns_axis());
    let pixels = u32(params.frames_extent * params.rows_extent * params.columns_extent);
    let head_base = (image * params.heads + head) * params.head_dim * pixels;
    let query = head_base + place(
        query_frame * params.frames_stride, query_row * params.rows_stride, query_column * params.columns_stride);
    let columns = u32(params.columns_keys);
    let plane = u32(params.rows_keys) * columns;
    let entries = u32(params.frames_keys) * plane;
    let out = params.weights_base + (group.z * params.heads + head) * entries;
    let first_row = select(0u, head * params.head_dim, params.whole_channel == 1u);

    // The output first holds the logits. Every invocation reads only the logits that it wrote.
    var largest = NONE;
    for (var entry = index; entry < entries; entry += SIZE) {
        let f = i32(entry / plane);
        let a = i32(entry % plane / columns);
        let b = i32(entry % columns);
        let frame = along.first + f * params.frames_dilation;
        let row = down.first + a * params.rows_dilation;
        let column = across.first + b * params.columns_dilation;
        let inside = frame >= 0 && frame < params.frames_extent && row >= 0 && row < params.rows_extent
            && column >= 0 && column < params.columns_extent;
        let part = takes_part(f, along) && takes_part(a, down) && takes_part(b, across);
        let address = head_base + place(
            clamp(frame, 0, params.frames_extent - 1),
            clamp(row, 0, params.rows_extent - 1),
            clamp(column, 0, params.columns_extent - 1),
        );
        var dot = 0.0;
        var relative = 0.0;
        for (var c = 0u; c < params.head_dim; c += 1u) {
            let channel = f32(q[query + c * pixels]);
            dot += channel * select(0.0, f32(k[address + c * pixels]), inside);
            if RELATIVE == 1u {
                let m = first_row + c;
                if m >= params.frame_table_begin && m < params.frame_table_end {
                    let at = (m - params.frame_table_begin) * table_entries(params.frames_keys);
                    relative += channel * f32(frame_table[at + table_entry(f, along, params.frames_keys)]);
                }
                if m >= params.row_table_begin && m < params.row_table_end {
                    let at = (m - params.row_table_begin) * table_entries(params.rows_keys);
                    relative += channel * f32(row_table[at + table_entry(a, down, params.rows_keys)]);
                }
                if m >= params.column_table_begin && m < params.column_table_end {
                    let at = (m - params.column_table_begin) * table_entries(params.columns_keys);
                    relative += channel * f32(column_table[at + table_entry(b, across, params.columns_keys)]);
                }
            }
        }
        if RELATIVE == 2u {
            let bias_frame = i32(head) * (2 * params.frames_keys - 1) + bias_entry(f, along, params.frames_keys);
            let bias_row = bias_frame * (2 * params.rows_keys - 1) + bias_entry(a, down, params.rows_keys);
            relative = f32(row_table[u32(bias_row * (2 * params.columns_keys - 1) + bias_entry(b, across, params.columns_keys))]);
        }
        // A key outside the tensor is zero for any query, even an infinite one.
        var score = params.scale * select(0.0, dot, inside);
        if RELATIVE != 0u {
            score += params.relative_scale * relative;
        }
        let bits = bitcast<u32>(score);
        let infinite = (bits & 0x7f800000u) == 0x7f800000u;
        if part && infinite && bits != MINUS_INFINITY {
            atomicStore(&wg_poisoned, 1u);
        }
        score = select(NONE, 0.5 * score, part && !infinite);
        weights[out + entry] = score;
        largest = max(largest, score);
    }
    largest = reduce(index, largest, true);

    var total = 0.0;
    for (var entry = index; entry < entries; entry += SIZE) {
        let score = weights[out + entry];
        let weight = select(exp(2.0 * (score - largest)), 0.0, score == NONE);
        weights[out + entry] = weight;
        total += weight;
    }
    total = reduce(index, total, false);

    let poisoned = atomicLoad(&wg_poisoned) == 1u;
    for (var entry = index; entry < entries; entry += SIZE) {
        let share = select(weights[out + entry] / total, 0.0, total == 0.0);
        weights[out + entry] = bitcast<f32>(select(bitcast<u32>(share), 0x7fc00000u, poisoned));
    }
}
