// Largest connected component, step 4: finds the root of every open component of a tile, and adds the component's pixel count to the
// root's.
//
// Source    largest connected region of AG-CNN's mask, Guan et al. 2018, arXiv:1801.09927, Sec. III
// Host      src/ops/largest_component/components.rs        Reference  src/reference/largest_component.rs
// Shapes    roots [n, tile_stride, 8] -> parent, sizes [n, node_stride], in place
// Grid      x: ceil(tiles_wide / 8), y: ceil(tiles_high / 8), z: n; one invocation per tile
// Numerics  exact
// Uses      `node_at`, `is_empty`, `first_row`, `place` of shared/component_tile.wgsl
// Uses      `find_root` of shared/component_union.wgsl
// Needs     no device feature; shared/component_tile.wgsl, shared/component_union.wgsl
//
// Afterwards the parent of a node marked in `roots` is the root of its whole component.

struct Params {
    origin_x: u32,
    origin_y: u32,
    width: u32,
    height: u32,
    tiles_wide: u32,
    tiles_high: u32,
    tile_stride: u32,
    node_stride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> roots: array<vec4<u32>>;          // [n, tile_stride, 2]
@group(0) @binding(2) var<storage, read_write> parent: array<atomic<u32>>; // [n, node_stride]
@group(0) @binding(3) var<storage, read_write> sizes: array<atomic<u32>>;  // [n, node_stride]

@compute @workgroup_size(8, 8)
fn largest_component_count(
    @builtin(global_invocation_id) invocation: vec3<u32>,
    @builtin(workgroup_id) workgroup: vec3<u32>,
) {
    let global_id = invocation + vec3<u32>(params.origin_x, params.origin_y, 0u) * 8u;
    let group = workgroup + vec3<u32>(params.origin_x, params.origin_y, 0u);
    if global_id.x >= params.tiles_wide || global_id.y >= params.tiles_high { return; }
    let image = group.z;
    let tile = image * params.tile_stride + global_id.y * params.tiles_wide + global_id.x;
    var rest = Tile(roots[tile * 2u], roots[tile * 2u + 1u]);
    // Pixels of consecutive nodes with the same root are summed first: a tile adds to a counter once for each change of root.
    var target_root = NO_NODE;
    var pixels = 0u;
    loop {
        if is_empty(rest) { break; }
        let found = first_row(rest);
        let bit = found.y & (~found.y + 1u);
        let done = place(found.x, bit);
        rest = Tile(rest.low & ~done.low, rest.high & ~done.high);
        let node = node_at(image, global_id.y * 8u + found.x, global_id.x * 32u + firstTrailingBit(bit));
        let root = find_root(node);
        if root == node { continue; }
        atomicStore(&parent[node], root);
        if root != target_root {
            if pixels != 0u { atomicAdd(&sizes[target_root], pixels); }
            target_root = root;
            pixels = 0u;
        }
        pixels += atomicLoad(&sizes[node]);
    }
    if pixels != 0u { atomicAdd(&sizes[target_root], pixels); }
}
