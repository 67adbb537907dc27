// The gradient of the softmax over the entries of each pixel, from its result and the gradient of its result.
// weights, upstream, y [images, entries, pixels].

struct Shape {
    entries: u32,
    pixels: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read> upstream: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= shape.pixels {
        return;
    }
    let first = id.z * shape.entries * shape.pixels + id.x;
    var mean = 0.0;
    for (var e = 0u; e < shape.entries; e += 1u) {
        mean += weights[first + e * shape.pixels] * upstream[first + e * shape.pixels];
    }
    for (var e = 0u; e < shape.entries; e += 1u) {
        let at = first + e * shape.pixels;
        y[at] = weights[at] * (upstream[at] - mean);
    }
}
