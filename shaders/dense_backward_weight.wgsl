// Gradient of a dense layer's weights: dW(o, i) = sum over n of dz(n, o) * [input(n), second(n)](i).
//
// Source    Hu et al. 2018, arXiv:1709.01507, Eq. 3, by the chain rule
// Host      src/ops/dense_backward/layer.rs        Reference  src/reference/dense_backward.rs
// Shapes    gradient [n / shared, out], input [n, in], second [n, in2] -> weight_gradient [out, in + in2]; four columns per load if both
//           widths are multiples of 4
// Grid      x: ceil(columns / WORKGROUP_SIZE), z: rows; one invocation for each load
// Numerics  sums over the vectors in f32, in order, in blocks of blocks; NaN propagates
// Uses      `with_block`, `total_of` of shared/blocked_sum.wgsl
// Needs     no device feature

override WORKGROUP_SIZE: u32 = 64u;

struct Params {
    origin: u32,
    weight_gradient_base: u32,
    first_row: u32,
    outputs: u32,
    inputs: u32,
    second_inputs: u32,
    vectors: u32,
    // Consecutive vectors that have the same gradient.
    shared_by: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> gradient: array<f32>;
@group(0) @binding(2) var<storage, read> input: array<Real>;
@group(0) @binding(3) var<storage, read> second: array<Real>;
@group(0) @binding(4) var<storage, read_write> weight_gradient: array<Real>;

alias Sum = Real;

fn term(vector: u32, row: u32, column: u32) -> Real {
    let dz = gradient[vector / params.shared_by * params.outputs + row];
    if column < params.inputs {
        return dz * input[vector * params.inputs + column];
    }
    return dz * second[vector * params.second_inputs + column - params.inputs];
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn dense_backward_weight(
    @builtin(local_invocation_index) slot: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let column = (params.origin + group.x) * WORKGROUP_SIZE + slot;
    let columns = params.inputs + params.second_inputs;
    let row = params.first_row + group.z;
    if column >= columns {
        return;
    }
    var sum = BlockedSum();
    var vector = 0u;
    while vector < params.vectors {
        let block_end = vector + min(params.vectors - vector, BLOCK);
        var block = Real(0.0);
        for (; vector + 3u < block_end; vector += 4u) {
            block += (term(vector, row, column) + term(vector + 1u, row, column))
                + (term(vector + 2u, row, column) + term(vector + 3u, row, column));
        }
        for (; vector < block_end; vector++) {
            block += term(vector, row, column);
        }
        sum = with_block(sum, block);
    }
    weight_gradient[params.weight_gradient_base + group.z * columns + column] = total_of(sum);
}
