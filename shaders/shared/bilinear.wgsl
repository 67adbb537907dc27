// Expects nothing. Positions on an axis are exact ratios of integers: in floats they would be off by up to a pixel's share at
// large sizes, and masks would differ from one driver to the next.

// One axis of a resampling: output index o samples the source at (o * multiplier + plus - minus) / denominator, from 0 on.
struct Axis {
    multiplier: u32,
    plus: u32,
    minus: u32,
    denominator: u32,
    length: u32,    // of the source
}

// Two neighbours on an axis and the share of the upper one.
struct Tap {
    low: u32,
    high: u32,
    weight: f32,
}

// numerator / denominator, rounded down, for a denominator below 2^30. Vector units emulate integer division,
// which is slow. The float quotient has a relative error of about a millionth. The quotient of the remainder is small enough for floats
// to be exact, except for an error of 1.
fn quotient(numerator: u32, denominator: u32) -> u32 {
    let near = u32(f32(numerator) / f32(denominator));
    let rest = i32(numerator - near * denominator);
    let nearer = near + u32(i32(floor(f32(rest) / f32(denominator))));
    let remainder = i32(numerator - nearer * denominator);
    return nearer + u32(remainder >= i32(denominator)) - u32(remainder < 0);
}

// Without a branch, which vector units pay for on both sides.
fn tap(axis: Axis, index: u32) -> Tap {
    let position = index * axis.multiplier + axis.plus;
    let numerator = position - min(position, axis.minus);
    let low = quotient(numerator, axis.denominator);
    let weight = f32(numerator - low * axis.denominator) / f32(axis.denominator);
    let last = axis.length - 1u;
    return Tap(min(low, last), min(low + 1u, last), select(weight, 0.0, low >= last));
}

// Between the two, whatever is rounded: equal numbers give that number. A neighbour without a share is left out, so that it can't turn
// a number into NaN. Otherwise NaN is kept, which `clamp` may drop.
fn blend(low: f32, high: f32, weight: f32) -> f32 {
    let mixed = (1.0 - weight) * low + weight * high;
    let is_nan = (bitcast<u32>(mixed) & 0x7fffffffu) > 0x7f800000u;
    return select(select(clamp(mixed, min(low, high), max(low, high)), mixed, is_nan), low, weight == 0.0);
}
