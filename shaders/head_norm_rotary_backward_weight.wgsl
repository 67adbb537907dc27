// Gradient of normalised and turned heads with respect to the weight, summed over the positions of a tile.
//
//   parts[head, tile, c] = scale * sum over the positions of the tile of (dy turned back)(c) * x(c) / r
//
// Source    RMSNorm, Zhang and Sennrich 2019, arXiv:1910.07467, Eq. 4; RoFormer, Su et al. 2021, arXiv:2104.09864, Eq. 34; chain rule
// Host      src/ops/head_norm_rotary_backward.rs        Reference  src/reference/head_norm_rotary_backward.rs
// Shapes    x, y_gradient [n, g*d, t, h, w], lengths [n, g, t, h, w] f32, turns [pairs, 2] f32 -> parts [n*g, tiles, d] f32, dense
// Grid      x: tiles of 4096 positions, y: d, z: one head of one image; one workgroup for a channel
// Numerics  f32; at most 64 positions in turn, then a tree over 64 invocations; a head of length 0 adds nothing
// Uses      `turned_back` of shared/rotary_backward.wgsl
// Needs     f16 variants: SHADER_F16

alias Sum = f32;

struct Params {
    origin_x: u32,
    origin_y: u32,
    x_base: u32,
    lengths_base: u32,
    y_gradient_base: u32,
    parts_base: u32,
    tiles: u32,
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
@group(0) @binding(2) var<storage, read> lengths: array<f32>;
@group(0) @binding(3) var<storage, read> turns: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read> y_gradient: array<Element>;
@group(0) @binding(5) var<storage, read_write> parts: array<f32>;

var<workgroup> wg_sum: array<f32, 64>;

fn input(at: u32) -> f32 {
    return f32(x[params.x_base + at]);
}

@compute @workgroup_size(64)
fn head_norm_rotary_backward_weight(
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let tile = params.origin_x + group.x;
    let channel = params.origin_y + group.y;
    var sum = 0.0;
    for (var step = 0u; step < 64u; step += 1u) {
        let position = tile * 4096u + step * 64u + local.x;
        if position >= params.positions {
            break;
        }
        let first = group.z * params.head_dim * params.positions + position;
        var length = 1.0;
        if params.norm != 0u {
            length = lengths[params.lengths_base + group.z * params.positions + position];
        }
        let product = turned_back(first, channel, position) * (input(first + channel * params.positions) / length);
        sum += select(product, 0.0, bitcast<u32>(length) == 0u);
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
        let at = (group.z * params.tiles + tile) * params.head_dim + channel;
        parts[params.parts_base + at] = params.scale * wg_sum[0];
    }
}
