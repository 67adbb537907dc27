// CBAM's spatial gate: gate(y, x) = sigmoid(norm(k x k convolution over the two planes, zero padded)).
//
// Source    Woo et al. 2018, arXiv:1807.06521, Eq. 3; the batch norm is from the authors' code
// Host      src/ops/spatial_gate/mod.rs        Reference  src/reference/cbam.rs
// Shapes    planes [n, 2, h, w], weight [1, 2, k, k], bias and norm [1] -> gate [n, h, w]
// Grid      x: ceil(w / 16), y: ceil(h / 16), z: n; one invocation per pixel
// Numerics  sums in f32, in the order plane, row, column; NaN propagates
// Uses      `sigmoid` of shared/activation.wgsl
// Uses      `batch_norm` of shared/batch_norm.wgsl
// Needs     f16 variants: SHADER_F16

struct Params {
    origin_x: u32,
    origin_y: u32,
    planes_base: u32,
    gate_base: u32,
    height: u32,
    width: u32,
    kernel: u32,
    has_bias: u32,
    has_norm: u32,
    epsilon: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> planes: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<Scalar>;
// The convolution's bias, or the norm's bias if there is a norm.
@group(0) @binding(3) var<storage, read> bias: array<Scalar>;
@group(0) @binding(4) var<storage, read> norm_weight: array<Scalar>;
@group(0) @binding(5) var<storage, read> norm_mean: array<Scalar>;
@group(0) @binding(6) var<storage, read> norm_variance: array<Scalar>;
@group(0) @binding(7) var<storage, read_write> gate: array<f32>;

@compute @workgroup_size(16, 16)
fn spatial_gate_conv(
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let x = (params.origin_x + group.x) * 16u + local.x;
    let y = (params.origin_y + group.y) * 16u + local.y;
    if x >= params.width || y >= params.height {
        return;
    }
    let reach = (params.kernel - 1u) / 2u;
    var sum = 0.0;
    for (var plane = 0u; plane < 2u; plane++) {
        let first = params.planes_base + (group.z * 2u + plane) * params.height * params.width;
        for (var a = 0u; a < params.kernel; a++) {
            // The index of a row above the image wraps around, and then exceeds the height too.
            let row = y + a - reach;
            if row >= params.height {
                continue;
            }
            for (var b = 0u; b < params.kernel; b++) {
                let column = x + b - reach;
                if column < params.width {
                    let w = f32(weight[(plane * params.kernel + a) * params.kernel + b]);
                    sum += w * planes[first + row * params.width + column];
                }
            }
        }
    }
    if params.has_norm != 0u {
        sum = batch_norm(
            sum,
            f32(norm_weight[0]),
            f32(bias[0]),
            f32(norm_mean[0]),
            f32(norm_variance[0]),
            params.epsilon,
        );
    } else if params.has_bias != 0u {
        sum += f32(bias[0]);
    }
    gate[params.gate_base + (group.z * params.height + y) * params.width + x] = sigmoid(sum);
}
