// Crops every image to a box that is on the GPU, and resamples the crop bilinearly to one size.
//
// Source    Guan et al. 2018, arXiv:1801.09927, Sec. III-B: the attended region is cropped and resized for the local branch
// Host      src/ops/crop_resize.rs        Reference  src/reference/crop_resize.rs
// Shapes    images [n, c, h, w], boxes [n, k, 4] (xmin, ymin, xmax, ymax) -> crops [n*k, c, oh, ow]. With one box for each image a plane
//           is one unit: planes_in = planes_out = 1. With several an image is: planes_in = c, planes_out = k*c.
// Grid      x: ceil(ow / 64), y: planes_out * ceil(oh / 4), z: units; an invocation computes 4 outputs of a row, 16 apart
// Numerics  positions exact, three blends in f32; a box is clamped to the image and holds at least one pixel
// Uses      `tap`, `blend` of shared/bilinear.wgsl
// Uses      `axis`, `span` of shared/crop.wgsl
// Needs     f16 variants: SHADER_F16

// 1: a box includes its last row and column. 0: it ends before them.
override END: i32 = 1;
override ALIGN_CORNERS: bool = false;

// Outputs per workgroup along a row.
const WIDTH = 64u;

struct Params {
    origin_x: u32,
    origin_y: u32,
    images_base: u32,
    crops_base: u32,
    first_plane: u32,
    channels: u32,
    planes_in: u32,
    planes_out: u32,
    tiles_high: u32,
    input_height: u32,
    input_width: u32,
    height: u32,
    width: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> images: array<Element>;
@group(0) @binding(2) var<storage, read> boxes: array<i32>;
@group(0) @binding(3) var<storage, read_write> crops: array<Element>;

// Writes output `column` of the row that starts at `start`. `low` and `high` are the addresses of the two source rows at the box's first
// column.
fn put(axis: Axis, weight: f32, low: u32, high: u32, start: u32, column: u32) {
    if column < params.width {
        let columns = tap(axis, column);
        let value = blend(
            blend(f32(images[low + columns.low]), f32(images[high + columns.low]), weight),
            blend(f32(images[low + columns.high]), f32(images[high + columns.high]), weight),
            columns.weight,
        );
        crops[start + column] = Element(value);
    }
}

@compute @workgroup_size(16, 4)
fn crop_resize(
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let first = (params.origin_x + group.x) * WIDTH + local.x;
    let tile = params.origin_y + group.y;
    let plane = tile / params.tiles_high;
    let row = (tile - plane * params.tiles_high) * 4u + local.y;
    if row >= params.height {
        return;
    }
    let output = group.z * params.planes_out + plane;
    let box = (params.first_plane + output) / params.channels * 4u;
    let horizontal = span(boxes[box], boxes[box + 2u], params.input_width);
    let vertical = span(boxes[box + 1u], boxes[box + 3u], params.input_height);
    let rows = tap(axis(vertical.y, params.height), row);

    let source = group.z * params.planes_in + plane % params.planes_in;
    let first_pixel = params.images_base + source * params.input_height * params.input_width + horizontal.x;
    let low = first_pixel + (vertical.x + rows.low) * params.input_width;
    let high = first_pixel + (vertical.x + rows.high) * params.input_width;
    let start = params.crops_base + (output * params.height + row) * params.width;
    let column_axis = axis(horizontal.y, params.width);
    put(column_axis, rows.weight, low, high, start, first);
    put(column_axis, rows.weight, low, high, start, first + 16u);
    put(column_axis, rows.weight, low, high, start, first + 32u);
    put(column_axis, rows.weight, low, high, start, first + 48u);
}
