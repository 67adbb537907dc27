// The mean gradient of a query's weights in cross-attention, which the gradients of its logits are taken relative to.
//
//   means = sum over j of P(j) * (dy . v(j)) - dL,  P(j) = exp(scale * q . k(j) - L)
//
// Source    Vaswani et al. 2017, arXiv:1706.03762, Eq. 1, by the chain rule
// Host      src/ops/cross_attention_backward/mod.rs        Reference  src/reference/cross_attention_backward.rs
// Shapes    q [n, g*d, t, h, w], k [n, g*d, m], v [n, g*dv, m], y_gradient [n, g*dv, t, h, w], log_sum_exp, log_sum_exp_gradient
//           [n, g, t, h, w] f32 -> means [n, g, t, h, w] f32, dense
// Grid      x: ceil(t*h*w / 64), z: one head of one image; one invocation for a position
// Numerics  f32; a query whose log-sum-exp is -infinity has the mean 0
// Uses      `query_by_keys`, `gradient_by_values` of shared/cross_attention_walk.wgsl
// Uses      `softmax_weights` of shared/softmax_weights.wgsl
// Needs     f16 variants: SHADER_F16

const MINUS_INFINITY = 0xff800000u;

struct Params {
    origin: u32,
    q_base: u32,
    k_base: u32,
    v_base: u32,
    log_sum_exp_base: u32,
    y_gradient_base: u32,
    log_sum_exp_gradient_base: u32,
    means_base: u32,
    with_log_sum_exp_gradient: u32,
    head_dim: u32,
    value_dim: u32,
    keys: u32,
    positions: u32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<Element>;
@group(0) @binding(2) var<storage, read> k: array<Element>;
@group(0) @binding(3) var<storage, read> v: array<Element>;
@group(0) @binding(4) var<storage, read> log_sum_exp: array<f32>;
@group(0) @binding(5) var<storage, read> y_gradient: array<Element>;
@group(0) @binding(6) var<storage, read> log_sum_exp_gradient: array<f32>;
@group(0) @binding(7) var<storage, read_write> means: array<f32>;

@compute @workgroup_size(64)
fn cross_attention_backward_means(
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let position = (params.origin + group.x) * 64u + local.x;
    if position >= params.positions {
        return;
    }
    let query = group.z * params.positions + position;
    let total = log_sum_exp[params.log_sum_exp_base + query];
    let first_query = params.q_base + group.z * params.head_dim * params.positions + position;
    let first_gradient = params.y_gradient_base + group.z * params.value_dim * params.positions + position;
    let first_key = params.k_base + group.z * params.head_dim * params.keys;
    let first_value = params.v_base + group.z * params.value_dim * params.keys;

    var mean = 0.0;
    if params.with_log_sum_exp_gradient == 1u {
        mean = -log_sum_exp_gradient[params.log_sum_exp_gradient_base + query];
    }
    // Four keys at a time, so that a query's channel is loaded once for all four.
    for (var first = 0u; first < params.keys; first += 4u) {
        let index = vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u);
        let part = index < vec4<u32>(params.keys);
        let near = min(index, vec4<u32>(params.keys - 1u));
        let logits = params.scale * query_by_keys(first_query, first_key, near);
        let weights = softmax_weights(logits, vec4<f32>(total), part);
        let gradients = gradient_by_values(first_gradient, first_value, near);
        mean += dot(weights, select(vec4<f32>(0.0), gradients, part));
    }
    let empty = bitcast<u32>(total) == MINUS_INFINITY;
    means[params.means_base + query] = select(mean, 0.0, empty);
}
