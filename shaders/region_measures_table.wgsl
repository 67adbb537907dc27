// Region measures: the rows of the table that need no map.
//
// Source    label, area, bbox and centroid of scikit-image's regionprops_table
// Host      src/ops/region_measures/mod.rs        Reference  src/reference/region_measures.rs
// Shapes    tally [n, row_stride, 16], order [n, label_stride], count [n] -> regions, areas [n, rows], boxes [n, rows, 4],
//           centroids [n, rows, 2]
// Grid      x: ceil(rows / 64), z: n; one invocation per row
// Numerics  integers exact; a centroid is one division of the rest, after a whole quotient
// Needs     no device feature

// Whether `order` has the label of a row. Otherwise row r is label r + 1.
override RANKED: bool = false;
// Whether a row without a region has the whole image as its box. Otherwise it has zeros.
override WHOLE: bool = false;

struct Params {
    origin: u32,
    count_base: u32,
    regions_base: u32,
    areas_base: u32,
    boxes_base: u32,
    centroids_base: u32,
    height: u32,
    width: u32,
    rows: u32,
    row_stride: u32,
    label_stride: u32,
    written: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> tally: array<vec4<u32>>;         // [n, row_stride, 4]
@group(0) @binding(2) var<storage, read> order: array<u32>;               // [n, label_stride], labels from 0
@group(0) @binding(3) var<storage, read> count: array<u32>;               // [n]
@group(0) @binding(4) var<storage, read_write> regions: array<u32>;       // [n, rows], bit 0 of `written`
@group(0) @binding(5) var<storage, read_write> areas: array<u32>;         // [n, rows], bit 1
@group(0) @binding(6) var<storage, read_write> boxes: array<i32>;         // [n, rows, 4], bit 2
@group(0) @binding(7) var<storage, read_write> centroids: array<f32>;     // [n, rows, 2], bit 3

// A sum of 64 bits by a number of terms. The quotient is below 2^32, so the high word is below the number.
fn mean(low: u32, high: u32, terms: u32) -> f32 {
    var rest = high;
    var quotient = 0u;
    for (var bit = 0u; bit < 32u; bit += 1u) {
        rest = (rest << 1u) | ((low >> (31u - bit)) & 1u);
        quotient <<= 1u;
        if rest >= terms {
            rest -= terms;
            quotient += 1u;
        }
    }
    return f32(quotient) + f32(rest) / f32(terms);
}

@compute @workgroup_size(64)
fn region_measures_table(
    @builtin(local_invocation_index) lane: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    let row = (params.origin + group.x) * 64u + lane;
    if row >= params.rows { return; }
    let image = group.z;
    let at = image * params.rows + row;
    let row_at = (image * params.row_stride + row) * 4u;
    let first = tally[row_at];
    let second = tally[row_at + 1u];
    let third = tally[row_at + 2u];
    let area = first.x;
    var region = 0u;
    if row < count[params.count_base + image] {
        region = row + 1u;
        if RANKED { region = order[image * params.label_stride + row] + 1u; }
    }
    var box = vec4<i32>();
    if WHOLE { box = vec4<i32>(0, 0, i32(params.width) - 1, i32(params.height) - 1); }
    var centroid = vec2<f32>();
    if area != 0u {
        box = vec4<i32>(vec4<u32>(~first.y, ~first.z, first.w, second.x));
        if (params.written & 8u) != 0u {
            centroid = vec2<f32>(mean(second.y, second.z, area), mean(second.w, third.x, area));
        }
    }
    if (params.written & 1u) != 0u { regions[params.regions_base + at] = region; }
    if (params.written & 2u) != 0u { areas[params.areas_base + at] = area; }
    if (params.written & 4u) != 0u {
        let box_at = params.boxes_base + at * 4u;
        boxes[box_at] = box.x;
        boxes[box_at + 1u] = box.y;
        boxes[box_at + 2u] = box.z;
        boxes[box_at + 3u] = box.w;
    }
    if (params.written & 8u) != 0u {
        centroids[params.centroids_base + at * 2u] = centroid.x;
        centroids[params.centroids_base + at * 2u + 1u] = centroid.y;
    }
}
