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
            Element::F16 => Self::F16,
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

/// `max |y - R| <= 2 max |P - R| + 2 max |((R + 0.3) - 0.3) - R|`, the last computed in the output's type: `exact` is the f64
/// reference R, `baseline` the same reference run in f32, P.
pub(crate) fn check_gate(actual: &[f32], exact: &[f64], baseline: &[f32], precision: Precision) -> Result<(), String> {
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
    let gate = 2.0 * formula + 2.0 * rounding;
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
pub(crate) fn assert_within_gate(
    actual: &[f32],
    exact: &[f64],
    baseline: &[f32],
    precision: Precision,
    what: impl std::fmt::Display,
) {
    if let Err(message) = check_gate(actual, exact, baseline, precision) {
        panic!("{what}: {message}");
    }
}
