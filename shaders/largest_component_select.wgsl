// Largest connected component, step 6: clears all bits outside the largest component, and finds its bounding box.
//
// Source    largest connected region of AG-CNN's mask, Guan et al. 2018, arXiv:1801.09927, Sec. III
// Host      src/ops/largest_component/components.rs        Reference  src/reference/largest_component.rs
// Shapes    parts [n, 32], best [n, tile_stride], roots [n, tile_stride, 8], parent [n, node_stride] -> bits [n, tile_stride, 8] in place,
//           boxes [n, 4]: xmin ymin xmax ymax, all inclusive; the whole image for an empty mask
// Grid      x: ceil(tiles_wide / 8), y: ceil(tiles_high / 8), z: n; one invocation per tile
// Numerics  exact
// Uses      `node_at`, `is_empty`, `first_row`, `place` of shared/component_tile.wgsl
// Uses      `flood`, `whole_runs` of shared/component_flood.wgsl
// Needs     no device feature; shared/component_tile.wgsl, shared/component_flood.wgsl

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
    boxes_base: u32,
    parts: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> parts: array<vec2<u32>>;           // [n, 32], pixels and node
@group(0) @binding(2) var<storage, read> best: array<vec2<u32>>;            // [n, tile_stride], pixels and node
@group(0) @binding(3) var<storage, read> roots: array<vec4<u32>>;           // [n, tile_stride, 2]
@group(0) @binding(4) var<storage, read> parent: array<u32>;                // [n, node_stride]
@group(0) @binding(5) var<storage, read_write> bits: array<vec4<u32>>;      // [n, tile_stride, 2]
@group(0) @binding(6) var<storage, read_write> boxes: array<atomic<i32>>;   // [n, 4]

@compute @workgroup_size(8, 8)
fn largest_component_select(
    @builtin(global_invocation_id) invocation: vec3<u32>,
    @builtin(workgroup_id) workgroup: vec3<u32>,
) {
    let global_id = invocation + vec3<u32>(params.origin_x, params.origin_y, 0u) * 8u;
    let group = workgroup + vec3<u32>(params.origin_x, params.origin_y, 0u);
    let image = group.z;
    var largest = parts[image * PART_STRIDE];
    for (var k = 1u; k < params.parts; k += 1u) {
        let part = parts[image * PART_STRIDE + k];
        if part.x > largest.x || (part.x == largest.x && part.y < largest.y) { largest = part; }
    }
    if global_id.x >= params.tiles_wide || global_id.y >= params.tiles_high { return; }

    let box_at = params.boxes_base + image * 4u;
    if largest.x == 0u {
        if global_id.x == 0u && global_id.y == 0u {
            atomicStore(&boxes[box_at], 0);
            atomicStore(&boxes[box_at + 1u], 0);
            atomicStore(&boxes[box_at + 2u], i32(params.width) - 1);
            atomicStore(&boxes[box_at + 3u], i32(params.height) - 1);
        }
        return;
    }
    let tile = image * params.tile_stride + global_id.y * params.tiles_wide + global_id.x;
    let here = Tile(bits[tile * 2u], bits[tile * 2u + 1u]);
    if is_empty(here) { return; }

    // Seeds are the first pixels of those components of the tile that belong to the largest component. They are grown to whole runs below.
    let line = global_id.y * 8u;
    let column = global_id.x * 32u;
    var seeds = Tile(vec4<u32>(), vec4<u32>());
    if best[tile].y == largest.y {
        let pair = largest.y - node_at(image, line, column);
        let pairs = (params.width + 1u) >> 1u;
        let row = pair / pairs;
        seeds = place(row, 3u << ((pair - row * pairs) * 2u));
        seeds = Tile(seeds.low & here.low, seeds.high & here.high);
    } else {
        var rest = Tile(roots[tile * 2u], roots[tile * 2u + 1u]);
        loop {
            if is_empty(rest) { break; }
            let found = first_row(rest);
            let bit = found.y & (~found.y + 1u);
            let mark = place(found.x, bit);
            rest = Tile(rest.low & ~mark.low, rest.high & ~mark.high);
            if parent[node_at(image, line + found.x, column + firstTrailingBit(bit))] == largest.y {
                seeds = Tile(seeds.low | mark.low, seeds.high | mark.high);
            }
        }
    }
    if is_empty(seeds) {
        bits[tile * 2u] = vec4<u32>();
        bits[tile * 2u + 1u] = vec4<u32>();
        return;
    }
    let kept = flood(whole_runs(seeds, here), here);
    bits[tile * 2u] = kept.low;
    bits[tile * 2u + 1u] = kept.high;

    // Each side of the box is read before the atomic: once the box has grown, most tiles have nothing to add.
    let folded = kept.low | kept.high;
    let columns = folded.x | folded.y | folded.z | folded.w;
    let rows = (vec4<u32>(1u, 2u, 4u, 8u) * vec4<u32>(kept.low != vec4<u32>()))
        | (vec4<u32>(16u, 32u, 64u, 128u) * vec4<u32>(kept.high != vec4<u32>()));
    let lines = rows.x | rows.y | rows.z | rows.w;
    let xmin = i32(column + firstTrailingBit(columns));
    let ymin = i32(line + firstTrailingBit(lines));
    let xmax = i32(column + firstLeadingBit(columns));
    let ymax = i32(line + firstLeadingBit(lines));
    if xmin < atomicLoad(&boxes[box_at]) { atomicMin(&boxes[box_at], xmin); }
    if ymin < atomicLoad(&boxes[box_at + 1u]) { atomicMin(&boxes[box_at + 1u], ymin); }
    if xmax > atomicLoad(&boxes[box_at + 2u]) { atomicMax(&boxes[box_at + 2u], xmax); }
    if ymax > atomicLoad(&boxes[box_at + 3u]) { atomicMax(&boxes[box_at + 3u], ymax); }
}
