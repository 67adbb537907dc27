// The smallest label of a pixel and its eight neighbours, where it has one: as often as the mask needs it, this labels its
// components. `channels` is the width of a plane. Unfused baseline of attended_region.
struct Params { pixels: u32, channels: u32, inputs: u32, outputs: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<u32>;
@group(0) @binding(2) var<storage, read> b: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<u32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) at: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = at.y * groups.x * 256u + at.x;
    if i >= arrayLength(&y) {
        return;
    }
    var label = a[i];
    if label != 0xffffffffu {
        let width = params.channels;
        let pixel = i % params.pixels;
        let row = pixel / width;
        let column = pixel % width;
        let last = params.pixels / width - 1u;
        for (var r = max(row, 1u) - 1u; r <= min(row + 1u, last); r += 1u) {
            for (var c = max(column, 1u) - 1u; c <= min(column + 1u, width - 1u); c += 1u) {
                label = min(label, a[i - pixel + r * width + c]);
            }
        }
    }
    y[i] = label;
}
