// The mean of each plane: one workgroup for each, a tree at the end. Unfused baseline of squeeze_excite.
struct Params { pixels: u32, channels: u32, inputs: u32, outputs: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

var<workgroup> wg_sum: array<f32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_id) local: vec3<u32>, @builtin(workgroup_id) group: vec3<u32>) {
    let plane = group.y * params.channels + group.x;
    var sum = 0.0;
    for (var p = local.x; p < params.pixels; p += 256u) {
        sum += a[plane * params.pixels + p];
    }
    wg_sum[local.x] = sum;
    workgroupBarrier();
    for (var stride = 128u; stride > 0u; stride /= 2u) {
        if local.x < stride {
            wg_sum[local.x] += wg_sum[local.x + stride];
        }
        workgroupBarrier();
    }
    if local.x == 0u {
        y[plane] = wg_sum[0] / f32(params.pixels);
    }
}
