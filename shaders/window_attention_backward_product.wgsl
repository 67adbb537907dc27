// Windowed attention, gradient: partial sums of the gradient of an axis's table, over a slice of the queries.
//
//   partial(c, a) = sum over queries of q(c) * marginal(a)
//
// An invocation has a tile of four channels and four entries, which share the numbers that they load.
//
// Source    chain rule of Ramachandran et al. 2019, arXiv:1906.05909, Eq. 3
// Host      src/ops/window_attention_backward/tables.rs        Reference  src/reference/window_attention_backward.rs
// Shapes    q [n, g*d, t, h, w], records and marginals as in the other kernels -> partials [n, g, slices, d, entries] f32
// Grid      x: ceil(slices * ceil(d / 4) * ceil(entries / 4) / 64), z: one head of one image. A slice of the queries has an invocation for
//           each tile
// Numerics  f32, in the order of the table's axis, then of the frame's other axis
// Uses      `frames_axis`, `rows_axis`, `columns_axis`, `window_axis` of shared/window.wgsl
// Needs     f16 variants: SHADER_F16

struct Params {
    origin: u32,
    q_base: u32,
    records_base: u32,
    marginals_base: u32,
    partials_base: u32,
    // The first plane of the dispatch. A plane is one head of one image, counted through the batch.
    plane: u32,
    heads: u32,
    head_dim: u32,
    // Channels that have this table, of a head or of all heads.
    table_begin: u32,
    table_end: u32,
    whole_channel: u32,
    fields: u32,
    // Numbers of the marginals of a query.
    marginals: u32,
    // 0 frames, 1 rows, 2 columns: the axis of the table.
    axis: u32,
    entries: u32,
    by_offset: u32,
    // Rows and columns of a slice, which lies in one frame of queries.
    slice_rows: u32,
    slice_columns: u32,
    row_slices: u32,
    column_slices: u32,
    slices: u32,
    positions: u32,
    out_positions: u32,
    out_height: u32,
    out_width: u32,
    out_frame_stride: u32,
    out_row_stride: u32,
    out_column_stride: u32,
    frame_stride: u32,
    row_stride: u32,
    column_stride: u32,
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
@group(0) @binding(2) var<storage, read> records: array<f32>;
@group(0) @binding(3) var<storage, read> marginals: array<f32>;
@group(0) @binding(4) var<storage, read_write> partials: array<f32>;

const MINUS_INFINITY = 0xff800000u;
const NEXT = vec4<u32>(0u, 1u, 2u, 3u);
const NOTHING = vec4<f32>(0.0);

// The entries of a window that are in four columns of the table, from `at` on. Only those in `used` are the window's and the table's.
struct Entries {
    entry: vec4<u32>,
    used: vec4<bool>,
}

fn entries_of(at: vec4<u32>, query: u32, axis: Axis) -> Entries {
    let window = window_axis(i32(query), axis);
    let entry = vec4<i32>(at) - select(0, window.offset, params.by_offset == 1u);
    let used = (entry >= vec4<i32>(window.begin)) & (entry < vec4<i32>(window.end)) & (at < vec4<u32>(params.entries));
    return Entries(vec4<u32>(clamp(entry, vec4<i32>(0), vec4<i32>(axis.keys - 1))), used);
}

fn put(plane: u32, slice: u32, channel: u32, at: vec4<u32>, sums: vec4<f32>) {
    if channel >= params.head_dim {
        return;
    }
    let to = params.partials_base + ((plane * params.slices + slice) * params.head_dim + channel) * params.entries + at;
    if at.x < params.entries { partials[to.x] = sums.x; }
    if at.y < params.entries { partials[to.y] = sums.y; }
    if at.z < params.entries { partials[to.z] = sums.z; }
    if at.w < params.entries { partials[to.w] = sums.w; }
}

@compute @workgroup_size(64)
fn window_attention_backward_product(
    @builtin(local_invocation_index) index: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let number = (params.origin + group.x) * 64u + index;
    let entry_tiles = (params.entries + 3u) / 4u;
    let tiles = (params.head_dim + 3u) / 4u * entry_tiles;
    let slice = number / tiles;
    let tile = number - slice * tiles;
    let channel = tile / entry_tiles * 4u;
    let at = (tile % entry_tiles) * 4u + NEXT;
    let head = (params.plane + group.z) % params.heads;
    let first = channel + select(0u, head * params.head_dim, params.whole_channel == 1u);
    if slice >= params.slices || first + 4u <= params.table_begin || first >= params.table_end {
        return;
    }
    let frame = slice / (params.row_slices * params.column_slices);
    let in_frame = slice - frame * params.row_slices * params.column_slices;
    let row_slice = in_frame / params.column_slices;
    let first_row = row_slice * params.slice_rows;
    let end_row = min(first_row + params.slice_rows, params.out_height);
    let first_column = (in_frame - row_slice * params.column_slices) * params.slice_columns;
    let end_column = min(first_column + params.slice_columns, params.out_width);

    let own = min(channel + NEXT, vec4<u32>(params.head_dim - 1u));
    let query = params.q_base + (group.z * params.head_dim + own) * params.positions
        + frame * u32(params.frames_stride) * params.frame_stride;
    let record = params.records_base + group.z * params.fields * params.out_positions;
    let marginal = params.marginals_base + group.z * params.marginals * params.out_positions;
    var entries: Entries;
    var first_field = 0u;
    if params.axis == 0u {
        entries = entries_of(at, frame, frames_axis());
    } else if params.axis == 1u {
        first_field = u32(params.frames_keys);
    } else {
        first_field = u32(params.frames_keys + params.rows_keys);
    }
    // The outer loop goes along the table's axis, so that the entries stay the same in the inner one. With a table of frames it goes along rows.
    let by_column = params.axis == 2u;
    let outer_range = select(vec2<u32>(first_row, end_row), vec2<u32>(first_column, end_column), by_column);
    let inner_range = select(vec2<u32>(first_column, end_column), vec2<u32>(first_row, end_row), by_column);
    // A column of the matrix is one channel, a row one entry.
    var total = mat4x4<f32>();
    for (var outer = outer_range.x; outer < outer_range.y; outer += 1u) {
        if params.axis == 1u {
            entries = entries_of(at, outer, rows_axis());
        } else if by_column {
            entries = entries_of(at, outer, columns_axis());
        }
        var sum = mat4x4<f32>();
        for (var inner = inner_range.x; inner < inner_range.y; inner += 1u) {
            let row = select(outer, inner, by_column);
            let column = select(inner, outer, by_column);
            let out = frame * params.out_frame_stride + row * params.out_row_stride + column * params.out_column_stride;
            // A query without keys uses no entry, not even as 0 * NaN.
            if bitcast<u32>(records[record + out]) != MINUS_INFINITY {
                let place = query + row * u32(params.rows_stride) * params.row_stride
                    + column * u32(params.columns_stride) * params.column_stride;
                let i = marginal + (first_field + entries.entry) * params.out_positions + out;
                let of_entries = vec4<f32>(marginals[i.x], marginals[i.y], marginals[i.z], marginals[i.w]);
                sum += mat4x4<f32>(
                    select(NOTHING, f32(q[place.x]) * of_entries, entries.used),
                    select(NOTHING, f32(q[place.y]) * of_entries, entries.used),
                    select(NOTHING, f32(q[place.z]) * of_entries, entries.used),
                    select(NOTHING, f32(q[place.w]) * of_entries, entries.used),
                );
            }
        }
        total += sum;
    }
    put(group.z, slice, channel, at, total[0]);
    put(group.z, slice, channel + 1u, at, total[1]);
    put(group.z, slice, channel + 2u, at, total[2]);
    put(group.z, slice, channel + 3u, at, total[3]);
}
