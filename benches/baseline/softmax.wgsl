// Third: the softmax over each neighbourhood, in place. scores [g, k*k, h*w].

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
@group(0) @binding(1) var<storage, read_write> scores: array<f32>;

@compute @workgroup_size(64)
fn softmax(@builtin(global_invocation_id) id: vec3<u32>) {
    let pixels = u32(params.height * params.width);
    if id.x >= pixels {
        return;
    }
    let entries = u32(params.window * params.window);
    let first = id.z * entries * pixels + id.x;
    var largest = scores[first];
    for (var e = 1u; e < entries; e += 1u) {
        largest = max(largest, scores[first + e * pixels]);
    }
    var total = 0.0;
    for (var e = 0u; e < entries; e += 1u) {
        let weight = exp(scores[first + e * pixels] - largest);
        scores[first + e * pixels] = weight;
        total += weight;
    }
    for (var e = 0u; e < entries; e += 1u) {
        scores[first + e * pixels] /= total;
    }
}
