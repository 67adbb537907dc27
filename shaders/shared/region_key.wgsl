// Expects: nothing.
// An unsigned key of a float's bits that sorts like the numbers, above 0. Both zeros have one key, and every NaN has the largest. The float
// stays in integers: a driver may replace a subnormal one by 0.
fn region_key(bits: u32) -> u32 {
    let magnitude = bits & 0x7fffffffu;
    if magnitude > 0x7f800000u { return 0xffffffffu; }
    if bits == magnitude || magnitude == 0u { return magnitude | 0x80000000u; }
    return ~bits;
}

// The bits of the float of a key.
fn region_key_bits(key: u32) -> u32 {
    if key == 0xffffffffu { return 0x7fc00000u; }
    return select(~key, key & 0x7fffffffu, key >= 0x80000000u);
}
