// Windowed attention, gradient: the last sum over the partial sums of a table's gradient.
//
//   gradient(e) = sum over images, heads and slices of partial(e)
//
// Source    none: the gradient of a parameter is the sum over all queries that use it
// Host      src/ops/window_attention_backward/tables.rs        Reference  src/reference/window_attention_backward.rs
// Shapes    partials [outer, inner, rows, width] f32 -> gradient [elements] f32
// Grid      x: ceil(elements / 64); one invocation for each element
// Numerics  f32, in the order of images, heads and slices
// Needs     no device feature

struct Params {
    origin: u32,
    elements: u32,
    // Entries of a row of the table.
    width: u32,
    // The table's first channel, in its head or in all heads.
    first: u32,
    // Rows of one head's partial sums, if the table spans all heads. Otherwise more than the table has.
    head_rows: u32,
    // Numbers from one head to the next, in a table that spans all heads.
    head_stride: u32,
    outer: u32,
    outer_stride: u32,
    inner: u32,
    inner_stride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> partials: array<f32>;
@group(0) @binding(2) var<storage, read_write> gradient: array<f32>;

@compute @workgroup_size(64)
fn window_attention_backward_sum(
    @builtin(local_invocation_index) index: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let element = (params.origin + group.x) * 64u + index;
    if element >= params.elements {
        return;
    }
    let row = params.first + element / params.width;
    let head = row / params.head_rows;
    let first = head * params.head_stride + (row - head * params.head_rows) * params.width + element % params.width;
    var total = 0.0;
    for (var i = 0u; i < params.outer; i += 1u) {
        var sum = 0.0;
        for (var j = 0u; j < params.inner; j += 1u) {
            sum += partials[first + i * params.outer_stride + j * params.inner_stride];
        }
        total += sum;
    }
    gradient[element] = total;
}
