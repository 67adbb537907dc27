// Region measures, ordered by area or sum: one pass of a merge sort over labels, by descending key and then by ascending label.
//
// Source    each element finds its place in the other run by bisection: Satish, Harris and Garland 2009, Designing Efficient Sorting
//           Algorithms for Manycore GPUs, Sec. V
// Host      src/ops/region_measures/order.rs        Reference  src/reference/region_measures.rs
// Shapes    keys [n, label_stride], count [n], before [n, label_stride] -> after [n, label_stride]; runs of 2^level labels become runs of
//           twice the length
// Grid      x: stride / 256, z: n; an invocation takes every `stride`-th label
// Numerics  exact
// Needs     no device feature
//
// Only the first `count` labels of an image are read and written, so a few regions of a large image take one step of a few invocations.
// An invocation has at most 512 labels. A bisection has at most 32 iterations.

// Whether the labels are in ascending order, not yet in `before`.
override FIRST: bool = false;

struct Params {
    origin: u32,
    count_base: u32,
    level: u32,
    label_stride: u32,
    stride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> keys: array<u32>;          // [n, label_stride]
@group(0) @binding(2) var<storage, read> count: array<u32>;         // [n]
@group(0) @binding(3) var<storage, read> before: array<u32>;        // [n, label_stride], labels from 0
@group(0) @binding(4) var<storage, read_write> after: array<u32>;   // [n, label_stride]

fn label_at(start: u32, place: u32) -> u32 {
    if FIRST { return place; }
    return before[start + place];
}

// Writes the label at a place of `before` where it is in `after`.
fn merge(start: u32, labels: u32, place: u32) {
    let label = label_at(start, place);
    let key = keys[start + label];
    let length = 1u << params.level;
    let left = place & ~(2u * length - 1u);
    let middle = min(left + length, labels);
    let in_left = place < middle;
    // Labels of the other run that come before this one.
    let first = select(left, middle, in_left);
    var low = first;
    var high = select(middle, min(middle + length, labels), in_left);
    loop {
        if low >= high { break; }
        let half = (low + high) >> 1u;
        let other = label_at(start, half);
        let other_key = keys[start + other];
        if other_key > key || (other_key == key && other < label) { low = half + 1u; } else { high = half; }
    }
    let own = select(place - middle, place - left, in_left);
    after[start + left + own + (low - first)] = label;
}

@compute @workgroup_size(256)
fn region_measures_merge(
    @builtin(local_invocation_index) lane: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let labels = count[params.count_base + group.z];
    let start = group.z * params.label_stride;
    for (var place = (params.origin + group.x) * 256u + lane; place < labels; place += params.stride) { merge(start, labels, place); }
}
