// Windowed attention, gradient of the queries, and what the gradients of the tables need: the walk over queries.
//
//   dP(e)      = y_gradient . v(e)                       0 for a key outside the tensor
//   dS(e)      = exp(score(e) - L) * (dP(e) - D)
//   q_gradient = sum over e of dS(e) * (scale * k(e) + relative_scale * E(e))
//   marginals  = sums of dS over the entries of each frame, row and column; or for a bias table, sums of dS over a workgroup
//
// Source    chain rule of Ramachandran et al. 2019, arXiv:1906.05909, Eqs. 2 and 3
// Host      src/ops/window_attention_backward/mod.rs        Reference  src/reference/window_attention_backward.rs
// Shapes    q, k [n, g*d, t, h, w], v [n, g*dv, t, h, w], y_gradient [n, g*dv, to, ho, wo], tables [all elements] f32,
//           records [n, g, 2 + entries, to, ho, wo] f32 -> q_gradient [n, g*d, t, h, w], marginals [n, g, entries, to, ho, wo]
//           or [n, g, workgroups, kt, cells, steps, 4] f32
// Grid      as window_attention without SPLIT; x: ceil(classes * tiles * wo / 64), y: chunks of channels for each frame of queries,
//           z: one head of one image
// Numerics  f32; a query without keys gives zeros
// Uses      `frames_axis`, `rows_axis`, `columns_axis`, `window_axis` of shared/window.wgsl
// Needs     f16 variants: SHADER_F16
//
// Four queries of a column share the keys that they load, as in window_attention. For the gradient of a bias table, which has a dispatch of
// its own, the loops run over offsets instead of entries. At each step all queries of a workgroup then have the same offset, so their sum is
// a term of one element of the table.

// 0 none, 1 tables of the axes, 2 bias table: `RelativePosition` in the host. 3 is 2 with the sums for the table's gradient in place of
// `q_gradient`. Only then there are barriers, which cost a software adapter much.
override RELATIVE: u32 = 0u;
// A block has 4 * BLOCKS keys. BLOCKS is 1 to 3.
override BLOCKS: u32 = 2u;
// How many vectors a workgroup keeps while it adds up: every invocation's four for each four keys, and one for each four invocations.
override ADDED: u32 = select(1u, 320u * BLOCKS, RELATIVE == 3u);

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
    // Workgroups on x in all.
    groups: u32,
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
    // Upper bounds on the rows and columns of keys that the loops go over. For a bias table there are as many cells in a column: the
    // smallest multiple of a block.
    row_steps: i32,
    column_steps: i32,
    row_cells: u32,
    // For a bias table: the entry that the first row and column of the loops have in it.
    row_low: i32,
    column_low: i32,
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

var<workgroup> wg_terms: array<vec4<f32>, ADDED>;

const MINUS_INFINITY = 0xff800000u;
const QUERY = vec4<i32>(0, 1, 2, 3);
const NOTHING = vec4<f32>(0.0);

// Four keys of one column, one dilation step apart: where they are, whether they are inside, and whether their rows take part.
struct Keys {
    address: vec4<u32>,
    inside: vec4<bool>,
    part: vec4<bool>,
}

// `address` and `across` are those of the column: where its first key is, and whether the column is inside.
fn keys(first: i32, address: u32, across: bool) -> Keys {
    let row = first + QUERY * params.rows_dilation;
    let inside = (row >= vec4<i32>(0)) & (row < vec4<i32>(params.rows_extent));
    let part = vec4<bool>(params.rows_border == 0u) | inside;
    let near = clamp(row, vec4<i32>(0), vec4<i32>(params.rows_extent - 1));
    return Keys(address + vec4<u32>(near) * params.row_stride, inside & vec4<bool>(across), part);
}

// For a key outside the tensor, `key` and `value` read a position at the border. It then counts as zero.
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

fn upstream(at: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(f32(y_gradient[at.x]), f32(y_gradient[at.y]), f32(y_gradient[at.z]), f32(y_gradient[at.w]));
}

fn embedding(at: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(tables[at.x], tables[at.y], tables[at.z], tables[at.w]);
}

fn record(at: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(records[at.x], records[at.y], records[at.z], records[at.w]);
}

// Here and below, the columns of a matrix are keys and its rows are queries.
fn products(channel: vec4<f32>, at: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(channel * at.x, channel * at.y, channel * at.z, channel * at.w);
}

