// Pooling of every plane over windows side by side: their mean, or their maximum.
//
// Source    Ramachandran et al. 2019, arXiv:1906.05909, Sec. 3.3: 2x2 averages in downsampling blocks, maxima after the stem
// Host      src/ops/window_pool.rs        Reference  src/reference/window_pool.rs
// Shapes    x [n, c, h, w] -> y [n, c, floor(h / kh), floor(w / kw)], dense
// Grid      x: ceil(wo / 8), y: ceil(ho / 8), z: planes; one invocation per output
// Numerics  maxima exact, NaN propagates; sums in f32, row by row
// Needs     f16 variants: SHADER_F16

// 0 average, 1 maximum: `Pooling` in the host.
override POOLING: u32 = 0u;

struct Params {
    origin_x: u32,
    origin_y: u32,
    x_base: u32,
    y_base: u32,
    height: u32,
    width: u32,
    out_height: u32,
    out_width: u32,
    window_height: u32,
    window_width: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Element>;
@group(0) @binding(2) var<storage, read_write> y: array<Element>;

@compute @workgroup_size(8, 8)
fn window_pool(
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let column = (params.origin_x + group.x) * 8u + local.x;
    let row = (params.origin_y + group.y) * 8u + local.y;
    if column >= params.out_width || row >= params.out_height {
        return;
    }
    let plane = params.x_base + group.z * params.height * params.width;
    let first = plane + row * params.window_height * params.width + column * params.window_width;
    var sum = 0.0;
    var largest = 0u;
    for (var a = 0u; a < params.window_height; a += 1u) {
        for (var b = 0u; b < params.window_width; b += 1u) {
            let value = f32(x[first + a * params.width + b]);
            if POOLING == 1u {
                largest = max(largest, ordered(value));
            } else {
                sum += value;
            }
        }
    }
    var result = sum / f32(params.window_height * params.window_width);
    if POOLING == 1u {
        result = from_ordered(largest);
    }
    y[params.y_base + (group.z * params.out_height + row) * params.out_width + column] = Element(result);
}
