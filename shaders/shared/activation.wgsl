// Expects: nothing.
// Activations by number, `Activation::code` in the host: 0 none, 1 relu, 2 silu, 3 sigmoid, 4 hard_sigmoid, 5 tanh, 6 relu6, 7 leaky_relu,
// 8 hard_swish, 9 gelu, 10 gelu_tanh. `slope` is for hard_sigmoid and leaky_relu, `offset` for hard_sigmoid.
//
// No intermediate overflows, and NaN in gives NaN out. NaN is detected by its bit pattern: WGSL allows `max` and `clamp` to drop it,
// and some drivers implement them as a float comparison and a select.
fn activate(kind: u32, t: f32, slope: f32, offset: f32) -> f32 {
    let is_nan = (bitcast<u32>(t) & 0x7fffffffu) > 0x7f800000u;
    switch kind {
        case 1u: { return select(max(t, 0.0), t, is_nan); }
        case 2u: { return gated(t, 0.5 * t); }
        case 3u: { return sigmoid(t); }
        case 4u: { return select(clamp(slope * t + offset, 0.0, 1.0), t, is_nan); }
        case 5u: { return hyperbolic_tangent(t); }
        case 6u: { return select(clamp(t, 0.0, 6.0), t, is_nan); }
        case 7u: { return select(slope * t, t, t >= 0.0); }
        case 8u: { return t * clamp(t / 6.0 + 0.5, 0.0, 1.0); }
        case 9u: { return gelu(t); }
        case 10u: { return gated(t, t * (0.7978845608 + 0.0356774081 * t * t)); }
        default: { return t; }
    }
}

fn sigmoid(t: f32) -> f32 {
    let e = exp(-abs(t));
    return select(e, 1.0, t >= 0.0) / (1.0 + e);
}

// t * sigmoid(2 u). exp(-2 |u|) may underflow although its product with t does not. So t is multiplied twice by the root, exp(-|u|).
fn gated(t: f32, u: f32) -> f32 {
    let root = exp(-min(abs(u), 200.0));
    let rest = 1.0 + root * root;
    return select((t * root) * (root / rest), t / rest, u >= 0.0);
}

// t * (1 + erf(t / sqrt 2)) / 2. For z >= 0, erfc(z) is q exp(-z z + polynomial in q) with q = 1 / (1 + z / 2), with a relative error of
// 1.2e-7 (Press et al., Numerical Recipes, 2nd edition, Sec. 6.2). As in `gated`, t is multiplied twice by the square root of the
// exponential.
fn gelu(t: f32) -> f32 {
    let z = min(abs(t) * 0.70710678, 20.0);
    let q = 1.0 / (1.0 + 0.5 * z);
    let series = -1.26551223 + q * (1.00002368 + q * (0.37409196 + q * (0.09678418 + q * (-0.18628806
        + q * (0.27886807 + q * (-1.13520398 + q * (1.48851587 + q * (-0.82215223 + q * 0.17087277))))))));
    let root = exp(0.5 * (series - z * z));
    let tail = 0.5 * q * root;
    return select(t * tail * root, t * (1.0 - tail * root), t >= 0.0);
}

// The built-in function of some drivers overflows for large arguments. Near zero the quotient would suffer from cancellation, so the series
// is used there.
fn hyperbolic_tangent(t: f32) -> f32 {
    if abs(t) < 0.25 {
        let u = t * t;
        return t * (1.0 + u * (-1.0 / 3.0 + u * (2.0 / 15.0 + u * (-17.0 / 315.0 + u * (62.0 / 2835.0)))));
    }
    let e = exp(-2.0 * abs(t));
    let magnitude = (1.0 - e) / (1.0 + e);
    return select(magnitude, -magnitude, t < 0.0);
}
