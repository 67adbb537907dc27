// Windowed attention: softmax attention of every query to the keys of its own window over frames, rows and columns, for each head.
//
//   score(f, a, b) = scale * q . k(f, a, b)  [+ relative_scale * q . (frame(f) + row(a) + column(b))]  [+ relative_scale * bias(g, df, dr, dc)]
//   y              = sum over (f, a, b) of softmax(score)(f, a, b) * v(f, a, b)
//
// Source    Ramachandran et al. 2019, arXiv:1906.05909, Eqs. 2 and 3; NATTEN, arXiv:2204.07143, for `shift` and the bias table
// Host      src/ops/window_attention/mod.rs        Reference  src/reference/window_attention.rs
// Shapes    q, k [n, g*d, t, h, w], v [n, g*dv, t, h, w] -> y [n, g*dv, to, ho, wo], log_sum_exp [n, g, to, ho, wo] f32, dense
//           frame [channels, kt or 2kt-1], row and column alike; or bias [g, 2kt-1, 2kh-1, 2kw-1] instead of row
// Grid      x: ceil(classes * tiles * wo / TEAM), y: chunks of channels for each frame of queries, z: one head of one image;
//           SPLIT invocations share four queries, with LENGTH channels of the values each
// Numerics  online softmax in f32, rescaled once per block; a NaN or +infinite logit gives NaN, a query without keys gives zeros
// Uses      `frames_axis`, `rows_axis`, `columns_axis`, `window_axis` of shared/window.wgsl
// Needs     f16 variants: SHADER_F16
//
// Loads take most of the time, on software adapters and on GPUs alike. The four queries of an invocation lie in one column, spaced so that
// their windows share rows of keys. Stride and dilation fix the spacing. The four lie in one group. A block of 4 * BLOCKS keys in a column
// is therefore loaded once for all four. Neighbouring invocations read neighbouring pixels, along whole rows: a GPU needs one pass for each
// cache line that a load touches. Vectors hold the four queries.
// Queries in a column share no keys if windows have one row. The host then exchanges rows and columns.
// A GPU keeps 16 sums in registers if the loops over the sums have a constant count. Deeper heads are split among SPLIT invocations, which
// add up their shares of the logits in workgroup memory. On a software adapter a barrier costs more than computing the logits again for
// every chunk of LENGTH channels. Row terms belong to the rows of a block. Rows are therefore outside of columns, and the row terms stay in
// registers too. Frames are the outermost loop, since all queries of a workgroup lie in one frame.

// 0 none, 1 tables of the axes, 2 bias table: `RelativePosition` in the host.
override RELATIVE: u32 = 0u;
// A block has 4 * BLOCKS keys. BLOCKS is 1 to 3.
override BLOCKS: u32 = 2u;
// How many invocations share the channels of four queries. Each has at most LENGTH channels, or none. 1 needs no barrier. Values above 1
// require BLOCKS = 1.
override SPLIT: u32 = 1u;
override TEAM: u32 = 64u / SPLIT;
// How many vectors a workgroup exchanges at a time: 4 per invocation, if it exchanges any.
override EXCHANGED: u32 = select(1u, 256u, SPLIT > 1u);

