// Gradient of the spatial gate's convolution with respect to its two planes, beside what the last pass needs of each pixel.
//
//   maps(0) = gate
//   maps(1) = gradient of the maximum: sum over a, b of weight(0, a, b) * dz(y - a + r, x - b + r)
//   maps(2) = gradient of the mean, divided by the channels: the same with weight(1)
//   maps(3) = argmax
//   dz      = gate_sums * gate * (1 - gate) * norm.weight / sqrt(norm.variance + epsilon)
//
// Source    Woo et al. 2018, arXiv:1807.06521, Eq. 3, by the chain rule
// Host      src/ops/spatial_gate_backward/passes.rs        Reference  src/reference/spatial_gate_backward.rs
// Shapes    gate_sums, gate, argmax [n, h, w], weight [1, 2, k, k], norm [1] -> maps [n, 4, h, w]: floats as bits, and a channel
// Grid      x: ceil(w / 16), y: ceil(h / 16), z: n; one invocation per pixel
// Numerics  sums in f32, row by row
// Needs     f16 variants: SHADER_F16

struct Params {
    origin_x: u32,
    origin_y: u32,
    gate_sums_base: u32,
    gate_base: u32,
    argmax_base: u32,
    maps_base: u32,
    height: u32,
    width: u32,
    channels: u32,
    kernel: u32,
    has_norm: u32,
    epsilon: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> gate_sums: array<f32>;
@group(0) @binding(2) var<storage, read> gate: array<f32>;
@group(0) @binding(3) var<storage, read> argmax: array<u32>;
@group(0) @binding(4) var<storage, read> weight: array<Scalar>;
@group(0) @binding(5) var<storage, read> norm_weight: array<Scalar>;
@group(0) @binding(6) var<storage, read> norm_variance: array<Scalar>;
@group(0) @binding(7) var<storage, read_write> maps: array<u32>;

@compute @workgroup_size(16, 16)
fn spatial_gate_backward_planes(
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let x = (params.origin_x + group.x) * 16u + local.x;
    let y = (params.origin_y + group.y) * 16u + local.y;
    if x >= params.width || y >= params.height {
        return;
    }
    let pixels = params.height * params.width;
    let reach = (params.kernel - 1u) / 2u;
    var sum = vec2<f32>();
    for (var a = 0u; a < params.kernel; a++) {
        // The index of a row above the image wraps around, and then exceeds the height too.
        let row = y + reach - a;
        if row >= params.height {
            continue;
        }
        for (var b = 0u; b < params.kernel; b++) {
            let column = x + reach - b;
            if column < params.width {
                let at = group.z * pixels + row * params.width + column;
                let gated = gate[params.gate_base + at];
                let upstream = gate_sums[params.gate_sums_base + at] * gated * (1.0 - gated);
                let tap = a * params.kernel + b;
                sum += upstream * vec2<f32>(f32(weight[tap]), f32(weight[params.kernel * params.kernel + tap]));
            }
        }
    }
    if params.has_norm != 0u {
        sum *= f32(norm_weight[0]) / sqrt(f32(norm_variance[0]) + params.epsilon);
    }
    let pixel = y * params.width + x;
    let first = params.maps_base + 4u * group.z * pixels + pixel;
    maps[first] = bitcast<u32>(gate[params.gate_base + group.z * pixels + pixel]);
    maps[first + pixels] = bitcast<u32>(sum.x);
    maps[first + 2u * pixels] = bitcast<u32>(sum.y / f32(params.channels));
    maps[first + 3u * pixels] = argmax[params.argmax_base + group.z * pixels + pixel];
}
