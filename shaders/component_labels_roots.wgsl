// Component labels, step 4: finds the root of every component of a tile, and marks the first pixel of every region.
//
// Source    a forest of runs in raster order, whose roots are the first pixels of regions: Rosenfeld and Pfaltz 1966, Sequential Operations
//           in Digital Picture Processing
// Host      src/ops/component_labels.rs        Reference  src/reference/component_labels.rs
// Shapes    bits, roots [n, tile_stride, 8] -> parent [n, node_stride] in place, firsts [n, tile_stride * 8]
// Grid      x: ceil(tiles_wide / 8), y: ceil(tiles_high / 8), z: n; one invocation per tile
// Numerics  exact
// Uses      `node_at`, `is_empty`, `first_row`, `place` of shared/component_tile.wgsl
// Uses      `flood` of shared/component_flood.wgsl
// Uses      `find_root` of shared/component_union.wgsl
// Needs     no device feature; shared/component_tile.wgsl, shared/component_flood.wgsl, shared/component_union.wgsl
//
// Afterwards the parent of every run is the root of its region. The words of `firsts` are in raster order, so that their bits are, too:
// word = row * tiles_wide + tile_column. Bit k of a word is set if a region's first pixel is in column 32 * tile_column + k.
//
// One invocation has under 1,000 iterations for any picture, besides the paths of the forest: 128 components with 256 + 128 iterations of
// `flood`, and 128 runs with one more per component.

override CONNECTIVITY: u32 = 8u; // 4: edges, 8: edges and corners

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
@group(0) @binding(1) var<storage, read> bits: array<vec4<u32>>;           // [n, tile_stride, 2]
@group(0) @binding(2) var<storage, read> roots: array<vec4<u32>>;          // [n, tile_stride, 2]
@group(0) @binding(3) var<storage, read_write> parent: array<atomic<u32>>; // [n, node_stride]
@group(0) @binding(4) var<storage, read_write> firsts: array<u32>;         // [n, tile_stride * 8]

@compute @workgroup_size(8, 8)
fn component_labels_roots(
    @builtin(global_invocation_id) invocation: vec3<u32>,
    @builtin(workgroup_id) workgroup: vec3<u32>,
) {
    let global_id = invocation + vec3<u32>(params.origin_x, params.origin_y, 0u) * 8u;
    let group = workgroup + vec3<u32>(params.origin_x, params.origin_y, 0u);
    if global_id.x >= params.tiles_wide || global_id.y >= params.tiles_high { return; }
    let image = group.z;
    let tile = image * params.tile_stride + global_id.y * params.tiles_wide + global_id.x;
    let first_column = global_id.x * 32u;
    let first_line = global_id.y * 8u;
    let open = Tile(roots[tile * 2u], roots[tile * 2u + 1u]);
    var rest = Tile(bits[tile * 2u], bits[tile * 2u + 1u]);
    var first_pixels = Tile(vec4<u32>(), vec4<u32>());
    loop {
        if is_empty(rest) { break; }
        let found = first_row(rest);
        let first = found.y & (~found.y + 1u);
        let component = flood(place(found.x, found.y & ~(found.y + first)), rest);
        rest = Tile(rest.low & ~component.low, rest.high & ~component.high);

        let mark = place(found.x, first);
        let own = node_at(image, first_line + found.x, first_column + firstTrailingBit(first));
        var root = own;
        if !is_empty(Tile(open.low & mark.low, open.high & mark.high)) { root = find_root(own); }
        if root == own { first_pixels = Tile(first_pixels.low | mark.low, first_pixels.high | mark.high); }
        var starts = Tile(component.low & ~(component.low << vec4<u32>(1u)), component.high & ~(component.high << vec4<u32>(1u)));
        loop {
            if is_empty(starts) { break; }
            let line = first_row(starts);
            let start = line.y & (~line.y + 1u);
            let done = place(line.x, start);
            starts = Tile(starts.low & ~done.low, starts.high & ~done.high);
            atomicStore(&parent[node_at(image, first_line + line.x, first_column + firstTrailingBit(start))], root);
        }
    }
    let word = image * params.tile_stride * 8u + first_line * params.tiles_wide + global_id.x;
    firsts[word] = first_pixels.low.x;
    firsts[word + params.tiles_wide] = first_pixels.low.y;
    firsts[word + 2u * params.tiles_wide] = first_pixels.low.z;
    firsts[word + 3u * params.tiles_wide] = first_pixels.low.w;
    firsts[word + 4u * params.tiles_wide] = first_pixels.high.x;
    firsts[word + 5u * params.tiles_wide] = first_pixels.high.y;
    firsts[word + 6u * params.tiles_wide] = first_pixels.high.z;
    firsts[word + 7u * params.tiles_wide] = first_pixels.high.w;
}
