// Windowed attention: softmax attention of every query pixel to the keys of its own window, for each head.
//
//   score(a, b) = scale * q . k(a, b)  [+ relative_scale * q . (row(a) + column(b))]  [+ relative_scale * bias(g, dr, dc)]
//   y           = sum over (a, b) of softmax(score)(a, b) * v(a, b)
//
// Source    Ramachandran et al. 2019, arXiv:1906.05909, Eqs. 2 and 3; NATTEN, arXiv:2204.07143, for `shift` and the bias table
// Host      src/ops/window_attention/mod.rs        Reference  src/reference/window_attention.rs
// Shapes    q, k, v [n, g*d, h, w] -> y [n, g*d, ho, wo], log_sum_exp [n, g, ho, wo] f32, dense
//           row [d/2 or c/2, kh], column [d/2 or c/2, kw]; or bias [g, 2kh-1, 2kw-1] instead of row
// Grid      x: ceil(tiles * wo / TEAM), y: chunks of channels, z: one head of one image;
//           SPLIT invocations share four queries, with LENGTH channels each
// Numerics  online softmax in f32, rescaled once per block; a NaN or +infinite logit gives NaN, a query without keys gives zeros
// Uses      `window_axis` of shared/window.wgsl
// Needs     f16 variants: SHADER_F16
//
// Loads take most of the time, on software adapters and on GPUs alike. The four queries of an invocation lie in one column, spaced so that
// their windows share rows of keys. Stride and dilation fix the spacing. A block of 4 * BLOCKS keys in a column is therefore loaded once
// for all four. Neighbouring invocations read neighbouring pixels, along whole rows: a GPU needs one pass for each cache line that a load
// touches. Vectors hold the four queries.
// A GPU keeps 16 sums in registers if the loops over the sums have a constant count. Deeper heads are split among SPLIT invocations, which
// add up their shares of the logits in workgroup memory. On a software adapter a barrier costs more than computing the logits again for
// every chunk of LENGTH channels. Row terms belong to the rows of a block. Rows are therefore the outer loop, and the row terms stay in
// registers too.

// 0 none, 1 row and column tables, 2 bias table: `RelativePosition` in the host.
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
    height: i32,
    width: i32,
    out_height: u32,
    out_width: u32,
    window_height: i32,
    window_width: i32,
    // Upper bound on the rows of keys that the windows of four queries cover together.
    union_height: i32,
    dilation_height: i32,
    dilation_width: i32,
    stride_height: i32,
    stride_width: i32,
    // Rows of queries that share rows of keys are `classes` apart. A class has `tiles` invocations in each column.
    classes: u32,
    tiles: u32,
    // 0 zero, 1 mask, 2 shift: `Border` in the host.
    border: u32,
    // 1: the tables span the channels of all heads, and the first half of these channels uses the row table.
    whole_channel: u32,
    scale: f32,
    relative_scale: f32,
    // A power of two that scales the sum of the window's weights to at most 1.
    shrink: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<Inner>;
@group(0) @binding(2) var<storage, read> k: array<Inner>;
@group(0) @binding(3) var<storage, read> v: array<Inner>;
@group(0) @binding(4) var<storage, read> row_table: array<Element>;
@group(0) @binding(5) var<storage, read> column_table: array<Element>;
@group(0) @binding(6) var<storage, read_write> y: array<Element>;
@group(0) @binding(7) var<storage, read_write> log_sum_exp: array<f32>;

// Every invocation's shares of the logits of four keys. Two buffers alternate, so that one barrier per exchange is enough.
var<workgroup> wg_shares: array<vec4<f32>, 2u * EXCHANGED>;

// Marks a key that is left out. Logits are stored halved: every finite one is then above this mark, and the difference of two does not
// overflow. Halving and doubling are exact.
const NONE = -3.4028234e38;
const MINUS_INFINITY = 0xff800000u;

// Four keys of one column, one dilation step apart.
struct Keys {
    address: vec4<u32>,
    inside: vec4<bool>,
}

fn keys(first: i32, column: i32) -> Keys {
    let row = first + vec4<i32>(0, 1, 2, 3) * params.dilation_height;
    let inside = (row >= vec4<i32>(0)) & (row < vec4<i32>(params.height)) & vec4<bool>(column >= 0 && column < params.width);
    let near = clamp(row, vec4<i32>(0), vec4<i32>(params.height - 1));
    return Keys(vec4<u32>(near * params.width + clamp(column, 0, params.width - 1)), inside);
}

