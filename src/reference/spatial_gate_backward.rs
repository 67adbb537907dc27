use num_traits::Float;

use super::attention_map_backward::first_largest;
use super::channel_scale_backward::GateUpstream;
use super::dense::Layer;
use super::{real, spatial_gate, sum};
use crate::{Epilogue, Nchw};

/// The gradients of [`spatial_gate`](super::spatial_gate()).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SpatialGateGradients<T> {
    /// `[n, c, h, w]`.
    pub features: Vec<T>,
    /// `[n, c, h, w]`. Empty except for [`Epilogue::Residual`].
    pub identity: Vec<T>,
    /// `[1, 2, k, k]`.
    pub weight: Vec<T>,
    /// `[1]`: of the convolution's bias, or of the norm's.
    pub bias: Vec<T>,
    /// `[1]`. Empty without a norm.
    pub norm_weight: Vec<T>,
}

/// The gradients of [`spatial_gate`](super::spatial_gate()): the formulas of [their page](crate::ops::spatial_gate_backward). `features`
/// and, in `upstream`, `output` and `output_gradient` are `[n, c, h, w]`, and `gate_gradient` is `[n, h, w]`.
#[must_use]
pub fn spatial_gate_backward<T: Float>(
    shape: Nchw,
    epilogue: Epilogue,
    kernel: usize,
    features: &[T],
    conv: &Layer<'_, T>,
    upstream: GateUpstream<'_, T>,
) -> SpatialGateGradients<T> {
    let (gate, _) = spatial_gate(shape, Epilogue::GateOnly, kernel, features, conv, None);
    let (channels, height, width) = (shape.channels as usize, shape.height as usize, shape.width as usize);
    let pixels = height * width;
    let at = |image: usize, c: usize, pixel: usize| (image * channels + c) * pixels + pixel;
    // The upstream gradient behind the epilogue's ReLU.
    let g = |index: usize| match (epilogue, upstream.output, upstream.output_gradient) {
        (Epilogue::GateOnly, ..) | (.., None) => T::zero(),
        (Epilogue::Residual, Some(output), Some(gradient)) if output[index] > T::zero() => gradient[index],
        (Epilogue::Residual, ..) => T::zero(),
        (.., Some(gradient)) => gradient[index],
    };
    let reads_output = epilogue != Epilogue::GateOnly;
    // The gradient of the convolution's output, behind a norm.
    let dt: Vec<T> = (0..gate.len())
        .map(|index| {
            let (image, pixel) = (index / pixels, index % pixels);
            let of_output = if reads_output {
                sum(channels, |c| g(at(image, c, pixel)) * features[at(image, c, pixel)])
            } else {
                T::zero()
            };
            let of_gate = upstream.gate_gradient.map_or(of_output, |gradient| of_output + gradient[index]);
            of_gate * gate[index] * (T::one() - gate[index])
        })
        .collect();
    let first = |image: usize, pixel: usize| first_largest(channels, |c| features[at(image, c, pixel)]);
    let planes = [0, 1].map(|plane| {
        let value = |index: usize| {
            let (image, pixel) = (index / pixels, index % pixels);
            match plane {
                0 => features[at(image, first(image, pixel), pixel)],
                _ => sum(channels, |c| features[at(image, c, pixel)]) / real(channels as f64),
            }
        };
        (0..gate.len()).map(value).collect::<Vec<T>>()
    });
    let deviation = conv.norm.map_or(T::one(), |norm| (norm.variance[0] + norm.epsilon).sqrt());
    let factor = conv.norm.map_or(T::one(), |norm| norm.weight[0] / deviation);
    let reach = (kernel - 1) / 2;
    // The pixel that a tap reads for another one, if it is inside the image.
    let read = |pixel: usize, a: usize, b: usize| {
        let row = (pixel / width + a).checked_sub(reach).filter(|&row| row < height)?;
        let column = (pixel % width + b).checked_sub(reach).filter(|&column| column < width)?;
        Some(row * width + column)
    };
    let mut taps = Vec::new();
    for plane in &planes {
        for tap in 0..kernel * kernel {
            taps.push(sum(gate.len(), |index| {
                let (image, pixel) = (index / pixels, index % pixels);
                let other = read(pixel, tap / kernel, tap % kernel);
                other.map_or(T::zero(), |other| dt[index] * plane[image * pixels + other])
            }));
        }
    }
    let total = sum(dt.len(), |index| dt[index]);
    // The flipped kernel reads the pixels that read this one.
    let through = |plane: usize, image: usize, pixel: usize| {
        let taps = kernel * kernel;
        let term = |tap: usize| {
            let other = read(pixel, kernel - 1 - tap / kernel, kernel - 1 - tap % kernel);
            other.map_or(T::zero(), |other| conv.weight[plane * taps + tap] * dt[image * pixels + other])
        };
        sum(taps, term) * factor
    };
    let mut gradients = SpatialGateGradients {
        features: vec![T::zero(); features.len()],
        identity: Vec::new(),
        weight: taps.iter().map(|&tap| tap * factor).collect(),
        bias: vec![total],
        norm_weight: Vec::new(),
    };
    if let Some(norm) = conv.norm {
        let convolved = sum(taps.len(), |tap| taps[tap] * conv.weight[tap]);
        gradients.norm_weight.push((convolved - norm.mean[0] * total) / deviation);
    }
    for image in 0..shape.batch as usize {
        for pixel in 0..pixels {
            let (of_maximum, of_mean) = (through(0, image, pixel), through(1, image, pixel));
            let largest = first(image, pixel);
            for c in 0..channels {
                let index = at(image, c, pixel);
                let mut value = of_mean / real(channels as f64);
                if reads_output {
                    value = value + g(index) * gate[image * pixels + pixel];
                }
                if c == largest {
                    value = value + of_maximum;
                }
                if epilogue == Epilogue::ScaleAdd {
                    value = value + g(index);
                }
                gradients.features[index] = value;
            }
        }
    }
    if epilogue == Epilogue::Residual {
        gradients.identity = (0..features.len()).map(g).collect();
    }
    gradients
}
