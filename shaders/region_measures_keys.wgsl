// Region measures, ordered by sum: replaces areas by keys that sort like the sums.
//
// Source    order by the sum of the map, scikit-image's area * mean_intensity
// Host      src/ops/region_measures/order.rs        Reference  src/reference/region_measures.rs
// Shapes    tally [n, label_stride, 4] -> areas [n, label_stride], in place; a label without pixels keeps 0
// Grid      x: ceil(labels / 256), z: n; one invocation per label
// Numerics  sums rounded to the nearest f32; NaN is above all numbers
// Uses      `rounded96` of shared/region_total.wgsl
// Uses      `region_key` of shared/region_key.wgsl
// Needs     no device feature; shared/region_total.wgsl, shared/region_key.wgsl

struct Params {
    origin: u32,
    labels: u32,
    label_stride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> tally: array<vec4<u32>>;  // [n, label_stride], magnitude and sum
@group(0) @binding(2) var<storage, read_write> areas: array<u32>;  // [n, label_stride]

@compute @workgroup_size(256)
fn region_measures_keys(
    @builtin(local_invocation_index) lane: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let label = (params.origin + group.x) * 256u + lane;
    let at = group.z * params.label_stride + label;
    if label >= params.labels || areas[at] == 0u { return; }
    let found = tally[at];
    areas[at] = region_key(rounded96(found.yzw, found.x));
}
