// Windowed attention, gradient: partial sums of the gradient of an axis's table, over a slice of the queries.
//
//   partial(c, a) = sum over queries of q(c) * marginal(a)
//
// Source    chain rule of Ramachandran et al. 2019, arXiv:1906.05909, Eq. 3
// Host      src/ops/window_attention_backward/tables.rs        Reference  src/reference/window_attention_backward.rs
// Shapes    q [n, g*d, t, h, w], records and marginals as in the other kernels -> partials [n, g, slices, d, entries] f32
// Grid      x: ceil(d * entries / 64), y: slices of the queries, z: one head of one image; one invocation for each number
// Numerics  f32, in the order of rows and columns
// Uses      `frames_axis`, `rows_axis`, `columns_axis`, `window_axis` of shared/window.wgsl
// Needs     f16 variants: SHADER_F16

struct Params {
    origin_x: u32,
    origin_y: u32,
    q_base: u32,
    records_base: u32,
    marginals_base: u32,
    partials_base: u32,
    head_dim: u32,
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

// The entry of a window that is in column `at` of the table, or -1 if the window has none.
fn entry_of(at: i32, query: u32, axis: Axis) -> i32 {
    let window = window_axis(i32(query), axis);
    let entry = select(at, at - window.offset, params.by_offset == 1u);
    return select(-1, entry, entry >= window.begin && entry < window.end);
}

@compute @workgroup_size(64)
fn window_attention_backward_product(
    @builtin(local_invocation_index) index: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let element = (params.origin_x + group.x) * 64u + index;
    let slice = params.origin_y + group.y;
    if element >= params.head_dim * params.entries {
        return;
    }
    let channel = element / params.entries;
    let at = i32(element - channel * params.entries);
    let frame = slice / (params.row_slices * params.column_slices);
    let in_frame = slice - frame * params.row_slices * params.column_slices;
    let row_slice = in_frame / params.column_slices;
    let first_row = row_slice * params.slice_rows;
    let end_row = min(first_row + params.slice_rows, params.out_height);
    let first_column = (in_frame - row_slice * params.column_slices) * params.slice_columns;
    let end_column = min(first_column + params.slice_columns, params.out_width);

    let query = params.q_base + (group.z * params.head_dim + channel) * params.positions
        + frame * u32(params.frames_stride) * params.frame_stride;
    let record = params.records_base + group.z * params.fields * params.out_positions;
    let marginal = params.marginals_base + group.z * params.marginals * params.out_positions;
    var entry = -1;
    var first_field = 0;
    if params.axis == 0u {
        entry = entry_of(at, frame, frames_axis());
    } else if params.axis == 1u {
        first_field = params.frames_keys;
    } else {
        first_field = params.frames_keys + params.rows_keys;
    }
    var total = 0.0;
    for (var row = first_row; row < end_row; row += 1u) {
        if params.axis == 1u {
            entry = entry_of(at, row, rows_axis());
        }
        var sum = 0.0;
        for (var column = first_column; column < end_column; column += 1u) {
            if params.axis == 2u {
                entry = entry_of(at, column, columns_axis());
            }
            let out = frame * params.out_frame_stride + row * params.out_row_stride + column * params.out_column_stride;
            // A query without keys uses no entry, not even as 0 * NaN.
            if entry >= 0 && bitcast<u32>(records[record + out]) != MINUS_INFINITY {
                let place = row * u32(params.rows_stride) * params.row_stride
                    + column * u32(params.columns_stride) * params.column_stride;
                sum += f32(q[query + place]) * marginals[marginal + u32(first_field + entry) * params.out_positions + out];
            }
        }
        total += sum;
    }
    partials[params.partials_base + (group.z * params.slices + slice) * params.head_dim * params.entries + element] = total;
}
