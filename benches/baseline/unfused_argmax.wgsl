// The first index of the largest count of each image, one workgroup for each. Unfused baseline of attended_region.
struct Params { pixels: u32, channels: u32, inputs: u32, outputs: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<u32>;
@group(0) @binding(2) var<storage, read> b: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<u32>;

// A count and where it is.
var<workgroup> wg_best: array<vec2<u32>, 256>;

fn better(first: vec2<u32>, second: vec2<u32>) -> vec2<u32> {
    return select(first, second, second.x > first.x || (second.x == first.x && second.y < first.y));
}

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_id) local: vec3<u32>, @builtin(workgroup_id) group: vec3<u32>) {
    var best = vec2<u32>(0u);
    for (var p = local.x; p < params.pixels; p += 256u) {
        best = better(best, vec2<u32>(a[group.x * params.pixels + p], p));
    }
    wg_best[local.x] = best;
    workgroupBarrier();
    for (var stride = 128u; stride > 0u; stride /= 2u) {
        if local.x < stride {
            wg_best[local.x] = better(wg_best[local.x], wg_best[local.x + stride]);
        }
        workgroupBarrier();
    }
    if local.x == 0u {
        y[group.x] = wg_best[0].y;
    }
}
