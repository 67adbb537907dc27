// Attended region: resamples a map to the picture's size, thresholds the values, and packs the mask as bits, 32 pixels of a row to a word.
// Neither the resampled map nor the mask is written.
//
// Source    Guan et al. 2018, arXiv:1801.09927, Eq. 4
// Host      src/ops/attended_region/mod.rs        Reference  src/reference/attended_region.rs
// Shapes    map [n, h, w], levels [n] -> bits [n, tile_stride, 8], boxes [n, 4]: what shaders/largest_component_runs.wgsl writes
// Grid      x: ceil(tiles_wide / 8), y: tiles_high, z: n; one invocation per word, a workgroup is 8 tiles side by side
// Numerics  the map's value as in resize; NaN exceeds nothing
// Uses      `pack_runs`, `start_box` of shared/component_runs.wgsl
// Uses      `of_mask` of shared/thresholded.wgsl
// Uses      `map_row`, `map_at` of shared/sampled_map.wgsl
// Needs     no device feature

// The rule of the mask, numbered as in shaders/threshold.wgsl.
override RULE: u32 = 0u;

const RESAMPLED = true;

struct Params {
    origin_x: u32,
    origin_y: u32,
    width: u32,
    height: u32,
    tiles_wide: u32,
    tile_stride: u32,
    map_base: u32,
    levels_base: u32,
    boxes_base: u32,
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
@group(0) @binding(3) var<storage, read_write> bits: array<u32>;      // [n, tile_stride, 8]
@group(0) @binding(4) var<storage, read_write> boxes: array<i32>;     // [n, 4]; here only their start values

// The map's rows for the row of pixels that `pack_runs` packs.
var<private> packed: MapRow;

fn is_set(image: u32, row: u32, column: u32) -> bool {
    return of_mask(image, map_at(packed, column)) == 1u;
}

@compute @workgroup_size(8, 8)
fn attended_region_runs(
    @builtin(global_invocation_id) invocation: vec3<u32>,
) {
    let column = invocation.x + params.origin_x * 8u;
    let row = invocation.y + params.origin_y * 8u;
    let image = invocation.z;
    if column == 0u && row == 0u {
        start_box(image);
    }
    if column < params.tiles_wide {
        let tile = image * params.tile_stride + (row >> 3u) * params.tiles_wide + column;
        packed = map_row(image, min(row, params.height - 1u));
        bits[tile * 8u + (row & 7u)] = pack_runs(image, row, column);
    }
}
