// Smallest and largest value of a map, first of two passes: a workgroup, or an invocation alone, reduces one share of an image.
//
// Source    Guan et al. 2018, arXiv:1801.09927, Sec. III-B (the map is normalised before it is thresholded)
// Host      src/ops/normalize.rs        Reference  src/reference/normalize.rs
// Shapes    map [n, h, w] -> ranges [n, shares, 2]: keys of shared/ordered.wgsl, smallest and largest
// Grid      x: shares, or shares / WORKGROUP_SIZE without a barrier, z: n
// Numerics  exact; NaN counts as the largest value
// Uses      `ordered` of shared/ordered.wgsl
// Needs     no device feature

// With fewer than 16, each invocation reduces a share of its own, without a barrier.
override WORKGROUP_SIZE: u32 = 256u;

struct Params {
    origin: u32,
    map_base: u32,
    ranges_base: u32,
    pixels: u32,
    shares: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> map: array<f32>;
@group(0) @binding(2) var<storage, read_write> ranges: array<u32>;

var<workgroup> wg_low: array<u32, WORKGROUP_SIZE>;
var<workgroup> wg_high: array<u32, WORKGROUP_SIZE>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn normalize_range(
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let lane = local.x;
    let alone = WORKGROUP_SIZE < 16u;
    let share = (params.origin + group.x) * select(1u, WORKGROUP_SIZE, alone) + select(0u, lane, alone);
    // Neighbouring invocations read neighbouring pixels, whether they reduce one share together or a share each.
    let start = share * select(WORKGROUP_SIZE, 1u, alone) + select(lane, 0u, alone);
    let first = params.map_base + group.z * params.pixels;

    var low = 0xffffffffu;
    var high = 0u;
    for (var pixel = start; pixel < params.pixels; pixel += params.shares * select(WORKGROUP_SIZE, 1u, alone)) {
        let key = ordered(map[first + pixel]);
        low = min(low, key);
        high = max(high, key);
    }
    if WORKGROUP_SIZE >= 16u {
        wg_low[lane] = low;
        wg_high[lane] = high;
        workgroupBarrier();
        for (var stride = WORKGROUP_SIZE / 2u; stride > 0u; stride /= 2u) {
            if lane < stride {
                wg_low[lane] = min(wg_low[lane], wg_low[lane + stride]);
                wg_high[lane] = max(wg_high[lane], wg_high[lane + stride]);
            }
            workgroupBarrier();
        }
        low = wg_low[0];
        high = wg_high[0];
    }
    if share < params.shares && (alone || lane == 0u) {
        let range = params.ranges_base + (group.z * params.shares + share) * 2u;
        ranges[range] = low;
        ranges[range + 1u] = high;
    }
}
