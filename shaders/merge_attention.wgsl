// Merges two results of attention over different keys into the result over all of these keys.
//
//   L = log(exp(l1) + exp(l2)),  y = exp(l1 - L) * y1 + exp(l2 - L) * y2
//
// Source    Milakov and Gimelshein 2018, arXiv:1805.02867, Sec. 3.1: the operator that joins two partial softmax results
// Host      src/ops/merge_attention.rs        Reference  src/reference/merge_attention.rs
// Shapes    y1, y2, y [n, g*d, h, w], log_sum_exp1, log_sum_exp2, log_sum_exp [n, g, h, w] f32, dense
// Grid      x: ceil(h*w / 64), y: ceil(d / 8), z: one head of one image; one invocation for eight channels of a pixel
// Numerics  f32, the smaller weight by one exponential of at most 0; NaN or +infinity in l1 or l2 gives NaN, -infinity leaves a result out
// Uses      `shares_of` of shared/merge_shares.wgsl
// Needs     f16 variants: SHADER_F16

const CHANNELS = 8u;

struct Params {
    origin_x: u32,
    origin_y: u32,
    y1_base: u32,
    log_sum_exp1_base: u32,
    y2_base: u32,
    log_sum_exp2_base: u32,
    y_base: u32,
    log_sum_exp_base: u32,
    with_log_sum_exp: u32,
    head_dim: u32,
    pixels: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> y1: array<Element>;
@group(0) @binding(2) var<storage, read> log_sum_exp1: array<f32>;
@group(0) @binding(3) var<storage, read> y2: array<Element>;
@group(0) @binding(4) var<storage, read> log_sum_exp2: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<Element>;
@group(0) @binding(6) var<storage, read_write> log_sum_exp: array<f32>;

@compute @workgroup_size(64)
fn merge_attention(
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
        // 0 * NaN is NaN, so a result without keys is left out by selection.
        let parts = shares.weight * vec2<f32>(f32(y1[params.y1_base + at]), f32(y2[params.y2_base + at]));
        let kept = select(parts, vec2<f32>(0.0), shares.empty);
        let sum = bitcast<u32>(kept.x + kept.y);
        y[params.y_base + at] = Element(bitcast<f32>(select(sum, NOT_A_NUMBER, shares.poisoned)));
    }
    if params.with_log_sum_exp == 1u && first_channel == 0u {
        var merged = bitcast<u32>(max(given.x, given.y) + log(1.0 + shares.ratio));
        if any(shares.empty) {
            let bits = bitcast<vec2<u32>>(given);
            merged = select(bits.x, bits.y, shares.empty.x);
        }
        log_sum_exp[params.log_sum_exp_base + query] = bitcast<f32>(select(merged, NOT_A_NUMBER, shares.poisoned));
    }
}
