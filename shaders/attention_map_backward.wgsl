// Gradient of the attention map with respect to the features.
//
//   max_abs   dx(c*) = g * sign(features(c*)), others 0; c* is the first channel that holds the maximum
//   max       dx(c*) = g, others 0
//   mean_abs  dx(c) = g * sign(features(c)) / K;   mean  dx(c) = g / K
//   rms       dx(c) = g * features(c) / (K * map);   l2  dx(c) = g * features(c) / (K^2 * map);   0 where the map is 0
//
// Source    Guan et al. 2018, arXiv:1801.09927, Eq. 3, by the chain rule
// Host      src/ops/attention_map_backward.rs        Reference  src/reference/attention_map_backward.rs
// Shapes    features [n, c, h, w], map, map_gradient [n, h, w] -> features_gradient [n, c, h, w], dense; four pixels per load if h*w is a
//           multiple of 4
// Grid      x: ceil(h*w / lanes / PIXELS), z: n; CHANNELS invocations share the channels of a pixel if there are few pixels
// Numerics  f32; maxima are compared exactly, and a NaN counts as the largest
// Uses      `ordered` of shared/ordered.wgsl
// Needs     f16 variants: SHADER_F16

override PIXELS: u32 = 64u;
override CHANNELS: u32 = 1u;
// 0 max_abs, 1 mean_abs, 2 rms, 3 l2, 4 max, 5 mean: `Statistic` in the host.
override STATISTIC: u32 = 0u;

struct Params {
    origin: u32,
    features_base: u32,
    map_base: u32,
    map_gradient_base: u32,
    features_gradient_base: u32,
    channels: u32,
    pixels: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> features: array<Element>;
@group(0) @binding(2) var<storage, read> map: array<Real>;
@group(0) @binding(3) var<storage, read> map_gradient: array<Real>;
@group(0) @binding(4) var<storage, read_write> features_gradient: array<Element>;

var<workgroup> wg_key: array<Bits, PIXELS * CHANNELS>;
var<workgroup> wg_channel: array<Bits, PIXELS * CHANNELS>;

// The largest key so far, and the first channel that holds it.
struct Largest {
    key: Bits,
    channel: Bits,
}

fn is_maximum() -> bool {
    return STATISTIC == 0u || STATISTIC == 4u;
}

// Keys sort like the numbers that the statistic compares, with NaN on top. No key of a channel is 0.
fn key_of(value: Real) -> Bits {
    if STATISTIC == 0u {
        return (bitcast<Bits>(value) & Bits(0x7fffffffu)) + Bits(1u);
    }
    // -0 equals 0.
    return ordered(select(value, Real(0.0), value == Real(0.0)));
}

fn larger(a: Largest, b: Largest) -> Largest {
    let second = (b.key > a.key) | ((b.key == a.key) & (b.channel < a.channel));
    return Largest(select(a.key, b.key, second), select(a.channel, b.channel, second));
}

@compute @workgroup_size(PIXELS, CHANNELS)
fn attention_map_backward(
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let pixel = (params.origin + group.x) * PIXELS + local.x;
    let image = group.z;
    let inside = pixel < params.pixels;
    let offset = image * params.channels * params.pixels + pixel;

    var largest = Largest(Bits(0u), Bits(0u));
    if is_maximum() {
        if inside {
            for (var c = local.y; c < params.channels; c += CHANNELS) {
                let value = Real(features[params.features_base + offset + c * params.pixels]);
                largest = larger(largest, Largest(key_of(value), Bits(c)));
            }
        }
        if CHANNELS > 1u {
            let slot = local.y * PIXELS + local.x;
            wg_key[slot] = largest.key;
            wg_channel[slot] = largest.channel;
            workgroupBarrier();
            for (var stride = CHANNELS / 2u; stride > 0u; stride /= 2u) {
                if local.y < stride {
                    let other = slot + stride * PIXELS;
                    let both = larger(Largest(wg_key[slot], wg_channel[slot]), Largest(wg_key[other], wg_channel[other]));
                    wg_key[slot] = both.key;
                    wg_channel[slot] = both.channel;
                }
                workgroupBarrier();
            }
            largest.channel = wg_channel[local.x];
        }
    }
    if !inside {
        return;
    }

    let upstream = map_gradient[params.map_gradient_base + image * params.pixels + pixel];
    let count = f32(params.channels);
    var factor = upstream;
    if STATISTIC == 1u || STATISTIC == 5u {
        factor = upstream / count;
    }
    if STATISTIC == 2u || STATISTIC == 3u {
        let value = map[params.map_base + image * params.pixels + pixel];
        let divided = upstream / (value * select(count, count * count, STATISTIC == 3u));
        factor = select(divided, Real(0.0), value == Real(0.0));
    }
    for (var c = local.y; c < params.channels; c += CHANNELS) {
        let at = offset + c * params.pixels;
        var gradient = factor;
        if STATISTIC < 4u {
            let value = Real(features[params.features_base + at]);
            gradient = factor * select(value, sign_of(value), STATISTIC < 2u);
        }
        if is_maximum() {
            gradient = select(Real(0.0), gradient, largest.channel == Bits(c));
        }
        features_gradient[params.features_gradient_base + at] = Element(gradient);
    }
}

// NaN for NaN, which `sign` does not promise.
fn sign_of(value: Real) -> Real {
    let magnitude = bitcast<Bits>(value) & Bits(0x7fffffffu);
    return select(sign(value), value, magnitude > Bits(0x7f800000u));
}
