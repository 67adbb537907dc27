// Component labels, step 7: writes every pixel's label.
//
// Source    regions numbered in raster order of their first pixels, as scipy.ndimage.label and OpenCV's connectedComponents number them
// Host      src/ops/component_labels.rs        Reference  src/reference/component_labels.rs
// Shapes    bits, firsts, before [n, tile_stride * 8], parent [n, node_stride], blocks [n, block_stride] -> labels [n, h, w], 0 where the
//           mask is clear
// Grid      x: ceil(tiles_wide / 8), y: tiles_high, z: n; a workgroup is 8 tiles side by side. An invocation numbers the runs of one word,
//           and then writes every eighth pixel of a row.
// Numerics  exact
// Uses      `node_at`, `run_start` of shared/component_tile.wgsl
// Needs     no device feature; shared/component_tile.wgsl
//
// A root's number is one more than the first pixels before it: those before its block, its word, and its bit.

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
    block_stride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> bits: array<u32>;         // [n, tile_stride, 8]
@group(0) @binding(2) var<storage, read> parent: array<u32>;       // [n, node_stride]
@group(0) @binding(3) var<storage, read> firsts: array<u32>;       // [n, tile_stride * 8]
@group(0) @binding(4) var<storage, read> before: array<u32>;       // [n, tile_stride * 8]
@group(0) @binding(5) var<storage, read> blocks: array<u32>;       // [n, block_stride]
@group(0) @binding(6) var<storage, read_write> labels: array<u32>; // [n, h, w]

// Words of a block: see component_labels_scan.wgsl.
const BLOCK = 1024u;

// Labels of the runs of 8 tiles: those of a row of a tile lie side by side, at half the column of their start.
var<workgroup> wg_labels: array<u32, 1024>;

// The label of a root. `local` counts the image's nodes from 0. A node stands for a pair of columns, of which only one can be a start.
fn number(image: u32, local: u32) -> u32 {
    let pairs = (params.width + 1u) >> 1u;
    let line = local / pairs;
    let column = (local - line * pairs) * 2u;
    let word = line * params.tiles_wide + (column >> 5u);
    let at = image * params.tile_stride * 8u + word;
    let earlier = firsts[at] & ((1u << (column & 31u)) - 1u);
    return blocks[image * params.block_stride + word / BLOCK] + before[at] + countOneBits(earlier) + 1u;
}

@compute @workgroup_size(8, 8)
fn component_labels(
    @builtin(local_invocation_id) local_id: vec3<u32>,
    @builtin(workgroup_id) workgroup: vec3<u32>,
) {
    let group = workgroup + vec3<u32>(params.origin_x, params.origin_y, 0u);
    let image = group.z;
    let row = group.y * 8u + local_id.y;
    let first_tile = group.x * 8u;
    let tile_count = min(8u, params.tiles_wide - first_tile);
    let word_at = (image * params.tile_stride + group.y * params.tiles_wide + first_tile) * 8u + local_id.y;
    if local_id.x < tile_count {
        let word = bits[word_at + local_id.x * 8u];
        var starts = word & ~(word << 1u);
        loop {
            if starts == 0u { break; }
            let start = firstTrailingBit(starts);
            starts &= starts - 1u;
            // Nodes are numbered from the first image of the dispatch that wrote them, which may have held more images than this one.
            let root = parent[node_at(image, row, (first_tile + local_id.x) * 32u + start)] % params.node_stride;
            wg_labels[(local_id.x * 8u + local_id.y) * 16u + (start >> 1u)] = number(image, root);
        }
    }
    workgroupBarrier();
    if row >= params.height { return; }
    let row_at = params.labels_base + (image * params.height + row) * params.width;
    for (var t = 0u; t < tile_count; t += 1u) {
        // Eight neighbouring invocations write eight neighbouring pixels.
        let word = bits[word_at + t * 8u];
        let column = (first_tile + t) * 32u;
        for (var bit = local_id.x; bit < 32u; bit += 8u) {
            if column + bit >= params.width { break; }
            var label = 0u;
            if ((word >> bit) & 1u) == 1u { label = wg_labels[(t * 8u + local_id.y) * 16u + (run_start(word, bit) >> 1u)]; }
            labels[row_at + column + bit] = label;
        }
    }
}
