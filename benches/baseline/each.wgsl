// An operation element by element. The host puts the inputs and the shape in front, and a type and an expression in.

@group(0) @binding(1) var<storage, read_write> y: array<TO>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) at: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = at.y * groups.x * 256u + at.x;
    if i < arrayLength(&y) {
        y[i] = EXPRESSION;
    }
}
