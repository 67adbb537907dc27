// Pools every plane over windows that lie side by side: the mean or the maximum of each window.
//
// Source    Ramachandran et al. 2019, arXiv:1906.05909, Sec. 3.3: 2x2 averages in downsampling blocks, maxima after the stem
// Host      src/ops/window_pool.rs        Reference  src/reference/window_pool.rs
// Shapes    x [n, c, h, w] -> y [n, c, floor(h / kh), floor(w / kw)], dense
// Grid      x: ceil(ho*wo / 64), z: planes; one invocation per output
// Numerics  maxima exact, NaN propagates; sums in f32, row by row
// Uses      `ordered`, `from_ordered` of shared/ordered.wgsl
// Needs     f16 variants: SHADER_F16

// 0 average, 1 maximum: `Pooling` in the host.
override POOLING: u32 = 0u;
// Side of a square window, for which the loops are unrolled. 0: the window in `params`.
override SIDE: u32 = 0u;

struct Params {
    origin: u32,
    x_base: u32,
    y_base: u32,
    height: u32,
    width: u32,
    out_width: u32,
    outputs: u32,
    window_height: u32,
    window_width: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Element>;
@group(0) @binding(2) var<storage, read_write> y: array<Element>;

@compute @workgroup_size(64)
fn window_pool(
    @builtin(local_invocation_index) local: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let output = (params.origin + group.x) * 64u + local;
    if output >= params.outputs {
        return;
    }
    let row = output / params.out_width;
    let column = output - row * params.out_width;
    // Reads the width once instead of in every iteration.
    let width = params.width;
    var window = vec2<u32>(params.window_height, params.window_width);
    if SIDE > 0u {
        window = vec2<u32>(SIDE);
    }
    let first = params.x_base + (group.z * params.height + row * window.x) * width + column * window.y;
    var sum = 0.0;
    var largest = 0u;
    for (var a = 0u; a < window.x; a += 1u) {
        for (var b = 0u; b < window.y; b += 1u) {
            let value = f32(x[first + a * width + b]);
            if POOLING == 1u {
                largest = max(largest, ordered(value));
            } else {
                sum += value;
            }
        }
    }
    var result = sum / f32(window.x * window.y);
    if POOLING == 1u {
        result = from_ordered(largest);
    }
    y[params.y_base + group.z * params.outputs + output] = Element(result);
}
