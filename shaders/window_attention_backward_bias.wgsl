// Windowed attention, gradient: partial sums for the gradient of a bias table, over a slice of the queries.
//
//   sum(df, da, db) = sum over the queries of a slice of dS of their key at this offset
//
// Source    chain rule of Swin, arXiv:2103.14030, Eq. 4
// Host      src/ops/window_attention_backward/bias.rs        Reference  src/reference/window_attention_backward.rs
// Shapes    marginals [heads, frames, kt, cells, kw, slots of a turn, 4] f32 -> partials [n, g, to * slices, 2kt-1, 2kh-1, 2kw-1] f32
// Grid      x: ceil(entries of a head's table / 64), y: slices of the turn of each frame, z: one head of one image; one invocation for
//           each entry
// Numerics  f32, in the order of the queries as the walk over them takes them
// Uses      `frames_axis`, `window_axis` of shared/window.wgsl
// Uses      `tile_of` of shared/window_tile.wgsl
// Needs     no device feature
//
// Marginals are the gradients of the logits of a turn: the walk over queries writes them, and this kernel reads them before the next turn. Cells
// that the walk does not write hold zeros since their buffer was created.

struct Params {
    origin_x: u32,
    origin_y: u32,
    partials_base: u32,
    // Entries of a head's table, and the extents of its last two axes.
    entries: u32,
    row_entries: u32,
    column_entries: u32,
    // As in window_attention_backward_query.
    cells: u32,
    first_slot: u32,
    turn_slots: u32,
    first_frame: u32,
    turn_frames: u32,
    turn_planes: u32,
    // Invocations of a frame in that walk, and in a slice. The turn has `turn_slices` of the `slices` of a frame.
    slots: u32,
    slice_slots: u32,
    turn_slices: u32,
    slices: u32,
    out_frames: u32,
    out_height: u32,
    out_width: u32,
    query_step: i32,
    // As in window_attention.
    classes: u32,
    tiles: u32,
    group_queries: u32,
    group_tiles: u32,
    group_lead: u32,
    along_rows: u32,
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
@group(0) @binding(1) var<storage, read> marginals: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> partials: array<f32>;

// The offsets of rows and columns of 64 columns of four queries.
var<workgroup> offsets: array<vec2<i32>, 64>;

@compute @workgroup_size(64)
fn window_attention_backward_bias(
    @builtin(local_invocation_index) index: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let element = (params.origin_x + group.x) * 64u + index;
    let frame_entry = element / (params.row_entries * params.column_entries);
    let in_frame = element - frame_entry * params.row_entries * params.column_entries;
    let row_entry = i32(in_frame / params.column_entries);
    let column_entry = i32(in_frame) - row_entry * i32(params.column_entries);

    let out = params.origin_y + group.y;
    let turn_frame = out / params.turn_slices;
    let out_frame = params.first_frame + turn_frame;
    let begin = params.first_slot + (out - turn_frame * params.turn_slices) * params.slice_slots;
    let end = min(begin + params.slice_slots, params.slots);
    let along = window_axis(i32(out_frame), frames_axis());
    let f = i32(frame_entry) - along.offset;
    let in_frames = f >= along.begin && f < along.end;
    let frame = (params.turn_planes + group.z) * params.turn_frames + turn_frame;
    let first = (frame * u32(params.frames_keys) + u32(f)) * params.cells;
    var total = 0.0;
    for (var chunk = begin; chunk < end; chunk += 64u) {
        workgroupBarrier();
        let tile = tile_of(chunk + index);
        // No entry has a key in the windows of a column that does not exist.
        offsets[index] = vec2<i32>(tile.rows.offset, select(1 << 30u, tile.across.offset, tile.working));
        workgroupBarrier();
        for (var i = 0u; i < min(end - chunk, 64u); i += 1u) {
            // The key's row for the last query, and its column, from the first key of the first window.
            let cell = row_entry - offsets[i].x + 3 * params.query_step;
            let b = column_entry - offsets[i].y;
            if in_frames && u32(cell) < params.cells && u32(b) < u32(params.columns_keys) {
                let at = (first + u32(cell)) * u32(params.columns_keys) + u32(b);
                let queries = marginals[at * params.turn_slots + chunk + i - params.first_slot];
                total += (queries.x + queries.y) + (queries.z + queries.w);
            }
        }
    }
    if element >= params.entries {
        return;
    }
    let slice = (group.z * params.out_frames + out_frame) * params.slices + begin / params.slice_slots;
    partials[params.partials_base + slice * params.entries + element] = total;
}
