// Component labels, step 5: counts the first pixels before each word of its block.
//
// Source    numbers in raster order are an exclusive prefix sum over the first pixels: Blelloch 1990, Prefix Sums and Their Applications
// Host      src/ops/component_labels.rs        Reference  src/reference/component_labels.rs
// Shapes    firsts [n, tile_stride * 8] -> before [n, tile_stride * 8], blocks [n, block_stride]
// Grid      x: ceil(words / 1024), z: n; one block of 1,024 words per workgroup, four to an invocation
// Numerics  exact
// Needs     no device feature

override WORKGROUP_SIZE: u32 = 256u; // a power of two

struct Params {
    origin: u32,
    vectors: u32,
    vector_stride: u32,
    block_stride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> firsts: array<vec4<u32>>;       // [n, tile_stride * 2]
@group(0) @binding(2) var<storage, read_write> before: array<vec4<u32>>; // [n, tile_stride * 2]
@group(0) @binding(3) var<storage, read_write> blocks: array<u32>;       // [n, block_stride], first pixels of each block

var<workgroup> wg_sums: array<u32, WORKGROUP_SIZE>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn component_labels_scan(
    @builtin(local_invocation_index) lane: u32,
    @builtin(workgroup_id) workgroup: vec3<u32>,
) {
    let block = workgroup.x + params.origin;
    let image = workgroup.z;
    let vector = block * WORKGROUP_SIZE + lane;
    let at = image * params.vector_stride + vector;
    var counts = vec4<u32>();
    if vector < params.vectors { counts = countOneBits(firsts[at]); }
    let within = vec4<u32>(0u, counts.x, counts.x + counts.y, counts.x + counts.y + counts.z);
    wg_sums[lane] = within.w + counts.w;
    workgroupBarrier();
    // Each step adds what is twice as far before.
    for (var step = 1u; step < WORKGROUP_SIZE; step *= 2u) {
        var sum = wg_sums[lane];
        if lane >= step { sum += wg_sums[lane - step]; }
        workgroupBarrier();
        wg_sums[lane] = sum;
        workgroupBarrier();
    }
    if vector < params.vectors {
        var earlier = 0u;
        if lane > 0u { earlier = wg_sums[lane - 1u]; }
        before[at] = within + vec4<u32>(earlier);
    }
    if lane == 0u { blocks[image * params.block_stride + block] = wg_sums[WORKGROUP_SIZE - 1u]; }
}
