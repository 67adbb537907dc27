// Fully connected layer on pooled vectors: output(n, o) = activation(norm(sum over i of weight(o, i) * input(n, i) + bias(o))).
//
// Two inputs may be joined. Either they lie side by side as one longer vector, or the same layer takes each and the output is the mean of
// both activations.
//
// Source    Hu et al. 2018, arXiv:1709.01507, Eq. 3; Guan et al. 2018, arXiv:1801.09927, Sec. III (fusion);
//           Woo et al. 2018, arXiv:1807.06521, Eq. 2 (the sum)
// Host      src/ops/dense.rs        Reference  src/reference/dense.rs
// Shapes    input [n, in, parts], second [n, in2, parts], weight [out, in (+ in2)], the others [out] -> output [n, out]
// Grid      x: ceil(out / ROWS), z: n; INPUTS invocations share a row, so that neighbours read neighbouring weights
// Numerics  sums in f32, in blocks of blocks of strided inputs within an invocation, then as a tree across invocations; NaN propagates
// Uses      `activate` of shared/activation.wgsl
// Uses      `batch_norm` of shared/batch_norm.wgsl
// Uses      `ordered`, `from_ordered` of shared/ordered.wgsl
// Uses      `with_block`, `total_of` of shared/blocked_sum.wgsl
// Needs     f16 variants: SHADER_F16

override INPUTS: u32 = 32u;
override ROWS: u32 = 8u;

struct Params {
    origin: u32,
    input_base: u32,
    second_base: u32,
    output_base: u32,
    inputs: u32,
    second_inputs: u32,
    outputs: u32,
    parts: u32,
    // 0 one input, 1 both inputs side by side, 2 mean of the layer's outputs for both: `Join` in the host.
    join: u32,
    // 1: parts of `input` are maxima. 0: they add up. Parts of `second` are always maxima.
    maxima: u32,
    has_bias: u32,
    has_norm: u32,
    epsilon: f32,
    // Activation of the layer: see shared/activation.wgsl.
    activation: u32,
    slope: f32,
    offset: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Real>;
@group(0) @binding(2) var<storage, read> second: array<Real>;
@group(0) @binding(3) var<storage, read> weight: array<Element>;
// The layer's bias, or the norm's bias if there is a norm.
@group(0) @binding(4) var<storage, read> bias: array<Scalar>;
@group(0) @binding(5) var<storage, read> norm_weight: array<Scalar>;
@group(0) @binding(6) var<storage, read> norm_mean: array<Scalar>;
@group(0) @binding(7) var<storage, read> norm_variance: array<Scalar>;
@group(0) @binding(8) var<storage, read_write> output: array<f32>;

var<workgroup> wg_sum: array<vec2<f32>, INPUTS * ROWS>;

fn larger(a: Real, b: Real) -> Real {
    return from_ordered(max(ordered(a), ordered(b)));
}

fn input_at(index: u32) -> Real {
    let first = params.input_base + index * params.parts;
    var total = input[first];
    var part = 1u;
    if params.maxima == 0u {
        // Parts are added in fours, so that each part is rounded less often.
        for (; part + 3u < params.parts; part += 4u) {
            let at = first + part;
            total += (input[at] + input[at + 1u]) + (input[at + 2u] + input[at + 3u]);
        }
    }
    for (; part < params.parts; part++) {
        let next = input[first + part];
        if params.maxima != 0u {
            total = larger(total, next);
        } else {
            total += next;
        }
    }
    return total;
}

fn second_at(index: u32) -> Real {
    let first = params.second_base + index * params.parts;
    var total = second[first];
    for (var part = 1u; part < params.parts; part++) {
        total = larger(total, second[first + part]);
    }
    return total;
}

alias Sum = Real;

// Products with weight `i` of a row. If the layer takes both inputs separately, `first` is for the first input and `second` for the second.
// Otherwise `first` covers both inputs, and `second` is zero.
struct Products {
    first: Real,
    second: Real,
}

fn products(row: u32, width: u32, image: u32, i: u32) -> Products {
    let w = Real(weight[row * width + i]);
    if i >= params.inputs {
        return Products(w * second_at(image * params.second_inputs + i - params.inputs), Real(0.0));
    }
    let first = w * input_at(image * params.inputs + i);
    if params.join == 2u {
        return Products(first, w * second_at(image * params.inputs + i));
    }
    return Products(first, Real(0.0));
}

fn finish(sum: f32, row: u32) -> f32 {
    var t = sum;
    if params.has_norm != 0u {
        t = batch_norm(
            t,
            f32(norm_weight[row]),
            f32(bias[row]),
            f32(norm_mean[row]),
            f32(norm_variance[row]),
            params.epsilon,
        );
    } else if params.has_bias != 0u {
        t += f32(bias[row]);
    }
    return activate(params.activation, t, params.slope, params.offset);
}

// The workgroup is one-dimensional: drivers that map invocations to the lanes of a vector may fill the vector along x alone.
@compute @workgroup_size(INPUTS * ROWS)
fn dense(
    @builtin(local_invocation_index) slot: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let local = vec2<u32>(slot % INPUTS, slot / INPUTS);
    let row = (params.origin + group.x) * ROWS + local.y;
    let image = group.z;
    let inside = row < params.outputs;

    var sum = BlockedSum();
    var second_sum = BlockedSum();
    if inside {
        let width = select(params.inputs, params.inputs + params.second_inputs, params.join == 1u);
        var i = local.x;
        while i < width {
            // A quarter of a block, since these terms are not added in fours.
            let block_end = i + min(width - i, BLOCK / 4u * INPUTS);
            var block = Products(Real(0.0), Real(0.0));
            for (; i < block_end; i += INPUTS) {
                let terms = products(row, width, image, i);
                block.first += terms.first;
                block.second += terms.second;
            }
            sum = with_block(sum, block.first);
            second_sum = with_block(second_sum, block.second);
        }
    }
    wg_sum[slot] = vec2(horizontal_sum(total_of(sum)), horizontal_sum(total_of(second_sum)));
    if INPUTS > 1u {
        workgroupBarrier();
    }
    for (var stride = INPUTS / 2u; stride > 0u; stride /= 2u) {
        if local.x < stride {
            wg_sum[slot] += wg_sum[slot + stride];
        }
        workgroupBarrier();
    }
    if inside && local.x == 0u {
        let total = wg_sum[slot];
        var result = finish(total.x, row);
        if params.join == 2u {
            // Each result is halved first, so that the sum can't overflow.
            result = 0.5 * result + 0.5 * finish(total.y, row);
        }
        output[params.output_base + image * params.outputs + row] = result;
    }
}
