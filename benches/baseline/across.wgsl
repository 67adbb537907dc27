// [images, length, pixels] joined to [images, pixels], one invocation for each. Expressions as in rows.wgsl.

struct Shape {
    length: u32,
    pixels: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> a: array<TYPE>;
@group(0) @binding(2) var<storage, read_write> out: array<TYPE>;

fn join(x: TYPE, y: TYPE) -> TYPE {
    return JOIN;
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) at: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = at.y * groups.x * 256u + at.x;
    if i >= arrayLength(&out) {
        return;
    }
    let first = i / shape.pixels * shape.length * shape.pixels + i % shape.pixels;
    var x = a[first];
    for (var c = 1u; c < shape.length; c += 1u) {
        x = join(x, a[first + c * shape.pixels]);
    }
    out[i] = ALL;
}
