// One row of a tile as a word: bit k is the pixel in column 32 * tile_column + k. Bits outside the image are clear.
//
// Expects: `params` with `width`, `height` and `boxes_base`; `boxes: array<i32>`;
// `fn is_set(image: u32, row: u32, column: u32) -> bool`.
// `pack_runs` has at most 32 iterations.
fn pack_runs(image: u32, row: u32, tile_column: u32) -> u32 {
    if row >= params.height { return 0u; }
    let first = tile_column * 32u;
    let count = min(params.width - first, 32u);
    var word = 0u;
    for (var k = 0u; k < count; k += 1u) {
        word |= select(0u, 1u << k, is_set(image, row, first + k));
    }
    return word;
}

// Start values of a box: any pixel extends it.
fn start_box(image: u32) {
    let box = params.boxes_base + image * 4u;
    boxes[box] = i32(params.width);
    boxes[box + 1u] = i32(params.height);
    boxes[box + 2u] = -1;
    boxes[box + 3u] = -1;
}
