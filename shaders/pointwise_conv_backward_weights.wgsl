// Gradient of the pointwise convolution with respect to its weights and bias, summed over one slice of an image's pixels.
//
//   parts[n, slice, s, o, c]         = sum over the pixels of the slice of dy_s[o] * x[group(o), c]
//   parts[n, slice, s, o, c/groups]  = sum over the pixels of the slice of dy_s[o], for the bias
//
// Source    the projections of Ramachandran et al. 2019, arXiv:1906.05909, Sec. 3.1, by the chain rule
// Host      src/ops/pointwise_conv_backward.rs        Reference  src/reference/pointwise_conv_backward.rs
// Shapes    x [n, c, h, w], dy0, dy1, dy2 [n, o, h, w] -> parts [n, slices, s, o, columns], f32
// Grid      x: tiles of 32 outputs x 32 columns of each group of each stack, y: slices, z: n
// Numerics  sums in f32: over 32 pixels, over 16 of these, then over the slice
// Needs     f16 variants: SHADER_F16
//
// 64 invocations hold a tile of 32 x 32 sums, 4 x 4 each. Both operands of 32 pixels go through workgroup memory, where a vector holds four
// rows at one pixel: 2 loads for 16 multiply-adds.

struct Params {
    origin_x: u32,
    origin_y: u32,
    x_base: u32,
    dy0_base: u32,
    dy1_base: u32,
    dy2_base: u32,
    parts_base: u32,
    pixels: u32,
    inputs: u32,
    outputs: u32,
    groups: u32,
    // Per group.
    group_inputs: u32,
    group_outputs: u32,
    // Tiles of 32 outputs, and of 32 columns.
    row_tiles: u32,
    column_tiles: u32,
    // Column `group_inputs` is the bias. The columns from `first` on, below `end`, are computed.
    first: u32,
    end: u32,
    slice: u32,
    slices: u32,
    // Rows of all stacks.
    rows: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Element>;
@group(0) @binding(2) var<storage, read> dy0: array<Inner>;
@group(0) @binding(3) var<storage, read> dy1: array<Inner>;
@group(0) @binding(4) var<storage, read> dy2: array<Inner>;
@group(0) @binding(5) var<storage, read_write> parts: array<f32>;

const DEPTH = 32u;

// [pixel][quad of rows]
var<workgroup> wg_dy: array<vec4<f32>, 256>;
var<workgroup> wg_x: array<vec4<f32>, 256>;

fn upstream(stack: u32, at: u32) -> f32 {
    switch stack {
        case 0u: { return f32(dy0[params.dy0_base + at]); }
        case 1u: { return f32(dy1[params.dy1_base + at]); }
        default: { return f32(dy2[params.dy2_base + at]); }
    }
}

fn write(first_row: u32, row: u32, column: u32, value: f32) {
    if column < params.end && row < params.group_outputs {
        let columns = params.end - params.first;
        parts[params.parts_base + (first_row + row) * columns + column - params.first] = value;
    }
}

// Four rows of one column.
fn finish(first_row: u32, row: u32, column: u32, sum: vec4<f32>) {
    write(first_row, row, column, sum.x);
    write(first_row, row + 1u, column, sum.y);
    write(first_row, row + 2u, column, sum.z);
    write(first_row, row + 3u, column, sum.w);
}

fn column_of_x(inside: bool, column: u32, at: u32) -> f32 {
    if inside && column < params.group_inputs {
        return f32(x[at + column * params.pixels]);
    }
    return select(0.0, 1.0, column == params.group_inputs);
}

fn row_of_dy(inside: bool, stack: u32, row: u32, at: u32) -> f32 {
    if inside && row < params.group_outputs {
        return upstream(stack, at + row * params.pixels);
    }
    return 0.0;
}

@compute @workgroup_size(64)
fn pointwise_conv_backward_weights(
    @builtin(local_invocation_index) index: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let tile = params.origin_x + group.x;
    let column_tile = params.first + tile % params.column_tiles * 32u;
    let row_tile = tile / params.column_tiles % params.row_tiles * 32u;
    let part = tile / (params.column_tiles * params.row_tiles);
    let stack = part / params.groups;
    let channel_group = part % params.groups;
    let slice = params.origin_y + group.y;
    let start = slice * params.slice;
    let pixels = min(params.slice, params.pixels - start);
    let first_dy = (group.z * params.outputs + channel_group * params.group_outputs) * params.pixels + start;
    let first_x = params.x_base + (group.z * params.inputs + channel_group * params.group_inputs) * params.pixels + start;

    let own_rows = index / 8u;
    let own_columns = index % 8u;
    var sum = mat4x4<f32>();
    var near = mat4x4<f32>();
    var stages = 0u;
    for (var first = 0u; first < pixels; first += DEPTH) {
        let staged = first + index % DEPTH;
        let inside = staged < pixels;
        for (var quad = index / DEPTH; quad < 8u; quad += 2u) {
            let row = row_tile + quad * 4u;
            let at_dy = first_dy + staged;
            let column = column_tile + quad * 4u;
            let at_x = first_x + staged;
            wg_dy[index % DEPTH * 8u + quad] = vec4<f32>(
                row_of_dy(inside, stack, row, at_dy), row_of_dy(inside, stack, row + 1u, at_dy),
                row_of_dy(inside, stack, row + 2u, at_dy), row_of_dy(inside, stack, row + 3u, at_dy));
            wg_x[index % DEPTH * 8u + quad] = vec4<f32>(
                column_of_x(inside, column, at_x), column_of_x(inside, column + 1u, at_x),
                column_of_x(inside, column + 2u, at_x), column_of_x(inside, column + 3u, at_x));
        }
        workgroupBarrier();
        var stage = mat4x4<f32>();
        for (var pixel = 0u; pixel < DEPTH; pixel += 1u) {
            // Rows are outputs, columns are inputs.
            let dy = wg_dy[pixel * 8u + own_rows];
            let column = wg_x[pixel * 8u + own_columns];
            stage += mat4x4<f32>(dy * column.x, dy * column.y, dy * column.z, dy * column.w);
        }
        workgroupBarrier();
        near += stage;
        stages += 1u;
        if stages % 16u == 0u {
            sum += near;
            near = mat4x4<f32>();
        }
    }
    sum += near;

    let row = row_tile + own_rows * 4u;
    let first_row = (group.z * params.slices + slice) * params.rows + stack * params.outputs
        + channel_group * params.group_outputs;
    let column = column_tile + own_columns * 4u;
    finish(first_row, row, column, sum[0]);
    finish(first_row, row, column + 1u, sum[1]);
    finish(first_row, row, column + 2u, sum[2]);
    finish(first_row, row, column + 3u, sum[3]);
}
