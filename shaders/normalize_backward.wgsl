// Gradient of a normalised map, in place, second of two passes. A is the sum of dy over the image, and B the sum of dy * map.
//
//   min_max   dx = dy / (high - low), less (A - B) / (high - low) at the first minimum and B / (high - low) at the first maximum
//   maximum   dx = dy / high, less B / high at the first maximum, where high > 0
//   both      0 for a constant map
//
// Source    Guan et al. 2018, arXiv:1801.09927, Sec. III-B, by the chain rule
// Host      src/ops/normalize_backward.rs        Reference  src/reference/normalize_backward.rs
// Shapes    range [n, 2], sums [n, shares, 4], gradient [n, h, w]: dy, and then dx
// Grid      x: ceil(h*w / each / 64), z: n; one invocation for `each` pixels, 64 apart
// Numerics  f32; shares are added in order
// Needs     no device feature

override BY_MAXIMUM: bool = false;

struct Params {
    origin: u32,
    range_base: u32,
    sums_base: u32,
    gradient_base: u32,
    pixels: u32,
    shares: u32,
    each: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> range: array<f32>;
@group(0) @binding(2) var<storage, read> sums: array<u32>;
@group(0) @binding(3) var<storage, read_write> gradient: array<f32>;

@compute @workgroup_size(64)
fn normalize_backward(
    @builtin(local_invocation_index) index: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    // Reducing the shares here, once for several pixels, is cheaper than another pass.
    let first_share = params.sums_base + group.z * params.shares * 4u;
    var total = vec2<f32>();
    var first = vec2<u32>(0xffffffffu);
    for (var share = 0u; share < params.shares; share += 1u) {
        let at = first_share + share * 4u;
        total += vec2<f32>(bitcast<f32>(sums[at]), bitcast<f32>(sums[at + 1u]));
        first = min(first, vec2<u32>(sums[at + 2u], sums[at + 3u]));
    }
    let low = range[params.range_base + group.z * 2u];
    let high = range[params.range_base + group.z * 2u + 1u];
    let divisor = select(high - low, high, BY_MAXIMUM);
    let constant = low == high || (BY_MAXIMUM && high <= 0.0);

    let start = (params.origin + group.x) * params.each * 64u + index;
    for (var k = 0u; k < params.each; k += 1u) {
        let pixel = start + k * 64u;
        if pixel >= params.pixels {
            break;
        }
        let at = params.gradient_base + group.z * params.pixels + pixel;
        var value = gradient[at];
        if !BY_MAXIMUM && pixel == first.x {
            value -= total.x - total.y;
        }
        if pixel == first.y {
            value -= total.y;
        }
        gradient[at] = select(value / divisor, 0.0, constant);
    }
}
