use num_traits::Float;

use super::sum;
use crate::{Nchw, PointwiseConvOptions};

/// `y[s, n, o, p] = sum over c of weights[s, o, c] * x[n, group(o) * inputs/groups + c, p] + bias[s, o]`, for each of the
/// stacked matrices `s` (arXiv:1906.05909, Sec. 3.1: the projections to queries, keys and values). `x [n, inputs, h, w]`,
/// `weights [stack, outputs, inputs/groups]`, `bias [stack, outputs]`; returns `[n, outputs, h, w]` for each matrix.
#[must_use]
pub fn pointwise_conv<T: Float>(
    shape: Nchw,
    options: &PointwiseConvOptions,
    x: &[T],
    weights: &[T],
    bias: Option<&[T]>,
) -> Vec<Vec<T>> {
    let (outputs, pixels) = (options.outputs as usize, shape.size().pixels() as usize);
    let group_inputs = (options.inputs / options.groups) as usize;
    let group_outputs = (options.outputs / options.groups) as usize;
    (0..options.stack as usize)
        .map(|stack| {
            let mut y = Vec::with_capacity(shape.batch as usize * outputs * pixels);
            for image in x.chunks_exact((options.inputs as usize * pixels).max(1)) {
                for output in 0..outputs {
                    let group = &image[output / group_outputs * group_inputs * pixels..];
                    let row = &weights[(stack * outputs + output) * group_inputs..][..group_inputs];
                    for pixel in 0..pixels {
                        let sum = sum(group_inputs, |c| row[c] * group[c * pixels + pixel]);
                        y.push(bias.map_or(sum, |bias| sum + bias[stack * outputs + output]));
                    }
                }
            }
            y
        })
        .collect()
}
