//! The gates of the contract. NaN passes only where NaN is expected.

use num_traits::ToPrimitive;
use visual_attention::Element;

/// The type that an output is stored in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Precision {
    F32,
    F16,
}

impl From<Element> for Precision {
    fn from(element: Element) -> Self {
        match element {
            Element::F32 => Self::F32,
            _ => Self::F16,
        }
    }
}

impl Precision {
    /// `value` rounded to the type.
    pub(crate) fn round(self, value: f64) -> f64 {
        match self {
            Self::F32 => f64::from(value as f32),
            Self::F16 => half::f16::from_f64(value).to_f64(),
        }
    }
}

/// Every number equal (0 and -0 are), NaN exactly where it is expected.
pub(crate) fn check_exact<T: ToPrimitive + std::fmt::Debug>(actual: &[T], expected: &[T]) -> Result<(), String> {
    if actual.len() != expected.len() {
        return Err(format!("{} elements, expected {}", actual.len(), expected.len()));
    }
    let number = |value: &T| value.to_f64().unwrap_or(f64::NAN);
    let same = |(a, e): (&T, &T)| number(a) == number(e) || (number(a).is_nan() && number(e).is_nan());
    let mut wrong = actual.iter().zip(expected).enumerate().filter(|&(_, pair)| !same(pair));
    let Some((index, (a, e))) = wrong.next() else { return Ok(()) };
    let more = wrong.count();
    Err(format!("element {index} is {a:?}, expected {e:?}; {more} more differ"))
}

/// What WGSL's own allowance leaves of a sigmoid or a hyperbolic tangent, absolutely. The relative error of `exp(x)` may be
/// 3 + 2|x| ULP, a quotient's 2.5 ULP, and each of the two sums before it rounds by 0.5 ULP. With e = exp(-|t|), the sigmoid's
/// derivative by the relative error of e is at most e / (1 + e)^2, which times 3 + 2|t| is below 1; the tangent's, with
/// e = exp(-2|t|), is 2e / (1 + e)^2, which times 3 + 4|t| is below 2 from |t| = 1/4 on. With 3.5 for the quotient and the
/// sums that is less than 6 ULP of 1.
pub(crate) const EXP_ROOM: f64 = 6.0 * 1.192_092_895_507_812_5e-7;

/// What WGSL's own allowance leaves of a batch norm, as a share of the number that it brings out: a division may be 2.5 ULP off, and a
/// square root, which is the inverse of an inverse square root of 2 ULP, 4.5 ULP.
pub(crate) const NORM_ROOM: f64 = 7.0 * 1.192_092_895_507_812_5e-7;

/// What WGSL's own allowance leaves of a bilinear sample, as a share of the largest number: the weight on each axis is a quotient of
/// up to 1, which may be 2.5 ULP off (an ULP below 1 is 2^-24), times the difference of two neighbours, at most twice the largest.
pub(crate) const SAMPLE_ROOM: f64 = 2.0 * 2.5 * 2.0 * 5.960_464_477_539_063e-8;

/// As [`check_tolerance`], for results of `exp`: where the gate is tighter than `room`, what WGSL allows, that is the gate. A
/// tensor of a few elements does not show the error that the formula brings elsewhere.
pub(crate) fn check_tolerance_with_room(
    actual: &[f32],
    exact: &[f64],
    baseline: &[f32],
    precision: Precision,
    room: f64,
) -> Result<(), String> {
    check(2.0, actual, exact, baseline, precision, room)
}

/// `max |y - R| <= 2 max |P - R| + 2 max |((R + 0.3) - 0.3) - R|`, the last computed in the output's type: `exact` is the f64
/// reference R, `baseline` the same reference run in f32, P.
pub(crate) fn check_tolerance(
    actual: &[f32],
    exact: &[f64],
    baseline: &[f32],
    precision: Precision,
) -> Result<(), String> {
    check(2.0, actual, exact, baseline, precision, 0.0)
}

/// As [`check_tolerance_with_room`] for gradients, which are sums of products of sums: 3 times instead of 2.
pub(crate) fn check_gradient(
    actual: &[f32],
    exact: &[f64],
    baseline: &[f32],
    precision: Precision,
    room: f64,
) -> Result<(), String> {
    check(3.0, actual, exact, baseline, precision, room)
}

