// Joins the parts of each plane that the first pass of the gradients of a gated tensor has written.
//
//   gate_gradient(n, c)    = the sum of the parts' sums of products, plus the gate's own upstream gradient
//   squeezed(n, v, c)      = mean, maximum, or both of the plane's features
//   first_maximum(n, c)    = the pixel where the maximum is found first
//
// Source    Hu et al. 2018, arXiv:1709.01507, Eq. 2; Woo et al. 2018, arXiv:1807.06521, Sec. 3.1
// Host      src/ops/channel_scale_backward/join.rs        Reference  src/reference/channel_scale_backward.rs
// Shapes    sums [n, c, parts], upstream [n, c] -> gate_gradient, first_maximum [n, c], squeezed [n, vectors, c]
// Grid      x: ceil(c / WORKGROUP_SIZE), z: n; one invocation for each plane
// Numerics  sums in f32 in order, of at most 64 parts; NaN propagates
// Uses      `from_ordered` of shared/ordered.wgsl
// Needs     no device feature

override WORKGROUP_SIZE: u32 = 64u;

struct Params {
    origin: u32,
    sums_base: u32,
    upstream_base: u32,
    gate_gradient_base: u32,
    squeezed_base: u32,
    first_maximum_base: u32,
    channels: u32,
    parts: u32,
    has_upstream: u32,
    writes_gate: u32,
    // Squeezed vectors of an image: the mean, then the maximum.
    vectors: u32,
    writes_mean: u32,
    writes_maximum: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> sums: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> upstream: array<f32>;
@group(0) @binding(3) var<storage, read_write> gate_gradient: array<f32>;
@group(0) @binding(4) var<storage, read_write> squeezed: array<f32>;
@group(0) @binding(5) var<storage, read_write> first_maximum: array<u32>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn channel_scale_backward_join(
    @builtin(local_invocation_index) slot: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let channel = (params.origin + group.x) * WORKGROUP_SIZE + slot;
    let image = group.z;
    if channel >= params.channels {
        return;
    }
    let plane = image * params.channels + channel;
    let first = params.sums_base + plane * params.parts;
    var total = bitcast<vec2<f32>>(sums[first].xy);
    var largest = sums[first].zw;
    for (var part = 1u; part < params.parts; part++) {
        let next = sums[first + part];
        total += bitcast<vec2<f32>>(next.xy);
        // Parts come in order, so that an equal key is a later one.
        largest = select(largest, next.zw, next.z > largest.x);
    }
    if params.writes_gate != 0u {
        var gradient = total.x;
        if params.has_upstream != 0u {
            gradient += upstream[params.upstream_base + plane];
        }
        gate_gradient[params.gate_gradient_base + plane] = gradient;
    }
    let vector = params.squeezed_base + image * params.vectors * params.channels + channel;
    if params.writes_mean != 0u {
        squeezed[vector] = total.y;
    }
    if params.writes_maximum != 0u {
        squeezed[vector + (params.vectors - 1u) * params.channels] = from_ordered(largest.x);
        first_maximum[params.first_maximum_base + plane] = largest.y;
    }
}
