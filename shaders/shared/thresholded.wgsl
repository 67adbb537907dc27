// Expects: shared/sampled_map.wgsl, shared/exceeds.wgsl; RULE, `levels: array<u32>`, `params` with `threshold`, `levels_base`.
// Whether a pixel of the picture belongs to the mask: the rules of shaders/threshold.wgsl.
fn is_set(image: u32, row: u32, column: u32) -> bool {
    let value = map_at(image, row, column);
    if RULE == 0u {
        return exceeds(value, params.threshold);
    }
    if RULE == 1u {
        return exceeds(level_of(value), params.threshold);
    }
    return exceeds(level_of(value), f32(levels[params.levels_base + image]));
}
