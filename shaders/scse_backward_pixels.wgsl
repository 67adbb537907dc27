// First pass of the gradients of scSE: sums over the channels of each pixel, for its spatial gate.
//
//   u                 = output_gradient; in a residual unit where output > 0, else 0
//   identity_gradient = u
//   maps(0)           = s = sigmoid(sum over c of weight(c) * x(c) + bias)            with MAXIMUM = 1 it is there already
//   maps(1)           = (sum over c of us(c) * x(c)) * s * (1 - s)
//   us                = u; with MAXIMUM = 1 where x * channel_gate < x * s, else 0
//
// Source    Roy et al. 2018, arXiv:1803.02579, Sec. 2, and arXiv:1808.08127, by the chain rule
// Host      src/ops/scse_backward/passes.rs        Reference  src/reference/scse_backward.rs
// Shapes    features, output, output_gradient, identity_gradient [n, c, h, w], weight [c], bias [1], channel_gate [n, c],
//           maps [n, 2, h, w]; four pixels per load if h*w is a multiple of 4
// Grid      x: ceil(h*w / lanes / PIXELS), z: n; CHANNELS invocations share the channels of a pixel if there are few pixels
// Numerics  sums in f32, in blocks of blocks within an invocation, then as a tree across invocations; NaN propagates
// Uses      `with_block`, `total_of` of shared/blocked_sum.wgsl
// Uses      `upstream_of`, `takes_channel` of shared/scse_upstream.wgsl
// Needs     f16 variants: SHADER_F16

override PIXELS: u32 = 64u;
override CHANNELS: u32 = 1u;
// 1: the larger of both products is the output. 0: their sum.
override MAXIMUM: u32 = 0u;

struct Params {
    origin: u32,
    features_base: u32,
    output_base: u32,
    output_gradient_base: u32,
    channel_gate_base: u32,
    identity_gradient_base: u32,
    maps_base: u32,
    channels: u32,
    pixels: u32,
    has_bias: u32,
    // 1: the upstream gradient passes where the output is above 0.
    masked: u32,
    writes_identity: u32,
    writes_maps: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> features: array<Element>;
@group(0) @binding(2) var<storage, read> output: array<Element>;
@group(0) @binding(3) var<storage, read> output_gradient: array<Element>;
@group(0) @binding(4) var<storage, read> weight: array<Scalar>;
@group(0) @binding(5) var<storage, read> bias: array<Scalar>;
@group(0) @binding(6) var<storage, read> channel_gate: array<f32>;
@group(0) @binding(7) var<storage, read_write> identity_gradient: array<Element>;
@group(0) @binding(8) var<storage, read_write> maps: array<Real>;

var<workgroup> wg_logit: array<Real, PIXELS * CHANNELS>;
var<workgroup> wg_product: array<Real, PIXELS * CHANNELS>;

alias Sum = Real;

struct Term {
    logit: Real,
    product: Real,
}

var<private> spatial_gate: Real;

fn visit(image: u32, c: u32, pixel: u32) -> Term {
    let plane = image * params.channels + c;
    let at = plane * params.pixels + pixel;
    let upstream = upstream_of(at);
    if params.writes_identity != 0u {
        identity_gradient[params.identity_gradient_base + at] = Element(upstream);
    }
    if params.writes_maps == 0u {
        return Term(Real(0.0), Real(0.0));
    }
    let feature = Real(features[params.features_base + at]);
    if MAXIMUM == 1u {
        let channel = takes_channel(feature, channel_gate[params.channel_gate_base + plane], spatial_gate);
        return Term(Real(0.0), select(upstream, Real(0.0), channel == Bits(1u)) * feature);
    }
    return Term(feature * f32(weight[c]), upstream * feature);
}

fn both(a: Term, b: Term) -> Term {
    return Term(a.logit + b.logit, a.product + b.product);
}

@compute @workgroup_size(PIXELS, CHANNELS)
fn scse_backward_pixels(
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let pixel = (params.origin + group.x) * PIXELS + local.x;
    let image = group.z;
    let inside = pixel < params.pixels;
    let map = params.maps_base + 2u * image * params.pixels + pixel;

    var logit = BlockedSum();
    var product = BlockedSum();
    if inside {
        if MAXIMUM == 1u && params.writes_maps != 0u {
            spatial_gate = maps[map];
        }
        var c = local.y;
        while c < params.channels {
            let block_end = c + min(params.channels - c, BLOCK * CHANNELS);
            var block = Term(Real(0.0), Real(0.0));
            for (; c + 3u * CHANNELS < block_end; c += 4u * CHANNELS) {
                let first = both(visit(image, c, pixel), visit(image, c + CHANNELS, pixel));
                let second = both(visit(image, c + 2u * CHANNELS, pixel), visit(image, c + 3u * CHANNELS, pixel));
                block = both(block, both(first, second));
            }
            for (; c < block_end; c += CHANNELS) {
                block = both(block, visit(image, c, pixel));
            }
            logit = with_block(logit, block.logit);
            product = with_block(product, block.product);
        }
    }
    let slot = local.y * PIXELS + local.x;
    wg_logit[slot] = total_of(logit);
    wg_product[slot] = total_of(product);
    if CHANNELS > 1u {
        workgroupBarrier();
    }
    for (var stride = CHANNELS / 2u; stride > 0u; stride /= 2u) {
        if local.y < stride {
            wg_logit[slot] += wg_logit[slot + stride * PIXELS];
            wg_product[slot] += wg_product[slot + stride * PIXELS];
        }
        workgroupBarrier();
    }
    if !inside || local.y != 0u || params.writes_maps == 0u {
        return;
    }
    var gate = spatial_gate;
    if MAXIMUM == 0u {
        var t = wg_logit[slot];
        if params.has_bias != 0u {
            t += Real(f32(bias[0]));
        }
        // The sigmoid of every component. The exponent is never positive, so `exp` does not overflow.
        let e = exp(-abs(t));
        gate = select(e, Real(1.0), t >= Real(0.0)) / (1.0 + e);
        maps[map] = gate;
    }
    maps[map + params.pixels] = wg_product[slot] * gate * (1.0 - gate);
}
