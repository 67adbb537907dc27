// Region measures with a map: the sum of each region, and the position of its maximum.
//
// Source    intensity_mean * area of scikit-image's regionprops
// Host      src/ops/region_measures/mod.rs        Reference  src/reference/region_measures.rs
// Shapes    labels, map [n, h, w], slots [n, label_stride] -> tally [n, row_stride, slot_words], in place
// Grid      x: ceil(w / 64), y: ceil(h / 32), z: n; one invocation per column of 32 pixels
// Numerics  sums of integers, which do not depend on the order: see shared/region_total.wgsl
// Uses      `walk` of shared/region_walk.wgsl
// Uses      `region_key` of shared/region_key.wgsl
// Uses      `add96`, `term96` of shared/region_total.wgsl
// Needs     no device feature; shared/region_walk.wgsl, shared/region_key.wgsl, shared/region_total.wgsl

// Whether `slots` has the row of a label. Otherwise row r is label r + 1.
override RANKED: bool = false;
// Whether the tallies are those of the table, which hold the maximum. Otherwise they are magnitude and sum of every label.
override TABLE: bool = true;

struct Params {
    origin_x: u32,
    origin_y: u32,
    labels_base: u32,
    map_base: u32,
    height: u32,
    width: u32,
    slots_used: u32,
    label_stride: u32,
    row_stride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> labels: array<u32>;              // [n, h, w]
@group(0) @binding(2) var<storage, read> map: array<u32>;                 // [n, h, w], bits of f32
@group(0) @binding(3) var<storage, read> slots: array<u32>;               // [n, label_stride]
@group(0) @binding(4) var<storage, read_write> tally: array<atomic<u32>>; // [n, row_stride, 16] or [n, label_stride, 4]

var<private> sum_found: vec3<u32>;
// Of the region that is walked through.
var<private> magnitude: u32;
var<private> key: u32;
// The complement of the first position of the maximum, or 0.
var<private> position_found: u32;

fn slot_of(image: u32, label: u32) -> u32 {
    if RANKED { return slots[image * params.label_stride + label - 1u]; }
    return label - 1u;
}

fn begin(image: u32, slot: u32) {
    sum_found = vec3<u32>();
    position_found = 0u;
    let at = tally_at(image, slot);
    magnitude = atomicLoad(&tally[at]);
    if TABLE { key = atomicLoad(&tally[at - 3u]); }
}

fn gather(image: u32, row: u32, column: u32) {
    let pixel = row * params.width + column;
    let bits = map[params.map_base + image * params.height * params.width + pixel];
    sum_found = add96(sum_found, term96(bits, magnitude));
    if TABLE && region_key(bits) == key { position_found = max(position_found, ~pixel); }
}

// Where the magnitude of a region is. The sum follows.
fn tally_at(image: u32, slot: u32) -> u32 {
    let row = image * params.row_stride + slot;
    return select(row * 4u, row * 16u + 12u, TABLE);
}

fn add(image: u32, slot: u32) {
    let at = tally_at(image, slot);
    if TABLE && position_found > atomicLoad(&tally[at - 2u]) { atomicMax(&tally[at - 2u], position_found); }
    if all(sum_found == vec3<u32>()) { return; }
    // Each wrap of a word adds one to the next. All wraps together do not depend on the order.
    var old = atomicAdd(&tally[at + 1u], sum_found.x);
    var carry = select(0u, 1u, old + sum_found.x < old);
    let middle = sum_found.y + carry;
    carry = select(0u, 1u, middle < carry);
    old = atomicAdd(&tally[at + 2u], middle);
    carry += select(0u, 1u, old + middle < old);
    atomicAdd(&tally[at + 3u], sum_found.z + carry);
}

@compute @workgroup_size(64)
fn region_measures_sums(
    @builtin(local_invocation_index) lane: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    _ = walk(group.z, (params.origin_y + group.y) * ROWS, (params.origin_x + group.x) * 64u + lane);
}
