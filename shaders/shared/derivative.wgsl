// Expects: `sigmoid` of shared/activation.wgsl.
// Derivatives of the activations of shared/activation.wgsl, by the same numbers and parameters.
//
// At a kink: relu and relu6 have 0, leaky_relu has its slope, hard_sigmoid and hard_swish have the value of their constant or linear end.
// No intermediate overflows. NaN in gives NaN out, except without an activation: it is detected by its bit pattern.
fn derivative(kind: u32, t: f32, slope: f32, offset: f32) -> f32 {
    let is_nan = (bitcast<u32>(t) & 0x7fffffffu) > 0x7f800000u;
    return select(derivative_of_number(kind, t, slope, offset), t, is_nan && kind != 0u);
}

fn derivative_of_number(kind: u32, t: f32, slope: f32, offset: f32) -> f32 {
    switch kind {
        case 1u: { return select(0.0, 1.0, t > 0.0); }
        case 2u: {
            // Beyond, the product with the infinite would be NaN.
            let u = clamp(t, -200.0, 200.0);
            return sigmoid(u) + u * bell(u);
        }
        case 3u: { return bell(t); }
        case 4u: {
            let value = slope * t + offset;
            return select(0.0, slope, value > 0.0 && value < 1.0);
        }
        // 1 - tanh^2 would cancel.
        case 5u: { return 4.0 * bell(2.0 * t); }
        case 6u: { return select(0.0, 1.0, t > 0.0 && t < 6.0); }
        case 7u: { return select(slope, 1.0, t > 0.0); }
        case 8u: { return select(select(0.0, 1.0, t >= 3.0), t / 3.0 + 0.5, t > -3.0 && t < 3.0); }
        case 9u: {
            let u = clamp(t, -20.0, 20.0);
            return cumulative(u) + u * 0.3989422804 * exp(-0.5 * u * u);
        }
        case 10u: {
            let u = clamp(t, -12.0, 12.0);
            let v = u * (1.5957691216 + 0.0713548163 * u * u);
            return sigmoid(v) + u * (1.5957691216 + 0.2140644489 * u * u) * bell(v);
        }
        default: { return 1.0; }
    }
}

// s (1 - s) with s = sigmoid(t), without the cancellation of 1 - s.
fn bell(t: f32) -> f32 {
    let e = exp(-abs(t));
    return e / ((1.0 + e) * (1.0 + e));
}

// (1 + erf(t / sqrt 2)) / 2, by the same series as `gelu` of shared/activation.wgsl.
fn cumulative(t: f32) -> f32 {
    let z = abs(t) * 0.70710678;
    let q = 1.0 / (1.0 + 0.5 * z);
    let series = -1.26551223 + q * (1.00002368 + q * (0.37409196 + q * (0.09678418 + q * (-0.18628806
        + q * (0.27886807 + q * (-1.13520398 + q * (1.48851587 + q * (-0.82215223 + q * 0.17087277))))))));
    let tail = 0.5 * q * exp(series - z * z);
    return select(tail, 1.0 - tail, t >= 0.0);
}
