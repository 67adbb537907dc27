// Largest connected component, step 1: packs the mask as bits, 32 pixels of a row to a word. A horizontal run is then a run of bits.
//
// Source    set pixels of AG-CNN's binary mask, Guan et al. 2018, arXiv:1801.09927, Sec. III
// Host      src/ops/largest_component/mod.rs        Reference  src/reference/largest_component.rs
// Shapes    mask [n, h, w], nonzero = set -> bits [n, tile_stride, 8], boxes [n, 4]
// Grid      x: ceil(tiles_wide / 8), y: tiles_high, z: n; one invocation per word, a workgroup is 8 tiles side by side
// Numerics  exact
// Uses      `pack_runs`, `start_box` of shared/component_runs.wgsl
// Needs     no device feature
//
// A tile is 32 columns by 8 rows: tiles_wide = ceil(w / 32), tiles_high = ceil(h / 8). A tile's 8 words lie side by side.

struct Params {
    origin_x: u32,
    origin_y: u32,
    width: u32,
    height: u32,
    tiles_wide: u32,
    tile_stride: u32,
    mask_base: u32,
    boxes_base: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> mask: array<u32>;            // [n, h, w]
@group(0) @binding(2) var<storage, read_write> bits: array<u32>;      // [n, tile_stride, 8]
@group(0) @binding(3) var<storage, read_write> boxes: array<i32>;     // [n, 4]; here only their start values

fn is_set(image: u32, row: u32, column: u32) -> bool {
    return mask[params.mask_base + (image * params.height + row) * params.width + column] != 0u;
}

@compute @workgroup_size(8, 8)
fn largest_component_runs(
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
        bits[tile * 8u + (row & 7u)] = pack_runs(image, row, column);
    }
}
