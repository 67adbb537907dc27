// Attention stem: softmax attention in a window around every pixel. The values are mixed according to their position in the window.
//
//   y = sum over (a, b) of softmax(scale * q . k(a, b)) * sum over m of mixture(m, a, b) * v_m(a, b)
//
// Source    Ramachandran et al. 2019, arXiv:1906.05909, Sec. 3.2
// Host      src/ops/sasa_stem/mod.rs        Reference  src/reference/sasa_stem.rs
// Shapes    projected [n, 2+m, g*d, h, w] (q, k, then the values), mixture [m, kh, kw] f32 -> y [n, g*d, h, w]
// Grid      x: ceil(w / 8), y: ceil(h / 8) for each chunk of 8 channels of each head, z: n; one invocation per chunk of a query
// Numerics  online softmax in f32. A NaN or +infinite logit gives NaN. If all logits are -infinite, the result is zero. Keys outside the
//           image are zeros that take part.
// Needs     f16 variants: SHADER_F16

struct Params {
    origin_x: u32,
    origin_y: u32,
    projected_base: u32,
    y_base: u32,
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
    // A power of two that scales the sum of the window's weights to at most 1.
    shrink: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> projected: array<Inner>;
@group(0) @binding(2) var<storage, read> mixture: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<Element>;

const CHUNK = 8u;

@compute @workgroup_size(8, 8)
fn sasa_stem_attention(
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let column = i32((params.origin_x + group.x) * 8u + local.x);
    let row = i32((params.origin_y + group.y) % params.chunk_groups * 8u + local.y);
    let part = (params.origin_y + group.y) / params.chunk_groups;
    let head = part / params.chunks;
    let chunk = part % params.chunks * CHUNK;
    if column >= params.width || row >= params.height {
        return;
    }
    let pixels = u32(params.height * params.width);
    let channels = params.heads * params.head_dim;
    let image = params.projected_base + group.z * (2u + params.mixtures) * channels * pixels;
    let first_query = image + head * params.head_dim * pixels;
    let first_key = first_query + channels * pixels;
    let first_value = first_key + (channels + chunk) * pixels;
    let pixel = u32(row * params.width + column);
    let sums = min(params.head_dim - chunk, CHUNK);
    let entries = u32(params.window_height * params.window_width);

    var largest = -3.4028234e38;
    var total = 0.0;
    var poisoned = false;
    // WGSL initialises this array to zeros.
    var sum: array<f32, CHUNK>;
    for (var a = 0; a < params.window_height; a += 1) {
        for (var b = 0; b < params.window_width; b += 1) {
            let key_row = row - params.padding_height + a;
            let key_column = column - params.padding_width + b;
            let inside = key_row >= 0 && key_row < params.height && key_column >= 0 && key_column < params.width;
            let address = u32(
                clamp(key_row, 0, params.height - 1) * params.width + clamp(key_column, 0, params.width - 1));
            var dot = 0.0;
            for (var c = 0u; c < params.head_dim; c += 1u) {
                let key = select(0.0, f32(projected[first_key + c * pixels + address]), inside);
                dot += f32(projected[first_query + c * pixels + pixel]) * key;
            }
            // A key outside the image is zero for any query, even an infinite or NaN one. A value outside the image is zero for any
            // mixture, even an infinite or NaN one.
            let score = params.scale * select(0.0, dot, inside);
            let bits = bitcast<u32>(score);
            poisoned = poisoned || (bits & 0x7fffffffu) > 0x7f800000u || bits == 0x7f800000u;
            let before = largest;
            largest = max(largest, score);
            let kept = exp(before - largest);
            // With `shrink`, the sum of the weighted values does not overflow unless their mean does.
            let weight = exp(score - largest) * params.shrink;
            total = total * kept + weight;
            let entry = u32(a * params.window_width + b);
            for (var c = 0u; c < sums; c += 1u) {
                var value = 0.0;
                for (var m = 0u; m < params.mixtures; m += 1u) {
                    let i = first_value + (m * channels + c) * pixels + address;
                    value += mixture[m * entries + entry] * select(0.0, f32(projected[i]), inside);
                }
                sum[c] = sum[c] * kept + weight * select(0.0, value, inside);
            }
        }
    }
    let out = params.y_base + (group.z * channels + head * params.head_dim + chunk) * pixels + pixel;
    for (var c = 0u; c < sums; c += 1u) {
        let mean = select(sum[c] / total, 0.0, total == 0.0);
        let result = bitcast<f32>(select(bitcast<u32>(mean), 0x7fc00000u, poisoned));
        y[out + c * pixels] = Element(result);
    }
}
