// Expects: the aliases `Real` and `Bits`.
// An unsigned key of a float that sorts like the numbers, with every NaN above +infinity. An integer maximum of keys propagates NaN on any
// driver, while WGSL allows `max` and `x != x` to ignore NaN.
fn ordered(value: Real) -> Bits {
    let bits = bitcast<Bits>(value);
    let sign = Bits(0x80000000u);
    let is_nan = (bits & ~sign) > Bits(0x7f800000u);
    return select(select(bits | sign, ~bits, bits >= sign), ~Bits(0u), is_nan);
}

// The float of a key. The key of NaN gives a NaN.
fn from_ordered(key: Bits) -> Real {
    let sign = Bits(0x80000000u);
    return bitcast<Real>(select(~key, key & ~sign, key >= sign));
}
