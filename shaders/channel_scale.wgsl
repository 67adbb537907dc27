// Scales each plane by its gate, and each pixel by a spatial gate if one is bound, then applies the block's epilogue (FORM).
//
//   gate(n, c)   given, or g(sum over j of weight(c, j) * hidden(n, j) + bias(c))     Eq. 3, the second layer
//                or with one row of weights for all channels, at hidden(n, c + j - reach)   ECA, Eq. 6
//   output       form(features * gate)                                               Eq. 4
//
// Source    Hu et al. 2018, arXiv:1709.01507, Eqs. 3-4; Wang et al. 2020, arXiv:1910.03151, Eq. 6;
//           Roy et al. 2018, arXiv:1803.02579, Sec. 2
// Host      src/ops/channel_scale.rs        Reference  src/reference/channel_scale.rs
// Shapes    features, identity, output [n, c, h, w]; hidden [n, width]; spatial [n, h, w]; gate [n, c];
//           four pixels per load if h*w is a multiple of 4
// Grid      x: planes of a unit / PLANES, y: chunks of a plane, z: units; PIXELS invocations share one chunk of one plane
// Numerics  the gate's sum in f32, in blocks of blocks of strided terms within an invocation, then as a tree across invocations; products
//           in f32; NaN propagates
// Uses      `activate` of shared/activation.wgsl
// Uses      `ordered`, `from_ordered` of shared/ordered.wgsl
// Uses      `with_block`, `total_of` of shared/blocked_sum.wgsl
// Needs     f16 variants: SHADER_F16

// Invocations per plane. With fewer than 16, each one sums up the whole gate itself, without a barrier.
override PIXELS: u32 = 256u;
override PLANES: u32 = 1u;
// 0 scale, 1 residual, 2 scale_add: `Epilogue` in the host.
override FORM: u32 = 0u;
// 0 channel gate, 1 spatial gate, 2 product of both, 3 maximum, 4 sum: `Combine` in the host.
override COMBINE: u32 = 0u;

struct Params {
    origin_x: u32,
    origin_y: u32,
    first_plane: u32,
    first_image: u32,
    features_base: u32,
    hidden_base: u32,
    identity_base: u32,
    spatial_base: u32,
    gate_base: u32,
    output_base: u32,
    planes: u32,
    channels: u32,
    pixels: u32,
    chunk: u32,
    // 1: the features are in `output`.
    in_place: u32,
    // Number of terms of the gate's sum. 0: `hidden` is the gate.
    terms: u32,
    width: u32,
    weight_step: u32,
    hidden_step: u32,
    reach: u32,
    // Number of vectors whose mean is `hidden`. The same layer applies to each vector, and the results add up.
    vectors: f32,
    has_bias: u32,
    writes_gate: u32,
    // Activation of the gate: see shared/activation.wgsl.
    activation: u32,
    slope: f32,
    offset: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> features: array<Element>;
@group(0) @binding(2) var<storage, read> hidden: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<Scalar>;
@group(0) @binding(4) var<storage, read> bias: array<Scalar>;
@group(0) @binding(5) var<storage, read> identity: array<Element>;
@group(0) @binding(6) var<storage, read> spatial: array<Real>;
@group(0) @binding(7) var<storage, read_write> gate: array<f32>;
@group(0) @binding(8) var<storage, read_write> output: array<Element>;

var<workgroup> wg_sum: array<f32, PIXELS * PLANES>;

alias Sum = f32;

// Term `j` of the gate's sum.
fn term(c: u32, j: u32, image: u32) -> f32 {
    let at = c * params.hidden_step + j;
    if at < params.reach || at - params.reach >= params.width {
        return 0.0;
    }
    return f32(weight[c * params.weight_step + j]) * hidden[params.hidden_base + image * params.width + at - params.reach];
}

fn scaled(value: Real, channel_gate: f32, spatial_index: u32) -> Real {
    if COMBINE == 0u {
        return value * channel_gate;
    }
    let spatial_gate = spatial[spatial_index];
    switch COMBINE {
        case 1u: { return value * spatial_gate; }
        case 2u: { return value * channel_gate * spatial_gate; }
        case 3u: { return from_ordered(max(ordered(value * channel_gate), ordered(value * spatial_gate))); }
        default: { return value * channel_gate + value * spatial_gate; }
    }
}

// The workgroup is one-dimensional: drivers that map invocations to the lanes of a vector may fill the vector along x alone.
@compute @workgroup_size(PIXELS * PLANES)
fn channel_scale(
    @builtin(local_invocation_index) slot: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let local = vec2<u32>(slot % PIXELS, slot / PIXELS);
    let plane_of_unit = (params.origin_x + group.x) * PLANES + local.y;
    let plane = group.z * params.planes + plane_of_unit;
    let image = (params.first_plane + plane) / params.channels;
    let c = (params.first_plane + plane) - image * params.channels;
    let image_bound = image - params.first_image;
    let chunk = params.origin_y + group.y;
    let inside = plane_of_unit < params.planes;

    var sum = BlockedSum();
    if inside {
        let alone = PIXELS < 16u;
        let step = select(PIXELS, 1u, alone);
        var j = select(local.x, 0u, alone);
        while j < params.terms {
            let block_end = j + min(params.terms - j, BLOCK * step);
            var block = 0.0;
            for (; j + 3u * step < block_end; j += 4u * step) {
                block += (term(c, j, image_bound) + term(c, j + step, image_bound))
                    + (term(c, j + 2u * step, image_bound) + term(c, j + 3u * step, image_bound));
            }
            for (; j < block_end; j += step) {
                block += term(c, j, image_bound);
            }
            sum = with_block(sum, block);
        }
    }
    var channel_gate = total_of(sum);
    if PIXELS >= 16u {
        wg_sum[slot] = channel_gate;
        workgroupBarrier();
        for (var stride = PIXELS / 2u; stride > 0u; stride /= 2u) {
            if local.x < stride {
                wg_sum[slot] += wg_sum[slot + stride];
            }
            workgroupBarrier();
        }
        channel_gate = wg_sum[local.y * PIXELS];
    }
    if !inside {
        return;
    }

    if COMBINE != 1u {
        if params.terms == 0u {
            channel_gate = hidden[params.hidden_base + image_bound * params.channels + c];
        } else {
            if params.has_bias != 0u {
                channel_gate += f32(bias[c]);
            }
            channel_gate *= params.vectors;
            channel_gate = activate(params.activation, channel_gate, params.slope, params.offset);
        }
    }
    if params.writes_gate != 0u && chunk == 0u && local.x == 0u {
        gate[params.gate_base + plane] = channel_gate;
    }

    let first = plane * params.pixels;
    let start = chunk * params.chunk;
    let end = start + min(params.chunk, params.pixels - start);
    for (var pixel = start + local.x; pixel < end; pixel += PIXELS) {
        var value: Real;
        if params.in_place != 0u {
            value = Real(output[params.output_base + first + pixel]);
        } else {
            value = Real(features[params.features_base + first + pixel]);
        }
        var result = scaled(value, channel_gate, params.spatial_base + image_bound * params.pixels + pixel);
        if FORM == 1u {
            result += Real(identity[params.identity_base + first + pixel]);
            // NaN is detected by its bits, as in shared/activation.wgsl.
            let is_nan = (bitcast<Bits>(result) & Bits(0x7fffffffu)) > Bits(0x7f800000u);
            result = select(max(result, Real(0.0)), result, is_nan);
        } else if FORM == 2u {
            result += value;
        }
        output[params.output_base + first + pixel] = Element(result);
    }
}
