// Component labels, step 6: counts the first pixels before each block, and those of the image.
//
// Source    numbers in raster order are an exclusive prefix sum over the first pixels: Blelloch 1990, Prefix Sums and Their Applications
// Host      src/ops/component_labels.rs        Reference  src/reference/component_labels.rs
// Shapes    blocks [n, block_stride] in place, count [n]
// Grid      z: n; one image per workgroup, `share` blocks to an invocation
// Numerics  exact
// Needs     no device feature

override WORKGROUP_SIZE: u32 = 256u; // a power of two

struct Params {
    count_base: u32,
    blocks: u32,
    block_stride: u32,
    share: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> blocks: array<u32>; // [n, block_stride]
@group(0) @binding(2) var<storage, read_write> count: array<u32>;  // [n]

var<workgroup> wg_sums: array<u32, WORKGROUP_SIZE>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn component_labels_offsets(
    @builtin(local_invocation_index) lane: u32,
    @builtin(workgroup_id) workgroup: vec3<u32>,
) {
    let image = workgroup.z;
    let first = image * params.block_stride + min(lane * params.share, params.blocks);
    let end = image * params.block_stride + min((lane + 1u) * params.share, params.blocks);
    var own = 0u;
    for (var block = first; block < end; block += 1u) { own += blocks[block]; }
    wg_sums[lane] = own;
    workgroupBarrier();
    // Each step adds what is twice as far before.
    for (var step = 1u; step < WORKGROUP_SIZE; step *= 2u) {
        var sum = wg_sums[lane];
        if lane >= step { sum += wg_sums[lane - step]; }
        workgroupBarrier();
        wg_sums[lane] = sum;
        workgroupBarrier();
    }
    var earlier = wg_sums[lane] - own;
    for (var block = first; block < end; block += 1u) {
        let here = blocks[block];
        blocks[block] = earlier;
        earlier += here;
    }
    if lane == WORKGROUP_SIZE - 1u { count[params.count_base + image] = wg_sums[lane]; }
}
