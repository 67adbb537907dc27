// Gradient of pooling over windows that lie side by side: the mean's share for every pixel, or all of it for the first maximum.
//
//   mean      dx(p) = dy / (kh*kw) for each pixel p of the window
//   maximum   dx(p) = dy for the first pixel p that holds the maximum, row by row; a NaN counts as the largest number
//   both      dx(p) = 0 in rows and columns that fill no window
//
// Source    Ramachandran et al. 2019, arXiv:1906.05909, Sec. 3.3, by the chain rule
// Host      src/ops/window_pool_backward.rs        Reference  src/reference/window_pool_backward.rs
// Shapes    x [n, c, h, w], dy [n, c, floor(h / kh), floor(w / kw)] -> dx [n, c, h, w], dense
// Grid      x: ceil(windows / 64), z: planes; one invocation for each window, those that are cut off by the border among them
// Numerics  exact, or one division
// Uses      `ordered` of shared/ordered.wgsl
// Needs     f16 variants: SHADER_F16

// 0 average, 1 maximum: `Pooling` in the host.
override POOLING: u32 = 0u;

struct Params {
    origin: u32,
    x_base: u32,
    dy_base: u32,
    dx_base: u32,
    height: u32,
    width: u32,
    // Windows, with those that the border cuts off.
    rows: u32,
    columns: u32,
    out_height: u32,
    out_width: u32,
    window_height: u32,
    window_width: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Element>;
@group(0) @binding(2) var<storage, read> dy: array<Element>;
@group(0) @binding(3) var<storage, read_write> dx: array<Element>;

@compute @workgroup_size(64)
fn window_pool_backward(
    @builtin(local_invocation_index) local: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let window = (params.origin + group.x) * 64u + local;
    if window >= params.rows * params.columns {
        return;
    }
    let row = window / params.columns;
    let column = window % params.columns;
    let top = row * params.window_height;
    let left = column * params.window_width;
    let height = min(params.window_height, params.height - top);
    let width = min(params.window_width, params.width - left);
    let first = (group.z * params.height + top) * params.width + left;
    let whole = row < params.out_height && column < params.out_width;

    var upstream = 0.0;
    var key = 0u;
    var top_at = 0u;
    if whole {
        upstream = f32(dy[params.dy_base + (group.z * params.out_height + row) * params.out_width + column]);
        if POOLING == 1u {
            for (var a = 0u; a < height; a += 1u) {
                for (var b = 0u; b < width; b += 1u) {
                    let value = f32(x[params.x_base + first + a * params.width + b]);
                    // -0 equals 0.
                    let other = ordered(select(value, 0.0, value == 0.0));
                    if other > key {
                        key = other;
                        top_at = a * params.width + b;
                    }
                }
            }
        } else {
            upstream /= f32(params.window_height * params.window_width);
        }
    }
    for (var a = 0u; a < height; a += 1u) {
        for (var b = 0u; b < width; b += 1u) {
            let at = a * params.width + b;
            let taken = POOLING == 0u || at == top_at;
            dx[params.dx_base + first + at] = Element(select(0.0, upstream, taken));
        }
    }
}
