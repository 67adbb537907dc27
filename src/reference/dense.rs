use num_traits::Float;

use super::real;
use crate::Activation;

/// A layer's weights: `weight [out, in]`, `bias [out]`, and a batch norm after them.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a, T> {
    /// `[out, in]`.
    pub weight: &'a [T],
    /// `[out]`.
    pub bias: Option<&'a [T]>,
    /// After the bias.
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
        let sigmoid = |t: T| T::one() / (T::one() + (-t).exp());
        match self {
            Self::None => t,
            Self::Relu => relu(t),
            Self::Silu => t * sigmoid(t),
            Self::Sigmoid => sigmoid(t),
            Self::HardSigmoid => {
                let line = t / real(6.0) + real(0.5);
                // Comparisons, so that NaN stays.
                if line < T::zero() {
                    T::zero()
                } else if line > T::one() {
                    T::one()
                } else {
                    line
                }
            }
            Self::Tanh => t.tanh(),
        }
    }
}

/// `max(t, 0)`; NaN stays.
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
            let sum = weights.iter().zip(vector).fold(T::zero(), |sum, (&weight, &value)| sum + weight * value);
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
