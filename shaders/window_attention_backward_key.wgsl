// Windowed attention, gradients of keys and values: the walk over keys.
//
//   P(p)       = exp(score(p) - L(p))                    for each query p whose window holds the key
//   k_gradient = scale * sum over p of P(p) * (y_gradient(p) . v - D(p)) * q(p)
//   v_gradient = sum over p of P(p) * y_gradient(p)
//
// Source    chain rule of Ramachandran et al. 2019, arXiv:1906.05909, Eqs. 2 and 3
// Host      src/ops/window_attention_backward/mod.rs        Reference  src/reference/window_attention_backward.rs
// Shapes    q, k [n, g*d, t, h, w], v [n, g*dv, t, h, w], y_gradient [n, g*dv, to, ho, wo], tables [all elements] f32,
//           records [n, g, 2 + entries, to, ho, wo] f32 -> k_gradient [n, g*d, t, h, w], v_gradient [n, g*dv, t, h, w]
// Grid      x: ceil(dilation * tiles * w / 64), y: chunks of channels for each frame of keys, z: one head of one image
// Numerics  f32, in the order of the queries; a query without keys adds nothing
// Uses      `frames_axis`, `rows_axis`, `columns_axis`, `window_axis` of shared/window.wgsl
// Uses      `holders` of shared/window_holders.wgsl
// Needs     f16 variants: SHADER_F16
//
// Four keys of a column share the queries that they load. Their gradients have one owner each, so no atomics are needed.

// 0 none, 1 tables of the axes, 2 bias table: `RelativePosition` in the host.
override RELATIVE: u32 = 0u;
// A block has 4 * BLOCKS queries. BLOCKS is 1 to 3.
override BLOCKS: u32 = 2u;

