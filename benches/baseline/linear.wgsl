// A fully connected layer: one workgroup for each output, a tree at the end.

struct Shape {
    inputs: u32,
    outputs: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

var<workgroup> wg_sum: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) local: u32, @builtin(workgroup_id) group: vec3<u32>) {
    var sum = 0.0;
    for (var i = local; i < shape.inputs; i += 64u) {
        sum += weight[group.x * shape.inputs + i] * x[group.y * shape.inputs + i];
    }
    wg_sum[local] = sum;
    workgroupBarrier();
    for (var stride = 32u; stride > 0u; stride /= 2u) {
        if local < stride {
            wg_sum[local] += wg_sum[local + stride];
        }
        workgroupBarrier();
    }
    if local == 0u {
        y[group.y * shape.outputs + group.x] = wg_sum[0];
    }
}
