// Bounding box of the set pixels of a mask, second of two passes: joins the shares. An empty mask gives the whole image.
//
// Source    Guan et al. 2018, arXiv:1801.09927, Sec. III-B
// Host      src/ops/bounding_box.rs        Reference  src/reference/bounding_box.rs
// Shapes    shares [n, count, 4] -> boxes [n, 4] i32: xmin, ymin, xmax, ymax, all inclusive
// Grid      z: n; one invocation per image
// Numerics  integers
// Needs     no device feature

struct Params {
    shares_base: u32,
    boxes_base: u32,
    height: u32,
    width: u32,
    count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> shares: array<u32>;
@group(0) @binding(2) var<storage, read_write> boxes: array<i32>;

@compute @workgroup_size(1)
fn bounding_box(
    @builtin(workgroup_id) group: vec3<u32>,
) {
    var low = vec2<u32>(params.width, params.height);
    var high = vec2<u32>(0u);
    for (var share = 0u; share < params.count; share += 1u) {
        let first = params.shares_base + (group.z * params.count + share) * 4u;
        low = min(low, vec2<u32>(shares[first], shares[first + 1u]));
        high = max(high, vec2<u32>(shares[first + 2u], shares[first + 3u]));
    }
    if high.x == 0u {
        low = vec2<u32>(0u);
        high = vec2<u32>(params.width, params.height);
    }
    let box = params.boxes_base + group.z * 4u;
    boxes[box] = i32(low.x);
    boxes[box + 1u] = i32(low.y);
    boxes[box + 2u] = i32(high.x) - 1;
    boxes[box + 3u] = i32(high.y) - 1;
}
