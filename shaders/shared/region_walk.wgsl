// Walks down a column of labels. What lies in one region is gathered before it is added to the region's tally.
//
// Expects: `params` with `labels_base`, `height`, `width` and `slots_used`; `labels: array<u32>`;
// `fn slot_of(image: u32, label: u32) -> u32`, the tally of a label;
// `fn begin(image: u32, slot: u32)`, which empties what is gathered; `fn gather(image: u32, row: u32, column: u32)`, which adds a pixel;
// `fn add(image: u32, slot: u32)`, which adds what is gathered to a tally.
// One call has at most 32 iterations, one for each row.

const ROWS = 32u;

// Returns the largest label. Labels above the number of pixels are background. Background between pixels of one region is skipped.
fn walk(image: u32, first_row: u32, column: u32) -> u32 {
    if column >= params.width { return 0u; }
    let pixels = params.height * params.width;
    let end = min(first_row + ROWS, params.height);
    var slot = params.slots_used;
    var largest = 0u;
    for (var row = first_row; row < end; row += 1u) {
        let label = labels[params.labels_base + image * pixels + row * params.width + column];
        if label == 0u || label > pixels { continue; }
        largest = max(largest, label);
        let next = slot_of(image, label);
        if next >= params.slots_used { continue; }
        if next != slot {
            if slot < params.slots_used { add(image, slot); }
            slot = next;
            begin(image, slot);
        }
        gather(image, row, column);
    }
    if slot < params.slots_used { add(image, slot); }
    return largest;
}
