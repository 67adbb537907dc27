// Largest connected component, step 2: finds the components of every tile separately, by flood filling in registers.
//
// Source    largest connected region of AG-CNN's mask, Guan et al. 2018, arXiv:1801.09927, Sec. III
// Host      src/ops/largest_component/components.rs        Reference  src/reference/largest_component.rs
// Shapes    bits [n, tile_stride, 8] -> parent, sizes [n, node_stride], roots [n, tile_stride, 8], best [n, tile_stride]
// Grid      x: ceil(tiles_wide / 8), y: ceil(tiles_high / 8), z: n; one invocation per tile
// Numerics  exact
// Uses      `node_at`, `is_empty`, `first_row`, `place`, `column_bits` of shared/component_tile.wgsl
// Uses      `reach`, `flood`, `whole_runs` of shared/component_flood.wgsl
// Needs     no device feature; shared/component_tile.wgsl, shared/component_flood.wgsl
//
// A component that touches no pixel of another tile is complete. Only the largest complete component of the tile is kept, in `best`. Any
// component that is not complete is open. Its first run is its root, holds its size, and is marked in `roots`. The root becomes the parent
// of those runs that step 3 may start from. No other entry of `parent` and `sizes` is written, or read later.
//
// One invocation has under 1,000 iterations for any picture: 32 for single runs, at most 128 components with 256 + 128 iterations of
// `flood`, 16 + 16 + 4 + 4 marks at the sides, and one mark for each component.

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
@group(0) @binding(1) var<storage, read> bits: array<vec4<u32>>;        // [n, tile_stride, 2]
@group(0) @binding(2) var<storage, read_write> parent: array<u32>;      // [n, node_stride]
@group(0) @binding(3) var<storage, read_write> sizes: array<u32>;       // [n, node_stride]
@group(0) @binding(4) var<storage, read_write> roots: array<vec4<u32>>; // [n, tile_stride, 2]
@group(0) @binding(5) var<storage, read_write> best: array<vec2<u32>>;  // [n, tile_stride], pixels and node

// Pixels of the tile that touch a set pixel of another tile. With 8 neighbours, the tile's corner pixels always count as touching: the tile
// across the corner is not read.
fn outside(tile: u32, place: vec2<u32>) -> Tile {
    var beside = Tile(vec4<u32>(), vec4<u32>());
    if place.x > 0u {
        beside.low = bits[tile * 2u - 2u] >> vec4<u32>(31u);
        beside.high = bits[tile * 2u - 1u] >> vec4<u32>(31u);
    }
    if place.x + 1u < params.tiles_wide {
        beside.low |= bits[tile * 2u + 2u] << vec4<u32>(31u);
        beside.high |= bits[tile * 2u + 3u] << vec4<u32>(31u);
    }
    if CONNECTIVITY == 8u {
        let low = beside.low;
        let high = beside.high;
        beside.low |= vec4<u32>(0x80000001u, low.xyz) | vec4<u32>(low.yzw, high.x);
        beside.high |= vec4<u32>(low.w, high.xyz) | vec4<u32>(high.yzw, 0x80000001u);
    }
    if place.y > 0u {
        beside.low.x |= reach(bits[(tile - params.tiles_wide) * 2u + 1u]).w;
    }
    if place.y + 1u < params.tiles_high {
        beside.high.w |= reach(bits[(tile + params.tiles_wide) * 2u]).x;
    }
    return beside;
}

