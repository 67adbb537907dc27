// Gradient of a dense layer's inputs: dx(n, i) = sum over o of dz(n, o) * weight(o, i).
//
// Source    Hu et al. 2018, arXiv:1709.01507, Eq. 3, by the chain rule
// Host      src/ops/dense_backward/layer.rs        Reference  src/reference/dense_backward.rs
// Shapes    gradient [n, out], weight [out, in + in2] -> input_gradient [n, in], second_gradient [n, in2]; four columns per load if both
//           widths are multiples of 4
// Grid      x: ceil(columns / COLUMNS), z: n; ROWS invocations share the rows of a column, and neighbours read neighbouring weights
// Numerics  sums in f32, in blocks of blocks of strided rows within an invocation, then as a tree across invocations; NaN propagates
// Uses      `with_block`, `total_of` of shared/blocked_sum.wgsl
// Needs     f16 variants: SHADER_F16

override COLUMNS: u32 = 64u;
override ROWS: u32 = 1u;

struct Params {
    origin: u32,
    gradient_base: u32,
    input_gradient_base: u32,
    second_gradient_base: u32,
    outputs: u32,
    inputs: u32,
    second_inputs: u32,
    // The columns whose gradients are wanted: `columns` from `first` on.
    first: u32,
    columns: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> gradient: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<Element>;
@group(0) @binding(3) var<storage, read_write> input_gradient: array<Real>;
@group(0) @binding(4) var<storage, read_write> second_gradient: array<Real>;

var<workgroup> wg_sum: array<Real, COLUMNS * ROWS>;

alias Sum = Real;

fn term(image: u32, row: u32, column: u32) -> Real {
    let dz = gradient[params.gradient_base + image * params.outputs + row];
    return dz * Real(weight[row * (params.inputs + params.second_inputs) + column]);
}

@compute @workgroup_size(COLUMNS, ROWS)
fn dense_backward_input(
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let index = (params.origin + group.x) * COLUMNS + local.x;
    let column = params.first + index;
    let image = group.z;
    let inside = index < params.columns;

    var sum = BlockedSum();
    if inside {
        var row = local.y;
        while row < params.outputs {
            let block_end = row + min(params.outputs - row, BLOCK * ROWS);
            var block = Real(0.0);
            for (; row + 3u * ROWS < block_end; row += 4u * ROWS) {
                block += (term(image, row, column) + term(image, row + ROWS, column))
                    + (term(image, row + 2u * ROWS, column) + term(image, row + 3u * ROWS, column));
            }
            for (; row < block_end; row += ROWS) {
                block += term(image, row, column);
            }
            sum = with_block(sum, block);
        }
    }
    var total = total_of(sum);
    if ROWS > 1u {
        let slot = local.y * COLUMNS + local.x;
        wg_sum[slot] = total;
        workgroupBarrier();
        for (var stride = ROWS / 2u; stride > 0u; stride /= 2u) {
            if local.y < stride {
                wg_sum[slot] += wg_sum[slot + stride * COLUMNS];
            }
            workgroupBarrier();
        }
        total = wg_sum[local.x];
    }
    if !inside || local.y > 0u {
        return;
    }
    if column < params.inputs {
        input_gradient[params.input_gradient_base + image * params.inputs + column] = total;
    } else {
        second_gradient[params.second_gradient_base + image * params.second_inputs + column - params.inputs] = total;
    }
}
