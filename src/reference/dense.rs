use num_traits::Float;

use super::{real, sum};
use crate::Activation;

/// A layer's weights: `weight [out, in]`, `bias [out]`, and a batch norm after them.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a, T> {
    /// `[out, in]`.
    pub weight: &'a [T],
    /// `[out]`.
    pub bias: Option<&'a [T]>,
    /// Batch norm after the bias.
    pub norm: Option<Norm<'a, T>>,
}

/// Batch norm in its evaluation form, each tensor `[out]`.
#[derive(Clone, Copy, Debug)]
pub struct Norm<'a, T> {
    /// `[out]`.
    pub weight: &'a [T],
    /// `[out]`.
    pub bias: &'a [T],
    /// `[out]`, the running mean.
    pub mean: &'a [T],
    /// `[out]`, the running variance.
    pub variance: &'a [T],
    /// Added to the variance.
    pub epsilon: T,
}

impl<T: Float> Norm<'_, T> {
    /// `(t - mean) / sqrt(variance + epsilon) * weight + bias` of output `index`.
    #[must_use]
    pub fn apply(&self, index: usize, t: T) -> T {
        let deviation = (self.variance[index] + self.epsilon).sqrt();
        (t - self.mean[index]) / deviation * self.weight[index] + self.bias[index]
    }
}

impl Activation {
    /// The activation of one number.
    #[must_use]
    pub fn apply<T: Float>(self, t: T) -> T {
        let (zero, one, half) = (T::zero(), T::one(), real::<T>(0.5));
        match self {
            Self::None => t,
            Self::Relu => relu(t),
            Self::Relu6 => clamp(t, zero, real(6.0)),
            Self::LeakyRelu { slope } => {
                if t < zero {
                    t * real(slope.into())
                } else {
                    t
                }
            }
            Self::Silu => t * sigmoid(t),
            Self::HardSwish => t * clamp(t / real(6.0) + half, zero, one),
            Self::Sigmoid => sigmoid(t),
            Self::HardSigmoid { slope, offset } => clamp(t * real(slope.into()) + real(offset.into()), zero, one),
            Self::Tanh => t.tanh(),
            Self::Gelu => {
                let z = t.to_f64().map_or(f64::NAN, |t| -t * std::f64::consts::FRAC_1_SQRT_2);
                t * half * real(erfc(z))
            }
            // (1 + tanh u) / 2 is sigmoid(2 u), which does not cancel.
            Self::GeluTanh => {
                let u = real::<T>((2.0 / std::f64::consts::PI).sqrt()) * (t + real::<T>(0.044_715) * t * t * t);
                t * sigmoid(u + u)
            }
        }
    }
}

/// `1 / (1 + exp(-t))`, without an overflow.
pub(super) fn sigmoid<T: Float>(t: T) -> T {
    let e = (-t.abs()).exp();
    (if t < T::zero() { e } else { T::one() }) / (T::one() + e)
}

/// Clamps by comparisons, so that NaN stays NaN.
pub(super) fn clamp<T: Float>(t: T, low: T, high: T) -> T {
    if t < low {
        low
    } else if t > high {
        high
    } else {
        t
    }
}

/// `1 - erf(z)`: the series of erf near 0, else Laplace's continued fraction (Abramowitz and Stegun 7.1.5 and 7.1.14).
pub(super) fn erfc(z: f64) -> f64 {
    if z < 0.0 {
        return 2.0 - erfc(-z);
    }
    if z < 2.0 {
        let (mut term, mut sum) = (z, z);
        for n in 1..60 {
            let n = f64::from(n);
            term *= -z * z / n;
            sum += term / (2.0 * n + 1.0);
        }
        return 1.0 - sum * std::f64::consts::FRAC_2_SQRT_PI;
    }
    let fraction = (1..120).rev().fold(z, |fraction, n| z + f64::from(n) / 2.0 / fraction);
    (-z * z).exp() / fraction * std::f64::consts::FRAC_2_SQRT_PI / 2.0
}

/// `max(t, 0)`; NaN stays NaN.
pub(super) fn relu<T: Float>(t: T) -> T {
    if t < T::zero() { T::zero() } else { t }
}

/// `output[n, o]` = activation(norm(sum over `i` of `weight[o, i] * input[n, i]` + `bias[o]`)) (Squeeze-and-Excitation,
/// arXiv:1709.01507, Eq. 3). `input [n, inputs]`; returns `[n, out]`.
#[must_use]
pub fn dense<T: Float>(inputs: usize, input: &[T], layer: &Layer<'_, T>, activation: Activation) -> Vec<T> {
    let mut output = Vec::new();
    for vector in input.chunks_exact(inputs) {
        for (row, weights) in layer.weight.chunks_exact(inputs).enumerate() {
            let sum = sum(inputs, |i| weights[i] * vector[i]);
            let t = layer.bias.map_or(sum, |bias| sum + bias[row]);
            output.push(activation.apply(layer.norm.map_or(t, |norm| norm.apply(row, t))));
        }
    }
    output
}

/// Two batches of vectors side by side, as AG-CNN's fusion head takes them: `[n, a]`, `[n, b]` -> `[n, a + b]`.
#[must_use]
pub fn side_by_side<T: Float>((a, first): (usize, &[T]), (b, second): (usize, &[T])) -> Vec<T> {
    first.chunks_exact(a).zip(second.chunks_exact(b)).flat_map(|(left, right)| [left, right].concat()).collect()
}
