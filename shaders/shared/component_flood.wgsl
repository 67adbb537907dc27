// Flood fill of components inside a tile of 32 columns by 8 rows, in registers.
//
// Expects: `CONNECTIVITY` (override, 4 or 8); shared/component_tile.wgsl.

// The runs of `row` that contain a bit of `seed`. `seed` is a subset of `row`.
fn fill_runs(seed: u32, row: u32) -> u32 {
    // Towards higher columns, a carry propagates from the lowest seed of a run to the end of the run.
    var s = seed | (row & ~(row + seed));
    // Towards lower columns, the steps double. Bit k of p is set if the row is set from pixel k on, for as many pixels as the step.
    var p = row;
    s |= p & (s >> 1u);
    p &= p >> 1u;
    s |= p & (s >> 2u);
    p &= p >> 2u;
    s |= p & (s >> 4u);
    p &= p >> 4u;
    s |= p & (s >> 8u);
    p &= p >> 8u;
    s |= p & (s >> 16u);
    return s;
}

// For each of four rows, the pixels that it touches in the row above or below.
fn reach(rows: vec4<u32>) -> vec4<u32> {
    if CONNECTIVITY == 8u { return rows | (rows << vec4<u32>(1u)) | (rows >> vec4<u32>(1u)); }
    return rows;
}

// `filled`, and the runs of `row` that touch the neighbouring row `next`.
fn spread(filled: u32, row: u32, next: u32) -> u32 {
    return fill_runs(row & (filled | reach(vec4<u32>(next)).x), row);
}

// The components of `tile` that contain a run of `seeds`. `seeds` consists of whole runs of `tile`.
// Every iteration but the last adds a pixel, so one call has at most 256 iterations. If the components of a tile are filled one after
// another, all calls together have at most 256 iterations and one more per component.
fn flood(seeds: Tile, tile: Tile) -> Tile {
    var f = seeds;
    loop {
        f.low.y = spread(f.low.y, tile.low.y, f.low.x);
        f.low.z = spread(f.low.z, tile.low.z, f.low.y);
        f.low.w = spread(f.low.w, tile.low.w, f.low.z);
        f.high.x = spread(f.high.x, tile.high.x, f.low.w);
        f.high.y = spread(f.high.y, tile.high.y, f.high.x);
        f.high.z = spread(f.high.z, tile.high.z, f.high.y);
        f.high.w = spread(f.high.w, tile.high.w, f.high.z);
        let before = f;
        f.high.z = spread(f.high.z, tile.high.z, f.high.w);
        f.high.y = spread(f.high.y, tile.high.y, f.high.z);
        f.high.x = spread(f.high.x, tile.high.x, f.high.y);
        f.low.w = spread(f.low.w, tile.low.w, f.high.x);
        f.low.z = spread(f.low.z, tile.low.z, f.low.w);
        f.low.y = spread(f.low.y, tile.low.y, f.low.z);
        f.low.x = spread(f.low.x, tile.low.x, f.low.y);
        if all(f.low == before.low) && all(f.high == before.high) { break; }
    }
    return f;
}

// The runs of `tile` that contain a bit of `seeds`. `seeds` is a subset of `tile`.
fn whole_runs(seeds: Tile, tile: Tile) -> Tile {
    return Tile(
        vec4<u32>(
            fill_runs(seeds.low.x, tile.low.x),
            fill_runs(seeds.low.y, tile.low.y),
            fill_runs(seeds.low.z, tile.low.z),
            fill_runs(seeds.low.w, tile.low.w),
        ),
        vec4<u32>(
            fill_runs(seeds.high.x, tile.high.x),
            fill_runs(seeds.high.y, tile.high.y),
            fill_runs(seeds.high.z, tile.high.z),
            fill_runs(seeds.high.w, tile.high.w),
        ),
    );
}
