// Region measures, ordered by area or sum: counts the pixels of every label.
//
// Source    area of scikit-image's regionprops
// Host      src/ops/region_measures/order.rs        Reference  src/reference/region_measures.rs
// Shapes    labels [n, h, w] -> areas [n, label_stride], count [n], both from 0
// Grid      x: ceil(w / 64), y: ceil(h / 32), z: n; one invocation per column of 32 pixels
// Numerics  exact
// Uses      `walk` of shared/region_walk.wgsl
// Needs     no device feature; shared/region_walk.wgsl

struct Params {
    origin_x: u32,
    origin_y: u32,
    labels_base: u32,
    count_base: u32,
    height: u32,
    width: u32,
    slots_used: u32,
    label_stride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> labels: array<u32>;              // [n, h, w]
@group(0) @binding(2) var<storage, read_write> areas: array<atomic<u32>>; // [n, label_stride]
@group(0) @binding(3) var<storage, read_write> count: array<atomic<u32>>; // [n]

var<private> pixels_found: u32;

fn slot_of(image: u32, label: u32) -> u32 {
    return label - 1u;
}

fn begin(image: u32, slot: u32) {
    pixels_found = 0u;
}

fn gather(image: u32, row: u32, column: u32) {
    pixels_found += 1u;
}

fn add(image: u32, slot: u32) {
    atomicAdd(&areas[image * params.label_stride + slot], pixels_found);
}

@compute @workgroup_size(64)
fn region_measures_areas(
    @builtin(local_invocation_index) lane: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let largest = walk(group.z, (params.origin_y + group.y) * ROWS, (params.origin_x + group.x) * 64u + lane);
    let count_at = params.count_base + group.z;
    if largest > atomicLoad(&count[count_at]) { atomicMax(&count[count_at], largest); }
}
