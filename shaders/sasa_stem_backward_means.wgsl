// What the gradients of the attention stem need to know of each query: its softmax, and the mean gradient of its weights.
//
//   largest = max of s(a, b),  total = sum of exp(s(a, b) - largest),  mean = sum of exp(s - largest) / total * dP(a, b)
//   s(a, b) = scale * q . k(a, b),  dP(a, b) = dy . sum over m of mixture(m, a, b) * v_m(a, b)
//
// Source    Ramachandran et al. 2019, arXiv:1906.05909, Sec. 3.2, by the chain rule
// Host      src/ops/sasa_stem_backward.rs        Reference  src/reference/sasa_stem_backward.rs
// Shapes    projected [n, 2+m, g*d, h, w] f32 (q, k, then the values), mixture [m, kh, kw] f32, y_gradient [n, g*d, h, w]
//           -> statistics [n, g, 3, h, w] f32 (largest, total, mean)
// Grid      x: ceil(w / 8), y: ceil(h / 8) for each head, z: n; one invocation per head of a query
// Numerics  f32. A NaN or +infinite logit gives a total of NaN. If all logits are -infinite, the total is 0. Keys outside the image are
//           zeros that take part.
// Uses      `score_of`, `weight_of` of shared/stem_score.wgsl
// Uses      `gradient_by_value` of shared/stem_values.wgsl
// Needs     f16 variants: SHADER_F16

struct Params {
    origin_x: u32,
    origin_y: u32,
    projected_base: u32,
    y_gradient_base: u32,
    statistics_base: u32,
    heads: u32,
    head_dim: u32,
    mixtures: u32,
    height: i32,
    width: i32,
    window_height: i32,
    window_width: i32,
    padding_height: i32,
    padding_width: i32,
    // Workgroups along y per head.
    head_groups: u32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> projected: array<f32>;
@group(0) @binding(2) var<storage, read> mixture: array<f32>;
@group(0) @binding(3) var<storage, read> y_gradient: array<Element>;
@group(0) @binding(4) var<storage, read_write> statistics: array<f32>;

@compute @workgroup_size(8, 8)
fn sasa_stem_backward_means(
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let column = i32((params.origin_x + group.x) * 8u + local.x);
    let row = i32((params.origin_y + group.y) % params.head_groups * 8u + local.y);
    let head = (params.origin_y + group.y) / params.head_groups;
    if column >= params.width || row >= params.height {
        return;
    }
    let pixels = u32(params.height * params.width);
    let channels = params.heads * params.head_dim;
    let image = params.projected_base + group.z * (2u + params.mixtures) * channels * pixels;
    let first_query = image + head * params.head_dim * pixels;
    let first_value = first_query + 2u * channels * pixels;
    let first_gradient = params.y_gradient_base + (group.z * channels + head * params.head_dim) * pixels;
    let pixel = u32(row * params.width + column);

    var largest = -3.4028234e38;
    var total = 0.0;
    var poisoned = false;
    for (var a = 0; a < params.window_height; a += 1) {
        for (var b = 0; b < params.window_width; b += 1) {
            let key_row = row - params.padding_height + a;
            let key_column = column - params.padding_width + b;
            var score = 0.0;
            if key_row >= 0 && key_row < params.height && key_column >= 0 && key_column < params.width {
                score = score_of(first_query, pixel, u32(key_row * params.width + key_column));
            }
            let bits = bitcast<u32>(score);
            poisoned = poisoned || (bits & 0x7fffffffu) > 0x7f800000u || bits == 0x7f800000u;
            let before = largest;
            largest = max(largest, score);
            total = total * exp(before - largest) + exp(score - largest);
        }
    }
    total = bitcast<f32>(select(bitcast<u32>(total), 0x7fc00000u, poisoned));

    var mean = 0.0;
    // A query whose logits are all -infinite takes no part.
    if bitcast<u32>(total) != 0u {
        for (var a = 0; a < params.window_height; a += 1) {
            for (var b = 0; b < params.window_width; b += 1) {
                let key_row = row - params.padding_height + a;
                let key_column = column - params.padding_width + b;
                // Values outside the image are zeros.
                if key_row >= 0 && key_row < params.height && key_column >= 0 && key_column < params.width {
                    let key = u32(key_row * params.width + key_column);
                    let weight = weight_of(score_of(first_query, pixel, key), largest, total);
                    let entry = u32(a * params.window_width + b);
                    mean += weight * gradient_by_value(first_gradient, first_value, pixel, key, entry);
                }
            }
        }
    }
    let at = params.statistics_base + (group.z * params.heads + head) * 3u * pixels + pixel;
    statistics[at] = largest;
    statistics[at + pixels] = total;
    statistics[at + 2u * pixels] = mean;
}
