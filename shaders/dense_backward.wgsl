// Gradient of a dense layer's sums z: through the activation, and through the batch norm if any. It writes the layer's output as well, for
// operators that need it again.
//
//   t(n, o)  = z(n, o) + bias(o), or norm(z(n, o))        output(n, o) = activation(t)
//   dz(n, o) = activation'(t) * output_gradient(n, o)     with a norm times weight / sqrt(variance + epsilon), unless `scaled` is 0
//
// An image may have several vectors. Either they add up to one `t`, or each is an output of its own, and all have the same upstream
// gradient: the two layers of a gate from means and maxima.
//
// Source    Hu et al. 2018, arXiv:1709.01507, Eq. 3, by the chain rule; Ioffe and Szegedy 2015, arXiv:1502.03167, Alg. 2
// Host      src/ops/dense_backward/layer.rs        Reference  src/reference/dense_backward.rs
// Shapes    sums [n, vectors, out], output_gradient [n, out], the others [out] -> output, gradient [n, vectors or 1, out]
// Grid      x: ceil(out / WORKGROUP_SIZE), z: n; one invocation for each output
// Numerics  f32; NaN propagates
// Uses      `activate` of shared/activation.wgsl
// Uses      `derivative` of shared/derivative.wgsl
// Uses      `batch_norm` of shared/batch_norm.wgsl
// Needs     f16 variants: SHADER_F16

override WORKGROUP_SIZE: u32 = 64u;

struct Params {
    origin: u32,
    sums_base: u32,
    output_gradient_base: u32,
    output_base: u32,
    gradient_base: u32,
    outputs: u32,
    vectors: u32,
    // 1: the vectors of an image add up to one output.
    joined: u32,
    has_bias: u32,
    has_norm: u32,
    epsilon: f32,
    // 1: the gradient includes the norm's factor.
    scaled: u32,
    writes_output: u32,
    writes_gradient: u32,
    // Activation of the layer: see shared/activation.wgsl.
    activation: u32,
    slope: f32,
    offset: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> sums: array<f32>;
@group(0) @binding(2) var<storage, read> output_gradient: array<f32>;
// The layer's bias, or the norm's bias if there is a norm.
@group(0) @binding(3) var<storage, read> bias: array<Scalar>;
@group(0) @binding(4) var<storage, read> norm_weight: array<Scalar>;
@group(0) @binding(5) var<storage, read> norm_mean: array<Scalar>;
@group(0) @binding(6) var<storage, read> norm_variance: array<Scalar>;
@group(0) @binding(7) var<storage, read_write> output: array<f32>;
@group(0) @binding(8) var<storage, read_write> gradient: array<f32>;

fn logit(z: f32, o: u32) -> f32 {
    if params.has_norm != 0u {
        return batch_norm(
            z,
            f32(norm_weight[o]),
            f32(bias[o]),
            f32(norm_mean[o]),
            f32(norm_variance[o]),
            params.epsilon,
        );
    }
    if params.has_bias != 0u {
        return z + f32(bias[o]);
    }
    return z;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn dense_backward(
    @builtin(local_invocation_index) slot: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let o = (params.origin + group.x) * WORKGROUP_SIZE + slot;
    let image = group.z;
    if o >= params.outputs {
        return;
    }
    let results = select(params.vectors, 1u, params.joined != 0u);
    for (var result = 0u; result < results; result++) {
        let first = params.sums_base + image * params.vectors * params.outputs + o;
        var t = logit(sums[first + result * params.outputs], o);
        if params.joined != 0u {
            for (var vector = 1u; vector < params.vectors; vector++) {
                t += logit(sums[first + vector * params.outputs], o);
            }
        }
        let at = (image * results + result) * params.outputs + o;
        if params.writes_output != 0u {
            output[params.output_base + at] = activate(params.activation, t, params.slope, params.offset);
        }
        if params.writes_gradient != 0u {
            let upstream = output_gradient[params.output_gradient_base + image * params.outputs + o];
            var dz = upstream * derivative(params.activation, t, params.slope, params.offset);
            if params.scaled != 0u {
                dz = dz * f32(norm_weight[o]) / sqrt(f32(norm_variance[o]) + params.epsilon);
            }
            gradient[params.gradient_base + at] = dz;
        }
    }
}