struct Params {
    origin_x: u32,
    origin_y: u32,
    q_base: u32,
    k_base: u32,
    v_base: u32,
    y_base: u32,
    log_sum_exp_base: u32,
    with_log_sum_exp: u32,
    // The first plane of the dispatch. A plane is one head of one image, counted through the batch.
    plane: u32,
    heads: u32,
    head_dim: u32,
    value_dim: u32,
    // Chunks of the values' channels. The workgroups of a frame of queries follow each other.
    chunks: u32,
    // Channels of queries and keys that each of SPLIT invocations multiplies.
    share: u32,
    // The frame of the first query, counted as the frames of keys are.
    first_frame: u32,
    // Frame f of keys and values is in slot f % slots. A stream keeps the last frames only.
    slots: u32,
    // The first plane of the bindings of keys and values.
    key_plane: u32,
    // Elements from one channel, frame, row and column to the next. Keys and values have frames of their own.
    channel_stride: u32,
    frame_stride: u32,
    key_frame_stride: u32,
    value_frame_stride: u32,
    row_stride: u32,
    column_stride: u32,
    out_height: u32,
    out_width: u32,
    out_channel_stride: u32,
    out_frame_stride: u32,
    out_row_stride: u32,
    out_column_stride: u32,
    // Indices from one of four queries in a column to the next.
    query_step: i32,
    // Upper bound on the rows of keys that the windows of four queries cover together.
    union_rows: i32,
    // Rows of queries that share rows of keys are `classes` apart. A class has `tiles` invocations in each column, and each group of
    // `group_queries` queries has `group_tiles` of them.
    classes: u32,
    tiles: u32,
    group_queries: u32,
    group_tiles: u32,
    // Queries of the first group that lie before the axis.
    group_lead: u32,
    // 1: neighbouring invocations take neighbouring tiles of one column. 0: neighbouring columns.
    along_rows: u32,
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
    // A power of two that scales the sum of the window's weights to at most 1.
    shrink: f32,
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
@group(0) @binding(3) var<storage, read> v: array<Inner>;
@group(0) @binding(4) var<storage, read> frame_table: array<Element>;
@group(0) @binding(5) var<storage, read> row_table: array<Element>;
@group(0) @binding(6) var<storage, read> column_table: array<Element>;
@group(0) @binding(7) var<storage, read_write> y: array<Element>;
@group(0) @binding(8) var<storage, read_write> log_sum_exp: array<f32>;

// Every invocation's shares of the logits of four keys. Two buffers alternate, so that one barrier per exchange is enough.
var<workgroup> wg_shares: array<vec4<f32>, 2u * EXCHANGED>;

// Marks a key that is left out. Logits are stored halved: every finite one is then above this mark, and the difference of two does not
// overflow. Halving and doubling are exact.
const NONE = -3.4028234e38;
const MINUS_INFINITY = 0xff800000u;

const QUERY = vec4<i32>(0, 1, 2, 3);

// Four keys of one column, one dilation step apart: where they are, whether they are inside, and whether their rows take part.
struct Keys {
    address: vec4<u32>,
    inside: vec4<bool>,
    part: vec4<bool>,
}

// `address` and `across` are those of the column: where its first key is, and whether the column is inside.
fn keys(first: i32, address: u32, across: bool) -> Keys {
    let row = first + vec4<i32>(0, 1, 2, 3) * params.rows_dilation;
    let inside = (row >= vec4<i32>(0)) & (row < vec4<i32>(params.rows_extent));
    let part = vec4<bool>(params.rows_border == 0u) | inside;
    let near = clamp(row, vec4<i32>(0), vec4<i32>(params.rows_extent - 1));
    return Keys(address + vec4<u32>(near) * params.row_stride, inside & vec4<bool>(across), part);
}

// For a key outside the tensor, `key` and `value` read a position at the border. The logits and weights make that key count as zero.
fn key(plane: u32, at: Keys) -> vec4<f32> {
    let i = at.address + plane;
    return vec4<f32>(f32(k[i.x]), f32(k[i.y]), f32(k[i.z]), f32(k[i.w]));
}

fn value(plane: u32, at: Keys) -> vec4<f32> {
    let i = at.address + plane;
    return vec4<f32>(f32(v[i.x]), f32(v[i.y]), f32(v[i.z]), f32(v[i.w]));
}

fn query(at: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(f32(q[at.x]), f32(q[at.y]), f32(q[at.z]), f32(q[at.w]));
}

// Here and below, the columns of a matrix are keys and its rows are queries.
fn products(channel: vec4<f32>, at: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(channel * at.x, channel * at.y, channel * at.z, channel * at.w);
}

// The row table's part of the logits of four keys, over a range of channels, for the four queries at the addresses `queries`. `entry` and
// `row` are those of the first key.
fn row_terms(queries: vec4<u32>, entry: vec4<i32>, row_of_key: i32, channels: vec2<u32>, first_row: u32) -> mat4x4<f32> {
    let entries = table_entries(params.rows_keys);
    let last = vec4<i32>(entries - 1);
    let at = select(entry, row_offsets(row_of_key), params.by_offset == 1u);
    let e0 = vec4<u32>(clamp(at, vec4<i32>(0), last));
    let e1 = vec4<u32>(clamp(at + 1, vec4<i32>(0), last));
    let e2 = vec4<u32>(clamp(at + 2, vec4<i32>(0), last));
    let e3 = vec4<u32>(clamp(at + 3, vec4<i32>(0), last));
    var terms = mat4x4<f32>();
    for (var c = channels.x; c < channels.y; c += 1u) {
        let channel = query(queries + c * params.channel_stride);
        let row = (first_row + c - params.row_table_begin) * u32(entries);
        terms += mat4x4<f32>(
            channel * embedding(row + e0), channel * embedding(row + e1),
            channel * embedding(row + e2), channel * embedding(row + e3),
        );
    }
    return terms;
}

fn embedding(at: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(f32(row_table[at.x]), f32(row_table[at.y]), f32(row_table[at.z]), f32(row_table[at.w]));
}

// Entries of the table of an axis.
fn table_entries(keys: i32) -> i32 {
    return select(keys, 2 * keys - 1, params.by_offset == 1u);
}

// The entry of an axis's table, for an entry of a window.
fn table_entry(entry: i32, window: Window, keys: i32) -> u32 {
    let at = select(entry, entry + window.offset, params.by_offset == 1u);
    return u32(clamp(at, 0, table_entries(keys) - 1));
}

// The channels of this head that are in the table from `begin` to `end`, and among the channels that this invocation multiplies.
fn channels_of_table(begin: u32, end: u32, first_row: u32, channels: vec2<u32>) -> vec2<u32> {
    let of_head = clamp(vec2<u32>(begin, end), vec2<u32>(first_row), vec2<u32>(first_row + params.head_dim)) - first_row;
    return clamp(of_head, vec2<u32>(channels.x), vec2<u32>(channels.y));
}

// The first query's window: its entries, which end at the query in a causal group, and the offset of entry 0. The other three windows follow
// from these two numbers, which spares registers.
var<private> rows_entries: i32;
var<private> rows_offset: i32;

// Whether a row of keys belongs to the window of each query. `entry` is the row's index in that window. In a causal group, every query has
// one entry more than the query before it.
fn used(entry: vec4<i32>) -> vec4<bool> {
    return vec4<u32>(entry) < vec4<u32>(min(vec4<i32>(rows_entries) + QUERY, vec4<i32>(params.rows_keys)));
}

// The offset of a row of keys from each query, as an index of a table. Rows of keys are numbered from the first query's window.
fn row_offsets(row: i32) -> vec4<i32> {
    return row + rows_offset - QUERY * params.query_step;
}

// A value outside a query's window must not reach the query's sum, not even as 0 * NaN. If all numbers are finite, the product of matrix
// and vector gives the same sum at a lower cost.
fn weighted(weight: mat4x4<f32>, at: vec4<f32>, entry: vec4<i32>, inside: vec4<bool>) -> vec4<f32> {
    let none = vec4<f32>(0.0);
    return select(none, weight[0] * at.x, used(entry) & vec4<bool>(inside.x))
        + select(none, weight[1] * at.y, used(entry + 1) & vec4<bool>(inside.y))
        + select(none, weight[2] * at.z, used(entry + 2) & vec4<bool>(inside.z))
        + select(none, weight[3] * at.w, used(entry + 3) & vec4<bool>(inside.w));
}

// The weights of the values. Values outside the tensor get zero weight.
fn within(weight: mat4x4<f32>, inside: vec4<bool>) -> mat4x4<f32> {
    let kept = select(vec4<f32>(0.0), vec4<f32>(1.0), inside);
    return mat4x4<f32>(weight[0] * kept.x, weight[1] * kept.y, weight[2] * kept.z, weight[3] * kept.w);
}

// Which components are infinite or NaN.
fn not_finite(term: vec4<f32>) -> vec4<bool> {
    let exponent = vec4<u32>(0x7f800000u);
    return (bitcast<vec4<u32>>(term) & exponent) == exponent;
}

var<private> poisoned: vec4<bool>;

// The logit of one key for each of the four queries, without the bias. With SPLIT above 1, one invocation's share of that logit.
fn share(dot: vec4<f32>, relative_term: vec4<f32>, inside: bool) -> vec4<f32> {
    // A key outside the tensor is zero for any query, even an infinite one.
    var score = params.scale * select(vec4<f32>(0.0), dot, inside);
    if RELATIVE == 1u {
        score += params.relative_scale * relative_term;
    }
    return score;
}

fn shares(dots: mat4x4<f32>, rows: mat4x4<f32>, column: vec4<f32>, inside: vec4<bool>) -> mat4x4<f32> {
    return mat4x4<f32>(
        share(dots[0], rows[0] + column, inside.x),
        share(dots[1], rows[1] + column, inside.y),
        share(dots[2], rows[2] + column, inside.z),
        share(dots[3], rows[3] + column, inside.w),
    );
}

// The sum of the shares of all invocations of the same queries. Every invocation adds them in the same order.
fn exchanged(own: mat4x4<f32>, index: u32, turn: u32) -> mat4x4<f32> {
    let first = turn * EXCHANGED;
    for (var key = 0u; key < 4u; key += 1u) {
        wg_shares[first + key * 64u + index] = own[key];
    }
    workgroupBarrier();
    var sum = mat4x4<f32>();
    for (var at = first + index % TEAM; at < first + 64u; at += TEAM) {
        sum += mat4x4<f32>(wg_shares[at], wg_shares[at + 64u], wg_shares[at + 128u], wg_shares[at + 192u]);
    }
    return sum;
}

// The logits of one key for the four queries, divided by 2. They are NONE for a key that takes no part. `bias` is the first row's element
// of the bias table, and `part` says whether row and column of the key take part.
fn logit(share: vec4<f32>, bias: i32, entry: vec4<i32>, row: i32, part: bool) -> vec4<f32> {
    var score = share;
    if RELATIVE == 2u {
        let offset = clamp(row_offsets(row), vec4<i32>(0), vec4<i32>(2 * params.rows_keys - 2));
        score += params.relative_scale * embedding(vec4<u32>(bias + offset * (2 * params.columns_keys - 1)));
    }
    let taken = used(entry) & vec4<bool>(part);
    let infinite = not_finite(score);
    poisoned = poisoned | (taken & infinite & (bitcast<vec4<u32>>(score) != vec4<u32>(MINUS_INFINITY)));
    return select(vec4<f32>(NONE), 0.5 * score, taken & !infinite);
}

fn logits(shares: mat4x4<f32>, bias: i32, entry: vec4<i32>, row: i32, part: vec4<bool>) -> mat4x4<f32> {
    return mat4x4<f32>(
        logit(shares[0], bias, entry, row, part.x),
        logit(shares[1], bias, entry + 1, row + 1, part.y),
        logit(shares[2], bias, entry + 2, row + 2, part.z),
        logit(shares[3], bias, entry + 3, row + 3, part.w),
    );
}

fn largest_of(scores: mat4x4<f32>) -> vec4<f32> {
    return max(max(scores[0], scores[1]), max(scores[2], scores[3]));
}

// With `shrink` the weights add up to at most 1, so the sum of weighted values does not overflow unless their mean does.
fn weight(score: vec4<f32>, largest: vec4<f32>) -> vec4<f32> {
    return select(exp(2.0 * (score - largest)) * params.shrink, vec4<f32>(0.0), score == vec4<f32>(NONE));
}

fn weights(scores: mat4x4<f32>, largest: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(
        weight(scores[0], largest), weight(scores[1], largest), weight(scores[2], largest), weight(scores[3], largest),
    );
}

@compute @workgroup_size(TEAM, 1, SPLIT)
fn window_attention(
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let slot = (params.origin_x + group.x) * TEAM + local.x;
    var tile = slot / params.out_width;
    var out_column = slot - tile * params.out_width;
    if params.along_rows == 1u {
        out_column = slot / (params.classes * params.tiles);
        tile = slot - out_column * params.classes * params.tiles;
    }
    let out_frame = (params.origin_y + group.y) / params.chunks;
    let chunk = (params.origin_y + group.y - out_frame * params.chunks) * SPLIT * LENGTH;

    // Most windows have one class and one group.
    var class_index = tile;
    var class_tile = 0u;
    if params.tiles > 1u {
        class_index = tile / params.tiles;
        class_tile = tile - class_index * params.tiles;
    }
    var queries = params.out_height;
    if params.classes > 1u {
        queries = (params.out_height - class_index + params.classes - 1u) / params.classes;
    }
    var group_index = 0u;
    if params.tiles > params.group_tiles {
        group_index = class_tile / params.group_tiles;
    }
    let group_begin = group_index * params.group_queries;
    let group_end = min(group_begin + params.group_queries - params.group_lead, queries);
    let first_query = max(group_begin, params.group_lead) - params.group_lead + (class_tile - group_index * params.group_tiles) * 4u;
    // The other invocations only take part in the barriers. They process no rows.
    let working = class_index < params.classes && out_column < params.out_width && first_query < group_end;
    // Rows beyond the last query of the group repeat that query. The copies are not written.
    let query_index = vec4<u32>(first_query) + vec4<u32>(0u, 1u, 2u, 3u);
    let out_row = class_index + min(query_index, vec4<u32>(group_end - 1u)) * params.classes;
    let row = vec4<i32>(out_row);
    let rows_x = window_axis(row.x, rows_axis());
    let rows_y = window_axis(row.y, rows_axis());
    let rows_z = window_axis(row.z, rows_axis());
    let rows_w = window_axis(row.w, rows_axis());
    let across = window_axis(i32(out_column), columns_axis());
    let along = window_axis(i32(params.first_frame + out_frame), frames_axis());
    rows_entries = rows_x.entries;
    rows_offset = rows_x.offset;
    // Rows of keys are numbered from the first row of the first query's window. Entry 0 of each window is row `start`.
    var start = vec4<i32>(rows_x.first, rows_y.first, rows_z.first, rows_w.first) - rows_x.first;
    if params.rows_dilation > 1 {
        start /= params.rows_dilation;
    }
    let rows = select(0, start.w + params.rows_keys, working);

    let first_channel = group.z * params.head_dim;
    let first_key = (params.key_plane + group.z) * params.head_dim;
    let first_value = (params.key_plane + group.z) * params.value_dim;
    let first_output = group.z * params.value_dim;
    let head = (params.plane + group.z) % params.heads;
    // This invocation accumulates the channels of the values from `own` on. It adds the products of the range `channels` to the logits.
    let own = chunk + local.z * LENGTH;
    let sums = min(max(params.value_dim, own) - own, LENGTH);
    let own_values = select(own, 0u, sums == 0u);
    let shared_channels = min(vec2<u32>(local.z, local.z + 1u) * params.share, vec2<u32>(params.head_dim));
    let channels = select(vec2<u32>(0u, params.head_dim), shared_channels, SPLIT > 1u);

    let query_place = out_frame * u32(params.frames_stride) * params.frame_stride
        + out_row * u32(params.rows_stride) * params.row_stride
        + out_column * u32(params.columns_stride) * params.column_stride;
    let query_address = query_place + params.q_base + first_channel * params.channel_stride;
    // WGSL initialises this array to zeros.
    var sum: array<vec4<f32>, LENGTH>;

    // The first channel of this head in the tables.
    let first_row = select(0u, head * params.head_dim, params.whole_channel == 1u);
    let frame_channels = channels_of_table(params.frame_table_begin, params.frame_table_end, first_row, channels);
    let row_channels = channels_of_table(params.row_table_begin, params.row_table_end, first_row, channels);
    let column_channels = channels_of_table(params.column_table_begin, params.column_table_end, first_row, channels);

    var largest = vec4<f32>(NONE);
    var total = vec4<f32>(0.0);
    poisoned = vec4<bool>(false);
    var turn = 0u;

    // Frames that take part are the same for all queries of a workgroup.
    for (var f = along.begin; f < along.end; f += 1) {
        let frame = along.first + f * params.frames_dilation;
        let frame_inside = frame >= 0 && frame < params.frames_extent;
        let slot_of_frame = u32(clamp(frame, 0, params.frames_extent - 1)) % params.slots;
        let keys_base = params.k_base + slot_of_frame * params.key_frame_stride;
        let values_base = params.v_base + slot_of_frame * params.value_frame_stride;
        let frame_row = (i32(head) * (2 * params.frames_keys - 1) + f + along.offset) * (2 * params.rows_keys - 1);
        let frame_bias = frame_row * (2 * params.columns_keys - 1);
        for (var e = 0; e < params.union_rows; e += i32(4u * BLOCKS)) {
            let needed = e < rows;
            let entry0 = e - start;
            let entry1 = entry0 + 4;
            let entry2 = entry0 + 8;
            let first = rows_x.first + e * params.rows_dilation;
            var rows0 = mat4x4<f32>();
            var rows1 = mat4x4<f32>();
            var rows2 = mat4x4<f32>();
            if RELATIVE == 1u && needed {
                rows0 = row_terms(query_address, entry0, e, row_channels, first_row);
                if BLOCKS > 1u { rows1 = row_terms(query_address, entry1, e + 4, row_channels, first_row); }
                if BLOCKS > 2u { rows2 = row_terms(query_address, entry2, e + 8, row_channels, first_row); }
                if frame_channels.x < frame_channels.y {
                    // The frame's term is added to those of its rows. It would take registers in the loop over columns.
                    var frame_term = vec4<f32>(0.0);
                    let entry = table_entry(f, along, params.frames_keys);
                    let entries = u32(table_entries(params.frames_keys));
                    for (var c = frame_channels.x; c < frame_channels.y; c += 1u) {
                        let embedding = f32(frame_table[(first_row + c - params.frame_table_begin) * entries + entry]);
                        frame_term += query(query_address + c * params.channel_stride) * embedding;
                    }
                    let terms = mat4x4<f32>(frame_term, frame_term, frame_term, frame_term);
                    rows0 += terms;
                    if BLOCKS > 1u { rows1 += terms; }
                    if BLOCKS > 2u { rows2 += terms; }
                }
            }
            for (var b = 0; b < params.columns_keys; b += 1) {
                let column = across.first + b * params.columns_dilation;
                let near = u32(clamp(column, 0, params.columns_extent - 1));
                let address = near * params.column_stride;
                // A column that the border leaves out reaches no sum, not even as 0 * NaN.
                let part = b >= across.begin && b < across.end;
                let inside = part && frame_inside && column >= 0 && column < params.columns_extent;
                let at0 = keys(first, address, inside);
                let at1 = keys(first + 4 * params.rows_dilation, address, inside);
                let at2 = keys(first + 8 * params.rows_dilation, address, inside);
                var score0 = mat4x4<f32>();
                var score1 = mat4x4<f32>();
                var score2 = mat4x4<f32>();
                if needed {
                    var column_term = vec4<f32>(0.0);
                    if RELATIVE == 1u {
                        let entry = table_entry(b, across, params.columns_keys);
                        let entries = u32(table_entries(params.columns_keys));
                        for (var c = column_channels.x; c < column_channels.y; c += 1u) {
                            let embedding = f32(column_table[(first_row + c - params.column_table_begin) * entries + entry]);
                            column_term += query(query_address + c * params.channel_stride) * embedding;
                        }
                    }
                    for (var c = channels.x; c < channels.y; c += 1u) {
                        let plane = keys_base + (first_key + c) * params.channel_stride;
                        let channel = query(query_address + c * params.channel_stride);
                        score0 += products(channel, key(plane, at0));
                        if BLOCKS > 1u { score1 += products(channel, key(plane, at1)); }
                        if BLOCKS > 2u { score2 += products(channel, key(plane, at2)); }
                    }
                    score0 = shares(score0, rows0, column_term, at0.inside);
                    if BLOCKS > 1u { score1 = shares(score1, rows1, column_term, at1.inside); }
                    if BLOCKS > 2u { score2 = shares(score2, rows2, column_term, at2.inside); }
                }
                if SPLIT > 1u {
                    score0 = exchanged(score0, index, turn);
                    turn = 1u - turn;
                }
                if needed {
                    let bias = frame_bias + clamp(b + across.offset, 0, 2 * params.columns_keys - 2);
                    let before = largest;
                    score0 = logits(score0, bias, entry0, e, at0.part & vec4<bool>(part));
                    largest = max(largest, largest_of(score0));
                    if BLOCKS > 1u {
                        score1 = logits(score1, bias, entry1, e + 4, at1.part & vec4<bool>(part));
                        largest = max(largest, largest_of(score1));
                    }
                    if BLOCKS > 2u {
                        score2 = logits(score2, bias, entry2, e + 8, at2.part & vec4<bool>(part));
                        largest = max(largest, largest_of(score2));
                    }
                    let remaining = exp(2.0 * (before - largest));
                    score0 = weights(score0, largest);
                    total = total * remaining + score0[0] + score0[1] + score0[2] + score0[3];
                    score0 = within(score0, at0.inside);
                    if BLOCKS > 1u {
                        score1 = weights(score1, largest);
                        total += score1[0] + score1[1] + score1[2] + score1[3];
                        score1 = within(score1, at1.inside);
                    }
                    if BLOCKS > 2u {
                        score2 = weights(score2, largest);
                        total += score2[0] + score2[1] + score2[2] + score2[3];
                        score2 = within(score2, at2.inside);
                    }

                    var c = 0u;
                    loop {
                        // A condition would separate the loads. An invocation without channels of its own repeats another's work, and writes no
                        // result.
                        if SPLIT > 1u || c < sums {
                            let plane = values_base + (first_value + own_values + c) * params.channel_stride;
                            let value0 = value(plane, at0);
                            var value1 = vec4<f32>();
                            var value2 = vec4<f32>();
                            var term = sum[c] * remaining + score0 * value0;
                            if BLOCKS > 1u { value1 = value(plane, at1); term += score1 * value1; }
                            if BLOCKS > 2u { value2 = value(plane, at2); term += score2 * value2; }
                            if any(not_finite(term)) {
                                term = sum[c] * remaining + weighted(score0, value0, entry0, at0.inside);
                                if BLOCKS > 1u { term += weighted(score1, value1, entry1, at1.inside); }
                                if BLOCKS > 2u { term += weighted(score2, value2, entry2, at2.inside); }
                            }
                            sum[c] = term;
                        }
                        continuing { c += 1u; break if c >= LENGTH; }
                    }
                }
            }
        }
    }
    if !working {
        return;
    }

    let nan = vec4<u32>(0x7fc00000u);
    let empty = (total == vec4<f32>(0.0)) & !poisoned;
    let written = query_index < vec4<u32>(group_end);
    let out = out_frame * params.out_frame_stride + out_row * params.out_row_stride + out_column * params.out_column_stride;
    {
        var c = 0u;
        loop {
            if c < sums {
                let mean = select(sum[c] / total, vec4<f32>(0.0), empty);
                let result = bitcast<vec4<f32>>(select(bitcast<vec4<u32>>(mean), nan, poisoned));
                let i = params.y_base + (first_output + own_values + c) * params.out_channel_stride + out;
                y[i.x] = Element(result.x);
                if written.y { y[i.y] = Element(result.y); }
                if written.z { y[i.z] = Element(result.z); }
                if written.w { y[i.w] = Element(result.w); }
            }
            continuing { c += 1u; break if c >= LENGTH; }
        }
    }
    if params.with_log_sum_exp == 1u && own == 0u {
        var bits = bitcast<vec4<u32>>(2.0 * largest + log(total / params.shrink));
        bits = select(select(bits, vec4<u32>(MINUS_INFINITY), empty), nan, poisoned);
        let result = bitcast<vec4<f32>>(bits);
        let i = params.log_sum_exp_base + group.z * params.out_channel_stride + out;
        log_sum_exp[i.x] = result.x;
        if written.y { log_sum_exp[i.y] = result.y; }
        if written.z { log_sum_exp[i.z] = result.z; }
        if written.w { log_sum_exp[i.w] = result.w; }
    }
}
