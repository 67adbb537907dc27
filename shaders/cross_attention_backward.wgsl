// Gradient of cross-attention with respect to the queries.
//
//   dq = scale * sum over j of P(j) * (dy . v(j) - mean) * k(j),  P(j) = exp(scale * q . k(j) - L)
//
// Source    Vaswani et al. 2017, arXiv:1706.03762, Eq. 1, by the chain rule
// Host      src/ops/cross_attention_backward/mod.rs        Reference  src/reference/cross_attention_backward.rs
// Shapes    q [n, g*d, t, h, w], k [n, g*d, m], v [n, g*dv, m], y_gradient [n, g*dv, t, h, w], log_sum_exp, means [n, g, t, h, w] f32
//           -> q_gradient [n, g*d, t, h, w], dense
// Grid      x: ceil(t*h*w / 64), y: ceil(d / LENGTH), z: one head of one image; one invocation for LENGTH channels of a position
// Numerics  f32; a query whose log-sum-exp is -infinity has the gradient 0
// Uses      `four_keys`, `query_by_keys`, `gradient_by_values` of shared/cross_attention_walk.wgsl
// Uses      `softmax_weights` of shared/softmax_weights.wgsl
// Needs     f16 variants: SHADER_F16

const MINUS_INFINITY = 0xff800000u;

struct Params {
    origin_x: u32,
    origin_y: u32,
    q_base: u32,
    k_base: u32,
    v_base: u32,
    log_sum_exp_base: u32,
    y_gradient_base: u32,
    means_base: u32,
    q_gradient_base: u32,
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
@group(0) @binding(6) var<storage, read> means: array<f32>;
@group(0) @binding(7) var<storage, read_write> q_gradient: array<Element>;

@compute @workgroup_size(64)
fn cross_attention_backward(@builtin(local_invocation_id) local: vec3<u32>, @builtin(workgroup_id) group: vec3<u32>) {
    let position = (params.origin_x + group.x) * 64u + local.x;
    if position >= params.positions {
        return;
    }
    let chunk = (params.origin_y + group.y) * LENGTH;
    let sums = min(params.head_dim - chunk, LENGTH);
    let query = group.z * params.positions + position;
    let total = log_sum_exp[params.log_sum_exp_base + query];
    let mean = means[params.means_base + query];
    let first_query = params.q_base + group.z * params.head_dim * params.positions + position;
    let first_gradient = params.y_gradient_base + group.z * params.value_dim * params.positions + position;
    let first_key = params.k_base + group.z * params.head_dim * params.keys;
    let first_value = params.v_base + group.z * params.value_dim * params.keys;

    // WGSL initialises this array to zeros.
    var sum: array<f32, LENGTH>;
    // Four keys at a time, so that a query's channel is loaded once for all four.
    for (var first = 0u; first < params.keys; first += 4u) {
        let index = vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u);
        let part = index < vec4<u32>(params.keys);
        let near = min(index, vec4<u32>(params.keys - 1u));
        let logits = params.scale * query_by_keys(first_query, first_key, near);
        let weights = softmax_weights(logits, vec4<f32>(total), part);
        let gradients = gradient_by_values(first_gradient, first_value, near);
        let changes = params.scale * (weights * select(vec4<f32>(0.0), gradients - mean, part));
        for (var c = 0u; c < LENGTH; c += 1u) {
            if c < sums {
                let keys = select(vec4<f32>(0.0), four_keys(first_key + (chunk + c) * params.keys + near), part);
                sum[c] += dot(changes, keys);
            }
        }
    }

    let empty = bitcast<u32>(total) == MINUS_INFINITY;
    let first_output = params.q_gradient_base + (group.z * params.head_dim + chunk) * params.positions + position;
    for (var c = 0u; c < LENGTH; c += 1u) {
        if c < sums {
            q_gradient[first_output + c * params.positions] = Element(select(sum[c], 0.0, empty));
        }
    }
}
