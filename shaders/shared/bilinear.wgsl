// Expects: nothing. Positions on an axis are exact ratios of integers. As floats they would be off by up to a fraction of a pixel at large
// sizes, and masks would differ between drivers.

// One axis of a resampling. Output o samples the source at (o * multiplier + plus - minus) / denominator, clamped to at least 0.
struct Axis {
    multiplier: u32,
    plus: u32,
    minus: u32,
    denominator: u32,
    length: u32,    // of the source
}

// Two neighbouring pixels on an axis, and the weight of the upper one.
struct Tap {
    low: u32,
    high: u32,
    weight: f32,
}

// numerator / denominator, rounded down, for a denominator below 2^30. Vector units emulate integer division, which is slow. The float
// quotient has a relative error of about a millionth. The quotient of the remainder is small enough for floats to be exact, except for an
// error of 1. The last line corrects that error.
fn quotient(numerator: u32, denominator: u32) -> u32 {
    let near = u32(f32(numerator) / f32(denominator));
    let rest = i32(numerator - near * denominator);
    let nearer = near + u32(i32(floor(f32(rest) / f32(denominator))));
    let remainder = i32(numerator - nearer * denominator);
    return nearer + u32(remainder >= i32(denominator)) - u32(remainder < 0);
}

// This function has no branch: vector units execute both sides of a branch.
fn tap(axis: Axis, index: u32) -> Tap {
    let position = index * axis.multiplier + axis.plus;
    let numerator = position - min(position, axis.minus);
    let low = quotient(numerator, axis.denominator);
    let weight = f32(numerator - low * axis.denominator) / f32(axis.denominator);
    let last = axis.length - 1u;
    return Tap(min(low, last), min(low + 1u, last), select(weight, 0.0, low >= last));
}

// The result lies between the two numbers despite rounding, so equal numbers give that number. If the upper number has no weight, it is
// ignored and can't turn the result into NaN. Otherwise a select keeps NaN, which `clamp` may drop.
fn blend(low: f32, high: f32, weight: f32) -> f32 {
    let mixed = (1.0 - weight) * low + weight * high;
    let is_nan = (bitcast<u32>(mixed) & 0x7fffffffu) > 0x7f800000u;
    return select(select(clamp(mixed, min(low, high), max(low, high)), mixed, is_nan), low, weight == 0.0);
}
