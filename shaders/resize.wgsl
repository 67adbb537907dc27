// Bilinear resampling of every plane to another size, without antialiasing.
//
// Source    half-pixel centres as in OpenCV and PyTorch (align_corners=False), or aligned corners (align_corners=True)
// Host      src/ops/resize.rs        Reference  src/reference/resize.rs
// Shapes    input [n, c, h, w] -> output [n, c, oh, ow]; a plane is one unit
// Grid      x: ceil(ow / 64), y: ceil(oh / 4), z: n*c; an invocation computes 4 outputs of a row, 16 apart
// Numerics  positions exact, three blends in f32
// Uses      `tap`, `blend` of shared/bilinear.wgsl
// Needs     f16 variants: SHADER_F16

// Outputs per workgroup along a row.
const WIDTH = 64u;

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
    row_length: u32,
    column_multiplier: u32,
    column_plus: u32,
    column_minus: u32,
    column_denominator: u32,
    column_length: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Element>;
@group(0) @binding(2) var<storage, read_write> output: array<Element>;

// Writes output `column` of the row that starts at `start`. `low` and `high` are the addresses of the two source rows.
fn put(axis: Axis, weight: f32, low: u32, high: u32, start: u32, column: u32) {
    if column < params.width {
        let columns = tap(axis, column);
        let value = blend(
            blend(f32(input[low + columns.low]), f32(input[high + columns.low]), weight),
            blend(f32(input[low + columns.high]), f32(input[high + columns.high]), weight),
            columns.weight,
        );
        output[start + column] = Element(value);
    }
}

@compute @workgroup_size(16, 4)
fn resize(
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let first = (params.origin_x + group.x) * WIDTH + local.x;
    let row = (params.origin_y + group.y) * 4u + local.y;
    if row >= params.height {
        return;
    }
    let rows = tap(Axis(params.row_multiplier, params.row_plus, params.row_minus, params.row_denominator, params.row_length), row);
    let plane = params.input_base + group.z * params.row_length * params.column_length;
    let low = plane + rows.low * params.column_length;
    let high = plane + rows.high * params.column_length;
    let start = params.output_base + (group.z * params.height + row) * params.width;
    let axis = Axis(params.column_multiplier, params.column_plus, params.column_minus, params.column_denominator, params.column_length);
    put(axis, rows.weight, low, high, start, first);
    put(axis, rows.weight, low, high, start, first + 16u);
    put(axis, rows.weight, low, high, start, first + 32u);
    put(axis, rows.weight, low, high, start, first + 48u);
}
