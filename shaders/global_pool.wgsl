// Global pooling: mean(n, c) and maximum(n, c) over the pixels of each plane. One read gives either or both.
//
//   mean      sum over y, x of features(n, c, y, x) / (h*w)      Eq. 2
//   maximum   max over y, x of features(n, c, y, x)
//
// Source    Hu et al. 2018, arXiv:1709.01507, Eq. 2; the maximum: Woo et al. 2018, arXiv:1807.06521, Sec. 3.1
// Host      src/ops/global_pool.rs        Reference  src/reference/global_pool.rs
// Shapes    features [n, c, h, w] -> mean, maximum [n, c, parts], dense; four pixels per load if h*w is a multiple of 4
// Grid      x: planes of a unit / PLANES, y: parts of a plane, z: units; PIXELS invocations share one part of one plane
// Numerics  sums in f32, in blocks of blocks of strided pixels within an invocation, then as a tree across invocations. A part's mean is
//           its share of the whole mean, so the parts only add up. Maxima are exact. NaN propagates.
// Uses      `ordered`, `from_ordered` of shared/ordered.wgsl
// Uses      `with_block`, `total_of` of shared/blocked_sum.wgsl
// Needs     f16 variants: SHADER_F16

override PIXELS: u32 = 256u;
override PLANES: u32 = 1u;
// 0 mean, 1 maximum, 2 both: `Squeeze` in the host.
override STATISTIC: u32 = 0u;

struct Params {
    origin_x: u32,
    origin_y: u32,
    features_base: u32,
    mean_base: u32,
    maximum_base: u32,
    planes: u32,
    pixels: u32,
    chunk: u32,
    parts: u32,
    divisor: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> features: array<Element>;
@group(0) @binding(2) var<storage, read_write> mean: array<f32>;
@group(0) @binding(3) var<storage, read_write> maximum: array<f32>;

var<workgroup> wg_sum: array<f32, PIXELS * PLANES>;
var<workgroup> wg_maximum: array<u32, PIXELS * PLANES>;

alias Sum = Real;

struct Partial {
    sum: Real,
    top: Bits,
}

var<private> partial: Partial;

fn add(value: Real) {
    if STATISTIC != 1u {
        partial.sum += value;
    }
    if STATISTIC != 0u {
        partial.top = max(partial.top, ordered(value));
    }
}

fn add_four(a: Real, b: Real, c: Real, d: Real) {
    if STATISTIC != 1u {
        partial.sum += (a + b) + (c + d);
    }
    if STATISTIC != 0u {
        partial.top = max(partial.top, max(max(ordered(a), ordered(b)), max(ordered(c), ordered(d))));
    }
}

// The workgroup is one-dimensional: drivers that map invocations to the lanes of a vector may fill the vector along x alone.
@compute @workgroup_size(PIXELS * PLANES)
fn global_pool(
    @builtin(local_invocation_index) slot: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let local = vec2<u32>(slot % PIXELS, slot / PIXELS);
    let plane_of_unit = (params.origin_x + group.x) * PLANES + local.y;
    let plane = group.z * params.planes + plane_of_unit;
    let part = params.origin_y + group.y;
    let inside = plane_of_unit < params.planes;

    partial = Partial(Real(0.0), Bits(0u));
    var sum = BlockedSum();
    if inside {
        let first = params.features_base + plane * params.pixels;
        let start = part * params.chunk;
        let end = start + min(params.chunk, params.pixels - start);
        var pixel = start + local.x;
        while pixel < end {
            let block_end = pixel + min(end - pixel, BLOCK * PIXELS);
            partial.sum = Real(0.0);
            for (; pixel + 3u * PIXELS < block_end; pixel += 4u * PIXELS) {
                let at = first + pixel;
                add_four(
                    Real(features[at]), Real(features[at + PIXELS]),
                    Real(features[at + 2u * PIXELS]), Real(features[at + 3u * PIXELS]),
                );
            }
            for (; pixel < block_end; pixel += PIXELS) {
                add(Real(features[first + pixel]));
            }
            sum = with_block(sum, partial.sum);
        }
    }
    wg_sum[slot] = horizontal_sum(total_of(sum));
    wg_maximum[slot] = horizontal_max(partial.top);
    if PIXELS > 1u {
        workgroupBarrier();
    }
    for (var stride = PIXELS / 2u; stride > 0u; stride /= 2u) {
        if local.x < stride {
            wg_sum[slot] += wg_sum[slot + stride];
            wg_maximum[slot] = max(wg_maximum[slot], wg_maximum[slot + stride]);
        }
        workgroupBarrier();
    }
    if inside && local.x == 0u {
        let result = plane * params.parts + part;
        if STATISTIC != 1u {
            mean[params.mean_base + result] = wg_sum[slot] / params.divisor;
        }
        if STATISTIC != 0u {
            maximum[params.maximum_base + result] = first_component(from_ordered(Bits(wg_maximum[slot])));
        }
    }
}