// The first query's window: its entries, which end at the query in a causal group, and the offset of entry 0. The other three windows follow
// from these two numbers, which spares registers.
var<private> rows_entries: i32;
var<private> rows_offset: i32;
var<private> log_sum_exp: vec4<f32>;
var<private> delta: vec4<f32>;
// Queries that have keys.
var<private> present: vec4<bool>;

// Whether a row of keys belongs to the window of each query. `entry` is the row's index in that window. In a causal group, every query has
// one entry more than the query before it.
fn used(entry: vec4<i32>) -> vec4<bool> {
    return present & (vec4<u32>(entry) < vec4<u32>(min(vec4<i32>(rows_entries) + QUERY, vec4<i32>(params.rows_keys))));
}

// The offset of a row of keys from each query, as an index of a table. Rows of keys are numbered from the first query's window.
fn row_offsets(row: i32) -> vec4<i32> {
    return row + rows_offset - QUERY * params.query_step;
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

// The relative terms of four keys, from the records of the four queries or from the bias table. `entry` is that of the first key, and `row`
// is its row.
fn terms(records_at: vec4<u32>, bias: i32, entry: vec4<i32>, row: i32, others: vec4<f32>) -> mat4x4<f32> {
    if RELATIVE == 1u {
        let last = vec4<i32>(params.rows_keys - 1);
        let stride = params.out_channel_stride;
        return mat4x4<f32>(
            others + record(records_at + vec4<u32>(clamp(entry, vec4<i32>(0), last)) * stride),
            others + record(records_at + vec4<u32>(clamp(entry + 1, vec4<i32>(0), last)) * stride),
            others + record(records_at + vec4<u32>(clamp(entry + 2, vec4<i32>(0), last)) * stride),
            others + record(records_at + vec4<u32>(clamp(entry + 3, vec4<i32>(0), last)) * stride),
        );
    }
    if RELATIVE >= 2u {
        return mat4x4<f32>(biases(bias, row), biases(bias, row + 1), biases(bias, row + 2), biases(bias, row + 3));
    }
    return mat4x4<f32>();
}

fn biases(bias: i32, row: i32) -> vec4<f32> {
    let offset = clamp(row_offsets(row), vec4<i32>(0), vec4<i32>(2 * params.rows_keys - 2));
    return embedding(vec4<u32>(bias + offset * (2 * params.columns_keys - 1)));
}

// The gradient of the logit of one key, for the four queries.
fn gradient(dot: vec4<f32>, product: vec4<f32>, term: vec4<f32>, taken: vec4<bool>, inside: bool) -> vec4<f32> {
    // A key outside the tensor is zero for any query, even an infinite one.
    var score = params.scale * select(NOTHING, dot, inside);
    if RELATIVE != 0u {
        score += params.relative_scale * term;
    }
    let exponent = score - log_sum_exp;
    let weight = select(exp(exponent), NOTHING, bitcast<vec4<u32>>(exponent) == vec4<u32>(MINUS_INFINITY));
    return select(NOTHING, weight * (select(NOTHING, product, inside) - delta), taken);
}

fn gradients(dots: mat4x4<f32>, values: mat4x4<f32>, terms: mat4x4<f32>, entry: vec4<i32>, at: Keys) -> mat4x4<f32> {
    return mat4x4<f32>(
        gradient(dots[0], values[0], terms[0], used(entry) & vec4<bool>(at.part.x), at.inside.x),
        gradient(dots[1], values[1], terms[1], used(entry + 1) & vec4<bool>(at.part.y), at.inside.y),
        gradient(dots[2], values[2], terms[2], used(entry + 2) & vec4<bool>(at.part.z), at.inside.z),
        gradient(dots[3], values[3], terms[3], used(entry + 3) & vec4<bool>(at.part.w), at.inside.w),
    );
}

fn sum_of(terms: mat4x4<f32>) -> vec4<f32> {
    return (terms[0] + terms[1]) + (terms[2] + terms[3]);
}

// A key outside a query's window must not reach the query's sum, not even as 0 * NaN. If all numbers are finite, the product of matrix
// and vector gives the same sum at a lower cost.
fn weighted(weight: mat4x4<f32>, at: vec4<f32>, entry: vec4<i32>, inside: vec4<bool>) -> vec4<f32> {
    return select(NOTHING, weight[0] * at.x, used(entry) & vec4<bool>(inside.x))
        + select(NOTHING, weight[1] * at.y, used(entry + 1) & vec4<bool>(inside.y))
        + select(NOTHING, weight[2] * at.z, used(entry + 2) & vec4<bool>(inside.z))
        + select(NOTHING, weight[3] * at.w, used(entry + 3) & vec4<bool>(inside.w));
}

// The weights of the keys. Keys outside the tensor get zero weight.
fn within(weight: mat4x4<f32>, inside: vec4<bool>) -> mat4x4<f32> {
    let kept = select(NOTHING, vec4<f32>(1.0), inside);
    return mat4x4<f32>(weight[0] * kept.x, weight[1] * kept.y, weight[2] * kept.z, weight[3] * kept.w);
}

// Which components are infinite or NaN.
fn not_finite(term: vec4<f32>) -> vec4<bool> {
    let exponent = vec4<u32>(0x7f800000u);
    return (bitcast<vec4<u32>>(term) & exponent) == exponent;
}

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

// Keeps the gradients of four keys for `add_up`.
fn keep(own: mat4x4<f32>, written: vec4<bool>, first: u32) {
    wg_terms[first] = select(NOTHING, own[0], written);
    wg_terms[first + 1u] = select(NOTHING, own[1], written);
    wg_terms[first + 2u] = select(NOTHING, own[2], written);
    wg_terms[first + 3u] = select(NOTHING, own[3], written);
}

// Adds up the kept gradients over the workgroup, for each key and each of the four queries of an invocation, and writes the sums.
// Two barriers are enough, because kept terms and sums have memory of their own.
fn add_up(index: u32, at: u32) {
    workgroupBarrier();
    // Each invocation adds up four invocations' terms of one key of a block. One invocation then adds up 16 such sums.
    for (var block = 0u; block < BLOCKS; block += 1u) {
        let first = block * 256u + index / 4u * 16u + index % 4u;
        wg_terms[BLOCKS * 256u + block * 64u + index] =
            (wg_terms[first] + wg_terms[first + 4u]) + (wg_terms[first + 8u] + wg_terms[first + 12u]);
    }
    workgroupBarrier();
    if index < 4u * BLOCKS {
        var total = NOTHING;
        let first = BLOCKS * 256u + index / 4u * 64u + index % 4u;
        for (var part = 0u; part < 16u; part += 1u) {
            total += wg_terms[first + part * 4u];
        }
        let cell = at + index * u32(params.column_steps) * 4u;
        marginals[cell] = total.x;
        marginals[cell + 1u] = total.y;
        marginals[cell + 2u] = total.z;
        marginals[cell + 3u] = total.w;
    }
}

@compute @workgroup_size(64)
fn window_attention_backward_query(
    @builtin(local_invocation_index) index: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let slot = (params.origin_x + group.x) * 64u + index;
    var tile = slot / params.out_width;
    var out_column = slot - tile * params.out_width;
    if params.along_rows == 1u {
        out_column = slot / (params.classes * params.tiles);
        tile = slot - out_column * params.classes * params.tiles;
    }
    let out_frame = (params.origin_y + group.y) / params.chunks;
    let chunk = params.origin_y + group.y - out_frame * params.chunks;

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
    let written = (query_index < vec4<u32>(group_end)) & vec4<bool>(working);
    let out_row = class_index + min(query_index, vec4<u32>(group_end - 1u)) * params.classes;
    let row = vec4<i32>(out_row);
    let rows_x = window_axis(row.x, rows_axis());
    let rows_y = window_axis(row.y, rows_axis());
    let rows_z = window_axis(row.z, rows_axis());
    let rows_w = window_axis(row.w, rows_axis());
    let across = window_axis(i32(out_column), columns_axis());
    let along = window_axis(i32(out_frame), frames_axis());
    rows_entries = rows_x.entries;
    rows_offset = rows_x.offset;
    // Rows of keys are numbered from the first row of the first query's window. Entry 0 of each window is row `start`.
    var start = vec4<i32>(rows_x.first, rows_y.first, rows_z.first, rows_w.first) - rows_x.first;
    if params.rows_dilation > 1 {
        start /= params.rows_dilation;
    }
    let rows = select(0, start.w + params.rows_keys, working);

    let first_key = group.z * params.head_dim;
    let first_value = group.z * params.value_dim;
    let head = (params.plane + group.z) % params.heads;
    // This invocation accumulates the channels from `own` on.
    let own = chunk * LENGTH;
    let sums = min(max(params.head_dim, own) - own, LENGTH);
    let place = out_frame * u32(params.frames_stride) * params.frame_stride
        + out_row * u32(params.rows_stride) * params.row_stride
        + out_column * u32(params.columns_stride) * params.column_stride;
    let query_address = place + params.q_base + first_key * params.channel_stride;
    let out = out_frame * params.out_frame_stride + out_row * params.out_row_stride + out_column * params.out_column_stride;
    let upstream_address = out + params.y_gradient_base + first_value * params.out_channel_stride;
    let record_address = out + params.records_base + group.z * params.fields * params.out_channel_stride;
    let row_records = record_address + u32(2 + params.frames_keys) * params.out_channel_stride;
    let column_records = row_records + u32(params.rows_keys) * params.out_channel_stride;
    let marginal_address = out + params.marginals_base + group.z * (params.fields - 2u) * params.out_channel_stride;
    let row_marginals = marginal_address + u32(params.frames_keys) * params.out_channel_stride;
    let column_marginals = row_marginals + u32(params.rows_keys) * params.out_channel_stride;
    // WGSL initialises this array to zeros.
    var sum: array<vec4<f32>, LENGTH>;

    log_sum_exp = vec4<f32>(0.0);
    delta = vec4<f32>(0.0);
    present = vec4<bool>(false);
    if working {
        log_sum_exp = record(record_address);
        present = bitcast<vec4<u32>>(log_sum_exp) != vec4<u32>(MINUS_INFINITY);
        if params.with_delta == 0u {
            delta = record(record_address + params.out_channel_stride);
        }
    }
    // The first channel of this head in the tables.
    let first_row = select(0u, head * params.head_dim, params.whole_channel == 1u);
    let channel = first_row + own;
    let with_marginals = params.with_marginals == 1u && chunk == 0u;
    // Loops over offsets begin at the entry of the lowest offset.
    let over_offsets = RELATIVE == 3u;
    let row_shift = select(0, params.row_low - rows_offset, over_offsets);
    let column_shift = select(0, params.column_low - across.offset, over_offsets);
    let shared_channels = min(params.head_dim, params.value_dim);
    let block = i32(4u * BLOCKS);
    let cells = params.row_cells * u32(params.column_steps) * 4u;
    let group_number = (group.z * u32(1 + (params.frames_extent - 1) / params.frames_stride) + out_frame) * params.groups
        + params.origin_x + group.x;
    let group_cells = params.marginals_base + group_number * u32(params.frames_keys) * cells;
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
        if RELATIVE == 1u && params.frames_keys > 1 && working {
            frame_term = record(record_address + u32(2 + f) * params.out_channel_stride);
        }
        var frame_sum = vec4<f32>(0.0);
        for (var o = 0; o < params.row_steps; o += block) {
            let e = o + row_shift;
            let needed = e < rows && e + block > 0;
            let entry0 = e - start;
            let entry1 = entry0 + 4;
            let entry2 = entry0 + 8;
            let first = rows_x.first + e * params.rows_dilation;
            var rows0 = mat4x4<f32>();
            var rows1 = mat4x4<f32>();
            var rows2 = mat4x4<f32>();
            for (var s = 0; s < params.column_steps; s += 1) {
                let b = s + column_shift;
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
                    if RELATIVE < 3u && params.with_q_gradient == 1u {
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
                if over_offsets {
                    let at = group_cells + u32(f) * cells + (u32(o) * u32(params.column_steps) + u32(s)) * 4u;
                    keep(score0 * factor, written, index * 4u);
                    if BLOCKS > 1u { keep(score1 * factor, written, 256u + index * 4u); }
                    if BLOCKS > 2u { keep(score2 * factor, written, 512u + index * 4u); }
                    add_up(index, at);
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
                if RELATIVE < 3u && params.with_q_gradient == 1u {
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
            if RELATIVE < 3u && params.with_q_gradient == 1u {
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
    if RELATIVE == 3u || params.with_q_gradient == 0u {
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
