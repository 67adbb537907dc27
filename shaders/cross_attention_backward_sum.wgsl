// Adds up the sums of tiles that make the gradient of keys or of values in cross-attention.
//
//   total[c, j] = sum over tiles of parts[tile, first + c, j]
//
// Source    Vaswani et al. 2017, arXiv:1706.03762, Eq. 1, by the chain rule
// Host      src/ops/cross_attention_backward/mod.rs        Reference  src/reference/cross_attention_backward.rs
// Shapes    parts [n*g, tiles, rows, m] f32 -> total [n, g*d, m], dense
// Grid      x: ceil(d*m / 64), z: one head of one image; one invocation for an element of the gradient
// Numerics  f32, tiles in blocks
// Uses      `with_block`, `total_of` of shared/blocked_sum.wgsl
// Needs     f16 variants: SHADER_F16

alias Sum = f32;

struct Params {
    origin: u32,
    parts_base: u32,
    total_base: u32,
    tiles: u32,
    // Elements of a tile's sums, the first that is added up, and how many.
    part: u32,
    first: u32,
    elements: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> parts: array<f32>;
@group(0) @binding(2) var<storage, read_write> total: array<Element>;

@compute @workgroup_size(64)
fn cross_attention_backward_sum(
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let element = (params.origin + group.x) * 64u + local.x;
    if element >= params.elements {
        return;
    }
    let first = params.parts_base + group.z * params.tiles * params.part + params.first + element;
    var sum = BlockedSum(0.0, 0.0, 0u);
    for (var block = 0u; block < params.tiles; block += BLOCK) {
        var near = 0.0;
        for (var tile = block; tile < min(block + BLOCK, params.tiles); tile += 1u) {
            near += parts[first + tile * params.part];
        }
        sum = with_block(sum, near);
    }
    total[params.total_base + group.z * params.elements + element] = Element(total_of(sum));
}
