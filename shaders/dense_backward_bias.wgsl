// Gradients of a layer's bias, or of the weight and bias of its batch norm: sums over the batch.
//
//   bias_gradient(o) = count * sum over n of gradient(n, o)
//   norm_weight_gradient(o) = sum over n of gradient(n, o) * (sums(n, o) - mean(o)) / sqrt(variance(o) + epsilon)
//
// Source    Ioffe and Szegedy 2015, arXiv:1502.03167, Alg. 2, by the chain rule
// Host      src/ops/dense_backward/batch_sums.rs        Reference  src/reference/dense_backward.rs
// Shapes    gradient, sums [n, out], norm_mean, norm_variance [out] -> bias_gradient, norm_weight_gradient [out]
// Grid      x: ceil(out / WORKGROUP_SIZE); one invocation for each output
// Numerics  sums over the vectors in f32, in order, in blocks of blocks; NaN propagates
// Uses      `with_block`, `total_of` of shared/blocked_sum.wgsl
// Needs     f16 variants: SHADER_F16

override WORKGROUP_SIZE: u32 = 64u;

struct Params {
    origin: u32,
    outputs: u32,
    vectors: u32,
    // How many times the layer adds its bias to one output.
    count: f32,
    epsilon: f32,
    writes_bias: u32,
    writes_norm_weight: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> gradient: array<f32>;
@group(0) @binding(2) var<storage, read> sums: array<f32>;
@group(0) @binding(3) var<storage, read> norm_mean: array<Scalar>;
@group(0) @binding(4) var<storage, read> norm_variance: array<Scalar>;
@group(0) @binding(5) var<storage, read_write> bias_gradient: array<f32>;
@group(0) @binding(6) var<storage, read_write> norm_weight_gradient: array<f32>;

alias Sum = vec2<f32>;

// The mean and the square root of the variance; 0 and 1 without a norm.
var<private> mean: f32 = 0.0;
var<private> deviation: f32 = 1.0;

fn terms(vector: u32, o: u32) -> vec2<f32> {
    let at = vector * params.outputs + o;
    let upstream = gradient[at];
    if params.writes_norm_weight == 0u {
        return vec2(upstream, 0.0);
    }
    return vec2(upstream, upstream * ((sums[at] - mean) / deviation));
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn dense_backward_bias(
    @builtin(local_invocation_index) slot: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let o = (params.origin + group.x) * WORKGROUP_SIZE + slot;
    if o >= params.outputs {
        return;
    }
    if params.writes_norm_weight != 0u {
        mean = f32(norm_mean[o]);
        deviation = sqrt(f32(norm_variance[o]) + params.epsilon);
    }
    var sum = BlockedSum();
    var vector = 0u;
    while vector < params.vectors {
        let block_end = vector + min(params.vectors - vector, BLOCK);
        var block = vec2(0.0);
        for (; vector + 3u < block_end; vector += 4u) {
            block += (terms(vector, o) + terms(vector + 1u, o)) + (terms(vector + 2u, o) + terms(vector + 3u, o));
        }
        for (; vector < block_end; vector++) {
            block += terms(vector, o);
        }
        sum = with_block(sum, block);
    }
    let total = total_of(sum);
    if params.writes_bias != 0u {
        bias_gradient[o] = params.count * total.x;
    }
    if params.writes_norm_weight != 0u {
        norm_weight_gradient[o] = total.y;
    }
}
