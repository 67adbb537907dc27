// Last pass of the gradients of scSE: what each feature takes from both gates, and from what they are computed from.
//
//   u                 = output_gradient; in a residual unit where output > 0, else 0
//   uc                = u; with MAXIMUM = 1 where x * channel_gate >= x * maps(0), else 0
//   us                = u; with MAXIMUM = 1 where uc is 0 for that reason, else 0
//   features_gradient = uc * channel_gate + us * maps(0) + maps(1) * weight(c) + squeezed_gradient / (h*w), with `adds` plus u
//
// Source    Roy et al. 2018, arXiv:1803.02579, Sec. 2, and arXiv:1808.08127, by the chain rule
// Host      src/ops/scse_backward/passes.rs        Reference  src/reference/scse_backward.rs
// Shapes    features, output, output_gradient, features_gradient [n, c, h, w], channel_gate, squeezed_gradient [n, c], maps [n, 2, h, w],
//           weight [c]; four pixels per load if h*w is a multiple of 4
// Grid      x: ceil(h*w / lanes / 64), y: c, z: n
// Numerics  f32; NaN propagates
// Uses      `upstream_of`, `takes_channel` of shared/scse_upstream.wgsl
// Needs     f16 variants: SHADER_F16

// 1: the larger of both products is the output. 0: their sum.
override MAXIMUM: u32 = 0u;

struct Params {
    origin_x: u32,
    origin_y: u32,
    features_base: u32,
    output_base: u32,
    output_gradient_base: u32,
    channel_gate_base: u32,
    maps_base: u32,
    squeezed_gradient_base: u32,
    features_gradient_base: u32,
    channels: u32,
    pixels: u32,
    divisor: f32,
    // 1: the upstream gradient passes where the output is above 0.
    masked: u32,
    // 1: the features themselves are part of the output.
    adds: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> features: array<Element>;
@group(0) @binding(2) var<storage, read> output: array<Element>;
@group(0) @binding(3) var<storage, read> output_gradient: array<Element>;
@group(0) @binding(4) var<storage, read> channel_gate: array<f32>;
@group(0) @binding(5) var<storage, read> maps: array<Real>;
@group(0) @binding(6) var<storage, read> weight: array<Scalar>;
@group(0) @binding(7) var<storage, read> squeezed_gradient: array<f32>;
@group(0) @binding(8) var<storage, read_write> features_gradient: array<Element>;

@compute @workgroup_size(64)
fn scse_backward_apply(
    @builtin(local_invocation_index) index: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let pixel = (params.origin_x + group.x) * 64u + index;
    if pixel >= params.pixels {
        return;
    }
    let c = params.origin_y + group.y;
    let plane = group.z * params.channels + c;
    let at = plane * params.pixels + pixel;
    let map = params.maps_base + 2u * group.z * params.pixels + pixel;
    let of_channel = channel_gate[params.channel_gate_base + plane];
    let of_pixel = maps[map];
    let upstream = upstream_of(at);
    var result: Real;
    if MAXIMUM == 1u {
        let channel = takes_channel(Real(features[params.features_base + at]), of_channel, of_pixel) == Bits(1u);
        result = select(Real(0.0), upstream, channel) * of_channel + select(upstream, Real(0.0), channel) * of_pixel;
    } else {
        result = upstream * of_channel + upstream * of_pixel;
    }
    result += maps[map + params.pixels] * f32(weight[c]);
    result += Real(squeezed_gradient[params.squeezed_gradient_base + plane] / params.divisor);
    if params.adds != 0u {
        result += upstream;
    }
    features_gradient[params.features_gradient_base + at] = Element(result);
}
