// Gradient of the means that ECA's gates are computed from: a convolution along the channels with the flipped weights.
//
//   dt(n, c)                = gate_gradient(n, c) * gate(n, c) * (1 - gate(n, c))
//   squeezed_gradient(n, c) = sum over j of weight(j) * dt(n, c - j + reach)      dt is 0 outside the channels
//
// Source    Wang et al. 2020, arXiv:1910.03151, Eq. 6, by the chain rule
// Host      src/ops/eca_backward.rs        Reference  src/reference/eca_backward.rs
// Shapes    gate_gradient, gate [n, c], weight [taps] -> squeezed_gradient [n, c]
// Grid      x: ceil(c / WORKGROUP_SIZE), z: n; one invocation for each channel
// Numerics  sums in f32, in blocks of blocks; NaN propagates
// Uses      `with_block`, `total_of` of shared/blocked_sum.wgsl
// Needs     f16 variants: SHADER_F16

override WORKGROUP_SIZE: u32 = 64u;

struct Params {
    origin: u32,
    gate_gradient_base: u32,
    gate_base: u32,
    squeezed_gradient_base: u32,
    channels: u32,
    taps: u32,
    reach: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> gate_gradient: array<f32>;
@group(0) @binding(2) var<storage, read> gate: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<Scalar>;
@group(0) @binding(4) var<storage, read_write> squeezed_gradient: array<f32>;

alias Sum = f32;

fn term(first: u32, end: u32, j: u32) -> f32 {
    let at = first + end - j;
    let y = gate[params.gate_base + at];
    return f32(weight[j]) * (gate_gradient[params.gate_gradient_base + at] * y * (1.0 - y));
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn eca_backward(
    @builtin(local_invocation_index) slot: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let c = (params.origin + group.x) * WORKGROUP_SIZE + slot;
    if c >= params.channels {
        return;
    }
    let first = group.z * params.channels;
    // Taps whose channel, `end - j`, is inside.
    let end = c + params.reach;
    let last = params.channels - 1u;
    let stop = min(params.taps, end + 1u);
    var sum = BlockedSum();
    var j = end - min(end, last);
    while j < stop {
        let block_end = j + min(stop - j, BLOCK);
        var block = 0.0;
        for (; j + 3u < block_end; j += 4u) {
            block += (term(first, end, j) + term(first, end, j + 1u)) + (term(first, end, j + 2u) + term(first, end, j + 3u));
        }
        for (; j < block_end; j++) {
            block += term(first, end, j);
        }
        sum = with_block(sum, block);
    }
    squeezed_gradient[params.squeezed_gradient_base + first + c] = total_of(sum);
}
