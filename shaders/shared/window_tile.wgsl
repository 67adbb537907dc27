// Expects: `params` of a kernel that goes over four queries at a time, and `Window`, `window_axis`, `rows_axis` and `columns_axis` of
// shared/window.wgsl.
// Four queries of a column: which of them are written, and their windows. Copies of a query and queries that do not exist are not written.
struct Tile {
    out_row: vec4<u32>,
    out_column: u32,
    written: vec4<bool>,
    working: bool,
    rows: Window,
    // Entry 0 of each window, in rows of keys numbered from the first query's window.
    start: vec4<i32>,
    across: Window,
}

// The queries of an invocation, as in window_attention.
fn tile_of(slot: u32) -> Tile {
    var tile = slot / params.out_width;
    var out_column = slot - tile * params.out_width;
    if params.along_rows == 1u {
        out_column = slot / (params.classes * params.tiles);
        tile = slot - out_column * params.classes * params.tiles;
    }
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
    var start = vec4<i32>(rows_x.first, rows_y.first, rows_z.first, rows_w.first) - rows_x.first;
    if params.rows_dilation > 1 {
        start /= params.rows_dilation;
    }
    return Tile(out_row, out_column, written, working, rows_x, start, window_axis(i32(out_column), columns_axis()));
}
