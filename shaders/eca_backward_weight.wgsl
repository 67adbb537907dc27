// Gradient of ECA's weights, of each image: partial(n, j) = sum over c of dt(n, c) * squeezed(n, c + j - reach), with
// dt = gate_gradient * gate * (1 - gate). `squeezed` is 0 outside the channels.
//
// Source    Wang et al. 2020, arXiv:1910.03151, Eq. 6, by the chain rule
// Host      src/ops/eca_backward.rs        Reference  src/reference/eca_backward.rs
// Shapes    gate_gradient, gate, squeezed [n, c] -> partial [n, taps]
// Grid      x: ceil(taps / ROWS), z: n; INPUTS invocations share the channels of one tap
// Numerics  sums in f32, in blocks of blocks of strided channels within an invocation, then as a tree across invocations; NaN propagates
// Uses      `with_block`, `total_of` of shared/blocked_sum.wgsl
// Needs     no device feature

override INPUTS: u32 = 32u;
override ROWS: u32 = 8u;

struct Params {
    origin: u32,
    gate_gradient_base: u32,
    gate_base: u32,
    squeezed_base: u32,
    partial_base: u32,
    channels: u32,
    taps: u32,
    reach: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> gate_gradient: array<f32>;
@group(0) @binding(2) var<storage, read> gate: array<f32>;
@group(0) @binding(3) var<storage, read> squeezed: array<f32>;
@group(0) @binding(4) var<storage, read_write> partial: array<f32>;

var<workgroup> wg_sum: array<f32, INPUTS * ROWS>;

alias Sum = f32;

fn term(first: u32, c: u32, j: u32) -> f32 {
    let at = first + c;
    let y = gate[params.gate_base + at];
    let dt = gate_gradient[params.gate_gradient_base + at] * y * (1.0 - y);
    return dt * squeezed[params.squeezed_base + at + j - params.reach];
}

// The workgroup is one-dimensional: drivers that map invocations to the lanes of a vector may fill the vector along x alone.
@compute @workgroup_size(INPUTS * ROWS)
fn eca_backward_weight(
    @builtin(local_invocation_index) slot: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let local = vec2<u32>(slot % INPUTS, slot / INPUTS);
    let j = (params.origin + group.x) * ROWS + local.y;
    let image = group.z;
    let inside = j < params.taps;

    var sum = BlockedSum();
    if inside {
        let first = image * params.channels;
        // Channels whose partner, `c + j - reach`, is inside: from `reach - j` up to `channels + reach - j`.
        let start = params.reach - min(params.reach, j);
        let beyond = max(params.reach, j) - params.reach;
        let stop = params.channels - min(params.channels, beyond);
        var c = start + local.x;
        while c < stop {
            let block_end = c + min(stop - c, BLOCK * INPUTS);
            var block = 0.0;
            for (; c + 3u * INPUTS < block_end; c += 4u * INPUTS) {
                block += (term(first, c, j) + term(first, c + INPUTS, j))
                    + (term(first, c + 2u * INPUTS, j) + term(first, c + 3u * INPUTS, j));
            }
            for (; c < block_end; c += INPUTS) {
                block += term(first, c, j);
            }
            sum = with_block(sum, block);
        }
    }
    wg_sum[slot] = total_of(sum);
    if INPUTS > 1u {
        workgroupBarrier();
    }
    for (var stride = INPUTS / 2u; stride > 0u; stride /= 2u) {
        if local.x < stride {
            wg_sum[slot] += wg_sum[slot + stride];
        }
        workgroupBarrier();
    }
    if inside && local.x == 0u {
        partial[params.partial_base + image * params.taps + j] = wg_sum[slot];
    }
}
