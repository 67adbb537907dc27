// What the fused kernel is compared with, first of four: every pixel's neighbourhood written out, zeros outside the image.
// x [c, h, w] -> unfolded [c, k*k, h*w].

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
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> unfolded: array<f32>;

@compute @workgroup_size(64)
fn unfold(@builtin(global_invocation_id) id: vec3<u32>) {
    let pixels = u32(params.height * params.width);
    if id.x >= pixels {
        return;
    }
    let entry = i32(id.y);
    let row = i32(id.x) / params.width + entry / params.window - params.window / 2;
    let column = i32(id.x) % params.width + entry % params.window - params.window / 2;
    var value = 0.0;
    if row >= 0 && row < params.height && column >= 0 && column < params.width {
        value = x[(params.first_head * params.depth + id.z) * pixels + u32(row * params.width + column)];
    }
    unfolded[(id.z * u32(params.window * params.window) + id.y) * pixels + id.x] = value;
}
