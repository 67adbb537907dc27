// Windowed attention, gradient: zeros for the positions that have no query, because the windows have a stride.
//
//   q_gradient = 0
//
// Source    none: these positions do not take part in the output
// Host      src/ops/window_attention_backward/mod.rs        Reference  src/reference/window_attention_backward.rs
// Shapes    q_gradient [n, g*d, t, h, w]
// Grid      x: ceil(d*t*h*w / 64), z: one head of one image; one invocation for each element
// Numerics  exact
// Needs     f16 variants: SHADER_F16

struct Params {
    origin: u32,
    q_gradient_base: u32,
    elements: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> q_gradient: array<Inner>;

@compute @workgroup_size(64)
fn window_attention_backward_clear(
    @builtin(local_invocation_index) index: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let at = (params.origin + group.x) * 64u + index;
    if at < params.elements {
        q_gradient[params.q_gradient_base + group.z * params.elements + at] = Inner(0.0);
    }
}
