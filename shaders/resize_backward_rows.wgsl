// Gradient of bilinear resampling with respect to the source, first of two passes: along rows.
//
//   middle(row i) = sum over the rows o that read i of w(o, i) * gradient(row o)
//
// Source    the transpose of the resampling of shared/bilinear.wgsl
// Host      src/ops/resize_backward.rs and src/ops/crop_resize_backward.rs        Reference  src/reference/resize_backward.rs
// Shapes    gradient [n, c, oh, ow] -> middle [n, c, h, ow], f32; a plane is one unit
// Grid      x: ceil(ow / 64), y: h, z: n*c; one invocation for each number
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
    gradient_base: u32,
    middle_base: u32,
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
@group(0) @binding(1) var<storage, read> gradient: array<Element>;
@group(0) @binding(2) var<storage, read> boxes: array<i32>;
@group(0) @binding(3) var<storage, read_write> middle: array<Inner>;

alias Sum = f32;

@compute @workgroup_size(64)
fn resize_backward_rows(
    @builtin(local_invocation_index) index: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let column = (params.origin_x + group.x) * 64u + index;
    let row = params.origin_y + group.y;
    if column >= params.width {
        return;
    }
    var first = 0u;
    var axis_of_rows = Axis(
        params.row_multiplier, params.row_plus, params.row_minus, params.row_denominator, params.row_length);
    if CROP {
        let box = (params.first_plane + group.z) / params.channels * 4u;
        let vertical = span(boxes[box + 1u], boxes[box + 3u], params.input_height);
        first = vertical.x;
        axis_of_rows = axis(vertical.y, params.height);
    }
    var sum = BlockedSum();
    if row >= first && row - first < axis_of_rows.length {
        let outputs = outputs_of(axis_of_rows, row - first, params.height);
        let start = params.gradient_base + group.z * params.height * params.width + column;
        var output = outputs.x;
        while output < outputs.y {
            let end = output + min(outputs.y - output, BLOCK);
            var block = 0.0;
            for (; output < end; output += 1u) {
                block += share_of(axis_of_rows, row - first, output, f32(gradient[start + output * params.width]));
            }
            sum = with_block(sum, block);
        }
    }
    middle[params.middle_base + (group.z * params.input_height + row) * params.width + column] = Inner(total_of(sum));
}
