// Expects: nothing.
// Activations by number, `Activation` in the host: 0 none, 1 relu, 2 silu, 3 sigmoid, 4 hard_sigmoid, 5 tanh.
// None of them overflows on the way, and each gives NaN for NaN: selections, since WGSL lets `max` and `clamp` drop it.
fn activate(kind: u32, t: f32) -> f32 {
    switch kind {
        case 1u: { return select(t, 0.0, t < 0.0); }
        case 2u: { return t * sigmoid(t); }
        case 3u: { return sigmoid(t); }
        case 4u: {
            let line = t / 6.0 + 0.5;
            return select(select(line, 1.0, line > 1.0), 0.0, line < 0.0);
        }
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
