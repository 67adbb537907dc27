// Normalisation of a map, in place, second of two passes: min-max to 0..1, or division by the maximum.
//
//   min_max   (map - low) / (high - low)
//   maximum   map / high, where high > 0
//   both      0 for a constant map; NaN throughout an image that has one
//
// Source    Guan et al. 2018, arXiv:1801.09927, Sec. III-B
// Host      src/ops/normalize.rs        Reference  src/reference/normalize.rs
// Shapes    map [n, h, w], ranges [n, shares, 2]
// Grid      x: ceil(h*w / WORKGROUP_SIZE), z: n; one invocation for each pixel
// Numerics  one subtraction, one division
// Needs     no device feature

override WORKGROUP_SIZE: u32 = 64u;
override BY_MAXIMUM: bool = false;

struct Params {
    origin: u32,
    ranges_base: u32,
    map_base: u32,
    pixels: u32,
    shares: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> ranges: array<u32>;
@group(0) @binding(2) var<storage, read_write> map: array<f32>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn normalize(
    @builtin(global_invocation_id) global: vec3<u32>,
) {
    let pixel = params.origin * WORKGROUP_SIZE + global.x;
    if pixel >= params.pixels {
        return;
    }
    // At most 16 shares: cheaper to reduce here than to launch another pass.
    let range = params.ranges_base + global.z * params.shares * 2u;
    var low_key = 0xffffffffu;
    var high_key = 0u;
    for (var share = 0u; share < params.shares; share += 1u) {
        low_key = min(low_key, ranges[range + share * 2u]);
        high_key = max(high_key, ranges[range + share * 2u + 1u]);
    }
    let low = from_ordered(low_key);
    let high = from_ordered(high_key);

    let index = params.map_base + global.z * params.pixels + pixel;
    var value = map[index];
    if high_key == 0xffffffffu {
        value = high;
    } else if low == high || (BY_MAXIMUM && high <= 0.0) {
        value = 0.0;
    } else if BY_MAXIMUM {
        value = value / high;
    } else {
        value = (value - low) / (high - low);
    }
    map[index] = value;
}
