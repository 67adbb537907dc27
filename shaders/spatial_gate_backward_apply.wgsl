// Last pass of the gradients of CBAM's spatial gate: what each feature takes from its pixel and, with a channel gate, from its plane.
//
//   g                  = output_gradient; with FORM 1 where output > 0, else 0
//   du                 = g * gate + gradient of the mean / C + gradient of the maximum where c = argmax
//   features_gradient  = du * channel_gate, with FORM 2 plus g; with a channel gate plus its mean's gradient / (h*w), plus its
//                        maximum's gradient at its first pixel
//   identity_gradient  = g
//
// Source    Woo et al. 2018, arXiv:1807.06521, Eqs. 1 to 3, by the chain rule
// Host      src/ops/spatial_gate_backward/passes.rs        Reference  src/reference/spatial_gate_backward.rs
// Shapes    output, output_gradient, features_gradient, identity_gradient [n, c, h, w], maps [n, 4, h, w],
//           channel_gate, first_maximum [n, c], squeezed_gradient [n, 2, c]; four pixels per load if h*w is a multiple of 4
// Grid      x: ceil(h*w / lanes / 64), y: c, z: n
// Numerics  f32; NaN propagates
// Uses      `upstream_at`, `spatial_share` of shared/spatial_backward.wgsl
// Needs     f16 variants: SHADER_F16

// 0 scale, 1 residual, 2 scale_add: `Epilogue` in the host.
override FORM: u32 = 0u;

struct Params {
    origin_x: u32,
    origin_y: u32,
    output_base: u32,
    output_gradient_base: u32,
    maps_base: u32,
    channel_gate_base: u32,
    squeezed_gradient_base: u32,
    first_maximum_base: u32,
    features_gradient_base: u32,
    identity_gradient_base: u32,
    channels: u32,
    pixels: u32,
    // Pixels of a load.
    lanes: u32,
    has_output_gradient: u32,
    has_channel_gate: u32,
    writes_features: u32,
    writes_identity: u32,
    divisor: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> output: array<Element>;
@group(0) @binding(2) var<storage, read> output_gradient: array<Element>;
@group(0) @binding(3) var<storage, read> maps: array<Bits>;
@group(0) @binding(4) var<storage, read> channel_gate: array<f32>;
@group(0) @binding(5) var<storage, read> squeezed_gradient: array<f32>;
@group(0) @binding(6) var<storage, read> first_maximum: array<u32>;
@group(0) @binding(7) var<storage, read_write> features_gradient: array<Element>;
@group(0) @binding(8) var<storage, read_write> identity_gradient: array<Element>;

@compute @workgroup_size(64)
fn spatial_gate_backward_apply(
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
    let upstream = upstream_at(at);
    if params.writes_identity != 0u {
        identity_gradient[params.identity_gradient_base + at] = Element(upstream);
    }
    if params.writes_features == 0u {
        return;
    }
    var result = spatial_share(upstream, params.maps_base + 4u * group.z * params.pixels + pixel, c);
    if params.has_channel_gate != 0u {
        result *= channel_gate[params.channel_gate_base + plane];
        let squeezed = params.squeezed_gradient_base + 2u * group.z * params.channels + c;
        result += Real(squeezed_gradient[squeezed] / params.divisor);
        let largest = Bits(pixel * params.lanes) + lane_numbers() == Bits(first_maximum[params.first_maximum_base + plane]);
        result += select(Real(0.0), Real(squeezed_gradient[squeezed + params.channels]), largest);
    }
    if FORM == 2u {
        result += upstream;
    }
    features_gradient[params.features_gradient_base + at] = Element(result);
}
