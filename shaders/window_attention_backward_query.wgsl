// Windowed attention, gradient of the queries, and what the gradients of the tables need: the walk over queries.
//
//   dP(e)      = y_gradient . v(e)                       0 for a key outside the tensor
//   dS(e)      = exp(score(e) - L) * (dP(e) - D)
//   q_gradient = sum over e of dS(e) * (scale * k(e) + relative_scale * E(e))
//   marginals  = sums of dS over the entries of each frame, row and column; for a bias table dS itself
//
// Source    chain rule of Ramachandran et al. 2019, arXiv:1906.05909, Eqs. 2 and 3
// Host      src/ops/window_attention_backward/mod.rs        Reference  src/reference/window_attention_backward.rs
// Shapes    q, k [n, g*d, t, h, w], v [n, g*dv, t, h, w], y_gradient [n, g*dv, to, ho, wo], tables [all elements] f32,
//           records [n, g, 2 + entries, to, ho, wo] f32 -> q_gradient [n, g*d, t, h, w],
//           marginals [n, g, entries, to, ho, wo] f32, for a bias table [heads, frames, kt, cells, kw, slots of a turn, 4] f32
// Grid      as window_attention without SPLIT; x: ceil(classes * tiles * wo / 64), y: chunks of channels for each frame of queries,
//           z: one head of one image
// Numerics  f32; a query without keys gives zeros
// Uses      `frames_axis`, `window_axis` of shared/window.wgsl
// Uses      `keys`, `key`, `value`, `query`, `upstream`, `embedding`, `record`, `products`, `used`, `row_offsets`, `table_entries`, `table_entry`, `terms`, `gradients`, `sum_of`, `weighted`, `within`, `not_finite` of shared/window_logits.wgsl
// Uses      `tile_of` of shared/window_tile.wgsl
// Needs     f16 variants: SHADER_F16
//
// Four queries of a column share the keys that they load, as in window_attention.

// 0 none, 1 tables of the axes, 2 bias table: `RelativePosition` in the host.
override RELATIVE: u32 = 0u;
// A block has 4 * BLOCKS keys. BLOCKS is 1 to 3.
override BLOCKS: u32 = 2u;

