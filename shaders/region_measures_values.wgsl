// Region measures with a map: sum, maximum and its position, in the rows of the table.
//
// Source    intensity_mean * area and intensity_max of scikit-image's regionprops_table
// Host      src/ops/region_measures/mod.rs        Reference  src/reference/region_measures.rs
// Shapes    tally [n, row_stride, 16] -> sums, maxima [n, rows], positions [n, rows, 2]
// Grid      x: ceil(rows / 64), z: n; one invocation per row
// Numerics  sums rounded to the nearest f32; maxima exact; NaN propagates
// Uses      `rounded96` of shared/region_total.wgsl
// Uses      `region_key_bits` of shared/region_key.wgsl
// Needs     no device feature; shared/region_total.wgsl, shared/region_key.wgsl

struct Params {
    origin: u32,
    sums_base: u32,
    maxima_base: u32,
    positions_base: u32,
    width: u32,
    rows: u32,
    row_stride: u32,
    written: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> tally: array<vec4<u32>>;     // [n, row_stride, 4]
@group(0) @binding(2) var<storage, read_write> sums: array<u32>;      // [n, rows], bits of f32, bit 0 of `written`
@group(0) @binding(3) var<storage, read_write> maxima: array<u32>;    // [n, rows], bits of f32, bit 1
@group(0) @binding(4) var<storage, read_write> positions: array<i32>; // [n, rows, 2], column and row, bit 2

@compute @workgroup_size(64)
fn region_measures_values(
    @builtin(local_invocation_index) lane: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let row = (params.origin + group.x) * 64u + lane;
    if row >= params.rows { return; }
    let at = group.z * params.rows + row;
    let row_at = (group.z * params.row_stride + row) * 4u;
    var sum = 0u;
    var maximum = 0u;
    var position = vec2<i32>();
    if tally[row_at].x != 0u {
        let third = tally[row_at + 2u];
        let fourth = tally[row_at + 3u];
        sum = rounded96(fourth.yzw, fourth.x);
        maximum = region_key_bits(third.y);
        let pixel = ~third.z;
        position = vec2<i32>(i32(pixel % params.width), i32(pixel / params.width));
    }
    if (params.written & 1u) != 0u { sums[params.sums_base + at] = sum; }
    if (params.written & 2u) != 0u { maxima[params.maxima_base + at] = maximum; }
    if (params.written & 4u) != 0u {
        positions[params.positions_base + at * 2u] = position.x;
        positions[params.positions_base + at * 2u + 1u] = position.y;
    }
}
