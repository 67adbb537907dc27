// Gradient of CBAM's channel gate: the sum over each plane of the features, times the gradient of what the spatial gate scales.
//
//   gate_gradient(n, c) = sum over y, x of features(c) * du(c)
//   du(c)               = g * gate + gradient of the mean / C + gradient of the maximum where c = argmax: see spatial_gate_backward_apply
//
// Source    Woo et al. 2018, arXiv:1807.06521, Eqs. 1 to 3, by the chain rule
// Host      src/ops/cbam_backward/mod.rs        Reference  src/reference/cbam_backward.rs
// Shapes    features, output, output_gradient [n, c, h, w], maps [n, 4, h, w] -> gate_gradient [n, c]; four pixels per load if h*w is a
//           multiple of 4
// Grid      x: c / PLANES, z: n; PIXELS invocations share one plane
// Numerics  sums in f32, in blocks of blocks of strided pixels within an invocation, then as a tree; NaN propagates
// Uses      `with_block`, `total_of` of shared/blocked_sum.wgsl
// Uses      `upstream_at`, `spatial_share` of shared/spatial_backward.wgsl
// Needs     f16 variants: SHADER_F16

override PIXELS: u32 = 256u;
override PLANES: u32 = 1u;
// 0 scale, 1 residual, 2 scale_add: `Epilogue` in the host.
override FORM: u32 = 0u;

struct Params {
    origin: u32,
    features_base: u32,
    output_base: u32,
    output_gradient_base: u32,
    maps_base: u32,
    gate_gradient_base: u32,
    channels: u32,
    pixels: u32,
    has_output_gradient: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> features: array<Element>;
@group(0) @binding(2) var<storage, read> output: array<Element>;
@group(0) @binding(3) var<storage, read> output_gradient: array<Element>;
@group(0) @binding(4) var<storage, read> maps: array<Bits>;
@group(0) @binding(5) var<storage, read_write> gate_gradient: array<f32>;

var<workgroup> wg_sum: array<f32, PIXELS * PLANES>;

alias Sum = Real;

// The workgroup is one-dimensional: drivers that map invocations to the lanes of a vector may fill the vector along x alone.
@compute @workgroup_size(PIXELS * PLANES)
fn cbam_backward(
    @builtin(local_invocation_index) slot: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let local = vec2<u32>(slot % PIXELS, slot / PIXELS);
    let c = (params.origin + group.x) * PLANES + local.y;
    let plane = group.z * params.channels + c;
    let inside = c < params.channels;

    var sum = BlockedSum();
    if inside {
        let maps_of_image = params.maps_base + 4u * group.z * params.pixels;
        var pixel = local.x;
        while pixel < params.pixels {
            let block_end = pixel + min(params.pixels - pixel, BLOCK * PIXELS);
            var block = Real(0.0);
            for (; pixel < block_end; pixel += PIXELS) {
                let at = plane * params.pixels + pixel;
                let share = spatial_share(upstream_at(at), maps_of_image + pixel, c);
                block += Real(features[params.features_base + at]) * share;
            }
            sum = with_block(sum, block);
        }
    }
    wg_sum[slot] = horizontal_sum(total_of(sum));
    if PIXELS > 1u {
        workgroupBarrier();
    }
    for (var stride = PIXELS / 2u; stride > 0u; stride /= 2u) {
        if local.x < stride {
            wg_sum[slot] += wg_sum[slot + stride];
        }
        workgroupBarrier();
    }
    if inside && local.x == 0u {
        gate_gradient[params.gate_gradient_base + plane] = wg_sum[slot];
    }
}
