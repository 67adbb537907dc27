// Expects: nothing of the kernel.
// The shares that two results of attention have in the result over all keys, from their log-sum-exps.
const INFINITY = 0x7f800000u;
const MINUS_INFINITY = 0xff800000u;
const NOT_A_NUMBER = 0x7fc00000u;

struct Shares {
    // exp(l1 - L) and exp(l2 - L). Without meaning where the query is poisoned.
    weight: vec2<f32>,
    // Results without keys, whose weight is 0.
    empty: vec2<bool>,
    // NaN or +infinity in a log-sum-exp.
    poisoned: bool,
    // The smaller sum of exponentials over the larger one.
    ratio: f32,
}

fn shares_of(given: vec2<f32>) -> Shares {
    let bits = bitcast<vec2<u32>>(given);
    let empty = bits == vec2<u32>(MINUS_INFINITY);
    let poisoned = any(((bits & vec2<u32>(INFINITY)) == vec2<u32>(INFINITY)) & !empty);
    // Halves, so that the difference of two finite numbers does not overflow.
    let halves = 0.5 * select(given, vec2<f32>(0.0), empty);
    let gap = halves.y - halves.x;
    // The ratio of the smaller sum of exponentials to the larger one. It is 0 in f32 from exp(-104) on.
    let ratio = exp(2.0 * max(-abs(gap), -64.0));
    let smaller = ratio / (1.0 + ratio);
    let larger = 1.0 / (1.0 + ratio);
    var weight = select(vec2<f32>(larger, smaller), vec2<f32>(smaller, larger), gap > 0.0);
    // A result without keys has no share, and the other one has all.
    if any(empty) {
        weight = select(vec2<f32>(1.0), vec2<f32>(0.0), empty);
    }
    return Shares(weight, empty, poisoned, ratio);
}
