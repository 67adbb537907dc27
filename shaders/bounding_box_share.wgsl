// Bounding box of the set pixels of a mask, first of two passes: each workgroup reduces one share of the rows.
//
// Source    Guan et al. 2018, arXiv:1801.09927, Sec. III-B
// Host      src/ops/bounding_box.rs        Reference  src/reference/bounding_box.rs
// Shapes    mask [n, h, w] u32 -> shares [n, count, 4]: xmin, ymin, xmax + 1, ymax + 1; a share without a set pixel is w, h, 0, 0
// Grid      x: count, z: n; a workgroup takes every count-th row
// Numerics  integers
// Needs     no device feature

override WORKGROUP_SIZE: u32 = 64u;

struct Params {
    origin: u32,
    mask_base: u32,
    shares_base: u32,
    height: u32,
    width: u32,
    count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> mask: array<u32>;
@group(0) @binding(2) var<storage, read_write> shares: array<u32>;

var<workgroup> wg_box: array<vec4<u32>, WORKGROUP_SIZE>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn bounding_box_share(
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let lane = local.x;
    let share = params.origin + group.x;
    var low = vec2<u32>(params.width, params.height);
    var high = vec2<u32>(0u);
    for (var row = share; row < params.height; row += params.count) {
        let first = params.mask_base + (group.z * params.height + row) * params.width;
        for (var column = lane; column < params.width; column += WORKGROUP_SIZE) {
            if mask[first + column] != 0u {
                low = min(low, vec2<u32>(column, row));
                high = max(high, vec2<u32>(column + 1u, row + 1u));
            }
        }
    }
    wg_box[lane] = vec4<u32>(low, high);
    workgroupBarrier();
    for (var stride = WORKGROUP_SIZE / 2u; stride > 0u; stride /= 2u) {
        if lane < stride {
            let other = wg_box[lane + stride];
            wg_box[lane] = vec4<u32>(min(wg_box[lane].xy, other.xy), max(wg_box[lane].zw, other.zw));
        }
        workgroupBarrier();
    }
    if lane < 4u {
        shares[params.shares_base + (group.z * params.count + share) * 4u + lane] = wg_box[0][lane];
    }
}
