// Mask of a map that has the picture's size already: 1 where the value is strictly above the threshold.
//
// Source    Guan et al. 2018, arXiv:1801.09927, Eq. 4
// Host      src/ops/threshold.rs        Reference  src/reference/threshold.rs
// Shapes    map [n, h, w], levels [n] -> mask [n, h, w] u32; four pixels per load if h*w is a multiple of 4
// Grid      x: ceil(h*w / lanes / 64), z: n; one invocation per load
// Numerics  NaN exceeds nothing
// Uses      `of_mask` of shared/thresholded.wgsl
// Needs     no device feature

// The rule of the mask, numbered as in shaders/threshold.wgsl.
override RULE: u32 = 0u;

struct Params {
    origin: u32,
    map_base: u32,
    levels_base: u32,
    mask_base: u32,
    pixels: u32,
    threshold: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> map: array<Real>;
@group(0) @binding(2) var<storage, read> levels: array<u32>;
@group(0) @binding(3) var<storage, read_write> mask: array<Bits>;

@compute @workgroup_size(64)
fn threshold_direct(
    @builtin(global_invocation_id) global: vec3<u32>,
) {
    let pixel = params.origin * 64u + global.x;
    if pixel >= params.pixels {
        return;
    }
    let index = global.z * params.pixels + pixel;
    mask[params.mask_base + index] = of_mask(global.z, map[params.map_base + index]);
}
