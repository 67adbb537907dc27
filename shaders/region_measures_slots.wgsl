// Region measures, ordered by area or sum: the row of every label, from the labels in the order of rows.
//
// Source    inverse of a permutation
// Host      src/ops/region_measures/order.rs        Reference  src/reference/region_measures.rs
// Shapes    order [n, label_stride], count [n] -> slots [n, label_stride]; only the first `count` are read and written
// Grid      x: stride / 256, z: n; an invocation takes every `stride`-th row, at most 512
// Numerics  exact
// Needs     no device feature

struct Params {
    origin: u32,
    count_base: u32,
    label_stride: u32,
    stride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> order: array<u32>;       // [n, label_stride], labels from 0
@group(0) @binding(2) var<storage, read> count: array<u32>;       // [n]
@group(0) @binding(3) var<storage, read_write> slots: array<u32>; // [n, label_stride]

@compute @workgroup_size(256)
fn region_measures_slots(
    @builtin(local_invocation_index) lane: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let labels = count[params.count_base + group.z];
    let start = group.z * params.label_stride;
    for (var row = (params.origin + group.x) * 256u + lane; row < labels; row += params.stride) {
        slots[start + order[start + row]] = row;
    }
}
