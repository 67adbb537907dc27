// Gradients of cross-attention with respect to keys and values, summed over the queries of a tile.
//
//   parts[tile, c, j] = scale * sum over i of P(i, j) * (dy(i) . v(j) - mean(i)) * q(c, i)      rows of the keys
//                       sum over i of P(i, j) * dy(c, i)                                        rows of the values
//   P(i, j) = exp(scale * q(i) . k(j) - L(i)),  i in the queries of the tile
//
// Source    Vaswani et al. 2017, arXiv:1706.03762, Eq. 1, by the chain rule
// Host      src/ops/cross_attention_backward/mod.rs        Reference  src/reference/cross_attention_backward.rs
// Shapes    q [n, g*d, t, h, w], k [n, g*d, m], v [n, g*dv, m], y_gradient [n, g*dv, t, h, w], log_sum_exp, means [n, g, t, h, w] f32
//           -> parts [n*g, tiles, rows, m] f32, dense
// Grid      x: ceil(m / 64), y: tiles of queries, and in each ceil(d / LENGTH) + ceil(dv / LENGTH) chunks, z: one head of one image; one
//           invocation for LENGTH channels of a key
// Numerics  f32; a query whose log-sum-exp is -infinity adds nothing
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
    parts_base: u32,
    head_dim: u32,
    value_dim: u32,
    keys: u32,
    positions: u32,
    // Queries of a tile.
    tile: u32,
    // Chunks of the keys' rows, and of all rows. The values' rows begin at `key_rows`.
    key_chunks: u32,
    chunks: u32,
    key_rows: u32,
    rows: u32,
    tiles: u32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<Element>;
@group(0) @binding(2) var<storage, read> k: array<Element>;
@group(0) @binding(3) var<storage, read> v: array<Element>;
@group(0) @binding(4) var<storage, read> log_sum_exp: array<f32>;
@group(0) @binding(5) var<storage, read> y_gradient: array<Element>;
@group(0) @binding(6) var<storage, read> means: array<f32>;
@group(0) @binding(7) var<storage, read_write> parts: array<f32>;

fn queries(at: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(f32(q[at.x]), f32(q[at.y]), f32(q[at.z]), f32(q[at.w]));
}

fn upstream(at: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(f32(y_gradient[at.x]), f32(y_gradient[at.y]), f32(y_gradient[at.z]), f32(y_gradient[at.w]));
}

@compute @workgroup_size(64)
fn cross_attention_backward_keys(
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let key = (params.origin_x + group.x) * 64u + local.x;
    if key >= params.keys {
        return;
    }
    let tile = (params.origin_y + group.y) / params.chunks;
    let chunk = (params.origin_y + group.y) % params.chunks;
    let of_values = chunk >= params.key_chunks;
    var channel = chunk * LENGTH;
    var channels = params.head_dim;
    var row = channel;
    if of_values {
        channel = (chunk - params.key_chunks) * LENGTH;
        channels = params.value_dim;
        row = params.key_rows + channel;
    }
    let sums = min(channels - channel, LENGTH);
    let first_query = params.q_base + group.z * params.head_dim * params.positions;
    let first_gradient = params.y_gradient_base + group.z * params.value_dim * params.positions;
    let first_key = params.k_base + group.z * params.head_dim * params.keys + key;
    let first_value = params.v_base + group.z * params.value_dim * params.keys + key;
    let first_sum = group.z * params.positions;

    // WGSL initialises this array to zeros.
    var sum: array<f32, LENGTH>;
    let end = min((tile + 1u) * params.tile, params.positions);
    // Four queries at a time, so that a key's channel is loaded once for all four.
    for (var first = tile * params.tile; first < end; first += 4u) {
        let index = vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u);
        let near = min(index, vec4<u32>(end - 1u));
        let at = params.log_sum_exp_base + first_sum + near;
        let totals = vec4<f32>(log_sum_exp[at.x], log_sum_exp[at.y], log_sum_exp[at.z], log_sum_exp[at.w]);
        let live = (index < vec4<u32>(end)) & (bitcast<vec4<u32>>(totals) != vec4<u32>(MINUS_INFINITY));
        var dots = vec4<f32>(0.0);
        for (var c = 0u; c < params.head_dim; c += 1u) {
            dots += f32(k[first_key + c * params.keys]) * queries(first_query + c * params.positions + near);
        }
        let weights = softmax_weights(params.scale * dots, totals, live);
        if of_values {
            for (var c = 0u; c < LENGTH; c += 1u) {
                if c < sums {
                    let factors = upstream(first_gradient + (channel + c) * params.positions + near);
                    sum[c] += dot(weights, select(vec4<f32>(0.0), factors, live));
                }
            }
            continue;
        }
        var gradients = vec4<f32>(0.0);
        for (var c = 0u; c < params.value_dim; c += 1u) {
            gradients += f32(v[first_value + c * params.keys]) * upstream(first_gradient + c * params.positions + near);
        }
        let mean_at = params.means_base + first_sum + near;
        let mean = vec4<f32>(means[mean_at.x], means[mean_at.y], means[mean_at.z], means[mean_at.w]);
        let changes = params.scale * (weights * select(vec4<f32>(0.0), gradients - mean, live));
        for (var c = 0u; c < LENGTH; c += 1u) {
            if c < sums {
                let factors = queries(first_query + (channel + c) * params.positions + near);
                sum[c] += dot(changes, select(vec4<f32>(0.0), factors, live));
            }
        }
    }

    let first_part = params.parts_base + ((group.z * params.tiles + tile) * params.rows + row) * params.keys + key;
    for (var c = 0u; c < LENGTH; c += 1u) {
        if c < sums {
            parts[first_part + c * params.keys] = sum[c];
        }
    }
}
