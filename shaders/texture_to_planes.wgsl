// Texture to planes: each colour of each texel to a plane of its own, normalized.
//
//   planes(c, y, x) = (transfer(texel(y, x).c) - mean(c)) / deviation(c)
//
// Source    IEC 61966-2-1 for the transfer function; torchvision's `Normalize` for mean and standard deviation
// Host      src/ops/texture_to_planes.rs        Reference  src/reference/texture_to_planes.rs
// Shapes    picture: texture of w by h -> planes [1, 3, h, w]
// Grid      x: ceil(w / 64), y: ceil(h / 4); an invocation reads 4 texels of a row, 16 apart
// Numerics  computes in f32, rounded once to the planes' type; the quotient is a product with the inverse
// Uses      `transferred` of shared/srgb.wgsl
// Needs     f16 variants: SHADER_F16

override TRANSFER: u32;

// Pixels per workgroup along a row.
const WIDTH = 64u;

struct Params {
    origin_x: u32,
    origin_y: u32,
    height: u32,
    width: u32,
    mean_red: f32,
    mean_green: f32,
    mean_blue: f32,
    inverse_red: f32,
    inverse_green: f32,
    inverse_blue: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var picture: texture_2d<f32>;
@group(0) @binding(2) var<storage, read_write> planes: array<Element>;

fn put(row: u32, column: u32) {
    if column < params.width {
        let color = transferred(textureLoad(picture, vec2<u32>(column, row), 0).rgb);
        let mean = vec3<f32>(params.mean_red, params.mean_green, params.mean_blue);
        let value = (color - mean) * vec3<f32>(params.inverse_red, params.inverse_green, params.inverse_blue);
        let first = row * params.width + column;
        let pixels = params.height * params.width;
        planes[first] = Element(value.r);
        planes[first + pixels] = Element(value.g);
        planes[first + 2u * pixels] = Element(value.b);
    }
}

@compute @workgroup_size(16, 4)
fn texture_to_planes(
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let first = (params.origin_x + group.x) * WIDTH + local.x;
    let row = (params.origin_y + group.y) * 4u + local.y;
    if row >= params.height {
        return;
    }
    put(row, first);
    put(row, first + 16u);
    put(row, first + 32u);
    put(row, first + 48u);
}
