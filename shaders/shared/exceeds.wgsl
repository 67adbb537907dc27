// Expects: shared/ordered.wgsl; the aliases `Real` and `Bits`.
// What value a threshold is compared with, and how: 1 where it exceeds the threshold, else 0. NaN exceeds nothing. The comparison is
// one of integers, since WGSL lets a driver assume that there is no NaN, and take subnormal numbers for zeros. A threshold of zero
// has to be the positive one.
fn exceeds(value: Real, threshold: f32) -> Bits {
    let is_nan = (bitcast<Bits>(value) & Bits(0x7fffffffu)) > Bits(0x7f800000u);
    return select(select(Bits(0u), Bits(1u), ordered(value) > ordered(Real(threshold))), Bits(0u), is_nan);
}

// A value as an 8-bit picture would hold it, before clamping.
fn level_of(value: Real) -> Real {
    return floor(255.0 * value);
}
