// Sums over one share of an image that the gradient of a normalised map needs, first of two passes.
//
//   sums(share) = [sum of dy, sum of dy * map, first pixel where map = 0, first pixel where map = 1], over the pixels of the share
//
// Source    Guan et al. 2018, arXiv:1801.09927, Sec. III-B, by the chain rule
// Host      src/ops/normalize_backward.rs        Reference  src/reference/normalize_backward.rs
// Shapes    map, dy [n, h, w] -> sums [n, shares, 4]: two floats as bits, and two pixels
// Grid      x: shares, or shares / WORKGROUP_SIZE without a barrier, z: n
// Numerics  sums in f32, in blocks of blocks, then as a tree
// Uses      `with_block`, `total_of` of shared/blocked_sum.wgsl
// Needs     no device feature

// With fewer than 16, each invocation reduces a share of its own, without a barrier.
override WORKGROUP_SIZE: u32 = 256u;

struct Params {
    origin: u32,
    map_base: u32,
    dy_base: u32,
    sums_base: u32,
    pixels: u32,
    shares: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> map: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> sums: array<u32>;

alias Sum = vec2<f32>;

var<workgroup> wg_sum: array<vec2<f32>, WORKGROUP_SIZE>;
var<workgroup> wg_first: array<vec2<u32>, WORKGROUP_SIZE>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn normalize_backward_sums(
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let lane = local.x;
    let alone = WORKGROUP_SIZE < 16u;
    let share = (params.origin + group.x) * select(1u, WORKGROUP_SIZE, alone) + select(0u, lane, alone);
    // Neighbouring invocations read neighbouring pixels, whether they reduce one share together or a share each.
    let start = share * select(WORKGROUP_SIZE, 1u, alone) + select(lane, 0u, alone);
    let step = params.shares * select(WORKGROUP_SIZE, 1u, alone);
    let offset = group.z * params.pixels;

    var sum = BlockedSum();
    var first = vec2<u32>(0xffffffffu);
    var pixel = start;
    while pixel < params.pixels {
        var block = vec2<f32>();
        for (var k = 0u; k < BLOCK && pixel < params.pixels; k += 1u) {
            let value = map[params.map_base + offset + pixel];
            let upstream = dy[params.dy_base + offset + pixel];
            block += vec2<f32>(upstream, upstream * value);
            first = select(first, min(first, vec2<u32>(pixel)), vec2<bool>(value == 0.0, value == 1.0));
            pixel += step;
        }
        sum = with_block(sum, block);
    }
    var total = total_of(sum);
    if WORKGROUP_SIZE >= 16u {
        wg_sum[lane] = total;
        wg_first[lane] = first;
        workgroupBarrier();
        for (var stride = WORKGROUP_SIZE / 2u; stride > 0u; stride /= 2u) {
            if lane < stride {
                wg_sum[lane] += wg_sum[lane + stride];
                wg_first[lane] = min(wg_first[lane], wg_first[lane + stride]);
            }
            workgroupBarrier();
        }
        total = wg_sum[0];
        first = wg_first[0];
    }
    if share < params.shares && (alone || lane == 0u) {
        let at = params.sums_base + (group.z * params.shares + share) * 4u;
        sums[at] = bitcast<u32>(total.x);
        sums[at + 1u] = bitcast<u32>(total.y);
        sums[at + 2u] = first.x;
        sums[at + 3u] = first.y;
    }
}
