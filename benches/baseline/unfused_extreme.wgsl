// The smallest (`inputs` 0) or largest (1) of each image: one workgroup for each, a tree at the end. Unfused baseline of attended_region.
struct Params { pixels: u32, channels: u32, inputs: u32, outputs: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

var<workgroup> wg_best: array<f32, 256>;

fn better(first: f32, second: f32) -> f32 {
    if params.inputs == 0u {
        return min(first, second);
    }
    return max(first, second);
}

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_id) local: vec3<u32>, @builtin(workgroup_id) group: vec3<u32>) {
    let image = group.x * params.pixels;
    var best = a[image];
    for (var p = local.x; p < params.pixels; p += 256u) {
        best = better(best, a[image + p]);
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
        y[group.x] = wg_best[0];
    }
}
