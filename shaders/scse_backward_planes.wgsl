// Second pass of the gradients of scSE: what each plane adds up to, for its channel gate and for the spatial gate's weight.
//
//   sums(n, c, part)         = sum over a part of the plane of uc * x; its share of the mean of x
//   weight_parts(n, part, c) = sum over a part of the plane of maps(1) * x; with 1 for x after the last channel, for the bias
//   u                        = output_gradient; in a residual unit where output > 0, else 0
//   uc                       = u; with MAXIMUM = 1 where x * channel_gate >= x * maps(0), else 0
//
// Source    Roy et al. 2018, arXiv:1803.02579, Sec. 2, and arXiv:1808.08127, by the chain rule
// Host      src/ops/scse_backward/passes.rs        Reference  src/reference/scse_backward.rs
// Shapes    features, output, output_gradient [n, c, h, w], channel_gate [n, c], maps [n, 2, h, w] -> sums [n, c, parts] of four numbers,
//           weight_parts [n, parts, c + 1]; four pixels per load if h*w is a multiple of 4
// Grid      x: planes / PLANES, y: parts of a plane, z: n; PIXELS invocations share one part of one plane
// Numerics  sums in f32, in blocks of blocks of strided pixels within an invocation, then as a tree across invocations. A part's mean is
//           its share of the whole mean. NaN propagates.
// Uses      `with_block`, `total_of` of shared/blocked_sum.wgsl
// Uses      `upstream_of`, `takes_channel` of shared/scse_upstream.wgsl
// Needs     f16 variants: SHADER_F16

override PIXELS: u32 = 256u;
override PLANES: u32 = 1u;
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
    sums_base: u32,
    weight_parts_base: u32,
    channels: u32,
    // The planes of this dispatch: from `start` up to `end`, of which the plane after the last channel is all ones.
    start: u32,
    end: u32,
    pixels: u32,
    chunk: u32,
    parts: u32,
    divisor: f32,
    // 1: the upstream gradient passes where the output is above 0.
    masked: u32,
    reads_gradient: u32,
    writes_sums: u32,
    writes_weights: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> features: array<Element>;
@group(0) @binding(2) var<storage, read> output: array<Element>;
@group(0) @binding(3) var<storage, read> output_gradient: array<Element>;
@group(0) @binding(4) var<storage, read> channel_gate: array<f32>;
@group(0) @binding(5) var<storage, read> maps: array<Real>;
@group(0) @binding(6) var<storage, read_write> sums: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> weight_parts: array<f32>;

// Product, feature, and what the weight takes.
var<workgroup> wg_sum: array<vec3<f32>, PIXELS * PLANES>;

alias Sum = Real;

struct Term {
    product: Real,
    feature: Real,
    weighted: Real,
}

var<private> is_plane: bool;
var<private> of_channel: f32;

fn visit(image: u32, c: u32, load: u32) -> Term {
    let map = params.maps_base + 2u * image * params.pixels + load;
    var feature = Real(1.0);
    var product = Real(0.0);
    if is_plane {
        let at = (image * params.channels + c) * params.pixels + load;
        feature = Real(features[params.features_base + at]);
        if params.reads_gradient != 0u {
            var upstream = upstream_of(at);
            if MAXIMUM == 1u {
                let channel = takes_channel(feature, of_channel, maps[map]);
                upstream = select(Real(0.0), upstream, channel == Bits(1u));
            }
            product = upstream * feature;
        }
    }
    var weighted = Real(0.0);
    if params.writes_weights != 0u {
        weighted = maps[map + params.pixels] * feature;
    }
    return Term(product, feature, weighted);
}

fn both(a: Term, b: Term) -> Term {
    return Term(a.product + b.product, a.feature + b.feature, a.weighted + b.weighted);
}

// The workgroup is one-dimensional: drivers that map invocations to the lanes of a vector may fill the vector along x alone.
@compute @workgroup_size(PIXELS * PLANES)
fn scse_backward_planes(
    @builtin(local_invocation_index) slot: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let local = vec2<u32>(slot % PIXELS, slot / PIXELS);
    let c = params.start + (params.origin_x + group.x) * PLANES + local.y;
    let image = group.z;
    let part = params.origin_y + group.y;
    let inside = c < params.end;

    var product = BlockedSum();
    var feature = BlockedSum();
    var weighted = BlockedSum();
    if inside {
        is_plane = c < params.channels;
        if MAXIMUM == 1u && is_plane && params.reads_gradient != 0u {
            of_channel = channel_gate[params.channel_gate_base + image * params.channels + c];
        }
        let start = part * params.chunk;
        let end = start + min(params.chunk, params.pixels - start);
        var load = start + local.x;
        while load < end {
            let block_end = load + min(end - load, BLOCK * PIXELS);
            var block = Term(Real(0.0), Real(0.0), Real(0.0));
            for (; load + 3u * PIXELS < block_end; load += 4u * PIXELS) {
                let first = both(visit(image, c, load), visit(image, c, load + PIXELS));
                let second = both(visit(image, c, load + 2u * PIXELS), visit(image, c, load + 3u * PIXELS));
                block = both(block, both(first, second));
            }
            for (; load < block_end; load += PIXELS) {
                block = both(block, visit(image, c, load));
            }
            product = with_block(product, block.product);
            feature = with_block(feature, block.feature);
            weighted = with_block(weighted, block.weighted);
        }
    }
    wg_sum[slot] = vec3(
        horizontal_sum(total_of(product)),
        horizontal_sum(total_of(feature)),
        horizontal_sum(total_of(weighted)),
    );
    if PIXELS > 1u {
        workgroupBarrier();
    }
    for (var stride = PIXELS / 2u; stride > 0u; stride /= 2u) {
        if local.x < stride {
            wg_sum[slot] += wg_sum[slot + stride];
        }
        workgroupBarrier();
    }
    if !inside || local.x != 0u {
        return;
    }
    let total = wg_sum[slot];
    if params.writes_sums != 0u && c < params.channels {
        let at = (image * params.channels + c) * params.parts + part;
        sums[params.sums_base + at] = vec4(total.x, total.y / params.divisor, 0.0, 0.0);
    }
    if params.writes_weights != 0u {
        let at = (image * params.parts + part) * (params.channels + 1u) + c;
        weight_parts[params.weight_parts_base + at] = total.z;
    }
}
