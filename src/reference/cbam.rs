use num_traits::Float;

use super::attention_map::attention_map;
use super::channel_scale::form_of;
use super::dense::Layer;
use super::squeeze_excite::{Excitation, squeeze_excite};
use crate::{Activation, CbamOptions, Epilogue, Nchw, Squeeze, SqueezeExciteOptions, Statistic};

/// The gate and the output of CBAM's spatial gate (arXiv:1807.06521, Eq. 3): gate = sigmoid(norm(convolution)) of two planes.
/// The planes are the maximum and the mean over the channels, zero outside the image. `output` is the epilogue of `features * gate`, and
/// empty for [`Epilogue::GateOnly`]. `features`, `identity` `[n, c, h, w]`, the layer's weight `[1, 2, kernel, kernel]`; returns
/// `[n, h, w]` and `[n, c, h, w]`.
#[must_use]
pub fn spatial_gate<T: Float>(
    shape: Nchw,
    epilogue: Epilogue,
    kernel: usize,
    features: &[T],
    conv: &Layer<'_, T>,
    identity: Option<&[T]>,
) -> (Vec<T>, Vec<T>) {
    let gate = spatial_gate_of(shape, kernel, features, conv);
    let output = if epilogue == Epilogue::GateOnly { Vec::new() } else { scaled(shape, &gate, features) };
    let forms = output.iter().zip(features).enumerate();
    let output = forms.map(|(index, (&scaled, &value))| form_of(epilogue, scaled, value, identity, index)).collect();
    (gate, output)
}

/// `features * gate`, where each pixel has one gate.
fn scaled<T: Float>(shape: Nchw, gate: &[T], features: &[T]) -> Vec<T> {
    let pixels = shape.size().pixels() as usize;
    let image = shape.channels as usize * pixels;
    features.iter().enumerate().map(|(index, &value)| value * gate[index / image * pixels + index % pixels]).collect()
}

fn spatial_gate_of<T: Float>(shape: Nchw, kernel: usize, features: &[T], conv: &Layer<'_, T>) -> Vec<T> {
    let (height, width) = (shape.height as usize, shape.width as usize);
    let pixels = height * width;
    let planes = [Statistic::Max, Statistic::Mean].map(|statistic| attention_map(shape, statistic, features));
    let reach = (kernel - 1) / 2;
    let mut gate = Vec::with_capacity(shape.batch as usize * pixels);
    for image in 0..shape.batch as usize {
        for y in 0..height {
            for x in 0..width {
                let mut sum = T::zero();
                for (plane, weights) in planes.iter().zip(conv.weight.chunks_exact(kernel * kernel)) {
                    for (tap, &weight) in weights.iter().enumerate() {
                        let row = (y + tap / kernel).checked_sub(reach).filter(|&row| row < height);
                        let column = (x + tap % kernel).checked_sub(reach).filter(|&column| column < width);
                        if let (Some(row), Some(column)) = (row, column) {
                            sum = sum + weight * plane[image * pixels + row * width + column];
                        }
                    }
                }
                let t = conv.bias.map_or(sum, |bias| sum + bias[0]);
                gate.push(Activation::Sigmoid.apply(conv.norm.map_or(t, |norm| norm.apply(0, t))));
            }
        }
    }
    gate
}

/// CBAM (arXiv:1807.06521, Eq. 1): the channel gate, and then the spatial gate of the gated features, with the epilogue of the
/// options. `features`, `identity` `[n, c, h, w]`; returns `[n, c, h, w]`.
#[must_use]
pub fn cbam<T: Float>(
    shape: Nchw,
    options: CbamOptions,
    kernel: usize,
    features: &[T],
    excitation: &Excitation<'_, T>,
    conv: &Layer<'_, T>,
    identity: Option<&[T]>,
) -> Vec<T> {
    let CbamOptions { activation, gate, epilogue } = options;
    let options = SqueezeExciteOptions { squeeze: Squeeze::MeanAndMax, activation, gate, epilogue: Epilogue::Scale };
    let (_, gated) = squeeze_excite(shape, options, features, excitation, None);
    let gate = spatial_gate_of(shape, kernel, &gated, conv);
    let gated = scaled(shape, &gate, &gated).into_iter().zip(features).enumerate();
    gated.map(|(index, (scaled, &value))| form_of(epilogue, scaled, value, identity, index)).collect()
}
