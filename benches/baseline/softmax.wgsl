// The softmax over the entries of each pixel, in place. scores [images, entries, pixels].

struct Shape {
    entries: u32,
    pixels: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read_write> scores: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= shape.pixels {
        return;
    }
    let first = id.z * shape.entries * shape.pixels + id.x;
    var largest = scores[first];
    for (var e = 1u; e < shape.entries; e += 1u) {
        largest = max(largest, scores[first + e * shape.pixels]);
    }
    var total = 0.0;
    for (var e = 0u; e < shape.entries; e += 1u) {
        let weight = exp(scores[first + e * shape.pixels] - largest);
        scores[first + e * shape.pixels] = weight;
        total += weight;
    }
    for (var e = 0u; e < shape.entries; e += 1u) {
        scores[first + e * shape.pixels] /= total;
    }
}
