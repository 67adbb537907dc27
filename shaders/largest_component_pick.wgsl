// Largest connected component, step 5: finds the largest one of each part of an image. Of equal ones the first in raster order wins.
//
// Source    largest connected region of AG-CNN's mask, Guan et al. 2018, arXiv:1801.09927, Sec. III
// Host      src/ops/largest_component/components.rs        Reference  src/reference/largest_component.rs
// Shapes    roots [n, tile_stride, 8], sizes [n, node_stride], best [n, tile_stride] -> parts [n, 32]
// Grid      x: parts, z: n; one part per workgroup
// Numerics  exact
// Uses      `node_at`, `is_empty`, `first_row`, `place` of shared/component_tile.wgsl
// Needs     no device feature; shared/component_tile.wgsl
//
// A marked node that is not the root of its whole component holds fewer pixels than that root, so it never wins.
// One invocation visits at most 40 marks in each of its tiles. An image of 4096 x 4096 pixels gives it 32 tiles.

override WORKGROUP_SIZE: u32 = 256u; // a power of two
struct Params {
    origin_x: u32,
    origin_y: u32,
    width: u32,
    height: u32,
    tiles_wide: u32,
    tiles_high: u32,
    tile_stride: u32,
    node_stride: u32,
    parts: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> roots: array<vec4<u32>>;       // [n, tile_stride, 2]
@group(0) @binding(2) var<storage, read> sizes: array<u32>;             // [n, node_stride]
@group(0) @binding(3) var<storage, read> best: array<vec2<u32>>;        // [n, tile_stride], pixels and node
@group(0) @binding(4) var<storage, read_write> parts: array<vec2<u32>>; // [n, 32], pixels and node

var<workgroup> wg_largest: array<vec2<u32>, WORKGROUP_SIZE>;

// The component with more pixels. Of equal ones, the one with the smaller node.
fn larger(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    return select(a, b, b.x > a.x || (b.x == a.x && b.y < a.y));
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn largest_component_pick(
    @builtin(local_invocation_index) lane: u32,
    @builtin(workgroup_id) workgroup: vec3<u32>,
) {
    let group = workgroup + vec3<u32>(params.origin_x, params.origin_y, 0u);
    let image = group.z;
    let tiles = params.tiles_wide * params.tiles_high;
    var largest = vec2<u32>(0u, NO_NODE);
    for (var t = group.x * WORKGROUP_SIZE + lane; t < tiles; t += params.parts * WORKGROUP_SIZE) {
        let tile = image * params.tile_stride + t;
        largest = larger(largest, best[tile]);
        var rest = Tile(roots[tile * 2u], roots[tile * 2u + 1u]);
        if is_empty(rest) { continue; }
        let tile_row = t / params.tiles_wide;
        let column = (t - tile_row * params.tiles_wide) * 32u;
        loop {
            if is_empty(rest) { break; }
            let found = first_row(rest);
            let bit = found.y & (~found.y + 1u);
            let done = place(found.x, bit);
            rest = Tile(rest.low & ~done.low, rest.high & ~done.high);
            let node = node_at(image, tile_row * 8u + found.x, column + firstTrailingBit(bit));
            largest = larger(largest, vec2<u32>(sizes[node], node));
        }
    }
    wg_largest[lane] = largest;
    workgroupBarrier();
    for (var stride = WORKGROUP_SIZE / 2u; stride > 0u; stride /= 2u) {
        if lane < stride { wg_largest[lane] = larger(wg_largest[lane], wg_largest[lane + stride]); }
        workgroupBarrier();
    }
    if lane == 0u { parts[image * PART_STRIDE + group.x] = wg_largest[0]; }
}
