// Gradient of bilinear resampling with respect to the source, second of two passes: along columns.
//
//   input_gradient(column i) = sum over the columns o that read i of w(o, i) * middle(column o)
//
// Source    the transpose of the resampling of shared/bilinear.wgsl
// Host      src/ops/resize_backward.rs and src/ops/crop_resize_backward.rs        Reference  src/reference/resize_backward.rs
// Shapes    middle [n, c, h, ow], f32 -> input_gradient [n, c, h, w]; a plane is one unit
// Grid      x: ceil(w / 64), y: h, z: n*c; one invocation for each number
// Numerics  positions and ranges of outputs exact; sums in f32, in blocks of blocks
// Uses      `outputs_of`, `share_of` of shared/bilinear_backward.wgsl
// Uses      `axis`, `span` of shared/crop.wgsl
// Uses      `with_block`, `total_of` of shared/blocked_sum.wgsl
// Needs     f16 variants: SHADER_F16

// Whether the source is a box of each image, which is on the GPU, rather than the whole image.
override CROP: bool = false;
// 1: a box includes its last row and column. 0: it ends before them.
override END: i32 = 1;
override ALIGN_CORNERS: bool = false;

struct Params {
    origin_x: u32,
    origin_y: u32,
    middle_base: u32,
    input_gradient_base: u32,
    height: u32,
    width: u32,
    first_plane: u32,
    channels: u32,
    input_height: u32,
    input_width: u32,
    row_multiplier: u32,
    row_plus: u32,
    row_minus: u32,
    row_denominator: u32,
    row_length: u32,
    column_multiplier: u32,
    column_plus: u32,
    column_minus: u32,
    column_denominator: u32,
    column_length: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> middle: array<Inner>;
@group(0) @binding(2) var<storage, read> boxes: array<i32>;
@group(0) @binding(3) var<storage, read_write> input_gradient: array<Element>;

alias Sum = f32;

@compute @workgroup_size(64)
fn resize_backward_columns(
    @builtin(local_invocation_index) index: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let column = (params.origin_x + group.x) * 64u + index;
    let row = params.origin_y + group.y;
    if column >= params.input_width {
        return;
    }
    var first = 0u;
    var axis_of_columns = Axis(
        params.column_multiplier, params.column_plus, params.column_minus, params.column_denominator, params.column_length);
    if CROP {
        let box = (params.first_plane + group.z) / params.channels * 4u;
        let horizontal = span(boxes[box], boxes[box + 2u], params.input_width);
        first = horizontal.x;
        axis_of_columns = axis(horizontal.y, params.width);
    }
    var sum = BlockedSum();
    if column >= first && column - first < axis_of_columns.length {
        let outputs = outputs_of(axis_of_columns, column - first, params.width);
        let start = params.middle_base + (group.z * params.input_height + row) * params.width;
        var output = outputs.x;
        while output < outputs.y {
            let end = output + min(outputs.y - output, BLOCK);
            var block = 0.0;
            for (; output < end; output += 1u) {
                block += share_of(axis_of_columns, column - first, output, f32(middle[start + output]));
            }
            sum = with_block(sum, block);
        }
    }
    let at = (group.z * params.input_height + row) * params.input_width + column;
    input_gradient[params.input_gradient_base + at] = Element(total_of(sum));
}
