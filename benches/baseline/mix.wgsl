// The sum of the values of each neighbourhood, weighted, for heads from first on.
// weights [heads, entries, pixels], values [heads, depth, entries, pixels] -> y [heads, depth, pixels].

struct Shape {
    depth: u32,
    entries: u32,
    pixels: u32,
    first: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read> values: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= shape.pixels {
        return;
    }
    let head = id.z / shape.depth;
    var sum = 0.0;
    for (var e = 0u; e < shape.entries; e += 1u) {
        sum += weights[(head * shape.entries + e) * shape.pixels + id.x] * values[(id.z * shape.entries + e) * shape.pixels + id.x];
    }
    y[(shape.first * shape.depth + id.z) * shape.pixels + id.x] = sum;
}