// For a key outside the image, `key` and `value` read a pixel at the border. The logits and weights make that key count as zero.
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

// The row table's part of the logits of four keys, over a range of channels, for the four queries at the addresses `queries`.
fn row_terms(queries: vec4<u32>, entry: vec4<i32>, channels: vec2<u32>, first_row: u32) -> mat4x4<f32> {
    let kh = u32(params.window_height);
    let last = vec4<i32>(params.window_height - 1);
    let e0 = vec4<u32>(clamp(entry, vec4<i32>(0), last));
    let e1 = vec4<u32>(clamp(entry + 1, vec4<i32>(0), last));
    let e2 = vec4<u32>(clamp(entry + 2, vec4<i32>(0), last));
    let e3 = vec4<u32>(clamp(entry + 3, vec4<i32>(0), last));
    let pixels = u32(params.height * params.width);
    var terms = mat4x4<f32>();
    for (var c = channels.x; c < channels.y; c += 1u) {
        let channel = query(queries + c * pixels);
        let row = (first_row + c) * kh;
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

// Whether a row of keys belongs to the window of each query. `entry` is the row's index in that window.
fn used(entry: vec4<i32>) -> vec4<bool> {
    return vec4<u32>(entry) < vec4<u32>(u32(params.window_height));
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

// The weights of the values. Values outside the image get zero weight.
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
    // A key outside the image is zero for any query, even an infinite one.
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

// The logits of one key for the four queries, divided by 2. They are NONE for a key that takes no part.
fn logit(share: vec4<f32>, bias: vec4<i32>, entry: vec4<i32>, inside: bool) -> vec4<f32> {
    var score = share;
    if RELATIVE == 2u {
        let a = clamp(entry, vec4<i32>(0), vec4<i32>(params.window_height - 1));
        score += params.relative_scale * embedding(vec4<u32>(bias + a * (2 * params.window_width - 1)));
    }
    let part = used(entry) & vec4<bool>(params.border != 1u || inside);
    let infinite = not_finite(score);
    poisoned = poisoned | (part & infinite & (bitcast<vec4<u32>>(score) != vec4<u32>(MINUS_INFINITY)));
    return select(vec4<f32>(NONE), 0.5 * score, part & !infinite);
}

fn logits(shares: mat4x4<f32>, bias: vec4<i32>, entry: vec4<i32>, inside: vec4<bool>) -> mat4x4<f32> {
    return mat4x4<f32>(
        logit(shares[0], bias, entry, inside.x),
        logit(shares[1], bias, entry + 1, inside.y),
        logit(shares[2], bias, entry + 2, inside.z),
        logit(shares[3], bias, entry + 3, inside.w),
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
    let tile = slot / params.out_width;
    let out_column = slot - tile * params.out_width;
    let chunk = (params.origin_y + group.y) * LENGTH;
    let class_index = tile / params.tiles;
    let first_query = tile % params.tiles * 4u;
    let queries = (params.out_height - class_index + params.classes - 1u) / params.classes;
    // The other invocations only take part in the barriers. They process no rows.
    let working = class_index < params.classes && first_query < queries;
    // Rows beyond the last query repeat that query. The copies are not written.
    let out_row = class_index + min(vec4<u32>(first_query) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(queries - 1u)) * params.classes;
    let row = vec4<i32>(out_row) * params.stride_height;
    let column = i32(out_column) * params.stride_width;
    let axis_x = window_axis(row.x, params.height, params.window_height, params.dilation_height);
    let axis_y = window_axis(row.y, params.height, params.window_height, params.dilation_height);
    let axis_z = window_axis(row.z, params.height, params.window_height, params.dilation_height);
    let axis_w = window_axis(row.w, params.height, params.window_height, params.dilation_height);
    let across = window_axis(column, params.width, params.window_width, params.dilation_width);
    // Rows of keys are numbered from the first row of the first query's window. Entry 0 of each window is row `start`.
    let start = (vec4<i32>(axis_x.first, axis_y.first, axis_z.first, axis_w.first) - axis_x.first) / params.dilation_height;
    let rows = select(0, start.w + params.window_height, working);

    let pixels = u32(params.height * params.width);
    let first_channel = group.z * params.head_dim;
    let head = (params.plane + group.z) % params.heads;
    // This invocation accumulates the channels from `own` on. It adds the products of the range `channels` to the logits.
    let own = chunk + local.z * LENGTH;
    let sums = min(max(params.head_dim, own) - own, LENGTH);
    let first_sum = first_channel + select(own, 0u, sums == 0u);
    let channels = select(vec2<u32>(0u, params.head_dim), vec2<u32>(own, own + sums), SPLIT > 1u);

    let query_address = vec4<u32>(row * params.width + column) + params.q_base + first_channel * pixels;
    // WGSL initialises this array to zeros.
    var sum: array<vec4<f32>, LENGTH>;

    // The tables' first row for this head, and how many of its channels use the row table.
    let half = select(params.head_dim, params.heads * params.head_dim, params.whole_channel == 1u) / 2u;
    let first_row = select(0u, head * params.head_dim, params.whole_channel == 1u);
    let by_row = min(max(half, first_row) - first_row, params.head_dim);
    let row_channels = min(channels, vec2<u32>(by_row));
    let column_channels = max(channels, vec2<u32>(by_row));
    // The bias of entry (a, b) is at `bias + a * (2kw - 1) + b`.
    let bias_rows = i32(head) * (2 * params.window_height - 1) + vec4<i32>(axis_x.offset, axis_y.offset, axis_z.offset, axis_w.offset);
    let bias_first = bias_rows * (2 * params.window_width - 1) + across.offset;

    var largest = vec4<f32>(NONE);
    var total = vec4<f32>(0.0);
    poisoned = vec4<bool>(false);
    var turn = 0u;

    for (var e = 0; e < params.union_height; e += i32(4u * BLOCKS)) {
        let needed = e < rows;
        let entry0 = e - start;
        let entry1 = entry0 + 4;
        let entry2 = entry0 + 8;
        let first = axis_x.first + e * params.dilation_height;
        var rows0 = mat4x4<f32>();
        var rows1 = mat4x4<f32>();
        var rows2 = mat4x4<f32>();
        if RELATIVE == 1u && needed {
            rows0 = row_terms(query_address, entry0, row_channels, first_row);
            if BLOCKS > 1u { rows1 = row_terms(query_address, entry1, row_channels, first_row); }
            if BLOCKS > 2u { rows2 = row_terms(query_address, entry2, row_channels, first_row); }
        }
        for (var b = 0; b < params.window_width; b += 1) {
            let key_column = across.first + b * params.dilation_width;
            let at0 = keys(first, key_column);
            let at1 = keys(first + 4 * params.dilation_height, key_column);
            let at2 = keys(first + 8 * params.dilation_height, key_column);
            var score0 = mat4x4<f32>();
            var score1 = mat4x4<f32>();
            var score2 = mat4x4<f32>();
            if needed {
                var column_term = vec4<f32>(0.0);
                if RELATIVE == 1u {
                    for (var c = column_channels.x; c < column_channels.y; c += 1u) {
                        column_term += query(query_address + c * pixels) * f32(column_table[(first_row + c - half) * u32(params.window_width) + u32(b)]);
                    }
                }
                for (var c = channels.x; c < channels.y; c += 1u) {
                    let plane = params.k_base + (first_channel + c) * pixels;
                    let channel = query(query_address + c * pixels);
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
                let bias = bias_first + b;
                let before = largest;
                score0 = logits(score0, bias, entry0, at0.inside);
                largest = max(largest, largest_of(score0));
                if BLOCKS > 1u {
                    score1 = logits(score1, bias, entry1, at1.inside);
                    largest = max(largest, largest_of(score1));
                }
                if BLOCKS > 2u {
                    score2 = logits(score2, bias, entry2, at2.inside);
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
                        let plane = params.v_base + (first_sum + c) * pixels;
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
    if !working {
        return;
    }

    let nan = vec4<u32>(0x7fc00000u);
    let empty = (total == vec4<f32>(0.0)) & !poisoned;
    let written = vec4<u32>(first_query) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(queries);
    let out_pixels = params.out_height * params.out_width;
    let out = out_row * params.out_width + out_column;
    {
        var c = 0u;
        loop {
            if c < sums {
                let mean = select(sum[c] / total, vec4<f32>(0.0), empty);
                let result = bitcast<vec4<f32>>(select(bitcast<vec4<u32>>(mean), nan, poisoned));
                let i = params.y_base + (first_sum + c) * out_pixels + out;
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
        let i = params.log_sum_exp_base + group.z * out_pixels + out;
        log_sum_exp[i.x] = result.x;
        if written.y { log_sum_exp[i.y] = result.y; }
        if written.z { log_sum_exp[i.z] = result.z; }
        if written.w { log_sum_exp[i.w] = result.w; }
    }
}
