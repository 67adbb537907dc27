// Largest connected component, step 7, optional: writes the component's bits as one number per pixel.
//
// Source    largest connected region of AG-CNN's mask, Guan et al. 2018, arXiv:1801.09927, Sec. III
// Host      src/ops/largest_component/components.rs        Reference  src/reference/largest_component.rs
// Shapes    bits [n, tile_stride, 8] -> component [n, h, w], 0 or 1
// Grid      x: ceil(tiles_wide / 8), y: tiles_high, z: n; a workgroup is 8 tiles side by side, an invocation writes every eighth pixel of a
//           row
// Numerics  exact
// Needs     no device feature

struct Params {
    origin_x: u32,
    origin_y: u32,
    width: u32,
    height: u32,
    tiles_wide: u32,
    tiles_high: u32,
    tile_stride: u32,
    node_stride: u32,
    component_base: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> bits: array<u32>;            // [n, tile_stride, 8]
@group(0) @binding(2) var<storage, read_write> component: array<u32>; // [n, h, w]

@compute @workgroup_size(8, 8)
fn largest_component_expand(
    @builtin(local_invocation_id) local_id: vec3<u32>,
    @builtin(workgroup_id) workgroup: vec3<u32>,
) {
    let group = workgroup + vec3<u32>(params.origin_x, params.origin_y, 0u);
    let row = group.y * 8u + local_id.y;
    if row >= params.height { return; }
    let first_tile = group.x * 8u;
    let tile_count = min(8u, params.tiles_wide - first_tile);
    let word_at = (group.z * params.tile_stride + group.y * params.tiles_wide + first_tile) * 8u + local_id.y;
    let row_at = params.component_base + (group.z * params.height + row) * params.width;
    for (var t = 0u; t < tile_count; t += 1u) {
        // Eight neighbouring invocations write eight neighbouring pixels.
        let word = bits[word_at + t * 8u] >> local_id.x;
        let column = (first_tile + t) * 32u + local_id.x;
        for (var k = 0u; k < 32u; k += 8u) {
            if column + k < params.width { component[row_at + column + k] = (word >> k) & 1u; }
        }
    }
}
