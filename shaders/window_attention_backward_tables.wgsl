// Windowed attention, gradient: the position tables side by side in f32, so that they take one binding.
//
//   tables = [frame table, row table, column table]
//
// Source    none: it moves numbers
// Host      src/ops/window_attention_backward/mod.rs        Reference  src/reference/window_attention_backward.rs
// Shapes    tables as in window_attention -> tables [all elements] f32
// Grid      x: ceil(elements / 64); one invocation for each element
// Numerics  exact
// Needs     f16 variants: SHADER_F16

struct Params {
    origin: u32,
    frame_elements: u32,
    row_elements: u32,
    column_elements: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> frame_table: array<Element>;
@group(0) @binding(2) var<storage, read> row_table: array<Element>;
@group(0) @binding(3) var<storage, read> column_table: array<Element>;
@group(0) @binding(4) var<storage, read_write> tables: array<f32>;

@compute @workgroup_size(64)
fn window_attention_backward_tables(
    @builtin(local_invocation_index) index: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let at = (params.origin + group.x) * 64u + index;
    let in_rows = at - min(at, params.frame_elements);
    let in_columns = in_rows - min(in_rows, params.row_elements);
    if at < params.frame_elements {
        tables[at] = f32(frame_table[at]);
    } else if in_rows < params.row_elements {
        tables[at] = f32(row_table[in_rows]);
    } else if in_columns < params.column_elements {
        tables[at] = f32(column_table[in_columns]);
    }
}
