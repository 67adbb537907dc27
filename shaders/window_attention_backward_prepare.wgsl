// Windowed attention, gradient: what both walks need of every query.
//
//   records = L, D = sum over channels of y_gradient * y - log_sum_exp_gradient, q . E(e) for each entry of each axis with a table
//
// Source    chain rule of Ramachandran et al. 2019, arXiv:1906.05909, Eqs. 2 and 3; D as in arXiv:2205.14135, Appendix B.2
// Host      src/ops/window_attention_backward/mod.rs        Reference  src/reference/window_attention_backward.rs
// Shapes    q [n, g*d, t, h, w], tables [all elements] f32, y, y_gradient [n, g*dv, to, ho, wo], log_sum_exp,
//           log_sum_exp_gradient [n, g, to, ho, wo] f32 -> records [n, g, 2 + entries, to, ho, wo] f32
// Grid      x: ceil(to*ho*wo / 64), y: 1 + entries, z: one head of one image; one invocation for each query and entry
// Numerics  f32; without y, D is only -log_sum_exp_gradient, and a walk adds the rest
// Uses      `frames_axis`, `rows_axis`, `columns_axis`, `window_axis` of shared/window.wgsl
// Needs     f16 variants: SHADER_F16

struct Params {
    origin_x: u32,
    origin_y: u32,
    q_base: u32,
    y_base: u32,
    y_gradient_base: u32,
    log_sum_exp_base: u32,
    log_sum_exp_gradient_base: u32,
    records_base: u32,
    // The first plane of the dispatch. A plane is one head of one image, counted through the batch.
    plane: u32,
    heads: u32,
    head_dim: u32,
    value_dim: u32,
    with_y: u32,
    with_log_sum_exp_gradient: u32,
    // Numbers of a record.
    fields: u32,
    positions: u32,
    out_positions: u32,
    out_frame_stride: u32,
    out_line: u32,
    frame_stride: u32,
    row_stride: u32,
    column_stride: u32,
    // 1: rows and columns are exchanged, as in the walks.
    along_rows: u32,
    // Channels of the axes' tables, counted in a head or in all heads: from `begin` to one before `end`.
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
@group(0) @binding(2) var<storage, read> tables: array<f32>;
@group(0) @binding(3) var<storage, read> y: array<Element>;
@group(0) @binding(4) var<storage, read> y_gradient: array<Element>;
@group(0) @binding(5) var<storage, read> log_sum_exp: array<f32>;
@group(0) @binding(6) var<storage, read> log_sum_exp_gradient: array<f32>;
@group(0) @binding(7) var<storage, read_write> records: array<f32>;

// The table of one axis: where it begins, its channels, and the query's entry on that axis.
struct Table {
    first: u32,
    begin: u32,
    end: u32,
    entries: i32,
    entry: i32,
}

fn table(first: u32, begin: u32, end: u32, entry: i32, query: u32, axis: Axis) -> Table {
    if params.by_offset == 0u {
        return Table(first, begin, end, axis.keys, entry);
    }
    let offset = window_axis(i32(query), axis).offset;
    // An entry that is left out may lie outside the table.
    return Table(first, begin, end, 2 * axis.keys - 1, clamp(entry + offset, 0, 2 * axis.keys - 2));
}

@compute @workgroup_size(64)
fn window_attention_backward_prepare(
    @builtin(local_invocation_index) index: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let position = (params.origin_x + group.x) * 64u + index;
    let field = params.origin_y + group.y;
    if position >= params.out_positions {
        return;
    }
    let record = params.records_base + group.z * params.fields * params.out_positions + position;
    if field == 0u {
        let statistic = group.z * params.out_positions + position;
        var delta = 0.0;
        if params.with_y == 1u {
            let first = group.z * params.value_dim * params.out_positions + position;
            for (var c = 0u; c < params.value_dim; c += 1u) {
                let i = first + c * params.out_positions;
                delta += f32(y_gradient[params.y_gradient_base + i]) * f32(y[params.y_base + i]);
            }
        }
        if params.with_log_sum_exp_gradient == 1u {
            delta -= log_sum_exp_gradient[params.log_sum_exp_gradient_base + statistic];
        }
        records[record] = log_sum_exp[params.log_sum_exp_base + statistic];
        records[record + params.out_positions] = delta;
        return;
    }

    let frame = position / params.out_frame_stride;
    let in_frame = position - frame * params.out_frame_stride;
    let line = in_frame / params.out_line;
    let in_line = in_frame - line * params.out_line;
    let row = select(line, in_line, params.along_rows == 1u);
    let column = select(in_line, line, params.along_rows == 1u);
    let entry = i32(field) - 1;
    let row_entry = entry - params.frames_keys;
    let column_entry = row_entry - params.rows_keys;
    var at = table(0u, params.frame_table_begin, params.frame_table_end, entry, frame, frames_axis());
    if row_entry >= 0 {
        at = table(params.row_table_first, params.row_table_begin, params.row_table_end, row_entry, row, rows_axis());
    }
    if column_entry >= 0 {
        at = table(
            params.column_table_first, params.column_table_begin, params.column_table_end, column_entry, column, columns_axis());
    }
    let head = (params.plane + group.z) % params.heads;
    let first_row = select(0u, head * params.head_dim, params.whole_channel == 1u);
    let query = params.q_base + group.z * params.head_dim * params.positions
        + frame * u32(params.frames_stride) * params.frame_stride
        + row * u32(params.rows_stride) * params.row_stride
        + column * u32(params.columns_stride) * params.column_stride;
    // The channels of this head that are in the table.
    let channels = clamp(vec2<u32>(at.begin, at.end), vec2<u32>(first_row), vec2<u32>(first_row + params.head_dim));
    var term = 0.0;
    for (var m = channels.x; m < channels.y; m += 1u) {
        let embedding = tables[at.first + (m - at.begin) * u32(at.entries) + u32(at.entry)];
        term += f32(q[query + (m - first_row) * params.positions]) * embedding;
    }
    records[record + (field + 1u) * params.out_positions] = term;
}
