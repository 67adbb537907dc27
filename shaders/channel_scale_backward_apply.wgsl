// Last pass of the gradients of a gated tensor: what each feature takes from its plane's gate, mean and maximum.
//
//   u                 = output_gradient; with FORM 1 where output > 0, else 0, unless `masked` is 0
//   features_gradient = u * gate, with FORM 2 u * gate + u, plus the mean's gradient / (h*w), plus the maximum's at its first pixel
//
// Source    Hu et al. 2018, arXiv:1709.01507, Eqs. 2 and 4, by the chain rule
// Host      src/ops/channel_scale_backward/passes.rs        Reference  src/reference/channel_scale_backward.rs
// Shapes    output, output_gradient, features_gradient [n, c, h, w], gate, first_maximum [n, c], squeezed_gradient [n, vectors, c];
//           four pixels per load if h*w is a multiple of 4
// Grid      x: planes of a unit / PLANES, y: chunks of a plane, z: units; PIXELS invocations share one chunk of one plane
// Numerics  f32; NaN propagates
// Needs     f16 variants: SHADER_F16

override PIXELS: u32 = 256u;
override PLANES: u32 = 1u;
// 0 scale, 1 residual, 2 scale_add: `Epilogue` in the host.
override FORM: u32 = 0u;

struct Params {
    origin_x: u32,
    origin_y: u32,
    first_plane: u32,
    first_image: u32,
    output_base: u32,
    output_gradient_base: u32,
    gate_base: u32,
    squeezed_gradient_base: u32,
    first_maximum_base: u32,
    features_gradient_base: u32,
    planes: u32,
    channels: u32,
    pixels: u32,
    chunk: u32,
    reads_gradient: u32,
    masked: u32,
    // Squeezed vectors of an image: the mean, then the maximum.
    vectors: u32,
    has_mean: u32,
    has_maximum: u32,
    divisor: f32,
    // Pixels of a load.
    lanes: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> output: array<Element>;
@group(0) @binding(2) var<storage, read> output_gradient: array<Element>;
@group(0) @binding(3) var<storage, read> gate: array<f32>;
@group(0) @binding(4) var<storage, read> squeezed_gradient: array<f32>;
@group(0) @binding(5) var<storage, read> first_maximum: array<u32>;
@group(0) @binding(6) var<storage, read_write> features_gradient: array<Element>;

// The workgroup is one-dimensional: drivers that map invocations to the lanes of a vector may fill the vector along x alone.
@compute @workgroup_size(PIXELS * PLANES)
fn channel_scale_backward_apply(
    @builtin(local_invocation_index) slot: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let local = vec2<u32>(slot % PIXELS, slot / PIXELS);
    let plane_of_unit = (params.origin_x + group.x) * PLANES + local.y;
    let plane = group.z * params.planes + plane_of_unit;
    let image = (params.first_plane + plane) / params.channels;
    let channel = (params.first_plane + plane) - image * params.channels;
    if plane_of_unit >= params.planes {
        return;
    }
    var channel_gate = 0.0;
    if params.reads_gradient != 0u {
        channel_gate = gate[params.gate_base + plane];
    }
    let vector = params.squeezed_gradient_base + (image - params.first_image) * params.vectors * params.channels + channel;
    var of_mean = 0.0;
    if params.has_mean != 0u {
        of_mean = squeezed_gradient[vector] / params.divisor;
    }
    var of_maximum = 0.0;
    var maximum = ~0u;
    if params.has_maximum != 0u {
        of_maximum = squeezed_gradient[vector + (params.vectors - 1u) * params.channels];
        maximum = first_maximum[params.first_maximum_base + plane];
    }

    let first = plane * params.pixels;
    let start = (params.origin_y + group.y) * params.chunk;
    let end = start + min(params.chunk, params.pixels - start);
    for (var pixel = start + local.x; pixel < end; pixel += PIXELS) {
        let at = first + pixel;
        var result = select(Real(0.0), Real(of_maximum), Bits(pixel * params.lanes) + lane_numbers() == Bits(maximum));
        result += Real(of_mean);
        if params.reads_gradient != 0u {
            var upstream = Real(output_gradient[params.output_gradient_base + at]);
            if FORM == 1u && params.masked != 0u {
                // Greater than 0, by the bits: a comparison may take NaN for greater.
                let bits = bitcast<Bits>(Real(output[params.output_base + at]));
                upstream = select(Real(0.0), upstream, (bits - Bits(1u)) < Bits(0x7f800000u));
            }
            result += upstream * channel_gate;
            if FORM == 2u {
                result += upstream;
            }
        }
        features_gradient[params.features_gradient_base + at] = Element(result);
    }
}
