// Planes to texture: colours from their planes to texels of `rgba16float`.
//
//   texel(y, x) = (transfer(planes(c, y, x) * deviation(c) + mean(c)) of c = red, green, blue, 1)
//
// Source    IEC 61966-2-1 for the transfer function; torchvision's `Normalize` for mean and standard deviation
// Host      src/ops/planes_to_texture.rs        Reference  src/reference/planes_to_texture.rs
// Shapes    planes [1, 3, h, w], or [1, 1, h, w] for grey -> picture: rgba16float storage texture of w by h
// Grid      x: ceil(w / 64), y: ceil(h / 4); an invocation writes 4 texels of a row, 16 apart
// Numerics  computes in f32; the store rounds to 16 bits, to either neighbour
// Uses      `color_at` of shared/plane_color.wgsl
// Needs     f16 variants: SHADER_F16

override TRANSFER: u32;

// Pixels per workgroup along a row.
const WIDTH = 64u;

struct Params {
    origin_x: u32,
    origin_y: u32,
    height: u32,
    width: u32,
    // Elements from one plane to the next; 0 for grey.
    stride: u32,
    mean_red: f32,
    mean_green: f32,
    mean_blue: f32,
    deviation_red: f32,
    deviation_green: f32,
    deviation_blue: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> planes: array<Element>;
@group(0) @binding(2) var picture: texture_storage_2d<rgba16float, write>;

fn put(row: u32, column: u32) {
    if column < params.width {
        textureStore(picture, vec2<u32>(column, row), vec4<f32>(color_at(row, column), 1.0));
    }
}

@compute @workgroup_size(16, 4)
fn planes_to_texture_half(
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
