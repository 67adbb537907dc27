// Gradient of the attention stem with respect to its mixture, summed over the queries of a tile.
//
//   parts[head, tile, m, a, b] = sum over queries i of the tile of P(i, a, b) * (dy(i) . v_m(i + (a, b)))
//   P(i, a, b) = exp(s - largest) / total,  (a, b) counted from the padding, pixels outside the image left out
//
// Source    Ramachandran et al. 2019, arXiv:1906.05909, Sec. 3.2, by the chain rule
// Host      src/ops/sasa_stem_backward.rs        Reference  src/reference/sasa_stem_backward.rs
// Shapes    projected [n, 2+m, g*d, h, w] f32 (q, k, then the values), statistics [n, g, 3, h, w] f32, y_gradient [n, g*d, h, w]
//           -> parts [n, g, tiles, m, kh, kw] f32
// Grid      x: tiles of 64*steps queries, y: m*kh*kw for each head, z: n; one workgroup for an entry of a mixture
// Numerics  f32; at most 64 queries in turn, then a tree over 64 invocations; a query whose logits are all -infinite adds nothing
// Uses      `score_of`, `weight_of` of shared/stem_score.wgsl
// Needs     f16 variants: SHADER_F16

struct Params {
    origin_x: u32,
    origin_y: u32,
    projected_base: u32,
    statistics_base: u32,
    y_gradient_base: u32,
    parts_base: u32,
    heads: u32,
    head_dim: u32,
    mixtures: u32,
    height: i32,
    width: i32,
    window_height: i32,
    window_width: i32,
    padding_height: i32,
    padding_width: i32,
    // Queries of an invocation.
    steps: u32,
    tiles: u32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> projected: array<f32>;
@group(0) @binding(2) var<storage, read> statistics: array<f32>;
@group(0) @binding(3) var<storage, read> y_gradient: array<Element>;
@group(0) @binding(4) var<storage, read_write> parts: array<f32>;

var<workgroup> wg_sum: array<f32, 64>;

@compute @workgroup_size(64)
fn sasa_stem_backward_mixture(
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let tile = params.origin_x + group.x;
    let entries = u32(params.window_height * params.window_width);
    let weights = params.mixtures * entries;
    let head = (params.origin_y + group.y) / weights;
    let own = (params.origin_y + group.y) % weights;
    let down = i32(own % entries) / params.window_width - params.padding_height;
    let right = i32(own % entries) % params.window_width - params.padding_width;
    let pixels = u32(params.height * params.width);
    let channels = params.heads * params.head_dim;
    let image = params.projected_base + group.z * (2u + params.mixtures) * channels * pixels;
    let first_query = image + head * params.head_dim * pixels;
    let first_value = first_query + (2u + own / entries) * channels * pixels;
    let first_gradient = params.y_gradient_base + (group.z * channels + head * params.head_dim) * pixels;
    let first_statistic = params.statistics_base + (group.z * params.heads + head) * 3u * pixels;

    var sum = 0.0;
    for (var step = 0u; step < params.steps; step += 1u) {
        let query = (tile * params.steps + step) * 64u + local.x;
        if query >= pixels {
            break;
        }
        let row = i32(query) / params.width + down;
        let column = i32(query) % params.width + right;
        let total = statistics[first_statistic + pixels + query];
        let inside = row >= 0 && row < params.height && column >= 0 && column < params.width;
        if inside && bitcast<u32>(total) != 0u {
            let key = u32(row * params.width + column);
            let weight = weight_of(score_of(first_query, query, key), statistics[first_statistic + query], total);
            var dot = 0.0;
            for (var c = 0u; c < params.head_dim; c += 1u) {
                dot += f32(y_gradient[first_gradient + c * pixels + query]) * projected[first_value + c * pixels + key];
            }
            sum += weight * dot;
        }
    }
    wg_sum[local.x] = sum;
    workgroupBarrier();
    for (var stride = 32u; stride > 0u; stride /= 2u) {
        if local.x < stride {
            wg_sum[local.x] += wg_sum[local.x + stride];
        }
        workgroupBarrier();
    }
    if local.x == 0u {
        let part = (group.z * params.heads + head) * params.tiles + tile;
        parts[params.parts_base + part * weights + own] = wg_sum[0];
    }
}
