// Gradient of global pooling: every pixel takes its share of the mean's, and the first maximum takes the maximum's.
//
//   dx(n, c, p) = mean_gradient(n, c) / (h*w) + max_gradient(n, c) where p = argmax(n, c)
//
// Source    Hu et al. 2018, arXiv:1709.01507, Eq. 2, and Woo et al. 2018, arXiv:1807.06521, Sec. 3.1, by the chain rule
// Host      src/ops/global_pool_backward.rs        Reference  src/reference/global_pool_backward.rs
// Shapes    mean_gradient, max_gradient, argmax [n, c] -> features_gradient [n, c, h, w], dense; four pixels per store if h*w is a
//           multiple of 4
// Grid      x: ceil(vectors of a plane / 64), y: planes of a unit, z: units
// Numerics  one division, one addition
// Needs     f16 variants: SHADER_F16

// 0 mean, 1 maximum, 2 both: `Squeeze` in the host.
override STATISTIC: u32 = 0u;

struct Params {
    origin_x: u32,
    origin_y: u32,
    mean_gradient_base: u32,
    max_gradient_base: u32,
    argmax_base: u32,
    features_gradient_base: u32,
    planes: u32,
    pixels: u32,
    lanes: u32,
    divisor: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> mean_gradient: array<f32>;
@group(0) @binding(2) var<storage, read> max_gradient: array<f32>;
@group(0) @binding(3) var<storage, read> argmax: array<u32>;
@group(0) @binding(4) var<storage, read_write> features_gradient: array<Element>;

@compute @workgroup_size(64)
fn global_pool_backward(
    @builtin(local_invocation_index) index: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let pixel = (params.origin_x + group.x) * 64u + index;
    if pixel >= params.pixels {
        return;
    }
    let plane = group.z * params.planes + params.origin_y + group.y;
    var gradient = Real(0.0);
    if STATISTIC != 1u {
        gradient = Real(mean_gradient[params.mean_gradient_base + plane] / params.divisor);
    }
    if STATISTIC != 0u {
        let first = argmax[params.argmax_base + plane];
        if first / params.lanes == pixel {
            let top = Real(max_gradient[params.max_gradient_base + plane]);
            gradient += select(Real(0.0), top, lane_numbers() == Bits(first % params.lanes));
        }
    }
    features_gradient[params.features_gradient_base + plane * params.pixels + pixel] = Element(gradient);
}
