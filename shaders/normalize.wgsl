// Normalisation of a map, in place, second of two passes: min-max to 0..1, or division by the maximum.
//
//   min_max   (map - low) / (high - low)
//   maximum   map / high, where high > 0
//   both      0 for a constant map; NaN throughout an image that contains a NaN
//
// Source    Guan et al. 2018, arXiv:1801.09927, Sec. III-B
// Host      src/ops/normalize.rs        Reference  src/reference/normalize.rs
// Shapes    map [n, h, w], ranges [n, shares, 2] -> map [n, h, w], range [n, 2]
// Grid      x: ceil(h*w / each / WORKGROUP_SIZE), z: n; one invocation for `each` pixels, WORKGROUP_SIZE apart
// Numerics  one subtraction, one division
// Uses      `from_ordered` of shared/ordered.wgsl
// Needs     no device feature

override WORKGROUP_SIZE: u32 = 64u;
override BY_MAXIMUM: bool = false;

struct Params {
    origin: u32,
    ranges_base: u32,
    map_base: u32,
    pixels: u32,
    shares: u32,
    each: u32,
    range_base: u32,
    writes_range: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> ranges: array<u32>;
@group(0) @binding(2) var<storage, read_write> map: array<f32>;
@group(0) @binding(3) var<storage, read_write> range: array<f32>;

// Divides `value` by 16 if `huge`. The exponent is lowered directly: a compiler may take a common factor out of a difference, which then
// overflows.
fn reduced(value: f32, huge: bool) -> f32 {
    let bits = bitcast<u32>(value);
    let exponent = bits & 0x7f800000u;
    let sixteenth = select(bitcast<f32>(bits - (4u << 23u)), 0.0, exponent <= (4u << 23u));
    return select(value, sixteenth, huge && exponent != 0x7f800000u);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn normalize(
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    // Reducing the shares here, once for several pixels, is cheaper than another pass.
    let first_share = params.ranges_base + group.z * params.shares * 2u;
    var low_key = 0xffffffffu;
    var high_key = 0u;
    for (var share = 0u; share < params.shares; share += 1u) {
        low_key = min(low_key, ranges[first_share + share * 2u]);
        high_key = max(high_key, ranges[first_share + share * 2u + 1u]);
    }
    let low = from_ordered(low_key);
    let high = from_ordered(high_key);

    // The range of a map may overflow although its numbers do not. WGSL promises a quotient only for divisors up to 2^126. For larger
    // divisors a GPU may multiply by a reciprocal that it flushes to 0. A sixteenth of each number gives the same quotient bit for bit,
    // unless the quotient is subnormal.
    let huge = max(abs(low), abs(high)) > 1e37;
    let near_low = reduced(low, huge);
    let near_high = reduced(high, huge);

    let first = params.map_base + group.z * params.pixels;
    let start = (params.origin + group.x) * params.each * WORKGROUP_SIZE + local.x;
    if params.writes_range != 0u && start == 0u {
        range[params.range_base + group.z * 2u] = low;
        range[params.range_base + group.z * 2u + 1u] = high;
    }
    for (var k = 0u; k < params.each; k += 1u) {
        let pixel = start + k * WORKGROUP_SIZE;
        if pixel >= params.pixels {
            break;
        }
        var value = map[first + pixel];
        if high_key == 0xffffffffu {
            value = high;
        } else if low == high || (BY_MAXIMUM && high <= 0.0) {
            value = 0.0;
        } else if BY_MAXIMUM {
            value = reduced(value, huge) / near_high;
        } else {
            value = (reduced(value, huge) - near_low) / (near_high - near_low);
        }
        map[first + pixel] = value;
    }
}
