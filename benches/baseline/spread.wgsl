// The smallest label of a pixel and its eight neighbours, where it has one: as often as the mask needs it, this labels its
// components.

struct Shape {
    height: u32,
    width: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> a: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) at: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = at.y * groups.x * 256u + at.x;
    if i >= arrayLength(&y) {
        return;
    }
    var label = a[i];
    if label != 0xffffffffu {
        let pixel = i % (shape.height * shape.width);
        let row = pixel / shape.width;
        let column = pixel % shape.width;
        for (var r = max(row, 1u) - 1u; r <= min(row + 1u, shape.height - 1u); r += 1u) {
            for (var c = max(column, 1u) - 1u; c <= min(column + 1u, shape.width - 1u); c += 1u) {
                label = min(label, a[i - pixel + r * shape.width + c]);
            }
        }
    }
    y[i] = label;
}
