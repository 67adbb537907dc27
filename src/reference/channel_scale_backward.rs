use num_traits::Float;

use super::attention_map_backward::first_largest;
use super::{global_mean, real, sum};
use crate::{Epilogue, Nchw, Squeeze};

/// The gradients of [`channel_scale`](super::channel_scale()).
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelScaleGradients<T> {
    /// `[n, c, h, w]`.
    pub features: Vec<T>,
    /// `[n, c]`.
    pub gate: Vec<T>,
    /// `[n, c, h, w]`: of `output_gradient` where the output is above 0. Empty except for [`Epilogue::Residual`].
    pub identity: Vec<T>,
}

/// The gradients of [`channel_scale`](super::channel_scale()): the formulas of [its page](crate::ops::channel_scale_backward).
/// `features`, `output_gradient` `[n, c, h, w]`, `gate [n, c]`, and for [`Epilogue::Residual`] `output [n, c, h, w]`. All are zero for
/// [`Epilogue::GateOnly`].
#[must_use]
pub fn channel_scale_backward<T: Float>(
    shape: Nchw,
    epilogue: Epilogue,
    features: &[T],
    gate: &[T],
    output: Option<&[T]>,
    output_gradient: &[T],
) -> ChannelScaleGradients<T> {
    let pixels = shape.size().pixels() as usize;
    let upstream = |index: usize| match (epilogue, output) {
        (Epilogue::Residual, Some(output)) if output[index] > T::zero() => output_gradient[index],
        (Epilogue::Residual, _) => T::zero(),
        _ => output_gradient[index],
    };
    let mut gradients = ChannelScaleGradients { features: Vec::new(), gate: Vec::new(), identity: Vec::new() };
    if epilogue == Epilogue::GateOnly {
        gradients.features.resize(features.len(), T::zero());
        gradients.gate.resize(gate.len(), T::zero());
        return gradients;
    }
    for (plane, &gate) in gate.iter().enumerate() {
        let first = plane * pixels;
        gradients.gate.push(sum(pixels, |pixel| upstream(first + pixel) * features[first + pixel]));
        for index in first..first + pixels {
            let scaled = upstream(index) * gate;
            gradients.features.push(if epilogue == Epilogue::ScaleAdd { scaled + upstream(index) } else { scaled });
            if epilogue == Epilogue::Residual {
                gradients.identity.push(upstream(index));
            }
        }
    }
    gradients
}

/// What the loss says about the results of an operator that computes a gate from features, and applies it to them.
#[derive(Clone, Copy, Debug)]
pub struct GateUpstream<'a, T> {
    /// `[n, c, h, w]`, the output; only for [`Epilogue::Residual`].
    pub output: Option<&'a [T]>,
    /// `[n, c, h, w]`; `None` for [`Epilogue::GateOnly`].
    pub output_gradient: Option<&'a [T]>,
    /// `[n, c]`, if the gate is used elsewhere.
    pub gate_gradient: Option<&'a [T]>,
}

impl<T: Float> GateUpstream<'_, T> {
    /// [`channel_scale_backward`], with the gate's own upstream gradient added to the gradient of the gate.
    pub(super) fn scaled(
        &self,
        shape: Nchw,
        epilogue: Epilogue,
        features: &[T],
        gate: &[T],
    ) -> ChannelScaleGradients<T> {
        let output_gradient = self.output_gradient.unwrap_or_default();
        let mut scaled = channel_scale_backward(shape, epilogue, features, gate, self.output, output_gradient);
        for (gradient, &more) in scaled.gate.iter_mut().zip(self.gate_gradient.unwrap_or_default()) {
            *gradient = *gradient + more;
        }
        scaled
    }
}

/// The vectors that a gate is computed from, each `[n, c]`: mean, maximum or both.
pub(super) fn squeezed<T: Float>(shape: Nchw, squeeze: Squeeze, features: &[T]) -> Vec<Vec<T>> {
    let mean = squeeze.mean().then(|| global_mean(shape, features));
    let maximum = squeeze.maximum().then(|| super::global_max(shape, features));
    mean.into_iter().chain(maximum).collect()
}

/// Adds to the gradient of the features what comes through the vectors of [`squeezed`], whose gradients are `of_squeezed`.
pub(super) fn add_squeezed<T: Float>(
    shape: Nchw,
    squeeze: Squeeze,
    features: &[T],
    of_squeezed: &[Vec<T>],
    gradient: &mut [T],
) {
    let pixels = shape.size().pixels() as usize;
    let (of_mean, of_maximum) = match (squeeze, of_squeezed) {
        (Squeeze::Mean, [mean]) => (Some(mean), None),
        (Squeeze::Max, [maximum]) => (None, Some(maximum)),
        (_, vectors) => (vectors.first(), vectors.get(1)),
    };
    for (plane, gradient) in gradient.chunks_exact_mut(pixels).enumerate() {
        if let Some(of_mean) = of_mean {
            let share = of_mean[plane] / real(pixels as f64);
            gradient.iter_mut().for_each(|value| *value = *value + share);
        }
        if let Some(of_maximum) = of_maximum {
            let at = first_largest(pixels, |pixel| features[plane * pixels + pixel]);
            gradient[at] = gradient[at] + of_maximum[plane];
        }
    }
}
