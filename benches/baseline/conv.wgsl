// A convolution with zeros around the image, one invocation for each output. x [n, inputs, height, width],
// weight [outputs, inputs, kernel_height, kernel_width] -> y [n, outputs, height, width].

struct Shape {
    inputs: u32,
    outputs: u32,
    height: u32,
    width: u32,
    kernel_height: u32,
    kernel_width: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) at: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = at.y * groups.x * 256u + at.x;
    if i >= arrayLength(&y) {
        return;
    }
    let column = i % shape.width;
    let row = i / shape.width % shape.height;
    let plane = i / (shape.width * shape.height);
    let image = plane / shape.outputs;
    let output = plane % shape.outputs;
    var sum = 0.0;
    for (var c = 0u; c < shape.inputs; c += 1u) {
        for (var v = 0u; v < shape.kernel_height; v += 1u) {
            for (var u = 0u; u < shape.kernel_width; u += 1u) {
                // Below zero it wraps around, and is out of the image too.
                let r = row + v - (shape.kernel_height - 1u) / 2u;
                let s = column + u - (shape.kernel_width - 1u) / 2u;
                if r < shape.height && s < shape.width {
                    let tap = ((output * shape.inputs + c) * shape.kernel_height + v) * shape.kernel_width + u;
                    sum += weight[tap] * x[((image * shape.inputs + c) * shape.height + r) * shape.width + s];
                }
            }
        }
    }
    y[i] = sum;
}
