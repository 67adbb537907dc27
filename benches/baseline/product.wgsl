// Products of matrices, one invocation for each number of a result. a [batch, rows, inner], b [batch, inner, columns] ->
// y [batch, rows, columns]. Strides let either of them lie with its axes exchanged.

struct Shape {
    rows: u32,
    columns: u32,
    inner: u32,
    a_row: u32,
    a_inner: u32,
    b_inner: u32,
    b_column: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) at: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = at.y * groups.x * 256u + at.x;
    if i >= arrayLength(&y) {
        return;
    }
    let batch = i / (shape.rows * shape.columns);
    let first = batch * shape.rows * shape.inner + i / shape.columns % shape.rows * shape.a_row;
    let second = batch * shape.inner * shape.columns + i % shape.columns * shape.b_column;
    var sum = 0.0;
    for (var k = 0u; k < shape.inner; k += 1u) {
        sum += a[first + k * shape.a_inner] * b[second + k * shape.b_inner];
    }
    y[i] = sum;
}
