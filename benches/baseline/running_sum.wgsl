// The running sum of each row of length, one invocation for each.

struct Shape {
    length: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> a: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) row: vec3<u32>) {
    var sum = 0u;
    for (var i = row.x * shape.length; i < (row.x + 1u) * shape.length; i += 1u) {
        sum += a[i];
        y[i] = sum;
    }
}
