// Gradients of the parameters of the spatial gate's convolution, from the sums over all images. D is the sum of a tap, and S that of dt.
//
//   weight_gradient       = D * f, where f = norm.weight / sqrt(norm.variance + epsilon), or 1 without a norm
//   bias_gradient         = S, the bias being that of the norm if there is a norm
//   norm_weight_gradient  = (sum over the taps of weight * D - norm.mean * S) / sqrt(norm.variance + epsilon)
//
// Source    Woo et al. 2018, arXiv:1807.06521, Eq. 3, by the chain rule: the convolution is linear, so the taps' sums hold that of its output
// Host      src/ops/spatial_gate_backward/passes.rs        Reference  src/reference/spatial_gate_backward.rs
// Shapes    sums [2*k*k + 1] f32, weight [1, 2, k, k], norm [1] -> weight_gradient [1, 2, k, k], bias_gradient, norm_weight_gradient [1]
// Grid      one workgroup
// Numerics  f32; the sum over the taps in strides of 256, then as a tree
// Needs     f16 variants: SHADER_F16

struct Params {
    taps: u32,
    has_norm: u32,
    epsilon: f32,
    writes_weight: u32,
    writes_bias: u32,
    writes_norm_weight: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> sums: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<Scalar>;
@group(0) @binding(3) var<storage, read> norm_weight: array<Scalar>;
@group(0) @binding(4) var<storage, read> norm_mean: array<Scalar>;
@group(0) @binding(5) var<storage, read> norm_variance: array<Scalar>;
@group(0) @binding(6) var<storage, read_write> weight_gradient: array<f32>;
@group(0) @binding(7) var<storage, read_write> bias_gradient: array<f32>;
@group(0) @binding(8) var<storage, read_write> norm_weight_gradient: array<f32>;

var<workgroup> wg_sum: array<f32, 256>;

@compute @workgroup_size(256)
fn spatial_gate_backward_parameters(@builtin(local_invocation_index) index: u32) {
    var divisor = 1.0;
    var factor = 1.0;
    if params.has_norm != 0u {
        divisor = sqrt(f32(norm_variance[0]) + params.epsilon);
        factor = f32(norm_weight[0]) / divisor;
    }
    var sum = 0.0;
    for (var tap = index; tap < params.taps; tap += 256u) {
        if params.writes_weight != 0u {
            weight_gradient[tap] = sums[tap] * factor;
        }
        sum += sums[tap] * f32(weight[tap]);
    }
    wg_sum[index] = sum;
    workgroupBarrier();
    for (var stride = 128u; stride > 0u; stride /= 2u) {
        if index < stride {
            wg_sum[index] += wg_sum[index + stride];
        }
        workgroupBarrier();
    }
    if index == 0u {
        let total = sums[params.taps];
        if params.writes_bias != 0u {
            bias_gradient[0] = total;
        }
        if params.writes_norm_weight != 0u {
            norm_weight_gradient[0] = (wg_sum[0] - f32(norm_mean[0]) * total) / divisor;
        }
    }
}
