// Windowed attention, gradient: partial sums for the gradient of a bias table, over a slice of the queries.
//
//   marginal(f, cell, step, i) = relative_scale * sum over columns of four queries of dS of the key at this offset from query i
//
// Source    chain rule of Swin, arXiv:2103.14030, Eq. 4
// Host      src/ops/window_attention_backward/plan.rs        Reference  src/reference/window_attention_backward.rs
// Shapes    q, k [n, g*d, t, h, w], v [n, g*dv, t, h, w], y_gradient [n, g*dv, to, ho, wo], tables [all elements] f32,
//           records [n, g, 2, to, ho, wo] f32 -> marginals [n, g, to * slices, kt, cells, steps, 4] f32
// Grid      x: ceil(cells / (4 * BLOCKS) * min(steps, columns_keys) / 64), y: frames of keys for each slice of a frame of queries,
//           z: one head of one image. An invocation has two columns of offsets of a block of keys
// Numerics  f32, in the order of the columns of queries
// Uses      `frames_axis`, `window_axis` of shared/window.wgsl
// Uses      `keys`, `key`, `value`, `query`, `upstream`, `record`, `products`, `terms`, `gradients`, `tile_of` of shared/window_logits.wgsl
// Needs     f16 variants: SHADER_F16
//
// An invocation has the same offsets for all queries of its slice, so it adds up by itself. The window of a query covers columns_keys steps in
// a row: of two steps that lie columns_keys apart it has one. One invocation therefore takes both.

const RELATIVE = 2u;
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
    marginals_base: u32,
    // The first plane of the dispatch. A plane is one head of one image, counted through the batch.
    plane: u32,
    heads: u32,
    head_dim: u32,
    value_dim: u32,
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
    // Rows and columns of cells: offsets of keys from the first query of a column. Rows are a multiple of a block.
    row_cells: u32,
    column_steps: u32,
    // The entry of the table that the first row and column of cells have.
    row_low: i32,
    column_low: i32,
    // Slices of a frame, and the columns of four queries of a slice, of `lanes` in a frame.
    slices: u32,
    slice_lanes: u32,
    lanes: u32,
    // The table has an entry for each entry of a window where this is 0. A bias table has one for each offset.
    by_offset: u32,
    // As in window_attention.
    classes: u32,
    tiles: u32,
    group_queries: u32,
    group_tiles: u32,
    group_lead: u32,
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
@group(0) @binding(7) var<storage, read_write> marginals: array<f32>;

// The gradients of the queries that are written.
fn kept(gradients: mat4x4<f32>, written: vec4<bool>) -> mat4x4<f32> {
    return mat4x4<f32>(
        select(NOTHING, gradients[0], written), select(NOTHING, gradients[1], written),
        select(NOTHING, gradients[2], written), select(NOTHING, gradients[3], written),
    ) * params.relative_scale;
}

fn put(at: u32, sums: vec4<f32>) {
    marginals[at] = sums.x;
    marginals[at + 1u] = sums.y;
    marginals[at + 2u] = sums.z;
    marginals[at + 3u] = sums.w;
}

fn put_block(at: u32, sums: mat4x4<f32>) {
    let stride = params.column_steps * 4u;
    put(at, sums[0]);
    put(at + stride, sums[1]);
    put(at + 2u * stride, sums[2]);
    put(at + 3u * stride, sums[3]);
}

