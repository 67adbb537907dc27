// Gradients of two merged results of attention with respect to their log-sum-exps.
//
//   dl1 = w1 * (gL + w2 * sum of g * (y1 - y2)),  dl2 = w2 * (gL - w1 * sum of g * (y1 - y2)),  w1 = exp(l1 - L), w2 = exp(l2 - L)
//
// Source    Milakov and Gimelshein 2018, arXiv:1805.02867, Sec. 3.1, by the chain rule
// Host      src/ops/merge_attention_backward.rs        Reference  src/reference/merge_attention_backward.rs
// Shapes    y1, y2, y_gradient [n, g*d, h, w], log_sum_exp1, log_sum_exp2, log_sum_exp_gradient [n, g, h, w] f32
//           -> log_sum_exp1_gradient, log_sum_exp2_gradient [n, g, h, w] f32, dense
// Grid      x: ceil(h*w / 64), z: one head of one image; one invocation for a head of a pixel
// Numerics  f32, channels in blocks; a result without keys takes no part; NaN or +infinity in l1 or l2 gives NaN
// Uses      `shares_of` of shared/merge_shares.wgsl
// Uses      `with_block`, `total_of` of shared/blocked_sum.wgsl
// Needs     f16 variants: SHADER_F16

alias Sum = f32;

struct Params {
    origin: u32,
    y1_base: u32,
    log_sum_exp1_base: u32,
    y2_base: u32,
    log_sum_exp2_base: u32,
    y_gradient_base: u32,
    log_sum_exp_gradient_base: u32,
    log_sum_exp1_gradient_base: u32,
    log_sum_exp2_gradient_base: u32,
    with_log_sum_exp_gradient: u32,
    with_log_sum_exp1_gradient: u32,
    with_log_sum_exp2_gradient: u32,
    head_dim: u32,
    pixels: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> y1: array<Element>;
@group(0) @binding(2) var<storage, read> log_sum_exp1: array<f32>;
@group(0) @binding(3) var<storage, read> y2: array<Element>;
@group(0) @binding(4) var<storage, read> log_sum_exp2: array<f32>;
@group(0) @binding(5) var<storage, read> y_gradient: array<Element>;
@group(0) @binding(6) var<storage, read> log_sum_exp_gradient: array<f32>;
@group(0) @binding(7) var<storage, read_write> log_sum_exp1_gradient: array<f32>;
@group(0) @binding(8) var<storage, read_write> log_sum_exp2_gradient: array<f32>;

// The sum of g * (y1 - y2) over the channels of a head at a pixel.
fn difference(head: u32, pixel: u32) -> f32 {
    var sum = BlockedSum(0.0, 0.0, 0u);
    for (var block = 0u; block < params.head_dim; block += BLOCK) {
        var part = 0.0;
        for (var channel = block; channel < min(block + BLOCK, params.head_dim); channel += 1u) {
            let at = (head * params.head_dim + channel) * params.pixels + pixel;
            let apart = f32(y1[params.y1_base + at]) - f32(y2[params.y2_base + at]);
            part += f32(y_gradient[params.y_gradient_base + at]) * apart;
        }
        sum = with_block(sum, part);
    }
    return total_of(sum);
}

@compute @workgroup_size(64)
fn merge_attention_backward_shares(
    @builtin(local_invocation_index) local: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let pixel = (params.origin + group.x) * 64u + local;
    if pixel >= params.pixels {
        return;
    }
    let query = group.z * params.pixels + pixel;
    let given = vec2<f32>(log_sum_exp1[params.log_sum_exp1_base + query], log_sum_exp2[params.log_sum_exp2_base + query]);
    let shares = shares_of(given);
    var upstream = 0.0;
    if params.with_log_sum_exp_gradient == 1u {
        upstream = log_sum_exp_gradient[params.log_sum_exp_gradient_base + query];
    }
    // A result that has all of the weight does not depend on the other one, which may hold NaN.
    var change = vec2<f32>(0.0);
    if !any(shares.empty) {
        change = vec2<f32>(shares.weight.y, -shares.weight.x) * difference(group.z, pixel);
    }
    let products = bitcast<vec2<u32>>(shares.weight * (upstream + change));
    let poisoned = select(products, vec2<u32>(NOT_A_NUMBER), shares.poisoned);
    let gradients = bitcast<vec2<f32>>(select(poisoned, vec2<u32>(0u), shares.empty));
    if params.with_log_sum_exp1_gradient == 1u {
        log_sum_exp1_gradient[params.log_sum_exp1_gradient_base + query] = gradients.x;
    }
    if params.with_log_sum_exp2_gradient == 1u {
        log_sum_exp2_gradient[params.log_sum_exp2_gradient_base + query] = gradients.y;
    }
}