@compute @workgroup_size(8, 8)
fn largest_component_tiles(
    @builtin(global_invocation_id) invocation: vec3<u32>,
    @builtin(workgroup_id) workgroup: vec3<u32>,
) {
    let global_id = invocation + vec3<u32>(params.origin_x, params.origin_y, 0u) * 8u;
    let group = workgroup + vec3<u32>(params.origin_x, params.origin_y, 0u);
    if global_id.x >= params.tiles_wide || global_id.y >= params.tiles_high { return; }
    let image = group.z;
    let tile = image * params.tile_stride + global_id.y * params.tiles_wide + global_id.x;
    let first_column = global_id.x * 32u;
    let first_line = global_id.y * 8u;

    let here = Tile(bits[tile * 2u], bits[tile * 2u + 1u]);
    if is_empty(here) {
        roots[tile * 2u] = vec4<u32>();
        roots[tile * 2u + 1u] = vec4<u32>();
        best[tile] = vec2<u32>(0u, NO_NODE);
        return;
    }
    let sides = outside(tile, global_id.xy);

    // Runs that touch nothing need no filling. Repeating `rows & (rows >> 1)` leaves the longest of these runs until last.
    let up = Tile(vec4<u32>(0u, here.low.xyz), vec4<u32>(here.low.w, here.high.xyz));
    let down = Tile(vec4<u32>(here.low.yzw, here.high.x), vec4<u32>(here.high.yzw, 0u));
    let touching = Tile(
        here.low & (reach(up.low | down.low) | sides.low),
        here.high & (reach(up.high | down.high) | sides.high),
    );
    var rest = whole_runs(touching, here);
    var alone = Tile(here.low & ~rest.low, here.high & ~rest.high);
    var largest = vec2<u32>(0u, NO_NODE);
    var longest = alone;
    loop {
        if is_empty(alone) { break; }
        largest.x += 1u;
        longest = alone;
        alone = Tile(alone.low & (alone.low >> vec4<u32>(1u)), alone.high & (alone.high >> vec4<u32>(1u)));
    }
    if largest.x != 0u {
        let found = first_row(longest);
        largest.y = node_at(image, first_line + found.x, first_column + firstTrailingBit(found.y));
    }

    var open = Tile(vec4<u32>(), vec4<u32>());
    loop {
        if is_empty(rest) { break; }
        let found = first_row(rest);
        let first = found.y & (~found.y + 1u);
        let seed = place(found.x, found.y & ~(found.y + first));
        let component = flood(seed, rest);
        rest = Tile(rest.low & ~component.low, rest.high & ~component.high);

        let counts = countOneBits(component.low) + countOneBits(component.high);
        let size = counts.x + counts.y + counts.z + counts.w;
        let root = node_at(image, first_line + found.x, first_column + firstTrailingBit(first));
        if is_empty(Tile(component.low & sides.low, component.high & sides.high)) {
            if size > largest.x || (size == largest.x && root < largest.y) { largest = vec2<u32>(size, root); }
            continue;
        }

        let mark = place(found.x, first);
        open = Tile(open.low | mark.low, open.high | mark.high);
        sizes[root] = size;
        // Marks the starts of the runs at the upper and lower sides. A vertical run at the left or right side is marked in its first row.
        var marks = mark;
        marks.low.x |= component.low.x & ~(component.low.x << 1u);
        marks.high.w |= component.high.w & ~(component.high.w << 1u);
        let left_rows = column_bits(component, 0u);
        let left_tops = left_rows & ~(left_rows << 1u);
        marks.low |= (vec4<u32>(left_tops) >> vec4<u32>(0u, 1u, 2u, 3u)) & vec4<u32>(1u);
        marks.high |= (vec4<u32>(left_tops) >> vec4<u32>(4u, 5u, 6u, 7u)) & vec4<u32>(1u);
        let right_rows = column_bits(component, 31u);
        let right_tops = right_rows & ~(right_rows << 1u);
        let last_low = vec4<u32>(1u) << (vec4<u32>(32u) - countLeadingZeros(~component.low));
        let last_high = vec4<u32>(1u) << (vec4<u32>(32u) - countLeadingZeros(~component.high));
        marks.low |= select(vec4<u32>(), last_low, ((vec4<u32>(right_tops) >> vec4<u32>(0u, 1u, 2u, 3u)) & vec4<u32>(1u)) != vec4<u32>());
        marks.high |= select(vec4<u32>(), last_high, ((vec4<u32>(right_tops) >> vec4<u32>(4u, 5u, 6u, 7u)) & vec4<u32>(1u)) != vec4<u32>());
        loop {
            if is_empty(marks) { break; }
            let line = first_row(marks);
            let start = line.y & (~line.y + 1u);
            let done = place(line.x, start);
            marks = Tile(marks.low & ~done.low, marks.high & ~done.high);
            parent[node_at(image, first_line + line.x, first_column + firstTrailingBit(start))] = root;
        }
    }
    roots[tile * 2u] = open.low;
    roots[tile * 2u + 1u] = open.high;
    best[tile] = largest;
}
