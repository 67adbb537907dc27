// Pointwise convolution: multiplies the channels of every pixel by a matrix. Up to three matrices share one input.
//
//   y_s[o] = bias[s, o] + sum over c of weights[s, o, c] * x[group(o), c]
//
// Source    the projections of Ramachandran et al. 2019, arXiv:1906.05909, Sec. 3.1
// Host      src/ops/pointwise_conv.rs        Reference  src/reference/pointwise_conv.rs
// Shapes    x [n, c, h, w], weights [s, o, c/groups], bias [s, o] -> y0, y1, y2 [n, o, h, w] each
// Grid      x: ceil(h*w / 256), y: tiles of 8 outputs of each group of each stack, z: n
// Numerics  sums in f32, in blocks of channels
// Needs     f16 variants: SHADER_F16
//
// An invocation holds a tile of 4 pixels x 8 outputs in registers: 12 loads for 32 multiply-adds, without barriers. Its pixels are 64
// apart, so that neighbouring invocations read neighbouring pixels. Sizes that are multiples of 4 have pointwise_conv_vec4.wgsl.

override BIAS: u32 = 0u;
// 1: adds a third level, in which 32 blocks make a block. It is for numbers of inputs at which the error would grow with two levels.
override DEEP: u32 = 0u;

struct Params {
    origin_x: u32,
    origin_y: u32,
    x_base: u32,
    y0_base: u32,
    y1_base: u32,
    y2_base: u32,
    pixels: u32,
    inputs: u32,
    outputs: u32,
    groups: u32,
    // Per group.
    group_inputs: u32,
    group_outputs: u32,
    tiles: u32,
    // Iterations over inputs in one block.
    block: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Element>;
@group(0) @binding(2) var<storage, read> weights: array<Element>;
@group(0) @binding(3) var<storage, read> bias: array<Element>;
@group(0) @binding(4) var<storage, read_write> y0: array<Inner>;
@group(0) @binding(5) var<storage, read_write> y1: array<Inner>;
@group(0) @binding(6) var<storage, read_write> y2: array<Inner>;

fn write(stack: u32, index: u32, value: f32) {
    switch stack {
        case 0u: { y0[params.y0_base + index] = Inner(value); }
        case 1u: { y1[params.y1_base + index] = Inner(value); }
        default: { y2[params.y2_base + index] = Inner(value); }
    }
}

// Adds the bias to one output at four pixels, and writes it.
fn finish(stack: u32, output: u32, image: u32, pixel: vec4<u32>, sum: vec4<f32>) {
    var result = sum;
    if BIAS == 1u {
        result += f32(bias[stack * params.outputs + output]);
    }
    let first = (image * params.outputs + output) * params.pixels;
    if pixel.x < params.pixels { write(stack, first + pixel.x, result.x); }
    if pixel.y < params.pixels { write(stack, first + pixel.y, result.y); }
    if pixel.z < params.pixels { write(stack, first + pixel.z, result.z); }
    if pixel.w < params.pixels { write(stack, first + pixel.w, result.w); }
}

@compute @workgroup_size(64)
fn pointwise_conv(
    @builtin(local_invocation_index) index: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let pixel = (params.origin_x + group.x) * 256u + index + vec4<u32>(0u, 64u, 128u, 192u);
    if pixel.x >= params.pixels {
        return;
    }
    let part = (params.origin_y + group.y) / params.tiles;
    let tile = (params.origin_y + group.y) % params.tiles * 8u;
    let stack = part / params.groups;
    let channel_group = part % params.groups;
    let near = min(pixel, vec4<u32>(params.pixels - 1u));
    let input = near + params.x_base
        + (group.z * params.inputs + channel_group * params.group_inputs) * params.pixels;

    // Indices beyond the group's last output repeat that output. The copies are not written.
    let last = params.group_outputs - 1u;
    let low = min(tile + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(last));
    let high = min(tile + vec4<u32>(4u, 5u, 6u, 7u), vec4<u32>(last));
    let row_low = (part * params.group_outputs + low) * params.group_inputs;
    let row_high = (part * params.group_outputs + high) * params.group_inputs;
    // Sums are formed in blocks, so that the error does not grow with the number of inputs. Columns are outputs, rows are pixels.
    var sum_low = mat4x4<f32>();
    var sum_high = mat4x4<f32>();
    var near_low = mat4x4<f32>();
    var near_high = mat4x4<f32>();
    var blocks = 0u;
    var c = 0u;
    loop {
        let end = c + min(params.block, params.group_inputs - c);
        var block_low = mat4x4<f32>();
        var block_high = mat4x4<f32>();
        loop {
            let i = input + c * params.pixels;
            let at = vec4<f32>(f32(x[i.x]), f32(x[i.y]), f32(x[i.z]), f32(x[i.w]));
            let a = row_low + c;
            let b = row_high + c;
            block_low += mat4x4<f32>(
                at * f32(weights[a.x]), at * f32(weights[a.y]), at * f32(weights[a.z]), at * f32(weights[a.w]));
            block_high += mat4x4<f32>(
                at * f32(weights[b.x]), at * f32(weights[b.y]), at * f32(weights[b.z]), at * f32(weights[b.w]));
            continuing { c += 1u; break if c >= end; }
        }
        if DEEP == 0u {
            sum_low += block_low;
            sum_high += block_high;
        } else {
            near_low += block_low;
            near_high += block_high;
            blocks += 1u;
            if blocks % 32u == 0u || end == params.group_inputs {
                sum_low += near_low;
                sum_high += near_high;
                near_low = mat4x4<f32>();
                near_high = mat4x4<f32>();
            }
        }
        continuing { break if c >= params.group_inputs; }
    }

    let first = channel_group * params.group_outputs + tile;
    let outputs = params.group_outputs - tile;
    finish(stack, first, group.z, pixel, sum_low[0]);
    if outputs > 1u { finish(stack, first + 1u, group.z, pixel, sum_low[1]); }
    if outputs > 2u { finish(stack, first + 2u, group.z, pixel, sum_low[2]); }
    if outputs > 3u { finish(stack, first + 3u, group.z, pixel, sum_low[3]); }
    if outputs > 4u { finish(stack, first + 4u, group.z, pixel, sum_high[0]); }
    if outputs > 5u { finish(stack, first + 5u, group.z, pixel, sum_high[1]); }
    if outputs > 6u { finish(stack, first + 6u, group.z, pixel, sum_high[2]); }
    if outputs > 7u { finish(stack, first + 7u, group.z, pixel, sum_high[3]); }
}
