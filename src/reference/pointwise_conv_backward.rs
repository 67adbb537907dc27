use num_traits::Float;

use super::sum;
use crate::{Nchw, PointwiseConvOptions};

/// The gradients of [`pointwise_conv`](super::pointwise_conv).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PointwiseConvGradients<T> {
    /// `[n, inputs, h, w]`.
    pub x: Vec<T>,
    /// `[stack, outputs, inputs/groups]`.
    pub weights: Vec<T>,
    /// `[stack, outputs]`.
    pub bias: Vec<T>,
}

/// The gradients of [`pointwise_conv`](super::pointwise_conv): the formulas of [their page](crate::ops::pointwise_conv_backward).
/// `x [n, inputs, h, w]`, `weights [stack, outputs, inputs/groups]`, and for each matrix `y_gradient [n, outputs, h, w]`.
#[must_use]
pub fn pointwise_conv_backward<T: Float>(
    shape: Nchw,
    options: &PointwiseConvOptions,
    x: &[T],
    weights: &[T],
    y_gradient: &[&[T]],
) -> PointwiseConvGradients<T> {
    let [batch, inputs, outputs, groups] =
        [shape.batch, options.inputs, options.outputs, options.groups].map(|extent| extent as usize);
    let pixels = shape.size().pixels() as usize;
    let (group_inputs, group_outputs) = (inputs / groups, outputs / groups);
    let feature = |image: usize, c: usize, pixel: usize| x[(image * inputs + c) * pixels + pixel];
    let upstream =
        |s: usize, image: usize, o: usize, pixel: usize| y_gradient[s][(image * outputs + o) * pixels + pixel];

    let mut gradients = PointwiseConvGradients { x: Vec::new(), weights: Vec::new(), bias: Vec::new() };
    for image in 0..batch {
        for c in 0..inputs {
            let first = c / group_inputs * group_outputs;
            for pixel in 0..pixels {
                gradients.x.push(sum(y_gradient.len() * group_outputs, |term| {
                    let (s, o) = (term / group_outputs, first + term % group_outputs);
                    weights[(s * outputs + o) * group_inputs + c % group_inputs] * upstream(s, image, o, pixel)
                }));
            }
        }
    }
    for s in 0..y_gradient.len() {
        for o in 0..outputs {
            for c in 0..group_inputs {
                let c = o / group_outputs * group_inputs + c;
                gradients.weights.push(sum(batch * pixels, |term| {
                    let (image, pixel) = (term / pixels, term % pixels);
                    upstream(s, image, o, pixel) * feature(image, c, pixel)
                }));
            }
            gradients.bias.push(sum(batch * pixels, |term| upstream(s, term / pixels, o, term % pixels)));
        }
    }
    gradients
}
