// How often each of bins numbers stands in an image of pixels; those from bins on are left out. a [n, pixels] -> y [n, bins], which
// starts with zeros.

struct Shape {
    bins: u32,
    pixels: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> a: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<atomic<u32>>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) at: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = at.y * groups.x * 256u + at.x;
    if i < arrayLength(&a) && a[i] < shape.bins {
        atomicAdd(&y[i / shape.pixels * shape.bins + a[i]], 1u);
    }
}