@compute @workgroup_size(64)
fn window_attention_backward_offsets(
    @builtin(local_invocation_index) index: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let number = (params.origin_x + group.x) * 64u + index;
    let pairs = min(params.column_steps, u32(params.columns_keys));
    let cell = number / pairs * 4u * BLOCKS;
    // The first of the two steps.
    let pair = number % pairs;
    let out_slice = (params.origin_y + group.y) / u32(params.frames_keys);
    let f = i32((params.origin_y + group.y) % u32(params.frames_keys));
    let out_frame = out_slice / params.slices;
    let first_lane = (out_slice - out_frame * params.slices) * params.slice_lanes;
    let end_lane = min(first_lane + params.slice_lanes, params.lanes);
    if cell >= params.row_cells {
        return;
    }
    let along = window_axis(i32(out_frame), frames_axis());
    let frame = along.first + f * params.frames_dilation;
    let frame_inside = frame >= 0 && frame < params.frames_extent;
    let frame_place = u32(clamp(frame, 0, params.frames_extent - 1)) * params.frame_stride;
    let first_key = group.z * params.head_dim;
    let first_value = group.z * params.value_dim;
    let head = (params.plane + group.z) % params.heads;
    let keys_base = params.k_base + frame_place + first_key * params.channel_stride;
    let values_base = params.v_base + frame_place + first_value * params.channel_stride;
    let bias = (i32(head) * (2 * params.frames_keys - 1) + f + along.offset) * (2 * params.rows_keys - 1)
        * (2 * params.columns_keys - 1) + params.column_low;
    let shared_channels = min(params.head_dim, params.value_dim);
    let query_frame = out_frame * u32(params.frames_stride) * params.frame_stride;
    var sum0 = mat4x4<f32>();
    var sum1 = mat4x4<f32>();
    var sum2 = mat4x4<f32>();
    var later0 = mat4x4<f32>();
    var later1 = mat4x4<f32>();
    var later2 = mat4x4<f32>();
    for (var lane = first_lane; lane < end_lane; lane += 1u) {
        let tile = tile_of(lane);
        rows_entries = tile.rows.entries;
        rows_offset = tile.rows.offset;
        // The block's first row and the column of these offsets, in the queries' windows.
        let e = i32(cell) + params.row_low - rows_offset;
        let earlier = i32(pair) + params.column_low - tile.across.offset;
        let later = earlier < 0;
        let step = select(pair, pair + pairs, later);
        let b = select(earlier, earlier + i32(pairs), later);
        let column = tile.across.first + b * params.columns_dilation;
        let used_rows = e < tile.start.w + params.rows_keys && e + i32(4u * BLOCKS) > 0;
        let used_column = step < params.column_steps && b >= tile.across.begin && b < tile.across.end;
        if tile.working && f >= along.begin && f < along.end && used_rows && used_column {
            let place = query_frame + tile.out_row * u32(params.rows_stride) * params.row_stride
                + tile.out_column * u32(params.columns_stride) * params.column_stride;
            let query_address = place + params.q_base + first_key * params.channel_stride;
            let out = out_frame * params.out_frame_stride + tile.out_row * params.out_row_stride
                + tile.out_column * params.out_column_stride;
            let upstream_address = out + params.y_gradient_base + first_value * params.out_channel_stride;
            let record_address = out + params.records_base + group.z * params.fields * params.out_channel_stride;
            log_sum_exp = record(record_address);
            present = bitcast<vec4<u32>>(log_sum_exp) != vec4<u32>(MINUS_INFINITY);
            delta = record(record_address + params.out_channel_stride);
            let entry0 = e - tile.start;
            let first = tile.rows.first + e * params.rows_dilation;
            let address = u32(clamp(column, 0, params.columns_extent - 1)) * params.column_stride;
            let inside = frame_inside && column >= 0 && column < params.columns_extent;
            let at0 = keys(first, address, inside);
            let at1 = keys(first + 4 * params.rows_dilation, address, inside);
            let at2 = keys(first + 8 * params.rows_dilation, address, inside);
            var score0 = mat4x4<f32>();
            var score1 = mat4x4<f32>();
            var score2 = mat4x4<f32>();
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
            let none = vec4<u32>(0u);
            score0 = gradients(score0, value0, terms(none, bias + i32(step), entry0, e, NOTHING), entry0, at0);
            let kept0 = kept(score0, tile.written);
            if later { later0 += kept0; } else { sum0 += kept0; }
            if BLOCKS > 1u {
                score1 = gradients(score1, value1, terms(none, bias + i32(step), entry0 + 4, e + 4, NOTHING), entry0 + 4, at1);
                let kept1 = kept(score1, tile.written);
                if later { later1 += kept1; } else { sum1 += kept1; }
            }
            if BLOCKS > 2u {
                score2 = gradients(score2, value2, terms(none, bias + i32(step), entry0 + 8, e + 8, NOTHING), entry0 + 8, at2);
                let kept2 = kept(score2, tile.written);
                if later { later2 += kept2; } else { sum2 += kept2; }
            }
        }
    }
    let cells = params.row_cells * params.column_steps * 4u;
    let slices = u32(1 + (params.frames_extent - 1) / params.frames_stride) * params.slices;
    let slice = (group.z * slices + out_slice) * u32(params.frames_keys) + u32(f);
    let at = params.marginals_base + slice * cells + (cell * params.column_steps + pair) * 4u;
    let block = 4u * params.column_steps * 4u;
    put_block(at, sum0);
    if BLOCKS > 1u { put_block(at + block, sum1); }
    if BLOCKS > 2u { put_block(at + 2u * block, sum2); }
    if pair + pairs < params.column_steps {
        put_block(at + pairs * 4u, later0);
        if BLOCKS > 1u { put_block(at + block + pairs * 4u, later1); }
        if BLOCKS > 2u { put_block(at + 2u * block + pairs * 4u, later2); }
    }
}
