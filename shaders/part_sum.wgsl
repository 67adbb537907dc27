// Sums partial results: the gradient of a parameter is a sum over images and pixels, of which each part was summed by itself.
//
//   total[row, column] = sum over p of parts[p, row, first + column]
//
// Source    the order of a sum is fixed, so that its bits are; see Goldberg 1991, "What every computer scientist should know", Sec. 1.1
// Host      src/ops/part_sum.rs        Reference  src/reference/mod.rs (`sum`)
// Shapes    parts [p, rows, row_length] -> total [rows, columns], f32
// Grid      x: ceil(rows*columns / 64); one invocation owns one element
// Numerics  f32, in blocks of blocks
// Uses      `with_block`, `total_of` of shared/blocked_sum.wgsl

struct Params {
    origin: u32,
    count: u32,
    rows: u32,
    row_length: u32,
    first: u32,
    columns: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> parts: array<f32>;
@group(0) @binding(2) var<storage, read_write> total: array<f32>;

alias Sum = f32;

@compute @workgroup_size(64)
fn part_sum(
    @builtin(local_invocation_index) index: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let element = (params.origin + group.x) * 64u + index;
    if element >= params.rows * params.columns {
        return;
    }
    let row = element / params.columns;
    var at = row * params.row_length + params.first + element % params.columns;
    var sum = BlockedSum();
    var part = 0u;
    while part < params.count {
        let end = part + min(params.count - part, BLOCK);
        var block = 0.0;
        for (; part < end; part += 1u) {
            block += parts[at];
            at += params.rows * params.row_length;
        }
        sum = with_block(sum, block);
    }
    total[element] = total_of(sum);
}
