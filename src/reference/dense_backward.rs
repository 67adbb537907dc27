use num_traits::Float;

use super::dense::{Layer, clamp, erfc, sigmoid};
use super::{real, sum};
use crate::Activation;

/// The gradients of a [`dense`](super::dense()) layer.
#[derive(Clone, Debug, PartialEq)]
pub struct DenseGradients<T> {
    /// `[n, inputs]`.
    pub input: Vec<T>,
    /// `[out, inputs]`.
    pub weight: Vec<T>,
    /// `[out]`: of the layer's bias, or of the norm's bias if there is a norm.
    pub bias: Vec<T>,
    /// `[out]`; empty without a norm.
    pub norm_weight: Vec<T>,
}

impl Activation {
    /// The derivative of the activation at one number; NaN for NaN, except [`None`](Self::None).
    ///
    /// At a kink: [`Relu`](Self::Relu) and [`Relu6`](Self::Relu6) have 0, [`LeakyRelu`](Self::LeakyRelu) has its slope.
    /// [`HardSigmoid`](Self::HardSigmoid) and [`HardSwish`](Self::HardSwish) have the derivative of their constant or linear end.
    #[must_use]
    pub fn derivative<T: Float>(self, t: T) -> T {
        let (zero, one, half) = (T::zero(), T::one(), real::<T>(0.5));
        if t.is_nan() && self != Self::None {
            return t;
        }
        let inside = |t: T, low: f64, high: f64| t > real(low) && t < real(high);
        let step = |inside: bool| if inside { one } else { zero };
        // Where a sigmoid's derivative is below the smallest f32, its product with `t` is, too.
        let u = clamp(t, real(-200.0), real(200.0));
        match self {
            Self::None => one,
            Self::Relu => step(t > zero),
            Self::Relu6 => step(inside(t, 0.0, 6.0)),
            Self::LeakyRelu { slope } => {
                if t > zero {
                    one
                } else {
                    real(slope.into())
                }
            }
            Self::Silu => sigmoid(u) + u * bell(u),
            Self::HardSwish if inside(t, -3.0, 3.0) => t / real(3.0) + half,
            Self::HardSwish => step(t > zero),
            Self::Sigmoid => bell(t),
            Self::HardSigmoid { slope, offset } => {
                let slope = real::<T>(slope.into());
                if inside(slope * t + real(offset.into()), 0.0, 1.0) { slope } else { zero }
            }
            Self::Tanh => real::<T>(4.0) * bell(t + t),
            Self::Gelu => {
                let z = u.to_f64().unwrap_or(f64::NAN);
                let density = (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
                real(erfc(-z * std::f64::consts::FRAC_1_SQRT_2) / 2.0 + z * density)
            }
            // t sigmoid(v) with v = 2 sqrt(2 / pi) (t + 0.044715 t^3).
            Self::GeluTanh => {
                let factor = real::<T>(2.0 * (2.0 / std::f64::consts::PI).sqrt());
                let v = factor * (u + real::<T>(0.044_715) * u * u * u);
                sigmoid(v) + u * factor * (one + real::<T>(3.0 * 0.044_715) * u * u) * bell(v)
            }
        }
    }
}

/// The derivative of the sigmoid, `exp(-t) / (1 + exp(-t))^2`, without an overflow.
fn bell<T: Float>(t: T) -> T {
    let e = (-t.abs()).exp();
    e / ((T::one() + e) * (T::one() + e))
}

/// The gradients of [`dense`](super::dense()): the formulas of [its page](crate::ops::dense_backward). `input [n, inputs]`,
/// `output_gradient [n, out]`. Two inputs are given [side by side](super::side_by_side).
#[must_use]
pub fn dense_backward<T: Float>(
    inputs: usize,
    input: &[T],
    layer: &Layer<'_, T>,
    activation: Activation,
    output_gradient: &[T],
) -> DenseGradients<T> {
    let outputs = layer.weight.len() / inputs;
    let batch = input.len() / inputs;
    // Of each output: the gradient of its sum, of its logit, and of the logit times the normalised sum.
    let mut dz = Vec::new();
    let mut dt = Vec::new();
    let mut of_norm = Vec::new();
    for (index, &upstream) in output_gradient.iter().enumerate() {
        let (image, o) = (index / outputs, index % outputs);
        let z = sum(inputs, |i| layer.weight[o * inputs + i] * input[image * inputs + i]);
        let t = layer.bias.map_or(z, |bias| z + bias[o]);
        let logit = layer.norm.map_or(t, |norm| norm.apply(o, t));
        let of_logit = upstream * activation.derivative(logit);
        dt.push(of_logit);
        dz.push(match layer.norm {
            Some(norm) => {
                let deviation = (norm.variance[o] + norm.epsilon).sqrt();
                of_norm.push(of_logit * ((t - norm.mean[o]) / deviation));
                of_logit * norm.weight[o] / deviation
            }
            None => of_logit,
        });
    }
    let over_batch = |values: &[T], o: usize| sum(batch, |image| values[image * outputs + o]);
    let mut gradients = DenseGradients {
        input: Vec::new(),
        weight: Vec::new(),
        bias: (0..outputs).map(|o| over_batch(&dt, o)).collect(),
        norm_weight: layer.norm.iter().flat_map(|_| 0..outputs).map(|o| over_batch(&of_norm, o)).collect(),
    };
    for image in 0..batch {
        for i in 0..inputs {
            gradients.input.push(sum(outputs, |o| dz[image * outputs + o] * layer.weight[o * inputs + i]));
        }
    }
    for o in 0..outputs {
        for i in 0..inputs {
            gradients.weight.push(sum(batch, |image| dz[image * outputs + o] * input[image * inputs + i]));
        }
    }
    gradients
}