/// What WGSL lets an adapter do to a softmax over `entries` logits that weights numbers up to `largest`: `exp(-x)` to 3 + 2x ULP
/// and a division to 2.5 ULP. The mean of x, weighted as the numbers are, is at most the softmax's entropy, so at most
/// `ln(entries)`; the sum that is divided by has the same error once more.
pub(crate) fn softmax_room(entries: u64, largest: f64) -> f64 {
    (2.0 * (3.0 + 2.0 * (entries as f64).ln()) + 2.5) * f64::from(f32::EPSILON) * largest
}

/// The same for the logarithm of a softmax's sum: WGSL's `log` is good to 2^-21 near 1, and to 3 ULP elsewhere.
pub(crate) fn log_sum_exp_room(entries: u64) -> f64 {
    let sum = 3.0 + 2.0 * (entries as f64).ln();
    let log = (3.0 * (entries as f64).ln()).max(4.0);
    (sum + log) * f64::from(f32::EPSILON)
}

fn check(
    factor: f64,
    actual: &[f32],
    exact: &[f64],
    baseline: &[f32],
    precision: Precision,
    room: f64,
) -> Result<(), String> {
    if actual.len() != exact.len() || baseline.len() != exact.len() {
        return Err(format!("{} elements, expected {} (baseline {})", actual.len(), exact.len(), baseline.len()));
    }
    let mut formula = 0.0f64;
    let mut rounding = 0.0f64;
    for (&r, &p) in exact.iter().zip(baseline) {
        if r.is_finite() && p.is_finite() {
            formula = formula.max((precision.round(f64::from(p)) - r).abs());
            let shifted = precision.round(precision.round(r + 0.3) - 0.3);
            if shifted.is_finite() {
                rounding = rounding.max((shifted - r).abs());
            }
        }
    }
    let gate = (factor * formula + factor * rounding).max(room);
    let within = |y: f64, r: f64| {
        if r.is_nan() || y.is_nan() {
            r.is_nan() && y.is_nan()
        } else if r.is_infinite() || y.is_infinite() {
            y == precision.round(r)
        } else {
            (y - r).abs() <= gate
        }
    };
    let mut wrong = actual.iter().zip(exact).enumerate().filter(|&(_, (&y, &r))| !within(f64::from(y), r));
    let Some((index, (y, r))) = wrong.next() else { return Ok(()) };
    let more = wrong.count();
    Err(format!("element {index} is {y:e}, expected {r:e}, gate {gate:e}; {more} more beyond it"))
}

#[track_caller]
pub(crate) fn assert_exact<T: ToPrimitive + std::fmt::Debug>(
    actual: &[T],
    expected: &[T],
    what: impl std::fmt::Display,
) {
    if let Err(message) = check_exact(actual, expected) {
        panic!("{what}: {message}");
    }
}

#[track_caller]
pub(crate) fn assert_within_tolerance(
    actual: &[f32],
    exact: &[f64],
    baseline: &[f32],
    precision: Precision,
    what: impl std::fmt::Display,
) {
    if let Err(message) = check_tolerance(actual, exact, baseline, precision) {
        panic!("{what}: {message}");
    }
}

/// [`check_tolerance_with_room`] of a gate's activation, or of what gates in `0..1` or `-1..1` do to numbers up to `scale`.
#[track_caller]
pub(crate) fn assert_within_tolerance_of_exp(
    actual: &[f32],
    (exact, baseline): (&[f64], &[f32]),
    precision: Precision,
    scale: f64,
    what: impl std::fmt::Display,
) {
    if let Err(message) = check_tolerance_with_room(actual, exact, baseline, precision, EXP_ROOM * scale) {
        panic!("{what}: {message}");
    }
}

/// [`check_tolerance_with_room`] of a tensor.
#[track_caller]
pub(crate) fn assert_within_tolerance_with_room(
    actual: &[f32],
    exact: &[f64],
    baseline: &[f32],
    precision: Precision,
    room: f64,
    what: impl std::fmt::Display,
) {
    if let Err(message) = check_tolerance_with_room(actual, exact, baseline, precision, room) {
        panic!("{what}: {message}");
    }
}