struct Params {
    origin_x: u32,
    origin_y: u32,
    q_base: u32,
    k_base: u32,
    v_base: u32,
    y_gradient_base: u32,
    records_base: u32,
    q_gradient_base: u32,
    marginals_base: u32,
    // 1: only adds what D lacks without y. 0: computes the gradients.
    with_delta: u32,
    with_q_gradient: u32,
    with_marginals: u32,
    // The first plane of the dispatch. A plane is one head of one image, counted through the batch.
    plane: u32,
    heads: u32,
    head_dim: u32,
    value_dim: u32,
    // Chunks of the channels of queries. The workgroups of a frame of queries follow each other.
    chunks: u32,
    // Numbers of a record.
    fields: u32,
    channel_stride: u32,
    frame_stride: u32,
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
    row_steps: i32,
    // For a bias table, the rows of offsets in the marginals. Of a frame, a turn has up to `turn_slots` invocations, and up to `turn_frames`
    // frames of a head. `turn_planes` of its heads come before this dispatch.
    cells: u32,
    first_slot: u32,
    turn_slots: u32,
    first_frame: u32,
    turn_frames: u32,
    turn_planes: u32,
    // As in window_attention.
    classes: u32,
    tiles: u32,
    group_queries: u32,
    group_tiles: u32,
    group_lead: u32,
    along_rows: u32,
    frame_table_begin: u32,
    frame_table_end: u32,
    row_table_begin: u32,
    row_table_end: u32,
    column_table_begin: u32,
    column_table_end: u32,
    // Where the tables of rows and columns begin.
    row_table_first: u32,
    column_table_first: u32,
    whole_channel: u32,
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
@group(0) @binding(3) var<storage, read> v: array<Inner>;
@group(0) @binding(4) var<storage, read> y_gradient: array<Element>;
@group(0) @binding(5) var<storage, read> tables: array<f32>;
@group(0) @binding(6) var<storage, read_write> records: array<f32>;
@group(0) @binding(7) var<storage, read_write> q_gradient: array<Inner>;
@group(0) @binding(8) var<storage, read_write> marginals: array<f32>;

// The sums of the row table's embeddings of four keys, for one channel whose embeddings begin at `first`.
fn row_part(sums: mat4x4<f32>, first: u32, entry: vec4<i32>, row: i32, part: vec4<bool>) -> vec4<f32> {
    let last = vec4<i32>(table_entries(params.rows_keys) - 1);
    let at = select(entry, row_offsets(row), params.by_offset == 1u);
    let e0 = first + vec4<u32>(clamp(at, vec4<i32>(0), last));
    let e1 = first + vec4<u32>(clamp(at + 1, vec4<i32>(0), last));
    let e2 = first + vec4<u32>(clamp(at + 2, vec4<i32>(0), last));
    let e3 = first + vec4<u32>(clamp(at + 3, vec4<i32>(0), last));
    return select(NOTHING, sums[0] * embedding(e0), used(entry) & vec4<bool>(part.x))
        + select(NOTHING, sums[1] * embedding(e1), used(entry + 1) & vec4<bool>(part.y))
        + select(NOTHING, sums[2] * embedding(e2), used(entry + 2) & vec4<bool>(part.z))
        + select(NOTHING, sums[3] * embedding(e3), used(entry + 3) & vec4<bool>(part.w));
}

// Writes or adds marginals of the four queries.
fn put(at: vec4<u32>, sums: vec4<f32>, kept: vec4<bool>, anew: bool) {
    if kept.x { marginals[at.x] = select(marginals[at.x], 0.0, anew) + sums.x; }
    if kept.y { marginals[at.y] = select(marginals[at.y], 0.0, anew) + sums.y; }
    if kept.z { marginals[at.z] = select(marginals[at.z], 0.0, anew) + sums.z; }
    if kept.w { marginals[at.w] = select(marginals[at.w], 0.0, anew) + sums.w; }
}

fn put_rows(first: vec4<u32>, sums: mat4x4<f32>, entry: vec4<i32>, part: vec4<bool>, written: vec4<bool>, anew: bool) {
    let at = first + vec4<u32>(entry) * params.out_channel_stride;
    let stride = params.out_channel_stride;
    put(at, sums[0], used(entry) & written & vec4<bool>(part.x), anew);
    put(at + stride, sums[1], used(entry + 1) & written & vec4<bool>(part.y), anew);
    put(at + 2u * stride, sums[2], used(entry + 2) & written & vec4<bool>(part.z), anew);
    put(at + 3u * stride, sums[3], used(entry + 3) & written & vec4<bool>(part.w), anew);
}

// Writes the gradients of the logits of four keys, zeros for copies of a query. Keys at the same offset from their queries lie side by side.
// Rows of offsets are `stride` numbers apart, and the first key has row 0 for the last query.
fn put_logits(at: u32, gradients: mat4x4<f32>, written: vec4<bool>, stride: u32) {
    let query = u32(params.query_step) * stride;
    for (var i = 0u; i < 4u; i += 1u) {
        let first = at + i * stride;
        let kept = select(NOTHING, gradients[i] * params.relative_scale, written);
        marginals[first + 3u * query] = kept.x;
        marginals[first + 2u * query + 1u] = kept.y;
        marginals[first + query + 2u] = kept.z;
        marginals[first + 3u] = kept.w;
    }
}

@compute @workgroup_size(64)
fn window_attention_backward_query(
    @builtin(local_invocation_index) index: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let slot = (params.origin_x + group.x) * 64u + index;
    let out_frame = (params.origin_y + group.y) / params.chunks;
    let chunk = params.origin_y + group.y - out_frame * params.chunks;

    let tile = tile_of(slot);
    if !tile.working {
        return;
    }
    let written = tile.written;
    let start = tile.start;
    let across = tile.across;
    let along = window_axis(i32(out_frame), frames_axis());
    rows_entries = tile.rows.entries;
    rows_offset = tile.rows.offset;
    let rows = start.w + params.rows_keys;

    let first_key = group.z * params.head_dim;
    let first_value = group.z * params.value_dim;
    let head = (params.plane + group.z) % params.heads;
    // This invocation accumulates the channels from `own` on.
    let own = chunk * LENGTH;
    let sums = min(max(params.head_dim, own) - own, LENGTH);
    let place = out_frame * u32(params.frames_stride) * params.frame_stride
        + tile.out_row * u32(params.rows_stride) * params.row_stride
        + tile.out_column * u32(params.columns_stride) * params.column_stride;
    let query_address = place + params.q_base + first_key * params.channel_stride;
    let out = out_frame * params.out_frame_stride + tile.out_row * params.out_row_stride + tile.out_column * params.out_column_stride;
    let upstream_address = out + params.y_gradient_base + first_value * params.out_channel_stride;
    let record_address = out + params.records_base + group.z * params.fields * params.out_channel_stride;
    let row_records = record_address + u32(2 + params.frames_keys) * params.out_channel_stride;
    let column_records = row_records + u32(params.rows_keys) * params.out_channel_stride;
    let marginal_address = out + params.marginals_base + group.z * (params.fields - 2u) * params.out_channel_stride;
    let row_marginals = marginal_address + u32(params.frames_keys) * params.out_channel_stride;
    let column_marginals = row_marginals + u32(params.rows_keys) * params.out_channel_stride;
    let logit_row = u32(params.columns_keys) * params.turn_slots * 4u;
    let logit_frame = (params.turn_planes + group.z) * params.turn_frames + out_frame - params.first_frame;
    let logits = params.marginals_base + logit_frame * u32(params.frames_keys) * params.cells * logit_row + (slot - params.first_slot) * 4u;
    // WGSL initialises this array to zeros.
    var sum: array<vec4<f32>, LENGTH>;

    log_sum_exp = record(record_address);
    present = bitcast<vec4<u32>>(log_sum_exp) != vec4<u32>(MINUS_INFINITY);
    delta = vec4<f32>(0.0);
    if params.with_delta == 0u {
        delta = record(record_address + params.out_channel_stride);
    }
    // The first channel of this head in the tables.
    let first_row = select(0u, head * params.head_dim, params.whole_channel == 1u);
    let channel = first_row + own;
    let with_marginals = params.with_marginals == 1u && chunk == 0u;
    let shared_channels = min(params.head_dim, params.value_dim);
    let block = i32(4u * BLOCKS);
    // Sums for D need no scale. All others take it before they add up, so that they overflow no earlier than the result.
    let factor = select(params.relative_scale, 1.0, params.with_delta == 1u);
    var all = vec4<f32>(0.0);
    var anew = true;

    // Frames that take part are the same for all queries of a workgroup.
    for (var f = along.begin; f < along.end; f += 1) {
        let frame = along.first + f * params.frames_dilation;
        let frame_inside = frame >= 0 && frame < params.frames_extent;
        let frame_place = u32(clamp(frame, 0, params.frames_extent - 1)) * params.frame_stride;
        let keys_base = params.k_base + frame_place + first_key * params.channel_stride;
        let values_base = params.v_base + frame_place + first_value * params.channel_stride;
        let frame_bias = (i32(head) * (2 * params.frames_keys - 1) + f + along.offset) * (2 * params.rows_keys - 1)
            * (2 * params.columns_keys - 1);
        var frame_term = vec4<f32>(0.0);
        if RELATIVE == 1u && params.frames_keys > 1 {
            frame_term = record(record_address + u32(2 + f) * params.out_channel_stride);
        }
        var frame_sum = vec4<f32>(0.0);
        for (var e = 0; e < params.row_steps; e += block) {
            let needed = e < rows;
            let entry0 = e - start;
            let entry1 = entry0 + 4;
            let entry2 = entry0 + 8;
            let first = tile.rows.first + e * params.rows_dilation;
            var rows0 = mat4x4<f32>();
            var rows1 = mat4x4<f32>();
            var rows2 = mat4x4<f32>();
            for (var b = 0; b < params.columns_keys; b += 1) {
                let column = across.first + b * params.columns_dilation;
                let address = u32(clamp(column, 0, params.columns_extent - 1)) * params.column_stride;
                let inside = frame_inside && column >= 0 && column < params.columns_extent;
                var score0 = mat4x4<f32>();
                var score1 = mat4x4<f32>();
                var score2 = mat4x4<f32>();
                // A column that the border leaves out reaches no sum, not even as 0 * NaN.
                if needed && b >= across.begin && b < across.end {
                    let at0 = keys(first, address, inside);
                    let at1 = keys(first + 4 * params.rows_dilation, address, inside);
                    let at2 = keys(first + 8 * params.rows_dilation, address, inside);
                    var value0 = mat4x4<f32>();
                    var value1 = mat4x4<f32>();
                    var value2 = mat4x4<f32>();
                    var c = 0u;
                    for (; c < shared_channels; c += 1u) {
                        let plane = keys_base + c * params.channel_stride;
                        let own_query = query(query_address + c * params.channel_stride);
                        score0 += products(own_query, key(plane, at0));
                        if BLOCKS > 1u { score1 += products(own_query, key(plane, at1)); }
                        if BLOCKS > 2u { score2 += products(own_query, key(plane, at2)); }
                        let value_plane = values_base + c * params.channel_stride;
                        let own_upstream = upstream(upstream_address + c * params.out_channel_stride);
                        value0 += products(own_upstream, value(value_plane, at0));
                        if BLOCKS > 1u { value1 += products(own_upstream, value(value_plane, at1)); }
                        if BLOCKS > 2u { value2 += products(own_upstream, value(value_plane, at2)); }
                    }
                    for (; c < params.head_dim; c += 1u) {
                        let plane = keys_base + c * params.channel_stride;
                        let own_query = query(query_address + c * params.channel_stride);
                        score0 += products(own_query, key(plane, at0));
                        if BLOCKS > 1u { score1 += products(own_query, key(plane, at1)); }
                        if BLOCKS > 2u { score2 += products(own_query, key(plane, at2)); }
                    }
                    for (c = shared_channels; c < params.value_dim; c += 1u) {
                        let value_plane = values_base + c * params.channel_stride;
                        let own_upstream = upstream(upstream_address + c * params.out_channel_stride);
                        value0 += products(own_upstream, value(value_plane, at0));
                        if BLOCKS > 1u { value1 += products(own_upstream, value(value_plane, at1)); }
                        if BLOCKS > 2u { value2 += products(own_upstream, value(value_plane, at2)); }
                    }
                    var others = frame_term;
                    if RELATIVE == 1u && params.columns_keys > 1 {
                        others += record(column_records + u32(b) * params.out_channel_stride);
                    }
                    let bias = frame_bias + clamp(b + across.offset, 0, 2 * params.columns_keys - 2);
                    score0 = gradients(score0, value0, terms(row_records, bias, entry0, e, others), entry0, at0);
                    let scaled0 = score0 * factor;
                    var column_sum = sum_of(scaled0);
                    rows0 += scaled0;
                    if BLOCKS > 1u {
                        score1 = gradients(score1, value1, terms(row_records, bias, entry1, e + 4, others), entry1, at1);
                        let scaled1 = score1 * factor;
                        column_sum += sum_of(scaled1);
                        rows1 += scaled1;
                    }
                    if BLOCKS > 2u {
                        score2 = gradients(score2, value2, terms(row_records, bias, entry2, e + 8, others), entry2, at2);
                        let scaled2 = score2 * factor;
                        column_sum += sum_of(scaled2);
                        rows2 += scaled2;
                    }
                    frame_sum += column_sum;
                    if RELATIVE == 1u && with_marginals && params.columns_keys > 1 {
                        put(column_marginals + u32(b) * params.out_channel_stride, column_sum, written, anew);
                    }
                    if params.with_q_gradient == 1u {
                        let weight0 = within(score0 * params.scale, at0.inside);
                        let weight1 = within(score1 * params.scale, at1.inside);
                        let weight2 = within(score2 * params.scale, at2.inside);
                        let entries = u32(table_entries(params.columns_keys));
                        let entry = params.column_table_first + table_entry(b, across, params.columns_keys);
                        c = 0u;
                        loop {
                            if c < sums {
                                let plane = keys_base + (own + c) * params.channel_stride;
                                let key0 = key(plane, at0);
                                var key1 = vec4<f32>();
                                var key2 = vec4<f32>();
                                var term = weight0 * key0;
                                if BLOCKS > 1u { key1 = key(plane, at1); term += weight1 * key1; }
                                if BLOCKS > 2u { key2 = key(plane, at2); term += weight2 * key2; }
                                if any(not_finite(term)) {
                                    term = weighted(weight0, key0, entry0, at0.inside);
                                    if BLOCKS > 1u { term += weighted(weight1, key1, entry1, at1.inside); }
                                    if BLOCKS > 2u { term += weighted(weight2, key2, entry2, at2.inside); }
                                }
                                if RELATIVE == 1u && channel + c >= params.column_table_begin && channel + c < params.column_table_end {
                                    term += select(NOTHING, column_sum * tables[entry + (channel + c - params.column_table_begin) * entries], present);
                                }
                                sum[c] += term;
                            }
                            continuing { c += 1u; break if c >= LENGTH; }
                        }
                    }
                }
                if RELATIVE == 2u && with_marginals {
                    let at = logits + (u32(f) * params.cells + u32(e)) * logit_row + u32(b) * params.turn_slots * 4u;
                    put_logits(at, score0, written, logit_row);
                    if BLOCKS > 1u { put_logits(at + 4u * logit_row, score1, written, logit_row); }
                    if BLOCKS > 2u { put_logits(at + 8u * logit_row, score2, written, logit_row); }
                }
            }
            if needed {
                anew = false;
            }
            if RELATIVE == 1u && needed && params.rows_keys > 1 {
                let part0 = keys(first, 0u, true).part;
                let part1 = keys(first + 4 * params.rows_dilation, 0u, true).part;
                let part2 = keys(first + 8 * params.rows_dilation, 0u, true).part;
                if with_marginals {
                    let first_frame = f == along.begin;
                    put_rows(row_marginals, rows0, entry0, part0, written, first_frame);
                    if BLOCKS > 1u { put_rows(row_marginals, rows1, entry1, part1, written, first_frame); }
                    if BLOCKS > 2u { put_rows(row_marginals, rows2, entry2, part2, written, first_frame); }
                }
                if params.with_q_gradient == 1u {
                    let entries = u32(table_entries(params.rows_keys));
                    var c = 0u;
                    loop {
                        if c < sums && channel + c >= params.row_table_begin && channel + c < params.row_table_end {
                            let at = params.row_table_first + (channel + c - params.row_table_begin) * entries;
                            var term = row_part(rows0, at, entry0, e, part0);
                            if BLOCKS > 1u { term += row_part(rows1, at, entry1, e + 4, part1); }
                            if BLOCKS > 2u { term += row_part(rows2, at, entry2, e + 8, part2); }
                            sum[c] += term;
                        }
                        continuing { c += 1u; break if c >= LENGTH; }
                    }
                }
            }
        }
        all += frame_sum;
        if RELATIVE == 1u && params.frames_keys > 1 {
            if with_marginals {
                put(marginal_address + u32(f) * params.out_channel_stride, frame_sum, written, true);
            }
            if params.with_q_gradient == 1u {
                let entries = u32(table_entries(params.frames_keys));
                let entry = table_entry(f, along, params.frames_keys);
                var c = 0u;
                loop {
                    if c < sums && channel + c >= params.frame_table_begin && channel + c < params.frame_table_end {
                        let at = entry + (channel + c - params.frame_table_begin) * entries;
                        sum[c] += select(NOTHING, frame_sum * tables[at], present);
                    }
                    continuing { c += 1u; break if c >= LENGTH; }
                }
            }
        }
    }
    if params.with_delta == 1u {
        let at = record_address + params.out_channel_stride;
        if written.x { records[at.x] += all.x; }
        if written.y { records[at.y] += all.y; }
        if written.z { records[at.z] += all.z; }
        if written.w { records[at.w] += all.w; }
    }
    if params.with_q_gradient == 0u {
        return;
    }
    var c = 0u;
    loop {
        if c < sums {
            let i = place + params.q_gradient_base + (first_key + own + c) * params.channel_stride;
            if written.x { q_gradient[i.x] = Inner(sum[c].x); }
            if written.y { q_gradient[i.y] = Inner(sum[c].y); }
            if written.z { q_gradient[i.z] = Inner(sum[c].z); }
            if written.w { q_gradient[i.w] = Inner(sum[c].w); }
        }
        continuing { c += 1u; break if c >= LENGTH; }
    }
}
