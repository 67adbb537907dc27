// Mask of a map that is resampled to the picture's size: 1 where the value is strictly above the threshold.
//
// Source    Guan et al. 2018, arXiv:1801.09927, Eq. 4
// Host      src/ops/threshold.rs        Reference  src/reference/threshold.rs
// Shapes    map [n, h, w], levels [n] -> mask [n, oh, ow] u32
// Grid      x: ceil(ow / 64), y: ceil(oh / 4), z: n; an invocation computes 4 pixels of a row, 16 apart
// Numerics  the map's value as in resize; NaN exceeds nothing
// Uses      `of_mask` of shared/thresholded.wgsl
// Uses      `map_row`, `map_at` of shared/sampled_map.wgsl
// Needs     no device feature

// 0: value > threshold. 1: floor(255 * value) > threshold. 2: floor(255 * value) > the image's level, found by Otsu's method.
override RULE: u32 = 0u;

const RESAMPLED = true;

// Pixels per workgroup along a row.
const WIDTH = 64u;

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
    row_length: u32,
    column_multiplier: u32,
    column_plus: u32,
    column_minus: u32,
    column_denominator: u32,
    column_length: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> map: array<f32>;
@group(0) @binding(2) var<storage, read> levels: array<u32>;
@group(0) @binding(3) var<storage, read_write> mask: array<u32>;

fn put(image: u32, map_row: MapRow, start: u32, column: u32) {
    if column < params.width {
        mask[start + column] = of_mask(image, map_at(map_row, column));
    }
}

@compute @workgroup_size(16, 4)
fn threshold(
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let first = (params.origin_x + group.x) * WIDTH + local.x;
    let row = (params.origin_y + group.y) * 4u + local.y;
    if row >= params.height {
        return;
    }
    let map_row = map_row(group.z, row);
    let start = params.mask_base + (group.z * params.height + row) * params.width;
    put(group.z, map_row, start, first);
    put(group.z, map_row, start, first + 16u);
    put(group.z, map_row, start, first + 32u);
    put(group.z, map_row, start, first + 48u);
}
