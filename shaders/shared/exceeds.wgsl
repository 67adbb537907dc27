// Expects nothing.
// What value a threshold is compared with, and how. NaN exceeds nothing. The comparison is one of integers, since WGSL lets a driver
// assume that there is no NaN, and take subnormal numbers for zeros.
fn exceeds(value: f32, threshold: f32) -> bool {
    let is_nan = (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u;
    return in_order(value) > in_order(threshold) && !is_nan;
}

// An integer that sorts as the number does; 0 and -0 are one.
fn in_order(value: f32) -> i32 {
    let bits = bitcast<i32>(value);
    return select(bits, -(bits & 0x7fffffff), bits < 0);
}

// A value as an 8-bit picture would hold it, before clamping.
fn level_of(value: f32) -> f32 {
    return floor(255.0 * value);
}
