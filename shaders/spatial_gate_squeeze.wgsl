// Reduces the channels of each pixel: to CBAM's two planes, or to scSE's spatial gate.
//
//   statistics   planes(0) = max over c, planes(1) = mean over c of features(c) * gate(c)      CBAM, Eq. 3
//   projection   sigmoid(sum over c of weight(c) * features(c) + bias)                         scSE, Sec. 2
//
// Source    Woo et al. 2018, arXiv:1807.06521, Eq. 3; Roy et al. 2018, arXiv:1803.02579, Sec. 2
// Host      src/ops/spatial_gate/squeeze.rs, src/ops/scse.rs        Reference  src/reference/cbam.rs, src/reference/scse.rs
// Shapes    features [n, c, h, w], gate [n, c] -> planes [n, 2, h, w] or [n, h, w]; weight [c], bias [1];
//           four pixels per load if h*w is a multiple of 4
// Grid      x: ceil(h*w / lanes / PIXELS), z: n; CHANNELS invocations share the channels of a pixel if there are few pixels
// Numerics  maxima exact; sums in f32, in blocks of blocks within an invocation, then as a tree across invocations; NaN propagates
// Uses      `ordered`, `from_ordered` of shared/ordered.wgsl
// Uses      `with_block`, `total_of` of shared/blocked_sum.wgsl
// Needs     f16 variants: SHADER_F16

override PIXELS: u32 = 64u;
override CHANNELS: u32 = 1u;
// 0 statistics, 1 projection.
override PROJECTION: u32 = 0u;

struct Params {
    origin: u32,
    features_base: u32,
    gate_base: u32,
    planes_base: u32,
    channels: u32,
    pixels: u32,
    has_gate: u32,
    has_bias: u32,
    // Planes of an image: the projection is the first.
    outputs: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> features: array<Element>;
@group(0) @binding(2) var<storage, read> gate: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<Scalar>;
@group(0) @binding(4) var<storage, read> bias: array<Scalar>;
@group(0) @binding(5) var<storage, read_write> planes: array<Real>;

var<workgroup> wg_sum: array<Real, PIXELS * CHANNELS>;
var<workgroup> wg_maximum: array<Bits, PIXELS * CHANNELS>;

alias Sum = Real;

struct Partial {
    sum: Real,
    top: Bits,
}

var<private> partial: Partial;

fn term(feature: Real, c: u32, first_gate: u32) -> Real {
    if PROJECTION != 0u {
        return feature * f32(weight[c]);
    }
    if params.has_gate != 0u {
        return feature * gate[first_gate + c];
    }
    return feature;
}

fn add(value: Real) {
    partial.sum += value;
    partial.top = max(partial.top, ordered(value));
}

fn add_four(a: Real, b: Real, c: Real, d: Real) {
    partial.sum += (a + b) + (c + d);
    partial.top = max(partial.top, max(max(ordered(a), ordered(b)), max(ordered(c), ordered(d))));
}

@compute @workgroup_size(PIXELS, CHANNELS)
fn spatial_gate_squeeze(
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let pixel = (params.origin + group.x) * PIXELS + local.x;
    let image = group.z;
    let inside = pixel < params.pixels;

    partial = Partial(Real(0.0), Bits(0u));
    var sum = BlockedSum();
    if inside {
        let first = params.features_base + image * params.channels * params.pixels + pixel;
        let step = CHANNELS * params.pixels;
        let first_gate = params.gate_base + image * params.channels;
        var c = local.y;
        while c < params.channels {
            let block_end = c + min(params.channels - c, BLOCK * CHANNELS);
            partial.sum = Real(0.0);
            for (; c + 3u * CHANNELS < block_end; c += 4u * CHANNELS) {
                let at = first + c * params.pixels;
                // Keeps four loads in flight.
                let loads = array<Element, 4>(features[at], features[at + step], features[at + 2u * step], features[at + 3u * step]);
                add_four(
                    term(Real(loads[0]), c, first_gate),
                    term(Real(loads[1]), c + CHANNELS, first_gate),
                    term(Real(loads[2]), c + 2u * CHANNELS, first_gate),
                    term(Real(loads[3]), c + 3u * CHANNELS, first_gate),
                );
            }
            for (; c < block_end; c += CHANNELS) {
                add(term(Real(features[first + c * params.pixels]), c, first_gate));
            }
            sum = with_block(sum, partial.sum);
        }
    }
    let slot = local.y * PIXELS + local.x;
    wg_sum[slot] = total_of(sum);
    wg_maximum[slot] = partial.top;
    if CHANNELS > 1u {
        workgroupBarrier();
    }
    for (var stride = CHANNELS / 2u; stride > 0u; stride /= 2u) {
        if local.y < stride {
            wg_sum[slot] += wg_sum[slot + stride * PIXELS];
            wg_maximum[slot] = max(wg_maximum[slot], wg_maximum[slot + stride * PIXELS]);
        }
        workgroupBarrier();
    }
    if !inside || local.y != 0u {
        return;
    }
    if PROJECTION != 0u {
        var t = wg_sum[slot];
        if params.has_bias != 0u {
            t += Real(f32(bias[0]));
        }
        // The sigmoid of every component. The exponent is never positive, so `exp` does not overflow.
        let e = exp(-abs(t));
        planes[params.planes_base + image * params.outputs * params.pixels + pixel] = select(e, Real(1.0), t >= Real(0.0)) / (1.0 + e);
    } else {
        let first = params.planes_base + image * 2u * params.pixels + pixel;
        planes[first] = from_ordered(wg_maximum[slot]);
        planes[first + params.pixels] = wg_sum[slot] / f32(params.channels);
    }
}
