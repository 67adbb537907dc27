// Gradients of two merged results of attention with respect to the results.
//
//   dy1 = exp(l1 - L) * g,  dy2 = exp(l2 - L) * g,  L = log(exp(l1) + exp(l2))
//
// Source    Milakov and Gimelshein 2018, arXiv:1805.02867, Sec. 3.1, by the chain rule
// Host      src/ops/merge_attention_backward.rs        Reference  src/reference/merge_attention_backward.rs
// Shapes    log_sum_exp1, log_sum_exp2 [n, g, h, w] f32, y_gradient [n, g*d, h, w] -> y1_gradient, y2_gradient [n, g*d, h, w], dense
// Grid      x: ceil(h*w / 64), y: ceil(d / 8), z: one head of one image; one invocation for eight channels of a pixel
// Numerics  f32; a result without keys has the gradient 0; NaN or +infinity in l1 or l2 gives NaN
// Uses      `shares_of` of shared/merge_shares.wgsl
// Needs     f16 variants: SHADER_F16

const CHANNELS = 8u;

struct Params {
    origin_x: u32,
    origin_y: u32,
    log_sum_exp1_base: u32,
    log_sum_exp2_base: u32,
    y_gradient_base: u32,
    y1_gradient_base: u32,
    y2_gradient_base: u32,
    with_y1_gradient: u32,
    with_y2_gradient: u32,
    head_dim: u32,
    pixels: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> log_sum_exp1: array<f32>;
@group(0) @binding(2) var<storage, read> log_sum_exp2: array<f32>;
@group(0) @binding(3) var<storage, read> y_gradient: array<Element>;
@group(0) @binding(4) var<storage, read_write> y1_gradient: array<Element>;
@group(0) @binding(5) var<storage, read_write> y2_gradient: array<Element>;

@compute @workgroup_size(64)
fn merge_attention_backward(
    @builtin(local_invocation_index) local: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let pixel = (params.origin_x + group.x) * 64u + local;
    if pixel >= params.pixels {
        return;
    }
    let query = group.z * params.pixels + pixel;
    let given = vec2<f32>(log_sum_exp1[params.log_sum_exp1_base + query], log_sum_exp2[params.log_sum_exp2_base + query]);
    let shares = shares_of(given);

    let first_channel = (params.origin_y + group.y) * CHANNELS;
    let end = min(first_channel + CHANNELS, params.head_dim);
    for (var channel = first_channel; channel < end; channel += 1u) {
        let at = (group.z * params.head_dim + channel) * params.pixels + pixel;
        let products = bitcast<vec2<u32>>(shares.weight * f32(y_gradient[params.y_gradient_base + at]));
        let poisoned = select(products, vec2<u32>(NOT_A_NUMBER), shares.poisoned);
        // 0 * NaN is NaN, so a result without keys is left out by selection.
        let gradients = bitcast<vec2<f32>>(select(poisoned, vec2<u32>(0u), shares.empty));
        if params.with_y1_gradient == 1u {
            y1_gradient[params.y1_gradient_base + at] = Element(gradients.x);
        }
        if params.with_y2_gradient == 1u {
            y2_gradient[params.y2_gradient_base + at] = Element(gradients.y);
        }
    }
}
