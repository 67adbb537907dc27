// Region measures with a map: the largest magnitude of each region, and the key of its maximum.
//
// Source    intensity_max of scikit-image's regionprops; the magnitude sets the unit of the sum
// Host      src/ops/region_measures/mod.rs        Reference  src/reference/region_measures.rs
// Shapes    labels, map [n, h, w], slots [n, label_stride] -> tally [n, row_stride, slot_words], from 0
// Grid      x: ceil(w / 64), y: ceil(h / 32), z: n; one invocation per column of 32 pixels
// Numerics  exact; NaN is the maximum and the largest magnitude
// Uses      `walk` of shared/region_walk.wgsl
// Uses      `region_key` of shared/region_key.wgsl
// Needs     no device feature; shared/region_walk.wgsl, shared/region_key.wgsl

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

var<private> largest_key: u32;
var<private> largest_magnitude: u32;

fn slot_of(image: u32, label: u32) -> u32 {
    if RANKED { return slots[image * params.label_stride + label - 1u]; }
    return label - 1u;
}

fn begin(image: u32, slot: u32) {
    largest_key = 0u;
    largest_magnitude = 0u;
}

fn gather(image: u32, row: u32, column: u32) {
    let bits = map[params.map_base + (image * params.height + row) * params.width + column];
    largest_magnitude = max(largest_magnitude, bits & 0x7fffffffu);
    largest_key = max(largest_key, region_key(bits));
}

fn raise(word: u32, value: u32) {
    if value > atomicLoad(&tally[word]) { atomicMax(&tally[word], value); }
}

fn add(image: u32, slot: u32) {
    if TABLE {
        let at = (image * params.row_stride + slot) * 16u;
        raise(at + 9u, largest_key);
        raise(at + 12u, largest_magnitude);
    } else {
        raise((image * params.row_stride + slot) * 4u, largest_magnitude);
    }
}

@compute @workgroup_size(64)
fn region_measures_peaks(
    @builtin(local_invocation_index) lane: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    _ = walk(group.z, (params.origin_y + group.y) * ROWS, (params.origin_x + group.x) * 64u + lane);
}
