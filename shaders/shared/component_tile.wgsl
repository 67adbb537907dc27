// A tile of 32 columns by 8 rows in registers, and the nodes of the union-find forest.
//
// Expects: `params` with `width` and `node_stride`.

// Row r of a tile is component r % 4 of `low` (rows 0 to 3) or `high` (rows 4 to 7); bit k is column k.
struct Tile {
    low: vec4<u32>,
    high: vec4<u32>,
}

// A node stands for a run of a tile's row. Two runs of a row start at least two pixels apart, so a pair of columns holds at most one start.
// Therefore node = image * node_stride + row * ceil(width / 2) + start / 2. Nodes of one image are in the raster order of the starts of
// their runs.

const NO_NODE: u32 = 0xffffffffu;
// Room per image for the parts of the search for the largest component: 256 bytes, so that every image starts at a binding's alignment.
const PART_STRIDE: u32 = 32u;

fn node_at(image: u32, row: u32, column: u32) -> u32 {
    return image * params.node_stride + row * ((params.width + 1u) >> 1u) + (column >> 1u);
}

// First column of the run of `row` that contains `column`.
fn run_start(row: u32, column: u32) -> u32 {
    return 32u - countLeadingZeros(~row & ((1u << column) - 1u));
}

fn is_empty(tile: Tile) -> bool {
    let any_bit = tile.low | tile.high;
    return (any_bit.x | any_bit.y | any_bit.z | any_bit.w) == 0u;
}

// First row of `tile` with a bit set, as (row, bits).
fn first_row(tile: Tile) -> vec2<u32> {
    var found = vec2<u32>(7u, tile.high.w);
    found = select(found, vec2<u32>(6u, tile.high.z), tile.high.z != 0u);
    found = select(found, vec2<u32>(5u, tile.high.y), tile.high.y != 0u);
    found = select(found, vec2<u32>(4u, tile.high.x), tile.high.x != 0u);
    found = select(found, vec2<u32>(3u, tile.low.w), tile.low.w != 0u);
    found = select(found, vec2<u32>(2u, tile.low.z), tile.low.z != 0u);
    found = select(found, vec2<u32>(1u, tile.low.y), tile.low.y != 0u);
    found = select(found, vec2<u32>(0u, tile.low.x), tile.low.x != 0u);
    return found;
}

// A tile that holds only `bits`, in `row`.
fn place(row: u32, bits: u32) -> Tile {
    return Tile(
        select(vec4<u32>(), vec4<u32>(bits), vec4<u32>(row) == vec4<u32>(0u, 1u, 2u, 3u)),
        select(vec4<u32>(), vec4<u32>(bits), vec4<u32>(row) == vec4<u32>(4u, 5u, 6u, 7u)),
    );
}

// One column of a tile: row r is bit r.
fn column_bits(tile: Tile, column: u32) -> u32 {
    let low = ((tile.low >> vec4<u32>(column)) & vec4<u32>(1u)) << vec4<u32>(0u, 1u, 2u, 3u);
    let high = ((tile.high >> vec4<u32>(column)) & vec4<u32>(1u)) << vec4<u32>(4u, 5u, 6u, 7u);
    let both = low | high;
    return both.x | both.y | both.z | both.w;
}
