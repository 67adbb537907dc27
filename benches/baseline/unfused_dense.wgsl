// A fully connected layer: one workgroup for each output, a tree at the end. Unfused baseline of squeeze_excite.
struct Params { pixels: u32, channels: u32, inputs: u32, outputs: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

var<workgroup> wg_sum: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_id) local: vec3<u32>, @builtin(workgroup_id) group: vec3<u32>) {
    var sum = 0.0;
    for (var i = local.x; i < params.inputs; i += 64u) {
        sum += b[group.x * params.inputs + i] * a[group.y * params.inputs + i];
    }
    wg_sum[local.x] = sum;
    workgroupBarrier();
    for (var stride = 32u; stride > 0u; stride /= 2u) {
        if local.x < stride {
            wg_sum[local.x] += wg_sum[local.x + stride];
        }
        workgroupBarrier();
    }
    if local.x == 0u {
        y[group.y * params.outputs + group.x] = wg_sum[0];
    }
}