struct Params {
    origin_x: u32,
    origin_y: u32,
    q_base: u32,
    k_base: u32,
    v_base: u32,
    y_gradient_base: u32,
    records_base: u32,
    k_gradient_base: u32,
    v_gradient_base: u32,
    with_k_gradient: u32,
    with_v_gradient: u32,
    // The first plane of the dispatch. A plane is one head of one image, counted through the batch.
    plane: u32,
    heads: u32,
    head_dim: u32,
    value_dim: u32,
    // Chunks of the channels. The workgroups of a frame of keys follow each other.
    chunks: u32,
    // Numbers of a record.
    fields: u32,
    channel_stride: u32,
    frame_stride: u32,
    row_stride: u32,
    column_stride: u32,
    out_channel_stride: u32,
    out_frame_stride: u32,
    out_row_stride: u32,
    out_column_stride: u32,
    // Remainders of a row modulo the dilation, and the invocations of each in a column.
    classes: u32,
    tiles: u32,
    along_rows: u32,
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
@group(0) @binding(3) var<storage, read> v: array<Inner>;
@group(0) @binding(4) var<storage, read> y_gradient: array<Element>;
@group(0) @binding(5) var<storage, read> tables: array<f32>;
@group(0) @binding(6) var<storage, read> records: array<f32>;
@group(0) @binding(7) var<storage, read_write> k_gradient: array<Inner>;
@group(0) @binding(8) var<storage, read_write> v_gradient: array<Inner>;

const MINUS_INFINITY = 0xff800000u;
const STEPS = vec4<i32>(0, 1, 2, 3);
const NOTHING = vec4<f32>(0.0);

// Four queries of one column, whose windows may hold the keys: their rows in the tensor and in the output, the entry of the first key in
// their windows, and the entries that take part. The window of a query that does not exist has no entries.
struct Queries {
    row: vec4<u32>,
    out_row: vec4<u32>,
    entry: vec4<i32>,
    begin: vec4<i32>,
    end: vec4<i32>,
    // Index of the first key in the bias table.
    offset: vec4<i32>,
}

// The entry of the key with index `key` in the window of the query with index `index`.
fn entry_of(key: i32, index: i32, window: Window, keys: i32) -> i32 {
    return key - index - window.offset + keys - 1;
}

// Queries `first` to `first + 3` of those that hold the keys.
fn queries_of(down: Holders, first: i32, key: i32) -> Queries {
    let at = min(first + STEPS, vec4<i32>(down.count - 1));
    let row = down.query + at * down.period;
    let index = down.index + at * down.step;
    let x = window_axis(row.x, rows_axis());
    let y = window_axis(row.y, rows_axis());
    let z = window_axis(row.z, rows_axis());
    let w = window_axis(row.w, rows_axis());
    let offset = key - index + params.rows_keys - 1;
    let exists = first + STEPS < vec4<i32>(down.count);
    return Queries(
        vec4<u32>(row * params.rows_stride),
        vec4<u32>(row),
        offset - vec4<i32>(x.offset, y.offset, z.offset, w.offset),
        vec4<i32>(x.begin, y.begin, z.begin, w.begin),
        select(vec4<i32>(-1), vec4<i32>(x.end, y.end, z.end, w.end), exists),
        offset,
    );
}

fn query(at: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(f32(q[at.x]), f32(q[at.y]), f32(q[at.z]), f32(q[at.w]));
}

fn upstream(at: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(f32(y_gradient[at.x]), f32(y_gradient[at.y]), f32(y_gradient[at.z]), f32(y_gradient[at.w]));
}

fn key(at: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(f32(k[at.x]), f32(k[at.y]), f32(k[at.z]), f32(k[at.w]));
}

fn value(at: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(f32(v[at.x]), f32(v[at.y]), f32(v[at.z]), f32(v[at.w]));
}

fn record(at: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(records[at.x], records[at.y], records[at.z], records[at.w]);
}

// Here and below, the columns of a matrix are queries and its rows are keys.
fn products(channel: vec4<f32>, at: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(channel * at.x, channel * at.y, channel * at.z, channel * at.w);
}

// Which of the four keys a query's window holds.
fn held(entry: i32, begin: i32, end: i32) -> vec4<bool> {
    let entries = entry + STEPS;
    return (entries >= vec4<i32>(begin)) & (entries < vec4<i32>(end));
}

// The relative terms of the four keys for one query: of the rows' table, or of the bias table.
fn terms(address: u32, entry: i32, bias: i32, offset: i32) -> vec4<f32> {
    if RELATIVE == 1u {
        let entries = clamp(entry + STEPS, vec4<i32>(0), vec4<i32>(params.rows_keys - 1));
        return record(address + vec4<u32>(entries) * params.out_channel_stride);
    }
    if RELATIVE == 2u {
        let offsets = clamp(offset + STEPS, vec4<i32>(0), vec4<i32>(2 * params.rows_keys - 2));
        let i = vec4<u32>(bias + offsets * (2 * params.columns_keys - 1));
        return vec4<f32>(tables[i.x], tables[i.y], tables[i.z], tables[i.w]);
    }
    return NOTHING;
}

fn terms_of(addresses: vec4<u32>, queries: Queries, bias: i32, others: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(
        others.x + terms(addresses.x, queries.entry.x, bias, queries.offset.x),
        others.y + terms(addresses.y, queries.entry.y, bias, queries.offset.y),
        others.z + terms(addresses.z, queries.entry.z, bias, queries.offset.z),
        others.w + terms(addresses.w, queries.entry.w, bias, queries.offset.w),
    );
}

// The softmax weights of the four keys for one query. `end` is -1 for a query without keys.
fn weight(dot: vec4<f32>, term: vec4<f32>, log_sum_exp: f32, taken: vec4<bool>) -> vec4<f32> {
    var score = params.scale * dot;
    if RELATIVE != 0u {
        score += params.relative_scale * term;
    }
    let exponent = score - log_sum_exp;
    let none = !taken | (bitcast<vec4<u32>>(exponent) == vec4<u32>(MINUS_INFINITY));
    return select(exp(exponent), NOTHING, none);
}

fn weights(dots: mat4x4<f32>, terms: mat4x4<f32>, log_sum_exp: vec4<f32>, at: Queries) -> mat4x4<f32> {
    return mat4x4<f32>(
        weight(dots[0], terms[0], log_sum_exp.x, held(at.entry.x, at.begin.x, at.end.x)),
        weight(dots[1], terms[1], log_sum_exp.y, held(at.entry.y, at.begin.y, at.end.y)),
        weight(dots[2], terms[2], log_sum_exp.z, held(at.entry.z, at.begin.z, at.end.z)),
        weight(dots[3], terms[3], log_sum_exp.w, held(at.entry.w, at.begin.w, at.end.w)),
    );
}

// The gradients of the logits, times the scale.
fn gradient(weight: vec4<f32>, product: vec4<f32>, delta: f32, taken: vec4<bool>) -> vec4<f32> {
    return select(NOTHING, weight * (product - delta) * params.scale, taken);
}

fn gradients(weights: mat4x4<f32>, values: mat4x4<f32>, delta: vec4<f32>, at: Queries) -> mat4x4<f32> {
    return mat4x4<f32>(
        gradient(weights[0], values[0], delta.x, held(at.entry.x, at.begin.x, at.end.x)),
        gradient(weights[1], values[1], delta.y, held(at.entry.y, at.begin.y, at.end.y)),
        gradient(weights[2], values[2], delta.z, held(at.entry.z, at.begin.z, at.end.z)),
        gradient(weights[3], values[3], delta.w, held(at.entry.w, at.begin.w, at.end.w)),
    );
}

// A query whose window does not hold a key must not reach the key's sum, not even as 0 * NaN. If all numbers are finite, the product of
// matrix and vector gives the same sum at a lower cost.
fn weighted(weight: mat4x4<f32>, by: vec4<f32>, at: Queries) -> vec4<f32> {
    return select(NOTHING, weight[0] * by.x, held(at.entry.x, at.begin.x, at.end.x))
        + select(NOTHING, weight[1] * by.y, held(at.entry.y, at.begin.y, at.end.y))
        + select(NOTHING, weight[2] * by.z, held(at.entry.z, at.begin.z, at.end.z))
        + select(NOTHING, weight[3] * by.w, held(at.entry.w, at.begin.w, at.end.w));
}

// Which components are infinite or NaN.
fn not_finite(term: vec4<f32>) -> vec4<bool> {
    let exponent = vec4<u32>(0x7f800000u);
    return (bitcast<vec4<u32>>(term) & exponent) == exponent;
}

// The queries that have keys.
fn with_keys(at: Queries, log_sum_exp: vec4<f32>) -> Queries {
    var present = at;
    present.end = select(at.end, vec4<i32>(-1), bitcast<vec4<u32>>(log_sum_exp) == vec4<u32>(MINUS_INFINITY));
    return present;
}

@compute @workgroup_size(64)
fn window_attention_backward_key(
    @builtin(local_invocation_index) index: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let slot = (params.origin_x + group.x) * 64u + index;
    let width = u32(params.columns_extent);
    var tile = slot / width;
    var column = slot - tile * width;
    if params.along_rows == 1u {
        let in_column = params.classes * params.tiles;
        column = slot / in_column;
        tile = slot - column * in_column;
    }
    let frame = i32((params.origin_y + group.y) / params.chunks);
    let own = (params.origin_y + group.y - u32(frame) * params.chunks) * LENGTH;
    // Most windows have one class.
    let class_index = i32(tile / params.tiles);
    let first_key = i32(tile - u32(class_index) * params.tiles) * 4;
    let class_keys = (params.rows_extent - class_index + params.rows_dilation - 1) / params.rows_dilation;
    if class_index >= i32(params.classes) || column >= width || first_key >= class_keys {
        return;
    }
    // Rows beyond the last key of the class repeat that key. The copies are not written.
    let key_index = first_key + STEPS;
    let written = key_index < vec4<i32>(class_keys);
    let row = vec4<u32>(class_index + min(key_index, vec4<i32>(class_keys - 1)) * params.rows_dilation);
    let place = u32(frame) * params.frame_stride + row * params.row_stride + column * params.column_stride;
    let head = (params.plane + group.z) % params.heads;
    let first_channel = group.z * params.head_dim;
    let first_value = group.z * params.value_dim;
    let key_address = place + params.k_base + first_channel * params.channel_stride;
    let value_address = place + params.v_base + first_value * params.channel_stride;
    let first_query = params.q_base + first_channel * params.channel_stride;
    let first_upstream = params.y_gradient_base + first_value * params.out_channel_stride;
    let first_record = params.records_base + group.z * params.fields * params.out_channel_stride;
    let row_record = u32(2 + params.frames_keys) * params.out_channel_stride;
    let column_record = row_record + u32(params.rows_keys) * params.out_channel_stride;
    let key_sums = min(max(params.head_dim, own) - own, LENGTH);
    let value_sums = min(max(params.value_dim, own) - own, LENGTH);
    // A chunk may have channels of one of the two alone.
    let with_keys_here = params.with_k_gradient == 1u && key_sums > 0u;
    let products_dim = select(0u, params.value_dim, with_keys_here);
    let shared_channels = min(params.head_dim, products_dim);
    // WGSL initialises these arrays to zeros.
    var key_sum: array<vec4<f32>, LENGTH>;
    var value_sum: array<vec4<f32>, LENGTH>;

    let frame_class = frame % params.frames_dilation;
    let frame_key = frame / params.frames_dilation;
    let column_class = i32(column) % params.columns_dilation;
    let column_key = i32(column) / params.columns_dilation;
    let along = holders(frame_class, frame_key, frame_key, frames_axis());
    let down = holders(class_index, first_key, min(first_key + 3, class_keys - 1), rows_axis());
    let across = holders(column_class, column_key, column_key, columns_axis());
    for (var f = 0; f < along.count; f += 1) {
        let query_frame = along.query + f * along.period;
        let frame_index = along.index + f * along.step;
        let frame_entry = entry_of(frame_key, frame_index, window_axis(query_frame, frames_axis()), params.frames_keys);
        let frame_bias = ((i32(head) * (2 * params.frames_keys - 1) + frame_key - frame_index + params.frames_keys - 1)
            * (2 * params.rows_keys - 1)) * (2 * params.columns_keys - 1);
        let frame_place = u32(query_frame * params.frames_stride) * params.frame_stride;
        let frame_out = u32(query_frame) * params.out_frame_stride;
        for (var a = 0; a < down.count; a += i32(4u * BLOCKS)) {
            let rows0 = queries_of(down, a, first_key);
            var rows1 = rows0;
            var rows2 = rows0;
            if BLOCKS > 1u { rows1 = queries_of(down, a + 4, first_key); }
            if BLOCKS > 2u { rows2 = queries_of(down, a + 8, first_key); }
            for (var b = 0; b < across.count; b += 1) {
                let query_column = across.query + b * across.period;
                let column_index = across.index + b * across.step;
                let column_place = frame_place + u32(query_column * params.columns_stride) * params.column_stride;
                let column_out = frame_out + u32(query_column) * params.out_column_stride;
                let query0 = first_query + column_place + rows0.row * params.row_stride;
                let query1 = first_query + column_place + rows1.row * params.row_stride;
                let query2 = first_query + column_place + rows2.row * params.row_stride;
                let out0 = column_out + rows0.out_row * params.out_row_stride;
                let out1 = column_out + rows1.out_row * params.out_row_stride;
                let out2 = column_out + rows2.out_row * params.out_row_stride;
                let upstream0 = first_upstream + out0;
                let upstream1 = first_upstream + out1;
                let upstream2 = first_upstream + out2;
                var score0 = mat4x4<f32>();
                var score1 = mat4x4<f32>();
                var score2 = mat4x4<f32>();
                var value0 = mat4x4<f32>();
                var value1 = mat4x4<f32>();
                var value2 = mat4x4<f32>();
                var c = 0u;
                for (; c < shared_channels; c += 1u) {
                    let plane = c * params.channel_stride;
                    let own_key = key(key_address + plane);
                    score0 += products(own_key, query(query0 + plane));
                    if BLOCKS > 1u { score1 += products(own_key, query(query1 + plane)); }
                    if BLOCKS > 2u { score2 += products(own_key, query(query2 + plane)); }
                    let out_plane = c * params.out_channel_stride;
                    let own_value = value(value_address + c * params.channel_stride);
                    value0 += products(own_value, upstream(upstream0 + out_plane));
                    if BLOCKS > 1u { value1 += products(own_value, upstream(upstream1 + out_plane)); }
                    if BLOCKS > 2u { value2 += products(own_value, upstream(upstream2 + out_plane)); }
                }
                for (; c < params.head_dim; c += 1u) {
                    let plane = c * params.channel_stride;
                    let own_key = key(key_address + plane);
                    score0 += products(own_key, query(query0 + plane));
                    if BLOCKS > 1u { score1 += products(own_key, query(query1 + plane)); }
                    if BLOCKS > 2u { score2 += products(own_key, query(query2 + plane)); }
                }
                for (c = shared_channels; c < products_dim; c += 1u) {
                    let out_plane = c * params.out_channel_stride;
                    let own_value = value(value_address + c * params.channel_stride);
                    value0 += products(own_value, upstream(upstream0 + out_plane));
                    if BLOCKS > 1u { value1 += products(own_value, upstream(upstream1 + out_plane)); }
                    if BLOCKS > 2u { value2 += products(own_value, upstream(upstream2 + out_plane)); }
                }
                var others0 = vec4<f32>(0.0);
                var others1 = vec4<f32>(0.0);
                var others2 = vec4<f32>(0.0);
                if RELATIVE == 1u {
                    if params.frames_keys > 1 {
                        let at = first_record + u32(2 + frame_entry) * params.out_channel_stride;
                        others0 += record(at + out0);
                        if BLOCKS > 1u { others1 += record(at + out1); }
                        if BLOCKS > 2u { others2 += record(at + out2); }
                    }
                    if params.columns_keys > 1 {
                        let window = window_axis(query_column, columns_axis());
                        let entry = entry_of(column_key, column_index, window, params.columns_keys);
                        let at = first_record + column_record + u32(entry) * params.out_channel_stride;
                        others0 += record(at + out0);
                        if BLOCKS > 1u { others1 += record(at + out1); }
                        if BLOCKS > 2u { others2 += record(at + out2); }
                    }
                }
                let bias = frame_bias + column_key - column_index + params.columns_keys - 1;
                let first_row_record = first_record + row_record;
                let delta_record = first_record + params.out_channel_stride;
                let log_sum_exp0 = record(first_record + out0);
                let at0 = with_keys(rows0, log_sum_exp0);
                score0 = weights(score0, terms_of(first_row_record + out0, rows0, bias, others0), log_sum_exp0, at0);
                value0 = gradients(score0, value0, record(delta_record + out0), at0);
                var at1 = at0;
                var at2 = at0;
                if BLOCKS > 1u {
                    let log_sum_exp1 = record(first_record + out1);
                    at1 = with_keys(rows1, log_sum_exp1);
                    score1 = weights(score1, terms_of(first_row_record + out1, rows1, bias, others1), log_sum_exp1, at1);
                    value1 = gradients(score1, value1, record(delta_record + out1), at1);
                }
                if BLOCKS > 2u {
                    let log_sum_exp2 = record(first_record + out2);
                    at2 = with_keys(rows2, log_sum_exp2);
                    score2 = weights(score2, terms_of(first_row_record + out2, rows2, bias, others2), log_sum_exp2, at2);
                    value2 = gradients(score2, value2, record(delta_record + out2), at2);
                }
                c = 0u;
                loop {
                    if with_keys_here && c < key_sums {
                        let plane = (own + c) * params.channel_stride;
                        let by0 = query(query0 + plane);
                        var by1 = vec4<f32>();
                        var by2 = vec4<f32>();
                        var term = value0 * by0;
                        if BLOCKS > 1u { by1 = query(query1 + plane); term += value1 * by1; }
                        if BLOCKS > 2u { by2 = query(query2 + plane); term += value2 * by2; }
                        if any(not_finite(term)) {
                            term = weighted(value0, by0, at0);
                            if BLOCKS > 1u { term += weighted(value1, by1, at1); }
                            if BLOCKS > 2u { term += weighted(value2, by2, at2); }
                        }
                        key_sum[c] += term;
                    }
                    if params.with_v_gradient == 1u && c < value_sums {
                        let plane = (own + c) * params.out_channel_stride;
                        let by0 = upstream(upstream0 + plane);
                        var by1 = vec4<f32>();
                        var by2 = vec4<f32>();
                        var term = score0 * by0;
                        if BLOCKS > 1u { by1 = upstream(upstream1 + plane); term += score1 * by1; }
                        if BLOCKS > 2u { by2 = upstream(upstream2 + plane); term += score2 * by2; }
                        if any(not_finite(term)) {
                            term = weighted(score0, by0, at0);
                            if BLOCKS > 1u { term += weighted(score1, by1, at1); }
                            if BLOCKS > 2u { term += weighted(score2, by2, at2); }
                        }
                        value_sum[c] += term;
                    }
                    continuing { c += 1u; break if c >= LENGTH; }
                }
            }
        }
    }

    var c = 0u;
    loop {
        if with_keys_here && c < key_sums {
            let i = place + params.k_gradient_base + (first_channel + own + c) * params.channel_stride;
            k_gradient[i.x] = Inner(key_sum[c].x);
            if written.y { k_gradient[i.y] = Inner(key_sum[c].y); }
            if written.z { k_gradient[i.z] = Inner(key_sum[c].z); }
            if written.w { k_gradient[i.w] = Inner(key_sum[c].w); }
        }
        if params.with_v_gradient == 1u && c < value_sums {
            let i = place + params.v_gradient_base + (first_value + own + c) * params.channel_stride;
            v_gradient[i.x] = Inner(value_sum[c].x);
            if written.y { v_gradient[i.y] = Inner(value_sum[c].y); }
            if written.z { v_gradient[i.z] = Inner(value_sum[c].z); }
            if written.w { v_gradient[i.w] = Inner(value_sum[c].w); }
        }
        continuing { c += 1u; break if c >= LENGTH; }
    }
}
