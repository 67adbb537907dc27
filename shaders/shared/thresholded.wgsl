// Expects: shared/exceeds.wgsl; RULE, `levels: array<u32>`, `params` with `threshold` and `levels_base`.
// 1 if the map's value belongs to the mask of its image, else 0. RULE is numbered as in shaders/threshold.wgsl.
fn of_mask(image: u32, value: Real) -> Bits {
    if RULE == 0u {
        return exceeds(value, params.threshold);
    }
    if RULE == 1u {
        return exceeds(level_of(value), params.threshold);
    }
    return exceeds(level_of(value), f32(levels[params.levels_base + image]));
}
