// Gradient of the pointwise convolution with respect to its input: the transposed matrices, over the outputs of all stacks.
//
//   dx[c] = sum over s, o of weights[s, o, c] * dy_s[o], over the outputs o of the group of c
//
// Source    the projections of Ramachandran et al. 2019, arXiv:1906.05909, Sec. 3.1, by the chain rule
// Host      src/ops/pointwise_conv_backward.rs        Reference  src/reference/pointwise_conv_backward.rs
// Shapes    dy0, dy1, dy2 [n, o, h, w], weights [s, o, c/groups] -> dx [n, c, h, w]
// Grid      x: ceil(h*w / 256), y: tiles of 8 inputs of each group, z: n
// Numerics  sums in f32, in blocks of outputs
// Needs     f16 variants: SHADER_F16
//
// An invocation holds a tile of 4 pixels x 8 inputs in registers, as in pointwise_conv.wgsl. Its pixels are 64 apart, so that neighbouring
// invocations read neighbouring pixels.

// 1: adds a third level, in which 32 blocks make a block. It is for numbers of outputs at which the error would grow with two levels.
override DEEP: u32 = 0u;

struct Params {
    origin_x: u32,
    origin_y: u32,
    dy0_base: u32,
    dy1_base: u32,
    dy2_base: u32,
    dx_base: u32,
    pixels: u32,
    stack: u32,
    inputs: u32,
    outputs: u32,
    // Per group.
    group_inputs: u32,
    group_outputs: u32,
    tiles: u32,
    // Outputs of one block.
    block: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dy0: array<Inner>;
@group(0) @binding(2) var<storage, read> dy1: array<Inner>;
@group(0) @binding(3) var<storage, read> dy2: array<Inner>;
@group(0) @binding(4) var<storage, read> weights: array<Element>;
@group(0) @binding(5) var<storage, read_write> dx: array<Element>;

fn upstream(stack: u32, i: vec4<u32>) -> vec4<f32> {
    switch stack {
        case 0u: {
            let at = i + params.dy0_base;
            return vec4<f32>(f32(dy0[at.x]), f32(dy0[at.y]), f32(dy0[at.z]), f32(dy0[at.w]));
        }
        case 1u: {
            let at = i + params.dy1_base;
            return vec4<f32>(f32(dy1[at.x]), f32(dy1[at.y]), f32(dy1[at.z]), f32(dy1[at.w]));
        }
        default: {
            let at = i + params.dy2_base;
            return vec4<f32>(f32(dy2[at.x]), f32(dy2[at.y]), f32(dy2[at.z]), f32(dy2[at.w]));
        }
    }
}

fn finish(input: u32, image: u32, pixel: vec4<u32>, sum: vec4<f32>) {
    let first = params.dx_base + (image * params.inputs + input) * params.pixels;
    if pixel.x < params.pixels { dx[first + pixel.x] = Element(sum.x); }
    if pixel.y < params.pixels { dx[first + pixel.y] = Element(sum.y); }
    if pixel.z < params.pixels { dx[first + pixel.z] = Element(sum.z); }
    if pixel.w < params.pixels { dx[first + pixel.w] = Element(sum.w); }
}

@compute @workgroup_size(64)
fn pointwise_conv_backward_x(
    @builtin(local_invocation_index) index: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let pixel = (params.origin_x + group.x) * 256u + index + vec4<u32>(0u, 64u, 128u, 192u);
    if pixel.x >= params.pixels {
        return;
    }
    let channel_group = (params.origin_y + group.y) / params.tiles;
    let tile = (params.origin_y + group.y) % params.tiles * 8u;
    let near = min(pixel, vec4<u32>(params.pixels - 1u));
    let first_output = channel_group * params.group_outputs;
    let output = near + (group.z * params.outputs + first_output) * params.pixels;

    // Indices beyond the group's last input repeat that input. The copies are not written.
    let last = params.group_inputs - 1u;
    let low = min(tile + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(last));
    let high = min(tile + vec4<u32>(4u, 5u, 6u, 7u), vec4<u32>(last));
    // Sums are formed in blocks, so that the error does not grow with the number of outputs. Columns are inputs, rows are pixels.
    var sum_low = mat4x4<f32>();
    var sum_high = mat4x4<f32>();
    var near_low = mat4x4<f32>();
    var near_high = mat4x4<f32>();
    var blocks = 0u;
    for (var stack = 0u; stack < params.stack; stack += 1u) {
        let row = (stack * params.outputs + first_output) * params.group_inputs;
        var o = 0u;
        loop {
            let end = o + min(params.block, params.group_outputs - o);
            var block_low = mat4x4<f32>();
            var block_high = mat4x4<f32>();
            loop {
                let at = upstream(stack, output + o * params.pixels);
                let a = row + o * params.group_inputs + low;
                let b = row + o * params.group_inputs + high;
                block_low += mat4x4<f32>(
                    at * f32(weights[a.x]), at * f32(weights[a.y]), at * f32(weights[a.z]), at * f32(weights[a.w]));
                block_high += mat4x4<f32>(
                    at * f32(weights[b.x]), at * f32(weights[b.y]), at * f32(weights[b.z]), at * f32(weights[b.w]));
                continuing { o += 1u; break if o >= end; }
            }
            if DEEP == 0u {
                sum_low += block_low;
                sum_high += block_high;
            } else {
                near_low += block_low;
                near_high += block_high;
                blocks += 1u;
                if blocks % 32u == 0u || end == params.group_outputs {
                    sum_low += near_low;
                    sum_high += near_high;
                    near_low = mat4x4<f32>();
                    near_high = mat4x4<f32>();
                }
            }
            continuing { break if o >= params.group_outputs; }
        }
    }

    let first = channel_group * params.group_inputs + tile;
    let inputs = params.group_inputs - tile;
    finish(first, group.z, pixel, sum_low[0]);
    if inputs > 1u { finish(first + 1u, group.z, pixel, sum_low[1]); }
    if inputs > 2u { finish(first + 2u, group.z, pixel, sum_low[2]); }
    if inputs > 3u { finish(first + 3u, group.z, pixel, sum_low[3]); }
    if inputs > 4u { finish(first + 4u, group.z, pixel, sum_high[0]); }
    if inputs > 5u { finish(first + 5u, group.z, pixel, sum_high[1]); }
    if inputs > 6u { finish(first + 6u, group.z, pixel, sum_high[2]); }
    if inputs > 7u { finish(first + 7u, group.z, pixel, sum_high[3]); }
}
