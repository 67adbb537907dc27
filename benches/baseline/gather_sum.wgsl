// Each of targets results is the sum of the numbers of its plane that its list of sources names. x [planes, length] ->
// y [planes, targets]. The host puts in a WEIGHT of each, or nothing.

struct Shape {
    targets: u32,
    length: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> starts: array<u32>;
@group(0) @binding(3) var<storage, read> sources: array<u32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) at: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = at.y * groups.x * 256u + at.x;
    if i >= arrayLength(&y) {
        return;
    }
    let plane = i / shape.targets * shape.length;
    let end = starts[i % shape.targets + 1u];
    var sum = 0.0;
    for (var entry = starts[i % shape.targets]; entry < end; entry += 1u) {
        sum += WEIGHT x[plane + sources[entry]];
    }
    y[i] = sum;
}
