// Attention map of AG-CNN: one statistic over the channels of each pixel.
//
//   max_abs   max over c of |features(c)|          Eq. 3
//   mean_abs  sum over c of |features(c)| / K      the paper's L1
//   l2        sqrt(sum over c of features(c)^2) / K   the paper's L2
//   rms       sqrt(sum over c of features(c)^2 / K)
//   max, mean  the same, without the absolute value  CBAM's two planes
//
// Source    Guan et al. 2018, arXiv:1801.09927, Eq. 3 and Sec. III; Woo et al. 2018, arXiv:1807.06521, Eq. 3
// Host      src/ops/attention_map.rs        Reference  src/reference/attention_map.rs
// Shapes    features [n, c, h, w] -> map [n, h, w], dense; four pixels per load if h*w is a multiple of 4
// Grid      x: ceil(h*w / lanes / PIXELS), z: n; CHANNELS invocations share the channels of a pixel if there are few pixels
// Numerics  maxima exact; sums in f32, in blocks of blocks within an invocation, then as a tree across invocations; NaN propagates
// Uses      `ordered`, `from_ordered` of shared/ordered.wgsl
// Uses      `with_block`, `total_of` of shared/blocked_sum.wgsl
// Needs     f16 variants: SHADER_F16

override PIXELS: u32 = 64u;
override CHANNELS: u32 = 1u;
// 0 max_abs, 1 mean_abs, 2 rms, 3 l2, 4 max, 5 mean: `Statistic` in the host.
override STATISTIC: u32 = 0u;

struct Params {
    origin: u32,
    features_base: u32,
    map_base: u32,
    channels: u32,
    pixels: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> features: array<Element>;
@group(0) @binding(2) var<storage, read_write> map: array<Real>;

var<workgroup> wg_partial: array<Bits, PIXELS * CHANNELS>;

alias Sum = Real;

fn is_maximum() -> bool {
    return STATISTIC == 0u || STATISTIC == 4u;
}

// A partial result is stored as bits: the key of a maximum, or the float of a sum.
fn term(value: Real) -> Bits {
    switch STATISTIC {
        // Without the sign bit, the bits of floats sort like the numbers, with NaN on top.
        case 0u: { return bitcast<Bits>(value) & Bits(0x7fffffffu); }
        case 1u: { return bitcast<Bits>(abs(value)); }
        case 2u, 3u: { return bitcast<Bits>(value * value); }
        case 4u: { return ordered(value); }
        default: { return bitcast<Bits>(value); }
    }
}

fn combine(a: Bits, b: Bits) -> Bits {
    if is_maximum() {
        return max(a, b);
    }
    return bitcast<Bits>(bitcast<Real>(a) + bitcast<Real>(b));
}

fn finish(total: Bits) -> Real {
    let count = f32(params.channels);
    switch STATISTIC {
        case 0u: { return bitcast<Real>(total); }
        case 2u: { return sqrt(bitcast<Real>(total) / count); }
        case 3u: { return sqrt(bitcast<Real>(total)) / count; }
        case 4u: { return from_ordered(total); }
        default: { return bitcast<Real>(total) / count; }
    }
}

@compute @workgroup_size(PIXELS, CHANNELS)
fn attention_map(
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let pixel = (params.origin + group.x) * PIXELS + local.x;
    let image = group.z;
    let inside = pixel < params.pixels;

    var total = Bits(0u);
    if inside {
        let first = params.features_base + image * params.channels * params.pixels + pixel;
        let step = CHANNELS * params.pixels;
        var c = local.y;
        var sum = BlockedSum();
        while c < params.channels {
            let block_end = c + min(params.channels - c, BLOCK * CHANNELS);
            var block = Bits(0u);
            for (; c + 3u * CHANNELS < block_end; c += 4u * CHANNELS) {
                let at = first + c * params.pixels;
                // Keeps four loads in flight.
                let loads = array<Element, 4>(features[at], features[at + step], features[at + 2u * step], features[at + 3u * step]);
                let low = combine(term(Real(loads[0])), term(Real(loads[1])));
                let high = combine(term(Real(loads[2])), term(Real(loads[3])));
                block = combine(block, combine(low, high));
            }
            for (; c < block_end; c += CHANNELS) {
                block = combine(block, term(Real(features[first + c * params.pixels])));
            }
            if is_maximum() {
                total = max(total, block);
            } else {
                sum = with_block(sum, bitcast<Real>(block));
            }
        }
        if !is_maximum() {
            total = bitcast<Bits>(total_of(sum));
        }
    }
    if CHANNELS > 1u {
        let slot = local.y * PIXELS + local.x;
        wg_partial[slot] = total;
        workgroupBarrier();
        for (var stride = CHANNELS / 2u; stride > 0u; stride /= 2u) {
            if local.y < stride {
                wg_partial[slot] = combine(wg_partial[slot], wg_partial[slot + stride * PIXELS]);
            }
            workgroupBarrier();
        }
        total = wg_partial[local.x];
    }
    if inside && local.y == 0u {
        map[params.map_base + image * params.pixels + pixel] = finish(total);
    }
}
