// Region measures: area, box and sums of columns and rows of the regions in the table.
//
// Source    area, bbox and centroid of scikit-image's regionprops
// Host      src/ops/region_measures/mod.rs        Reference  src/reference/region_measures.rs
// Shapes    labels [n, h, w], slots [n, label_stride] -> tally [n, row_stride, 16], count [n], both from 0
// Grid      x: ceil(w / 64), y: ceil(h / 32), z: n; one invocation per column of 32 pixels
// Numerics  exact; sums of columns and rows have 64 bits
// Uses      `walk` of shared/region_walk.wgsl
// Needs     no device feature; shared/region_walk.wgsl
//
// A row of the tally has 16 words, each a maximum or a sum from 0:
//   0 area, 1 complement of xmin, 2 complement of ymin, 3 xmax, 4 ymax, 5 and 6 sum of columns, 7 and 8 sum of rows,
//   9 key of the maximum, 10 complement of its position, 11 unused, 12 largest magnitude, 13 to 15 sum of the map.

// Whether `slots` has the row of a label. Otherwise row r is label r + 1.
override RANKED: bool = false;

struct Params {
    origin_x: u32,
    origin_y: u32,
    labels_base: u32,
    count_base: u32,
    height: u32,
    width: u32,
    slots_used: u32,
    label_stride: u32,
    row_stride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> labels: array<u32>;              // [n, h, w]
@group(0) @binding(2) var<storage, read> slots: array<u32>;               // [n, label_stride]
@group(0) @binding(3) var<storage, read_write> tally: array<atomic<u32>>; // [n, row_stride, 16]
@group(0) @binding(4) var<storage, read_write> count: array<atomic<u32>>; // [n]

var<private> pixels_found: u32;
var<private> first_found: u32;
var<private> last_found: u32;
var<private> rows_found: u32;
var<private> column_found: u32;

fn slot_of(image: u32, label: u32) -> u32 {
    if RANKED { return slots[image * params.label_stride + label - 1u]; }
    return label - 1u;
}

fn begin(image: u32, slot: u32) {
    pixels_found = 0u;
    rows_found = 0u;
    first_found = 0xffffffffu;
}

fn gather(image: u32, row: u32, column: u32) {
    pixels_found += 1u;
    rows_found += row & (ROWS - 1u);
    first_found = min(first_found, row);
    last_found = row;
    column_found = column;
}

fn raise(word: u32, value: u32) {
    if value > atomicLoad(&tally[word]) { atomicMax(&tally[word], value); }
}

// Adds a * b to a sum of 64 bits. Each wrap of the low word adds one to the high word.
fn add_product(word: u32, a: u32, b: u32, more: u32) {
    let low = (a & 0xffffu) * b;
    let high = (a >> 16u) * b;
    let sum = low + (high << 16u);
    var carry = (high >> 16u) + select(0u, 1u, sum < low);
    let all = sum + more;
    carry += select(0u, 1u, all < sum);
    let old = atomicAdd(&tally[word], all);
    carry += select(0u, 1u, old + all < all);
    if carry != 0u { atomicAdd(&tally[word + 1u], carry); }
}

fn add(image: u32, slot: u32) {
    let at = (image * params.row_stride + slot) * 16u;
    atomicAdd(&tally[at], pixels_found);
    raise(at + 1u, ~column_found);
    raise(at + 2u, ~first_found);
    raise(at + 3u, column_found);
    raise(at + 4u, last_found);
    add_product(at + 5u, column_found, pixels_found, 0u);
    add_product(at + 7u, last_found & ~(ROWS - 1u), pixels_found, rows_found);
}

@compute @workgroup_size(64)
fn region_measures_extents(
    @builtin(local_invocation_index) lane: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let largest = walk(group.z, (params.origin_y + group.y) * ROWS, (params.origin_x + group.x) * 64u + lane);
    let count_at = params.count_base + group.z;
    if largest > atomicLoad(&count[count_at]) { atomicMax(&count[count_at], largest); }
}
