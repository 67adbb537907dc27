// Windowed attention, gradient: the partial sums of one head of one image for its bias table.
//
//   sum(df, da, db) = sum over slices of the queries, and over the four queries of a column, of their sums
//
// Source    chain rule of Swin, arXiv:2103.14030, Eq. 4
// Host      src/ops/window_attention_backward/tables.rs        Reference  src/reference/window_attention_backward.rs
// Shapes    marginals [n, g, to * slices, kt, cells, steps, 4] f32 -> partials [n, g, slices of slices, 2kt-1, 2kh-1, 2kw-1] f32
// Grid      x: ceil(entries of a head's table / 64), y: slices of slices, z: one head of one image; one invocation for each entry
// Numerics  f32, in the order of the slices
// Uses      `frames_axis`, `window_axis` of shared/window.wgsl
// Needs     no device feature

struct Params {
    origin_x: u32,
    origin_y: u32,
    marginals_base: u32,
    partials_base: u32,
    // Entries of a head's table, and the extents of its last two axes.
    entries: u32,
    row_entries: u32,
    column_entries: u32,
    // Slices of a frame of queries. `slice_groups` of them are added up together, as one of `slices` in all and `frame_slices` of a frame.
    groups: u32,
    slice_groups: u32,
    frame_slices: u32,
    slices: u32,
    out_frames: u32,
    // Rows and columns of the sums of a slice.
    row_cells: u32,
    column_steps: u32,
    // The entry of the table that the first row and column belong to.
    row_low: i32,
    column_low: i32,
    query_step: i32,
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
@group(0) @binding(1) var<storage, read> marginals: array<f32>;
@group(0) @binding(2) var<storage, read_write> partials: array<f32>;

@compute @workgroup_size(64)
fn window_attention_backward_bias(
    @builtin(local_invocation_index) index: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let element = (params.origin_x + group.x) * 64u + index;
    if element >= params.entries {
        return;
    }
    let frame_entry = element / (params.row_entries * params.column_entries);
    let in_frame = element - frame_entry * params.row_entries * params.column_entries;
    let row_entry = in_frame / params.column_entries;
    let step = i32(in_frame - row_entry * params.column_entries) - params.column_low;
    let cells = params.row_cells * params.column_steps * 4u;
    let frames = u32(params.frames_keys);
    let first = params.marginals_base + group.z * params.out_frames * params.groups * frames * cells;

    let slice = params.origin_y + group.y;
    let frame = slice / params.frame_slices;
    let begin = (slice - frame * params.frame_slices) * params.slice_groups;
    let end = min(begin + params.slice_groups, params.groups);
    let along = window_axis(i32(frame), frames_axis());
    let f = i32(frame_entry) - along.offset;
    var total = 0.0;
    if f >= along.begin && f < along.end && step >= 0 && step < i32(params.column_steps) {
        for (var query = 0; query < 4; query += 1) {
            let cell = i32(row_entry) - params.row_low + query * params.query_step;
            if cell >= 0 && cell < i32(params.row_cells) {
                let at = first + u32(f) * cells + (u32(cell) * params.column_steps + u32(step)) * 4u + u32(query);
                var sum = 0.0;
                for (var i = begin; i < end; i += 1u) {
                    sum += marginals[at + (frame * params.groups + i) * frames * cells];
                }
                total += sum;
            }
        }
    }
    partials[params.partials_base + (group.z * params.slices + slice) * params.entries + element] = total;
}
