// Attended region, several regions: writes the rank of the region of every pixel.
//
// Source    Guan et al. 2018, arXiv:1801.09927, Sec. III-B, for the largest regions in place of the largest
// Host      src/ops/attended_region/ranked.rs        Reference  src/reference/attended_region.rs
// Shapes    labels [n, h, w], slots [n, label_stride] -> component [n, h, w]: r on the r-th region, from 1, and 0 elsewhere
// Grid      x: ceil(h * w / 256), z: n; one invocation per pixel
// Numerics  exact
// Needs     no device feature

struct Params {
    origin: u32,
    labels_base: u32,
    component_base: u32,
    pixels: u32,
    label_stride: u32,
    regions: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> labels: array<u32>;          // [n, h, w], 0 for the background
@group(0) @binding(2) var<storage, read> slots: array<u32>;           // [n, label_stride], ranks from 0 by label
@group(0) @binding(3) var<storage, read_write> component: array<u32>; // [n, h, w]

@compute @workgroup_size(256)
fn attended_region_rank(
    @builtin(local_invocation_index) lane: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let pixel = (params.origin + group.x) * 256u + lane;
    if pixel >= params.pixels { return; }
    let at = group.z * params.pixels + pixel;
    let label = labels[params.labels_base + at];
    var rank = 0u;
    if label != 0u {
        let slot = slots[group.z * params.label_stride + label - 1u];
        if slot < params.regions { rank = slot + 1u; }
    }
    component[params.component_base + at] = rank;
}
