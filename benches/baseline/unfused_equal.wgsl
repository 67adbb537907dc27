// 1 where an element equals its image's number in `b`, else 0. Unfused baseline of attended_region.
struct Params { pixels: u32, channels: u32, inputs: u32, outputs: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<u32>;
@group(0) @binding(2) var<storage, read> b: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<u32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) at: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = at.y * groups.x * 256u + at.x;
    if i < arrayLength(&y) {
        y[i] = u32(a[i] == b[i / params.pixels]);
    }
}
