// Gradient of normalised and turned heads with respect to the input.
//
//   dt = (dy turned back) * weight * scale
//   dx = (dt - t * mean of dt * t) / r   or   (dt - t * sum of dt * t) / r   or   dt,    t = x / r
//
// Source    RMSNorm, Zhang and Sennrich 2019, arXiv:1910.07467, Eq. 4; RoFormer, Su et al. 2021, arXiv:2104.09864, Eq. 34; chain rule
// Host      src/ops/head_norm_rotary_backward.rs        Reference  src/reference/head_norm_rotary_backward.rs
// Shapes    x, y_gradient [n, g*d, t, h, w], weight [d], turns [pairs, 2] (cosine, sine) f32 -> x_gradient [n, g*d, t, h, w],
//           lengths [n, g, t, h, w] f32, dense
// Grid      x: ceil(t*h*w / 64), z: one head of one image; one invocation for a head at a position
// Numerics  f32, channels in blocks; a head of length 0 has the gradient 0
// Uses      `length_of` of shared/head_norm.wgsl
// Uses      `turned_back` of shared/rotary_backward.wgsl
// Uses      `with_block`, `total_of` of shared/blocked_sum.wgsl
// Needs     f16 variants: SHADER_F16

alias Sum = f32;

struct Params {
    origin: u32,
    x_base: u32,
    y_gradient_base: u32,
    x_gradient_base: u32,
    lengths_base: u32,
    with_weight: u32,
    with_x_gradient: u32,
    with_lengths: u32,
    head_dim: u32,
    height: u32,
    width: u32,
    positions: u32,
    // Pairs of channels that turn by the frame, the row and the column, in this order.
    frame_pairs: u32,
    row_pairs: u32,
    column_pairs: u32,
    // Where `turns` has the first row and the first column.
    first_row: u32,
    first_column: u32,
    // 0 none, 1 RMS, 2 L2: `HeadNorm` in the host.
    norm: u32,
    epsilon: f32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Element>;
@group(0) @binding(2) var<storage, read> weight: array<Element>;
@group(0) @binding(3) var<storage, read> turns: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read> y_gradient: array<Element>;
@group(0) @binding(5) var<storage, read_write> x_gradient: array<Element>;
@group(0) @binding(6) var<storage, read_write> lengths: array<f32>;

fn input(at: u32) -> f32 {
    return f32(x[params.x_base + at]);
}

// The gradient of a normalised channel.
fn before_scale(first: u32, channel: u32, position: u32) -> f32 {
    var factor = params.scale;
    if params.with_weight == 1u {
        factor *= f32(weight[channel]);
    }
    return turned_back(first, channel, position) * factor;
}

// What the length changes: the sum of dt * t, or its mean.
fn along(first: u32, position: u32, length: f32) -> f32 {
    // A head no longer than epsilon is divided by a constant.
    if params.norm == 0u || (params.norm == 2u && bitcast<u32>(length) == bitcast<u32>(params.epsilon)) {
        return 0.0;
    }
    var sum = BlockedSum(0.0, 0.0, 0u);
    for (var block = 0u; block < params.head_dim; block += BLOCK) {
        var part = 0.0;
        for (var c = block; c < min(block + BLOCK, params.head_dim); c += 1u) {
            part += before_scale(first, c, position) * (input(first + c * params.positions) / length);
        }
        sum = with_block(sum, part);
    }
    return total_of(sum) / select(1.0, f32(params.head_dim), params.norm == 1u);
}

@compute @workgroup_size(64)
fn head_norm_rotary_backward(
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let position = (params.origin + group.x) * 64u + local.x;
    if position >= params.positions {
        return;
    }
    let first = group.z * params.head_dim * params.positions + position;
    let length = length_of(first);
    if params.with_lengths == 1u {
        lengths[params.lengths_base + group.z * params.positions + position] = length;
    }
    if params.with_x_gradient == 0u {
        return;
    }
    let zero = bitcast<u32>(length) == 0u;
    let share = along(first, position, length);
    for (var c = 0u; c < params.head_dim; c += 1u) {
        var gradient = before_scale(first, c, position);
        if params.norm != 0u {
            gradient = (gradient - input(first + c * params.positions) / length * share) / length;
        }
        x_gradient[params.x_gradient_base + first + c * params.positions] = Element(select(gradient, 0.0, zero));
    }
}
