// Mask of a map, resampled to the picture's size: 1 where the value exceeds the threshold, strictly.
//
// Source    Guan et al. 2018, arXiv:1801.09927, Eq. 4
// Host      src/ops/threshold.rs        Reference  src/reference/threshold.rs
// Shapes    map [n, h, w], levels [n] -> mask [n, oh, ow] u32
// Grid      x: ceil(ow / 16), y: ceil(oh / 4), z: n; one invocation for each pixel
// Numerics  the map's value as in resize; NaN exceeds nothing
// Needs     no device feature

// 0: value > threshold. 1: floor(255 * value) > threshold. 2: floor(255 * value) > the image's level, found by Otsu's method.
override RULE: u32 = 0u;

struct Params {
    origin_x: u32,
    origin_y: u32,
    map_base: u32,
    levels_base: u32,
    mask_base: u32,
    height: u32,
    width: u32,
    threshold: f32,
    row_multiplier: u32,
    row_plus: u32,
    row_minus: u32,
    row_denominator: u32,
    map_height: u32,
    column_multiplier: u32,
    column_plus: u32,
    column_minus: u32,
    column_denominator: u32,
    map_width: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> map: array<f32>;
@group(0) @binding(2) var<storage, read> levels: array<u32>;
@group(0) @binding(3) var<storage, read_write> mask: array<u32>;

@compute @workgroup_size(16, 4)
fn threshold(
    @builtin(global_invocation_id) global: vec3<u32>,
) {
    let column = params.origin_x * 16u + global.x;
    let row = params.origin_y * 4u + global.y;
    if column >= params.width || row >= params.height {
        return;
    }
    let index = params.mask_base + (global.z * params.height + row) * params.width + column;
    mask[index] = u32(is_set(global.z, row, column));
}
