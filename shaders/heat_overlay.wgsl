// Heat overlay: the map in colour, blended over the picture, into a buffer.
//
// Source    the usual way to show an attention map; Guan et al. 2018, arXiv:1801.09927, Fig. 4
// Host      src/ops/heat_overlay.rs        Reference  src/reference/heat_overlay.rs
// Shapes    map [n, mh, mw], pictures [n, 3, h, w] in 0..1, colors [256] -> overlay [n, h, w] u32, RGBA in its bytes from the lowest
// Grid      x: ceil(w / 16), y: ceil(h / 4), z: n; one invocation for each pixel
// Numerics  blends in f32, rounded to 8 bits once
// Needs     f16 variants: SHADER_F16

struct Params {
    origin_x: u32,
    origin_y: u32,
    map_base: u32,
    pictures_base: u32,
    overlay_base: u32,
    opacity: f32,
    picture_share: f32,
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
@group(0) @binding(1) var<storage, read> map: array<f32>;
@group(0) @binding(2) var<storage, read> pictures: array<Element>;
@group(0) @binding(3) var<storage, read> colors: array<u32>;
@group(0) @binding(4) var<storage, read_write> overlay: array<u32>;

@compute @workgroup_size(16, 4)
fn heat_overlay(
    @builtin(global_invocation_id) global: vec3<u32>,
) {
    let column = params.origin_x * 16u + global.x;
    let row = params.origin_y * 4u + global.y;
    if column >= params.width || row >= params.height {
        return;
    }
    overlay[params.overlay_base + (global.z * params.height + row) * params.width + column] = pack4x8unorm(heat_at(global.z, row, column));
}
