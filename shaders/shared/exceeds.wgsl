// Expects nothing.
// What value a threshold is compared with, and how. NaN exceeds nothing; it is told by its bits, since WGSL lets a driver assume
// that there is none.
fn exceeds(value: f32, threshold: f32) -> bool {
    let is_nan = (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u;
    return value > threshold && !is_nan;
}

// A value as an 8-bit picture would hold it, before clamping.
fn level_of(value: f32) -> f32 {
    return floor(255.0 * value);
}
