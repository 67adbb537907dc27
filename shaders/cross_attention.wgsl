// Cross-attention: softmax attention of every position to a few keys that all positions see, for each head.
//
//   y = sum over j of softmax(scale * q . k(j)) * v(j)
//
// Source    Vaswani et al. 2017, arXiv:1706.03762, Eq. 1 and Sec. 3.2.3
// Host      src/ops/cross_attention.rs        Reference  src/reference/cross_attention.rs
// Shapes    q [n, g*d, t, h, w], k [n, g*d, m], v [n, g*dv, m] -> y [n, g*dv, t, h, w], log_sum_exp [n, g, t, h, w] f32, dense
// Grid      x: ceil(t*h*w / 64), y: ceil(dv / LENGTH), z: one head of one image; one invocation for LENGTH channels of a position
// Numerics  online softmax in f32; a NaN or +infinite logit gives NaN, a query whose logits are all -infinity gives zeros
// Needs     f16 variants: SHADER_F16

// Marks a key that is left out. Logits are stored halved: every finite one is then above this mark, and the difference of two does not
// overflow. Halving and doubling are exact.
const NONE = -3.4028234e38;
const MINUS_INFINITY = 0xff800000u;
const NOT_A_NUMBER = 0x7fc00000u;

struct Params {
    origin_x: u32,
    origin_y: u32,
    q_base: u32,
    k_base: u32,
    v_base: u32,
    y_base: u32,
    log_sum_exp_base: u32,
    with_log_sum_exp: u32,
    head_dim: u32,
    value_dim: u32,
    keys: u32,
    positions: u32,
    scale: f32,
    // A power of two that scales the sum of the weights to at most 1.
    shrink: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<Element>;
@group(0) @binding(2) var<storage, read> k: array<Element>;
@group(0) @binding(3) var<storage, read> v: array<Element>;
@group(0) @binding(4) var<storage, read_write> y: array<Element>;
@group(0) @binding(5) var<storage, read_write> log_sum_exp: array<f32>;

fn key(at: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(f32(k[at.x]), f32(k[at.y]), f32(k[at.z]), f32(k[at.w]));
}

fn value(at: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(f32(v[at.x]), f32(v[at.y]), f32(v[at.z]), f32(v[at.w]));
}

@compute @workgroup_size(64)
fn cross_attention(@builtin(local_invocation_id) local: vec3<u32>, @builtin(workgroup_id) group: vec3<u32>) {
    let position = (params.origin_x + group.x) * 64u + local.x;
    if position >= params.positions {
        return;
    }
    let chunk = (params.origin_y + group.y) * LENGTH;
    let sums = min(params.value_dim - chunk, LENGTH);
    let first_query = params.q_base + group.z * params.head_dim * params.positions + position;
    let first_key = params.k_base + group.z * params.head_dim * params.keys;
    let first_value = params.v_base + (group.z * params.value_dim + chunk) * params.keys;

    var largest = NONE;
    var total = 0.0;
    var poisoned = false;
    // WGSL initialises this array to zeros.
    var sum: array<f32, LENGTH>;
    // Four keys at a time, so that a query's channel is loaded once for all four.
    for (var first = 0u; first < params.keys; first += 4u) {
        let index = vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u);
        let part = index < vec4<u32>(params.keys);
        let near = min(index, vec4<u32>(params.keys - 1u));
        var dots = vec4<f32>(0.0);
        for (var c = 0u; c < params.head_dim; c += 1u) {
            dots += f32(q[first_query + c * params.positions]) * key(first_key + c * params.keys + near);
        }
        let logits = params.scale * dots;
        let bits = bitcast<vec4<u32>>(logits);
        let infinite = (bits & vec4<u32>(0x7f800000u)) == vec4<u32>(0x7f800000u);
        poisoned = poisoned || any(part & infinite & (bits != vec4<u32>(MINUS_INFINITY)));
        let scores = select(vec4<f32>(NONE), 0.5 * logits, part & !infinite);
        let before = largest;
        largest = max(largest, max(max(scores.x, scores.y), max(scores.z, scores.w)));
        let remaining = exp(2.0 * (before - largest));
        // With `shrink`, the sum of the weighted values does not overflow unless their mean does.
        let weights = select(exp(2.0 * (scores - largest)) * params.shrink, vec4<f32>(0.0), scores == vec4<f32>(NONE));
        total = total * remaining + weights.x + weights.y + weights.z + weights.w;
        for (var c = 0u; c < LENGTH; c += 1u) {
            if c < sums {
                let values = select(vec4<f32>(0.0), value(first_value + c * params.keys + near), part);
                sum[c] = sum[c] * remaining + dot(weights, values);
            }
        }
    }

    let empty = total == 0.0 && !poisoned;
    let first_output = params.y_base + (group.z * params.value_dim + chunk) * params.positions + position;
    for (var c = 0u; c < LENGTH; c += 1u) {
        if c < sums {
            let mean = select(sum[c] / total, 0.0, empty);
            let result = bitcast<f32>(select(bitcast<u32>(mean), NOT_A_NUMBER, poisoned));
            y[first_output + c * params.positions] = Element(result);
        }
    }
    if params.with_log_sum_exp == 1u && chunk == 0u {
        var bits = bitcast<u32>(2.0 * largest + log(total / params.shrink));
        bits = select(select(bits, MINUS_INFINITY, empty), NOT_A_NUMBER, poisoned);
        log_sum_exp[params.log_sum_exp_base + group.z * params.positions + position] = bitcast<f32>(bits);
    }
}
