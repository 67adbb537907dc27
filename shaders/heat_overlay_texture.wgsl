// Heat overlay: the map in colour, blended over the picture, into a texture.
//
// Source    the usual way to show an attention map; Guan et al. 2018, arXiv:1801.09927, Fig. 4
// Host      src/ops/heat_overlay.rs        Reference  src/reference/heat_overlay.rs
// Shapes    map [n, mh, mw], pictures [n, 3, h, w] in 0..1, colors [256] -> overlay: rgba8unorm storage texture of n layers
// Grid      x: ceil(w / 64), y: ceil(h / 4), z: n; an invocation computes 4 pixels of a row, 16 apart
// Numerics  blends in f32, rounded to 8 bits once
// Uses      `heat_at` of shared/heat.wgsl
// Uses      `map_row` of shared/sampled_map.wgsl
// Needs     f16 variants: SHADER_F16

const RESAMPLED = true;

// Pixels per workgroup along a row.
const WIDTH = 64u;

struct Params {
    origin_x: u32,
    origin_y: u32,
    map_base: u32,
    pictures_base: u32,
    first_layer: u32,
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
@group(0) @binding(4) var overlay: texture_storage_2d_array<rgba8unorm, write>;

fn put(image: u32, map_row: MapRow, row: u32, column: u32) {
    if column < params.width {
        // The kernel rounds here, like the variant for buffers: a device may round a stored number to either of its two neighbours.
        let color = unpack4x8unorm(pack4x8unorm(heat_at(image, map_row, row, column)));
        textureStore(overlay, vec2<u32>(column, row), params.first_layer + image, color);
    }
}

@compute @workgroup_size(16, 4)
fn heat_overlay_texture(
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let first = (params.origin_x + group.x) * WIDTH + local.x;
    let row = (params.origin_y + group.y) * 4u + local.y;
    if row >= params.height {
        return;
    }
    let map_row = map_row(group.z, row);
    put(group.z, map_row, row, first);
    put(group.z, map_row, row, first + 16u);
    put(group.z, map_row, row, first + 32u);
    put(group.z, map_row, row, first + 48u);
}
