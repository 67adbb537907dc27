// Expects: nothing.
// Activations by number, `Activation` in the host: 0 none, 1 relu, 2 silu, 3 sigmoid, 4 hard_sigmoid, 5 tanh.
// None of them overflows on the way, and each gives NaN for NaN, which is told by its bits: WGSL lets `max` and `clamp` drop it, and
// a driver make them of selections by a float comparison.
fn activate(kind: u32, t: f32) -> f32 {
    let is_nan = (bitcast<u32>(t) & 0x7fffffffu) > 0x7f800000u;
    switch kind {
        case 1u: { return select(max(t, 0.0), t, is_nan); }
        case 2u: { return t * sigmoid(t); }
        case 3u: { return sigmoid(t); }
        case 4u: { return select(clamp(t / 6.0 + 0.5, 0.0, 1.0), t, is_nan); }
        case 5u: { return hyperbolic_tangent(t); }
        default: { return t; }
    }
}

fn sigmoid(t: f32) -> f32 {
    let e = exp(-abs(t));
    return select(e, 1.0, t >= 0.0) / (1.0 + e);
}

// Some drivers' own overflows for large arguments. Near zero the quotient would cancel, so there it is the series.
fn hyperbolic_tangent(t: f32) -> f32 {
    if abs(t) < 0.25 {
        let u = t * t;
        return t * (1.0 + u * (-1.0 / 3.0 + u * (2.0 / 15.0 + u * (-17.0 / 315.0 + u * (62.0 / 2835.0)))));
    }
    let e = exp(-2.0 * abs(t));
    let magnitude = (1.0 - e) / (1.0 + e);
    return select(magnitude, -magnitude, t < 0.0);
}
