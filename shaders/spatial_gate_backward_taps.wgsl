// Gradient of the spatial gate's convolution with respect to its taps, without the factor of a norm, over one slice of an image.
//
//   parts(tap p, a, b) = sum over the pixels of the slice of dt(y, x) * planes(p, y + a - r, x + b - r)
//   parts(last)        = sum over the pixels of the slice of dt(y, x)
//   dt                 = gate_sums * gate * (1 - gate)
//
// Source    Woo et al. 2018, arXiv:1807.06521, Eq. 3, by the chain rule
// Host      src/ops/spatial_gate_backward/passes.rs        Reference  src/reference/spatial_gate_backward.rs
// Shapes    gate_sums, gate [n, h, w], planes [n, 2, h, w] -> parts [n, slices, 2*k*k + 1], f32
// Grid      x: 2*k*k + 1, y: slices, z: n; a workgroup sums one tap over one slice
// Numerics  sums in f32, in blocks of blocks within an invocation, then as a tree
// Uses      `with_block`, `total_of` of shared/blocked_sum.wgsl

struct Params {
    origin_x: u32,
    origin_y: u32,
    gate_sums_base: u32,
    gate_base: u32,
    planes_base: u32,
    parts_base: u32,
    height: u32,
    width: u32,
    kernel: u32,
    slice: u32,
    slices: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> gate_sums: array<f32>;
@group(0) @binding(2) var<storage, read> gate: array<f32>;
@group(0) @binding(3) var<storage, read> planes: array<f32>;
@group(0) @binding(4) var<storage, read_write> parts: array<f32>;

var<workgroup> wg_sum: array<f32, 64>;

alias Sum = f32;

// What a pixel adds to a tap.
fn term(image: u32, pixel: u32, plane: u32, a: u32, b: u32) -> f32 {
    let pixels = params.height * params.width;
    let gated = gate[params.gate_base + image * pixels + pixel];
    let upstream = gate_sums[params.gate_sums_base + image * pixels + pixel] * gated * (1.0 - gated);
    if plane == 2u {
        return upstream;
    }
    let reach = (params.kernel - 1u) / 2u;
    // The index of a row above the image wraps around, and then exceeds the height too.
    let row = pixel / params.width + a - reach;
    let column = pixel % params.width + b - reach;
    if row >= params.height || column >= params.width {
        return 0.0;
    }
    return upstream * planes[params.planes_base + (image * 2u + plane) * pixels + row * params.width + column];
}

@compute @workgroup_size(64)
fn spatial_gate_backward_taps(
    @builtin(local_invocation_index) index: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let tap = params.origin_x + group.x;
    let slice = params.origin_y + group.y;
    let plane = tap / (params.kernel * params.kernel);
    let a = tap / params.kernel % params.kernel;
    let b = tap % params.kernel;
    let start = slice * params.slice;
    let end = start + min(params.slice, params.height * params.width - start);

    var sum = BlockedSum();
    var pixel = start + index;
    while pixel < end {
        let block_end = pixel + min(end - pixel, BLOCK * 64u);
        var block = 0.0;
        for (; pixel < block_end; pixel += 64u) {
            block += term(group.z, pixel, plane, a, b);
        }
        sum = with_block(sum, block);
    }
    wg_sum[index] = total_of(sum);
    workgroupBarrier();
    for (var stride = 32u; stride > 0u; stride /= 2u) {
        if index < stride {
            wg_sum[index] += wg_sum[index + stride];
        }
        workgroupBarrier();
    }
    if index == 0u {
        let taps = 2u * params.kernel * params.kernel + 1u;
        parts[params.parts_base + (group.z * params.slices + slice) * taps + tap] = wg_sum[0];
    }
}
