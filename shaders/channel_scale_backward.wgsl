// First pass of the gradients of a gated tensor: what each plane adds up to, and what needs no sum.
//
//   u                     = output_gradient; with FORM 1 where output > 0, else 0
//   identity_gradient     = u
//   features_gradient     = u * gate, with FORM 2 u * gate + u
//   gate_gradient(n, c)   = sum over the plane of u * features
//   sums(n, c, part)      = the same of one part of the plane; its share of the mean of the features; the key of their maximum, and where
//                           the maximum is found first
//
// Source    Hu et al. 2018, arXiv:1709.01507, Eqs. 2 and 4, by the chain rule
// Host      src/ops/channel_scale_backward/passes.rs        Reference  src/reference/channel_scale_backward.rs
// Shapes    features, output, output_gradient, features_gradient, identity_gradient [n, c, h, w], gate, gate_gradient [n, c],
//           sums [n, c, parts]; four pixels per load if h*w is a multiple of 4
// Grid      x: planes of a unit / PLANES, y: parts of a plane, z: units; PIXELS invocations share one part of one plane
// Numerics  sums in f32, in blocks of blocks of strided pixels within an invocation, then as a tree across invocations. A part's mean is
//           its share of the whole mean. Maxima are exact, and a NaN counts as the largest. NaN propagates.
// Uses      `ordered` of shared/ordered.wgsl
// Uses      `with_block`, `total_of` of shared/blocked_sum.wgsl
// Needs     f16 variants: SHADER_F16

override PIXELS: u32 = 256u;
override PLANES: u32 = 1u;
// 0 scale, 1 residual, 2 scale_add: `Epilogue` in the host.
override FORM: u32 = 0u;
// 1: maxima are searched for.
override MAXIMA: u32 = 0u;

