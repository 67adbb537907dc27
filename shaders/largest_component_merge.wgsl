// Largest connected component, step 3: joins components across the upper and left sides of every tile.
//
// Source    largest connected region of AG-CNN's mask, Guan et al. 2018, arXiv:1801.09927, Sec. III
// Host      src/ops/largest_component/components.rs        Reference  src/reference/largest_component.rs
// Shapes    bits [n, tile_stride, 8] -> parent [n, node_stride], in place
// Grid      x: ceil(tiles_wide / 8), y: ceil(tiles_high / 8), z: n; one invocation per tile
// Numerics  exact; the trees depend on the order of the unions, but their roots do not
// Uses      `node_at`, `run_start`, `is_empty`, `column_bits` of shared/component_tile.wgsl
// Uses      `unite` of shared/component_union.wgsl
// Needs     no device feature; shared/component_tile.wgsl, shared/component_union.wgsl
//
// Which unions are needed: along a side, a is the pixels in this tile and b is the pixels beyond the side. Each maximal stretch of a & b
// needs one union, since its pixels of a are connected already, and so are its pixels of b. With 8 neighbours a diagonal step from a[t] to
// b[t - 1] needs a union of its own only if neither b[t] nor a[t - 1] is set. With b[t] set, a[t] meets b[t], which touches b[t - 1] on its
// own side. With a[t - 1] set, a[t - 1] meets b[t - 1]. The same holds for b[t + 1]. At the tile's corners the pixel that closes the step
// lies in a third tile, and that tile's own side joins it.

override CONNECTIVITY: u32 = 8u; // 4: edges, 8: edges and corners

struct Params {
    origin_x: u32,
    origin_y: u32,
    width: u32,
    height: u32,
    tiles_wide: u32,
    tiles_high: u32,
    tile_stride: u32,
    node_stride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> bits: array<vec4<u32>>;           // [n, tile_stride, 2]
@group(0) @binding(2) var<storage, read_write> parent: array<atomic<u32>>; // [n, node_stride]

// The unions of one side as bits of a: the straight ones, the diagonal ones to the place before, and the diagonal ones to the place after.
fn steps(a: u32, b: u32) -> vec3<u32> {
    let both = a & b;
    let straight = both & ~(both << 1u);
    if CONNECTIVITY != 8u { return vec3<u32>(straight, 0u, 0u); }
    let alone = a & ~b;
    return vec3<u32>(straight, alone & (b << 1u) & ~(a << 1u), alone & (b >> 1u) & ~(a >> 1u));
}

@compute @workgroup_size(8, 8)
fn largest_component_merge(
    @builtin(global_invocation_id) invocation: vec3<u32>,
    @builtin(workgroup_id) workgroup: vec3<u32>,
) {
    let global_id = invocation + vec3<u32>(params.origin_x, params.origin_y, 0u) * 8u;
    let group = workgroup + vec3<u32>(params.origin_x, params.origin_y, 0u);
    if global_id.x >= params.tiles_wide || global_id.y >= params.tiles_high { return; }
    let image = group.z;
    let tile = image * params.tile_stride + global_id.y * params.tiles_wide + global_id.x;
    let column = global_id.x * 32u;
    let line = global_id.y * 8u;
    let here = Tile(bits[tile * 2u], bits[tile * 2u + 1u]);
    if is_empty(here) { return; }

    var beside = Tile(vec4<u32>(), vec4<u32>());
    if global_id.x > 0u { beside = Tile(bits[tile * 2u - 2u], bits[tile * 2u - 1u]); }
    let over = global_id.y > 0u;
    let tile_over = (tile - params.tiles_wide) * 2u + 1u;
    let top = here.low.x;
    var above = 0u;
    if over { above = bits[tile_over].w; }

    let left = column_bits(here, 0u);
    let right = column_bits(beside, 31u);
    var upward = steps(top, above);
    var sideward = steps(left, right);

    // Diagonal steps through the upper corners: bit 0 is to the left, bit 1 to the right.
    var corners = 0u;
    var corner_start = 0u;
    if CONNECTIVITY == 8u && over {
        if global_id.x > 0u && (top & 1u) == 1u && (above & 1u) == 0u && (right & 1u) == 0u {
            let corner = bits[tile_over - 2u].w;
            corners |= corner >> 31u;
            corner_start = run_start(corner, 31u);
        }
        if global_id.x + 1u < params.tiles_wide && (top >> 31u) == 1u && (above >> 31u) == 0u {
            if (bits[tile_over + 2u].w & 1u) == 1u && (bits[tile * 2u + 2u].x & 1u) == 0u { corners |= 2u; }
        }
    }

    loop {
        let up = upward.x | upward.y | upward.z;
        let side = sideward.x | sideward.y | sideward.z;
        if (up | side | corners) == 0u { break; }
        var a = 0u;
        var b = 0u;
        if up != 0u {
            // Takes the lowest set bit. A place that has both diagonal steps is visited twice.
            let at = firstTrailingBit(up);
            let bit = up & (~up + 1u);
            var there = at;
            if (upward.x & bit) != 0u {
                upward.x ^= bit;
            } else if (upward.y & bit) != 0u {
                upward.y ^= bit;
                there = at - 1u;
            } else {
                upward.z ^= bit;
                there = at + 1u;
            }
            a = node_at(image, line, column + run_start(top, at));
            b = node_at(image, line - 1u, column + run_start(above, there));
        } else if side != 0u {
            let at = firstTrailingBit(side);
            let bit = side & (~side + 1u);
            var there = at;
            if (sideward.x & bit) != 0u {
                sideward.x ^= bit;
            } else if (sideward.y & bit) != 0u {
                sideward.y ^= bit;
                there = at - 1u;
            } else {
                sideward.z ^= bit;
                there = at + 1u;
            }
            a = node_at(image, line + run_start(left, at), column);
            let row = run_start(right, there);
            let low = select(select(beside.low.x, beside.low.y, row == 1u), select(beside.low.z, beside.low.w, row == 3u), row >= 2u);
            let high = select(select(beside.high.x, beside.high.y, row == 5u), select(beside.high.z, beside.high.w, row == 7u), row >= 6u);
            b = node_at(image, line + row, column - 32u + run_start(select(low, high, row >= 4u), 31u));
        } else if (corners & 1u) != 0u {
            corners ^= 1u;
            a = node_at(image, line, column);
            b = node_at(image, line - 1u, column - 32u + corner_start);
        } else {
            corners = 0u;
            a = node_at(image, line, column + run_start(top, 31u));
            b = node_at(image, line - 1u, column + 32u);
        }
        unite(a, b);
    }
}
