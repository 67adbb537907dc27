// Where the maximum of each plane is first found, row by row: the pixel that takes the gradient of a maximum.
//
//   argmax(n, c) = the first pixel p with features(n, c, p) = max over the plane; a NaN counts as the largest number
//
// Source    Woo et al. 2018, arXiv:1807.06521, Sec. 3.1 (the pooled maximum), by the chain rule
// Host      src/ops/global_pool_backward.rs        Reference  src/reference/global_pool_backward.rs
// Shapes    features [n, c, h, w] -> argmax [n, c] u32, dense
// Grid      x: planes of a unit / PLANES, z: units; PIXELS invocations share one plane
// Numerics  exact
// Uses      `ordered` of shared/ordered.wgsl
// Needs     f16 variants: SHADER_F16

override PIXELS: u32 = 256u;
override PLANES: u32 = 1u;

struct Params {
    origin: u32,
    features_base: u32,
    argmax_base: u32,
    planes: u32,
    pixels: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> features: array<Element>;
@group(0) @binding(2) var<storage, read_write> argmax: array<u32>;

var<workgroup> wg_key: array<u32, PIXELS * PLANES>;
var<workgroup> wg_pixel: array<u32, PIXELS * PLANES>;

@compute @workgroup_size(PIXELS * PLANES)
fn plane_argmax(
    @builtin(local_invocation_index) slot: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let local = vec2<u32>(slot % PIXELS, slot / PIXELS);
    let plane_of_unit = (params.origin + group.x) * PLANES + local.y;
    let plane = group.z * params.planes + plane_of_unit;
    let inside = plane_of_unit < params.planes;

    // No key of a pixel is 0.
    var key = 0u;
    var first = 0u;
    if inside {
        for (var pixel = local.x; pixel < params.pixels; pixel += PIXELS) {
            let value = Real(features[params.features_base + plane * params.pixels + pixel]);
            // -0 equals 0.
            let other = ordered(select(value, 0.0, value == 0.0));
            if other > key {
                key = other;
                first = pixel;
            }
        }
    }
    if PIXELS > 1u {
        wg_key[slot] = key;
        wg_pixel[slot] = first;
        workgroupBarrier();
        for (var stride = PIXELS / 2u; stride > 0u; stride /= 2u) {
            if local.x < stride {
                let other = slot + stride;
                if wg_key[other] > wg_key[slot] || (wg_key[other] == wg_key[slot] && wg_pixel[other] < wg_pixel[slot]) {
                    wg_key[slot] = wg_key[other];
                    wg_pixel[slot] = wg_pixel[other];
                }
            }
            workgroupBarrier();
        }
        first = wg_pixel[slot - local.x];
    }
    if inside && local.x == 0u {
        argmax[params.argmax_base + plane] = first;
    }
}
