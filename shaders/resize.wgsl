// Bilinear resampling of every plane to another size, without antialiasing.
//
// Source    half-pixel centres as in OpenCV and PyTorch (align_corners=False), or aligned corners (align_corners=True)
// Host      src/ops/resize.rs        Reference  src/reference/resize.rs
// Shapes    input [n, c, h, w] -> output [n, c, oh, ow]; a plane is one unit
// Grid      x: ceil(ow / 16), y: ceil(oh / 4), z: n*c; one invocation for each output
// Numerics  positions exact, three blends in f32
// Needs     f16 variants: SHADER_F16

struct Params {
    origin_x: u32,
    origin_y: u32,
    input_base: u32,
    output_base: u32,
    height: u32,
    width: u32,
    row_multiplier: u32,
    row_plus: u32,
    row_minus: u32,
    row_denominator: u32,
    input_height: u32,
    column_multiplier: u32,
    column_plus: u32,
    column_minus: u32,
    column_denominator: u32,
    input_width: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Element>;
@group(0) @binding(2) var<storage, read_write> output: array<Element>;

@compute @workgroup_size(16, 4)
fn resize(
    @builtin(global_invocation_id) global: vec3<u32>,
) {
    let column = params.origin_x * 16u + global.x;
    let row = params.origin_y * 4u + global.y;
    if column >= params.width || row >= params.height {
        return;
    }
    let rows = tap(Axis(params.row_multiplier, params.row_plus, params.row_minus, params.row_denominator, params.input_height), row);
    let columns = tap(Axis(params.column_multiplier, params.column_plus, params.column_minus, params.column_denominator, params.input_width), column);
    let plane = params.input_base + global.z * params.input_height * params.input_width;
    let low = plane + rows.low * params.input_width;
    let high = plane + rows.high * params.input_width;
    let value = blend(
        blend(f32(input[low + columns.low]), f32(input[high + columns.low]), rows.weight),
        blend(f32(input[low + columns.high]), f32(input[high + columns.high]), rows.weight),
        columns.weight,
    );
    output[params.output_base + (global.z * params.height + row) * params.width + column] = Element(value);
}
