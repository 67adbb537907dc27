// Normalises every head of a tensor at every position, scales it, and turns pairs of its channels by the position.
//
//   t = x / sqrt(mean of x^2 + eps)   or   x / max(|x|, eps)   or   x;    u = t * weight * scale
//   y(2j), y(2j+1) = u(2j) cos - u(2j+1) sin, u(2j) sin + u(2j+1) cos,    angle = position * base^(-2j/s)
//
// Source    RMSNorm, Zhang and Sennrich 2019, arXiv:1910.07467, Eq. 4; RoFormer, Su et al. 2021, arXiv:2104.09864, Eq. 34
// Host      src/ops/head_norm_rotary.rs        Reference  src/reference/head_norm_rotary.rs
// Shapes    x, y [n, g*d, t, h, w], weight [d], turns [pairs, 2] (cosine, sine) f32, dense
// Grid      x: ceil(t*h*w / 64), z: one head of one image; one invocation for a head at a position
// Numerics  f32; the host computes cosines and sines: WGSL allows its functions an error of 2^-11
// Uses      `length_of`, `turn` of shared/head_norm.wgsl
// Needs     f16 variants: SHADER_F16

alias Sum = f32;

struct Params {
    origin: u32,
    x_base: u32,
    y_base: u32,
    // 1: the input is in `y`.
    in_place: u32,
    with_weight: u32,
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
@group(0) @binding(4) var<storage, read_write> y: array<Element>;

fn input(at: u32) -> f32 {
    if params.in_place == 1u {
        return f32(y[params.y_base + at]);
    }
    return f32(x[params.x_base + at]);
}

fn scaled(first: u32, channel: u32, length: f32) -> f32 {
    var factor = params.scale;
    if params.with_weight == 1u {
        factor *= f32(weight[channel]);
    }
    return input(first + channel * params.positions) / length * factor;
}

@compute @workgroup_size(64)
fn head_norm_rotary(@builtin(local_invocation_id) local: vec3<u32>, @builtin(workgroup_id) group: vec3<u32>) {
    let position = (params.origin + group.x) * 64u + local.x;
    if position >= params.positions {
        return;
    }
    let first = group.z * params.head_dim * params.positions + position;
    let length = length_of(first);
    let pairs = params.frame_pairs + params.row_pairs + params.column_pairs;
    for (var pair = 0u; pair < pairs; pair += 1u) {
        let a = scaled(first, 2u * pair, length);
        let b = scaled(first, 2u * pair + 1u, length);
        let by = turn(pair, position);
        let at = params.y_base + first + 2u * pair * params.positions;
        y[at] = Element(a * by.x - b * by.y);
        y[at + params.positions] = Element(a * by.y + b * by.x);
    }
    for (var c = 2u * pairs; c < params.head_dim; c += 1u) {
        y[params.y_base + first + c * params.positions] = Element(scaled(first, c, length));
    }
}
