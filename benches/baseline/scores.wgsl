// The product of each query with each key of its neighbourhood, for heads from first on.
// q [heads, depth, pixels], keys [heads, depth, entries, pixels] -> scores [heads, entries, pixels].

struct Shape {
    depth: u32,
    entries: u32,
    pixels: u32,
    first: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> q: array<f32>;
@group(0) @binding(2) var<storage, read> keys: array<f32>;
@group(0) @binding(3) var<storage, read_write> scores: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= shape.pixels {
        return;
    }
    var sum = 0.0;
    for (var c = 0u; c < shape.depth; c += 1u) {
        let channel = id.z * shape.depth + c;
        sum += q[(shape.first * shape.depth + channel) * shape.pixels + id.x] * keys[(channel * shape.entries + id.y) * shape.pixels + id.x];
    }
    scores[(id.z * shape.entries + id.y) * shape.pixels + id.x] = sum;
}
