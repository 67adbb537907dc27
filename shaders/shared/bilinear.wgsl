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

fn tap(axis: Axis, index: u32) -> Tap {
    let position = index * axis.multiplier + axis.plus;
    let numerator = position - min(position, axis.minus);
    let low = numerator / axis.denominator;
    let last = axis.length - 1u;
    if low >= last {
        return Tap(last, last, 0.0);
    }
    return Tap(low, low + 1u, f32(numerator % axis.denominator) / f32(axis.denominator));
}

// A neighbour without a share is left out, so that it can't turn a number into NaN.
fn blend(low: f32, high: f32, weight: f32) -> f32 {
    return select((1.0 - weight) * low + weight * high, low, weight == 0.0);
}
