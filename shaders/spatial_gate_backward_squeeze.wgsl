// First pass of the gradients of CBAM's spatial gate: sums over the channels of each pixel.
//
//   u(c)         = features(c) * channel_gate(c)
//   planes(0)    = max over c of u(c), planes(1) = mean over c of u(c)
//   argmax       = the first c that holds the maximum; a NaN counts as the largest number
//   gate_sums    = gate_gradient + sum over c of g(c) * u(c), where g = output_gradient; with MASKED = 1 where output > 0, else 0
//
// Source    Woo et al. 2018, arXiv:1807.06521, Eq. 3, by the chain rule
// Host      src/ops/spatial_gate_backward/passes.rs        Reference  src/reference/spatial_gate_backward.rs
// Shapes    features, output, output_gradient [n, c, h, w], channel_gate [n, c], gate_gradient [n, h, w] -> planes [n, 2, h, w],
//           argmax [n, h, w] u32, gate_sums [n, h, w]; four pixels per load if h*w is a multiple of 4
// Grid      x: ceil(h*w / lanes / PIXELS), z: n; CHANNELS invocations share the channels of a pixel if there are few pixels
// Numerics  maxima exact; sums in f32, in blocks of blocks within an invocation, then as a tree across invocations; NaN propagates
// Uses      `ordered`, `from_ordered` of shared/ordered.wgsl
// Uses      `with_block`, `total_of` of shared/blocked_sum.wgsl
// Needs     f16 variants: SHADER_F16

override PIXELS: u32 = 64u;
override CHANNELS: u32 = 1u;
// 1: a residual unit, whose ReLU lets the gradient through where the output is above 0.
override MASKED: u32 = 0u;

struct Params {
    origin: u32,
    features_base: u32,
    channel_gate_base: u32,
    output_base: u32,
    output_gradient_base: u32,
    gate_gradient_base: u32,
    planes_base: u32,
    argmax_base: u32,
    gate_sums_base: u32,
    channels: u32,
    pixels: u32,
    has_channel_gate: u32,
    has_output_gradient: u32,
    has_gate_gradient: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> features: array<Element>;
@group(0) @binding(2) var<storage, read> channel_gate: array<f32>;
@group(0) @binding(3) var<storage, read> output: array<Element>;
@group(0) @binding(4) var<storage, read> output_gradient: array<Element>;
@group(0) @binding(5) var<storage, read> gate_gradient: array<Real>;
@group(0) @binding(6) var<storage, read_write> planes: array<Real>;
@group(0) @binding(7) var<storage, read_write> argmax: array<Bits>;
@group(0) @binding(8) var<storage, read_write> gate_sums: array<Real>;

var<workgroup> wg_mean: array<Real, PIXELS * CHANNELS>;
var<workgroup> wg_product: array<Real, PIXELS * CHANNELS>;
var<workgroup> wg_key: array<Bits, PIXELS * CHANNELS>;
var<workgroup> wg_channel: array<Bits, PIXELS * CHANNELS>;

alias Sum = Real;

@compute @workgroup_size(PIXELS, CHANNELS)
fn spatial_gate_backward_squeeze(
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let pixel = (params.origin + group.x) * PIXELS + local.x;
    let image = group.z;
    let inside = pixel < params.pixels;

    var mean = BlockedSum();
    var product = BlockedSum();
    // No key of a number is 0.
    var key = Bits(0u);
    var first = Bits(0u);
    if inside {
        let offset = image * params.channels * params.pixels + pixel;
        var c = local.y;
        while c < params.channels {
            let block_end = c + min(params.channels - c, BLOCK * CHANNELS);
            var block_mean = Real(0.0);
            var block_product = Real(0.0);
            for (; c < block_end; c += CHANNELS) {
                let at = offset + c * params.pixels;
                var value = Real(features[params.features_base + at]);
                if params.has_channel_gate != 0u {
                    value *= channel_gate[params.channel_gate_base + image * params.channels + c];
                }
                block_mean += value;
                // -0 equals 0.
                let other = ordered(select(value, Real(0.0), value == Real(0.0)));
                first = select(first, Bits(c), other > key);
                key = max(key, other);
                if params.has_output_gradient != 0u {
                    var upstream = Real(output_gradient[params.output_gradient_base + at]);
                    if MASKED == 1u {
                        // Greater than 0, by the bits: a comparison may take NaN for greater.
                        let bits = bitcast<Bits>(Real(output[params.output_base + at]));
                        upstream = select(Real(0.0), upstream, (bits - Bits(1u)) < Bits(0x7f800000u));
                    }
                    block_product += upstream * value;
                }
            }
            mean = with_block(mean, block_mean);
            product = with_block(product, block_product);
        }
    }
    var total_mean = total_of(mean);
    var total_product = total_of(product);
    if CHANNELS > 1u {
        let slot = local.y * PIXELS + local.x;
        wg_mean[slot] = total_mean;
        wg_product[slot] = total_product;
        wg_key[slot] = key;
        wg_channel[slot] = first;
        workgroupBarrier();
        for (var stride = CHANNELS / 2u; stride > 0u; stride /= 2u) {
            if local.y < stride {
                let other = slot + stride * PIXELS;
                wg_mean[slot] += wg_mean[other];
                wg_product[slot] += wg_product[other];
                let second = (wg_key[other] > wg_key[slot])
                    | ((wg_key[other] == wg_key[slot]) & (wg_channel[other] < wg_channel[slot]));
                wg_key[slot] = select(wg_key[slot], wg_key[other], second);
                wg_channel[slot] = select(wg_channel[slot], wg_channel[other], second);
            }
            workgroupBarrier();
        }
        total_mean = wg_mean[local.x];
        total_product = wg_product[local.x];
        key = wg_key[local.x];
        first = wg_channel[local.x];
    }
    if inside && local.y == 0u {
        let at = image * params.pixels + pixel;
        let plane = params.planes_base + 2u * image * params.pixels + pixel;
        planes[plane] = from_ordered(key);
        planes[plane + params.pixels] = total_mean / f32(params.channels);
        argmax[params.argmax_base + at] = first;
        if params.has_gate_gradient != 0u {
            total_product += gate_gradient[params.gate_gradient_base + at];
        }
        gate_sums[params.gate_sums_base + at] = total_product;
    }
}
