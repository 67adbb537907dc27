// Expects: shared/ordered.wgsl; the aliases `Real` and `Bits`.
// 1 if the value exceeds the threshold, else 0. NaN exceeds nothing. The comparison is between integers: WGSL allows a driver to assume
// that there is no NaN, and to flush subnormal numbers to zero. A zero threshold must be positive zero.
fn exceeds(value: Real, threshold: f32) -> Bits {
    let is_nan = (bitcast<Bits>(value) & Bits(0x7fffffffu)) > Bits(0x7f800000u);
    return select(select(Bits(0u), Bits(1u), ordered(value) > ordered(Real(threshold))), Bits(0u), is_nan);
}

// The value's level in an 8-bit picture, before clamping.
fn level_of(value: Real) -> Real {
    return floor(255.0 * value);
}
