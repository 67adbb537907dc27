// Fourth: the sum of the values of each neighbourhood, weighted.
// weights [g, k*k, h*w], values [c, k*k, h*w] -> y [c, h, w].

struct Params {
    height: i32,
    width: i32,
    window: i32,
    heads: u32,
    depth: u32,
    // Heads are done in groups that fit a binding; this is the first of the group.
    first_head: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read> values: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn mix_values(@builtin(global_invocation_id) id: vec3<u32>) {
    let pixels = u32(params.height * params.width);
    if id.x >= pixels {
        return;
    }
    let entries = u32(params.window * params.window);
    let head = id.z / params.depth;
    var sum = 0.0;
    for (var e = 0u; e < entries; e += 1u) {
        sum += weights[(head * entries + e) * pixels + id.x] * values[(id.z * entries + e) * pixels + id.x];
    }
    y[(params.first_head * params.depth + id.z) * pixels + id.x] = sum;
}