struct Params {
    origin_x: u32,
    origin_y: u32,
    features_base: u32,
    output_base: u32,
    output_gradient_base: u32,
    gate_base: u32,
    features_gradient_base: u32,
    identity_gradient_base: u32,
    gate_gradient_base: u32,
    sums_base: u32,
    planes: u32,
    pixels: u32,
    chunk: u32,
    parts: u32,
    divisor: f32,
    // Pixels of a load.
    lanes: u32,
    reads_features: u32,
    reads_gradient: u32,
    writes_features: u32,
    writes_identity: u32,
    writes_gate: u32,
    writes_sums: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> features: array<Element>;
@group(0) @binding(2) var<storage, read> output: array<Element>;
@group(0) @binding(3) var<storage, read> output_gradient: array<Element>;
@group(0) @binding(4) var<storage, read> gate: array<f32>;
@group(0) @binding(5) var<storage, read_write> features_gradient: array<Element>;
@group(0) @binding(6) var<storage, read_write> identity_gradient: array<Element>;
@group(0) @binding(7) var<storage, read_write> gate_gradient: array<f32>;
@group(0) @binding(8) var<storage, read_write> sums: array<vec4<u32>>;

// Product and feature, then key of the maximum and its pixel.
var<workgroup> wg_sum: array<vec2<f32>, PIXELS * PLANES>;
var<workgroup> wg_largest: array<vec2<u32>, PIXELS * PLANES>;

alias Sum = Real;

struct Term {
    product: Real,
    feature: Real,
}

// Of each component, the largest key so far, and the first load that holds it. No key of a feature is 0.
var<private> largest_key: Bits;
var<private> largest_load: Bits;
var<private> channel_gate: f32;

fn visit(plane: u32, load: u32) -> Term {
    let at = plane * params.pixels + load;
    var upstream = Real(0.0);
    if params.reads_gradient != 0u {
        upstream = Real(output_gradient[params.output_gradient_base + at]);
        if FORM == 1u {
            // Greater than 0, by the bits: a comparison may take NaN for greater.
            let bits = bitcast<Bits>(Real(output[params.output_base + at]));
            upstream = select(Real(0.0), upstream, (bits - Bits(1u)) < Bits(0x7f800000u));
        }
    }
    if params.writes_identity != 0u {
        identity_gradient[params.identity_gradient_base + at] = Element(upstream);
    }
    if params.writes_features != 0u {
        var result = upstream * channel_gate;
        if FORM == 2u {
            result += upstream;
        }
        features_gradient[params.features_gradient_base + at] = Element(result);
    }
    if params.reads_features == 0u {
        return Term(Real(0.0), Real(0.0));
    }
    let feature = Real(features[params.features_base + at]);
    if MAXIMA == 1u {
        // -0 equals 0.
        let key = ordered(select(feature, Real(0.0), feature == Real(0.0)));
        // Loads come in order, so that an equal key is a later one.
        let larger = key > largest_key;
        largest_key = select(largest_key, key, larger);
        largest_load = select(largest_load, Bits(load), larger);
    }
    // Without an output there is no product: 0 times an infinite feature would be NaN.
    return Term(select(Real(0.0), upstream * feature, params.reads_gradient != 0u), feature);
}

fn both(a: Term, b: Term) -> Term {
    return Term(a.product + b.product, a.feature + b.feature);
}

// The workgroup is one-dimensional: drivers that map invocations to the lanes of a vector may fill the vector along x alone.
@compute @workgroup_size(PIXELS * PLANES)
fn channel_scale_backward(
    @builtin(local_invocation_index) slot: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let local = vec2<u32>(slot % PIXELS, slot / PIXELS);
    let plane_of_unit = (params.origin_x + group.x) * PLANES + local.y;
    let plane = group.z * params.planes + plane_of_unit;
    let part = params.origin_y + group.y;
    let inside = plane_of_unit < params.planes;

    largest_key = Bits(0u);
    largest_load = Bits(0u);
    var product = BlockedSum();
    var feature = BlockedSum();
    if inside {
        if params.writes_features != 0u {
            channel_gate = gate[params.gate_base + plane];
        }
        let start = part * params.chunk;
        let end = start + min(params.chunk, params.pixels - start);
        var load = start + local.x;
        while load < end {
            let block_end = load + min(end - load, BLOCK * PIXELS);
            var block = Term(Real(0.0), Real(0.0));
            for (; load + 3u * PIXELS < block_end; load += 4u * PIXELS) {
                let first = both(visit(plane, load), visit(plane, load + PIXELS));
                let second = both(visit(plane, load + 2u * PIXELS), visit(plane, load + 3u * PIXELS));
                block = both(block, both(first, second));
            }
            for (; load < block_end; load += PIXELS) {
                block = both(block, visit(plane, load));
            }
            product = with_block(product, block.product);
            feature = with_block(feature, block.feature);
        }
    }
    wg_sum[slot] = vec2(horizontal_sum(total_of(product)), horizontal_sum(total_of(feature)));
    if MAXIMA == 1u {
        let key = horizontal_max(largest_key);
        let pixels = select(~Bits(0u), largest_load * params.lanes + lane_numbers(), largest_key == Bits(key));
        // The smallest of the pixels.
        wg_largest[slot] = vec2(key, ~horizontal_max(~pixels));
    }
    if PIXELS > 1u {
        workgroupBarrier();
    }
    for (var stride = PIXELS / 2u; stride > 0u; stride /= 2u) {
        if local.x < stride {
            wg_sum[slot] += wg_sum[slot + stride];
            if MAXIMA == 1u {
                let a = wg_largest[slot];
                let b = wg_largest[slot + stride];
                wg_largest[slot] = select(a, b, b.x > a.x || (b.x == a.x && b.y < a.y));
            }
        }
        workgroupBarrier();
    }
    if inside && local.x == 0u {
        let total = wg_sum[slot];
        if params.writes_gate != 0u {
            gate_gradient[params.gate_gradient_base + plane] = total.x;
        }
        if params.writes_sums != 0u {
            var largest = vec2<u32>(0u);
            if MAXIMA == 1u {
                largest = wg_largest[slot];
            }
            let share = bitcast<vec2<u32>>(vec2(total.x, total.y / params.divisor));
            sums[params.sums_base + plane * params.parts + part] = vec4(share, largest);
        }
    }
}
