// Second: the product of each query with each key of its neighbourhood.
// q [c, h, w], keys [c, k*k, h*w] -> scores [g, k*k, h*w].

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
@group(0) @binding(1) var<storage, read> q: array<f32>;
@group(0) @binding(2) var<storage, read> keys: array<f32>;
@group(0) @binding(3) var<storage, read_write> scores: array<f32>;

@compute @workgroup_size(64)
fn scores_of(@builtin(global_invocation_id) id: vec3<u32>) {
    let pixels = u32(params.height * params.width);
    if id.x >= pixels {
        return;
    }
    let entries = u32(params.window * params.window);
    var sum = 0.0;
    for (var c = 0u; c < params.depth; c += 1u) {
        let channel = id.z * params.depth + c;
        sum += q[(params.first_head * params.depth + channel) * pixels + id.x]
            * keys[(channel * entries + id.y) * pixels + id.x];
    }
    scores[(id.z * entries + id.y) * pixels + id.x] = sum;
}
