// Largest connected component, between steps 5 and 6, optional: writes every pixel's label and every component's size.
//
// Source    largest connected region of AG-CNN's mask, Guan et al. 2018, arXiv:1801.09927, Sec. III
// Host      src/ops/largest_component/components.rs        Reference  src/reference/largest_component.rs
// Shapes    bits, roots [n, tile_stride, 8], parent, pixels [n, node_stride] -> labels, sizes [n, h, w].
//           A label is the smallest linear index of the pixel's component within the image, 0xffffffff where the mask is clear.
//           A size is the pixel count of the component, at its smallest index; elsewhere it is 0.
// Grid      x: ceil(tiles_wide / 8), y: ceil(tiles_high / 8), z: n; one invocation per tile
// Numerics  exact
// Uses      `node_at`, `is_empty`, `first_row`, `place` of shared/component_tile.wgsl
// Uses      `flood` of shared/component_flood.wgsl
// Needs     no device feature; shared/component_tile.wgsl, shared/component_flood.wgsl
//
// One invocation has under 1,500 iterations for any picture: 8 + 256 to clear, 128 components with 256 + 128 iterations of `flood`, and 256
// pixels.

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
    labels_base: u32,
    sizes_base: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> bits: array<vec4<u32>>;     // [n, tile_stride, 2]
@group(0) @binding(2) var<storage, read> roots: array<vec4<u32>>;    // [n, tile_stride, 2]
@group(0) @binding(3) var<storage, read> parent: array<u32>;         // [n, node_stride]
@group(0) @binding(4) var<storage, read> pixels: array<u32>;         // [n, node_stride], by node
@group(0) @binding(5) var<storage, read_write> labels: array<u32>;   // [n, h, w]
@group(0) @binding(6) var<storage, read_write> sizes: array<u32>;    // [n, h, w]

// The first pixel of a node's run, as a linear index within the image. `local` counts the image's nodes from 0.
fn first_pixel(image: u32, local: u32) -> u32 {
    let pairs = (params.width + 1u) >> 1u;
    let line = local / pairs;
    let column = (local - line * pairs) * 2u;
    let tile = image * params.tile_stride + (line >> 3u) * params.tiles_wide + (column >> 5u);
    let half = bits[tile * 2u + ((line >> 2u) & 1u)];
    let clear = ((half[line & 3u] >> (column & 31u)) & 1u) == 0u;
    return line * params.width + column + select(0u, 1u, clear);
}

@compute @workgroup_size(8, 8)
fn largest_component_labels(
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
    let base = image * params.height * params.width;
    let column_count = min(32u, params.width - first_column);
    let row_count = min(8u, params.height - first_line);

    var rest = Tile(bits[tile * 2u], bits[tile * 2u + 1u]);
    let open = Tile(roots[tile * 2u], roots[tile * 2u + 1u]);
    for (var y = 0u; y < row_count; y += 1u) {
        for (var x = 0u; x < column_count; x += 1u) {
            let at = base + (first_line + y) * params.width + first_column + x;
            labels[params.labels_base + at] = 0xffffffffu;
            sizes[params.sizes_base + at] = 0u;
        }
    }
    loop {
        if is_empty(rest) { break; }
        let found = first_row(rest);
        let first = found.y & (~found.y + 1u);
        var component = flood(place(found.x, found.y & ~(found.y + first)), rest);
        rest = Tile(rest.low & ~component.low, rest.high & ~component.high);

        let line = first_line + found.x;
        let column = first_column + firstTrailingBit(first);
        let mark = place(found.x, first);
        var label = line * params.width + column;
        let own = base + label;
        var size = 0u;
        if is_empty(Tile(open.low & mark.low, open.high & mark.high)) {
            let counts = countOneBits(component.low) + countOneBits(component.high);
            size = counts.x + counts.y + counts.z + counts.w;
        } else {
            let node = node_at(image, line, column);
            // Nodes are numbered from the first image of the dispatch that wrote them, which may have held more images than this one: the
            // labels of an image can be larger than its nodes.
            let root = parent[node] % params.node_stride;
            if root == node - image * params.node_stride { size = pixels[node]; } else { label = first_pixel(image, root); }
        }
        if size != 0u { sizes[params.sizes_base + own] = size; }
        loop {
            if is_empty(component) { break; }
            let next = first_row(component);
            let bit = next.y & (~next.y + 1u);
            let done = place(next.x, bit);
            component = Tile(component.low & ~done.low, component.high & ~done.high);
            labels[params.labels_base + base + (first_line + next.x) * params.width + first_column + firstTrailingBit(bit)] = label;
        }
    }
}
