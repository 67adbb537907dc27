// Gradients of the attention stem with respect to queries, keys and values.
//
//   dq(i)   = scale * sum over (a, b) of dS(i, a, b) * k(i + (a, b))             dS = P * (dP - mean)
//   dk(r)   = scale * sum over (a, b) of dS(r - (a, b), a, b) * q(r - (a, b))
//   dv_m(r) = sum over (a, b) of mixture(m, a, b) * P(r - (a, b), a, b) * dy(r - (a, b))
//   P(i, a, b) = exp(s - largest) / total,  (a, b) counted from the padding, pixels outside the image left out
//
// Source    Ramachandran et al. 2019, arXiv:1906.05909, Sec. 3.2, by the chain rule
// Host      src/ops/sasa_stem_backward.rs        Reference  src/reference/sasa_stem_backward.rs
// Shapes    projected [n, 2+m, g*d, h, w] f32 (q, k, then the values), mixture [m, kh, kw] f32, statistics [n, g, 3, h, w] f32,
//           y_gradient [n, g*d, h, w] -> projected_gradient [n, 2+m, g*d, h, w] f32
// Grid      x: ceil(w / 8), y: ceil(h / 8) for each chunk of 8 channels of each head of each of the 2+m tensors, z: n; one invocation per
//           chunk of a pixel
// Numerics  f32; a query whose logits are all -infinite takes no part
// Uses      `score_of`, `weight_of` of shared/stem_score.wgsl
// Uses      `gradient_by_value` of shared/stem_values.wgsl
// Needs     f16 variants: SHADER_F16

struct Params {
    origin_x: u32,
    origin_y: u32,
    projected_base: u32,
    statistics_base: u32,
    y_gradient_base: u32,
    projected_gradient_base: u32,
    heads: u32,
    head_dim: u32,
    mixtures: u32,
    height: i32,
    width: i32,
    window_height: i32,
    window_width: i32,
    padding_height: i32,
    padding_width: i32,
    // Workgroups along y per chunk, then chunks per head.
    chunk_groups: u32,
    chunks: u32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> projected: array<f32>;
@group(0) @binding(2) var<storage, read> mixture: array<f32>;
@group(0) @binding(3) var<storage, read> statistics: array<f32>;
@group(0) @binding(4) var<storage, read> y_gradient: array<Element>;
@group(0) @binding(5) var<storage, read_write> projected_gradient: array<f32>;

const CHUNK = 8u;

@compute @workgroup_size(8, 8)
fn sasa_stem_backward(
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let column = i32((params.origin_x + group.x) * 8u + local.x);
    let row = i32((params.origin_y + group.y) % params.chunk_groups * 8u + local.y);
    let part = (params.origin_y + group.y) / params.chunk_groups;
    let chunk = part % params.chunks * CHUNK;
    let head = part / params.chunks % params.heads;
    let tensor = part / params.chunks / params.heads;
    if column >= params.width || row >= params.height {
        return;
    }
    let pixels = u32(params.height * params.width);
    let channels = params.heads * params.head_dim;
    let tensors = 2u + params.mixtures;
    let first_query = params.projected_base + (group.z * tensors * channels + head * params.head_dim) * pixels;
    let first_value = first_query + 2u * channels * pixels;
    let first_gradient = params.y_gradient_base + (group.z * channels + head * params.head_dim) * pixels;
    let first_statistic = params.statistics_base + (group.z * params.heads + head) * 3u * pixels;
    // The gradient of a query is a sum of keys, and that of a key a sum of queries.
    let first_factor = first_query + select(chunk, channels + chunk, tensor == 0u) * pixels;
    let pixel = u32(row * params.width + column);
    let sums = min(params.head_dim - chunk, CHUNK);
    let entries = u32(params.window_height * params.window_width);

    // WGSL initialises this array to zeros.
    var sum: array<f32, CHUNK>;
    for (var a = 0; a < params.window_height; a += 1) {
        for (var b = 0; b < params.window_width; b += 1) {
            // From a query to its key. Keys and values look for the query.
            let down = select(params.padding_height - a, a - params.padding_height, tensor == 0u);
            let right = select(params.padding_width - b, b - params.padding_width, tensor == 0u);
            if row + down < 0 || row + down >= params.height || column + right < 0 || column + right >= params.width {
                continue;
            }
            let other = u32((row + down) * params.width + column + right);
            let query = select(other, pixel, tensor == 0u);
            let key = select(pixel, other, tensor == 0u);
            let entry = u32(a * params.window_width + b);
            let total = statistics[first_statistic + pixels + query];
            if bitcast<u32>(total) == 0u {
                continue;
            }
            let weight = weight_of(score_of(first_query, query, key), statistics[first_statistic + query], total);
            if tensor >= 2u {
                let share = mixture[(tensor - 2u) * entries + entry];
                for (var c = 0u; c < sums; c += 1u) {
                    sum[c] += share * (weight * f32(y_gradient[first_gradient + (chunk + c) * pixels + query]));
                }
                continue;
            }
            let gradient = gradient_by_value(first_gradient, first_value, query, key, entry);
            let change = params.scale * (weight * (gradient - statistics[first_statistic + 2u * pixels + query]));
            for (var c = 0u; c < sums; c += 1u) {
                sum[c] += change * projected[first_factor + c * pixels + other];
            }
        }
    }
    let channel = (group.z * tensors + tensor) * channels + head * params.head_dim + chunk;
    for (var c = 0u; c < sums; c += 1u) {
        projected_gradient[params.projected_gradient_base + (channel + c) * pixels + pixel] = sum[c];
    }
}
