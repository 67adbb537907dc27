//! The convolution, batch norm and `ReLU` that BiSeNet's modules have before their attention, and their gradients, in f64. The crate has no
//! such layer.

use safetensors::Dtype;
use visual_attention::Nchw;

use super::{Case, Outputs, Problem, Values};

/// Inputs of a module that its convolution reads.
pub(super) const INPUTS: [&str; 8] =
    ["x", "fsp", "fcp", "conv_w", "conv_bn_weight", "conv_bn_bias", "conv_bn_mean", "conv_bn_var"];

pub(super) struct Convolution<'a> {
    /// Tensors side by side along the channels, each with its channels.
    inputs: Vec<(&'static str, &'a Values, usize)>,
    weight: &'a Values,
    /// Weight, bias, mean and variance.
    norm: [&'a Values; 4],
    epsilon: f64,
    shape: Nchw,
    outputs: usize,
    side: usize,
}

impl<'a> Convolution<'a> {
    /// That of a feature fusion is 1x1, over two tensors; that of a refinement is 3x3.
    pub(super) fn new(case: &'a Case, fusion: bool, epsilon: f64) -> Result<Self, Problem> {
        let names: &[&'static str] = if fusion { &["fsp", "fcp"] } else { &["x"] };
        let mut shape = Nchw::new(0, 0, 0, 0);
        let mut inputs = Vec::new();
        for &name in names {
            let values = case.input(name)?;
            let one = values.nchw(name)?;
            if shape.channels > 0 && (Nchw { channels: shape.channels, ..one }) != shape {
                return Err(Problem::Malformed(format!("`in.{name}` is {one}, beside {shape}")));
            }
            shape = Nchw { channels: shape.channels + one.channels, ..one };
            inputs.push((name, values, one.channels as usize));
        }
        for name in INPUTS {
            if let Some(values) = case.optional(name).filter(|values| values.dtype != Dtype::F32) {
                return Err(Problem::Malformed(format!("`in.{name}` is {:?}, needs f32", values.dtype)));
            }
        }
        let side = if fusion { 1 } else { 3 };
        let weight = case.input("conv_w")?;
        let outputs = weight.shape.first().and_then(|&rows| u32::try_from(rows).ok()).unwrap_or(0);
        let kernel = [outputs, shape.channels, side, side];
        case.shaped("conv_w", if fusion { &kernel[..2] } else { &kernel })?;
        let norm = |part| case.shaped(part, &[outputs]);
        let norm = [norm("conv_bn_weight")?, norm("conv_bn_bias")?, norm("conv_bn_mean")?, norm("conv_bn_var")?];
        let (outputs, side) = (outputs as usize, side as usize);
        Ok(Self { inputs, weight, norm, epsilon, shape, outputs, side })
    }

    fn pixels(&self) -> usize {
        self.shape.size().pixels() as usize
    }

    /// Images whose channels are those of all inputs.
    fn side_by_side(&self) -> Vec<f64> {
        let images = (0..self.shape.batch as usize).flat_map(|image| {
            self.inputs.iter().flat_map(move |(_, values, channels)| {
                let len = channels * self.pixels();
                values.numbers[image * len..(image + 1) * len].iter().map(|&number| f64::from(number))
            })
        });
        images.collect()
    }

    /// Every product of the convolution: the index of the sum, of the input and of the weight.
    fn products(&self, mut visit: impl FnMut(usize, usize, usize)) {
        let Nchw { batch, channels, height, width } = self.shape;
        let [batch, channels, height, width] = [batch, channels, height, width].map(|extent| extent as usize);
        let (side, pixels) = (self.side, self.pixels());
        for (image, output) in (0..batch).flat_map(|image| (0..self.outputs).map(move |output| (image, output))) {
            for pixel in 0..pixels {
                for tap in 0..channels * side * side {
                    let (c, a, b) = (tap / (side * side), tap / side % side, tap % side);
                    let row = (pixel / width + a).checked_sub(side / 2).filter(|&row| row < height);
                    let column = (pixel % width + b).checked_sub(side / 2).filter(|&column| column < width);
                    if let (Some(row), Some(column)) = (row, column) {
                        let sum = (image * self.outputs + output) * pixels + pixel;
                        let input = (image * channels + c) * pixels + row * width + column;
                        visit(sum, input, output * channels * side * side + tap);
                    }
                }
            }
        }
    }

    fn sums(&self) -> Vec<f64> {
        let inputs = self.side_by_side();
        let mut sums = vec![0.0; self.shape.batch as usize * self.outputs * self.pixels()];
        self.products(|sum, input, weight| sums[sum] += f64::from(self.weight.numbers[weight]) * inputs[input]);
        sums
    }

    /// The channel of a sum, what its norm scales, and the norm's factor.
    fn scaled(&self, index: usize, sum: f64) -> (usize, f64, f64) {
        let channel = index / self.pixels() % self.outputs;
        let [weight, _, mean, variance] = self.norm.map(|values| f64::from(values.numbers[channel]));
        let deviation = (variance + self.epsilon).sqrt();
        (channel, (sum - mean) / deviation, weight / deviation)
    }

    fn normed(&self, index: usize, sum: f64) -> f64 {
        let (channel, scaled, _) = self.scaled(index, sum);
        scaled * f64::from(self.norm[0].numbers[channel]) + f64::from(self.norm[1].numbers[channel])
    }

    pub(super) fn features(&self) -> Values {
        let sums = self.sums().into_iter().enumerate();
        let numbers = sums.map(|(index, sum)| self.normed(index, sum).max(0.0) as f32).collect();
        let Nchw { batch, height, width, .. } = self.shape;
        Values {
            shape: vec![batch as usize, self.outputs, height as usize, width as usize],
            dtype: Dtype::F32,
            numbers,
        }
    }

    /// Gradients of the inputs and parameters, from that of the features.
    pub(super) fn gradients(&self, upstream: &[f64]) -> Outputs {
        let inputs = self.side_by_side();
        let (mut of_weight, mut of_bias) = (vec![0.0; self.outputs], vec![0.0; self.outputs]);
        let mut of_sums = Vec::new();
        for ((index, sum), gradient) in self.sums().into_iter().enumerate().zip(upstream) {
            let (channel, scaled, factor) = self.scaled(index, sum);
            let gradient = if self.normed(index, sum) > 0.0 { *gradient } else { 0.0 };
            of_weight[channel] += gradient * scaled;
            of_bias[channel] += gradient;
            of_sums.push(gradient * factor);
        }
        let (mut of_inputs, mut of_kernel) = (vec![0.0; inputs.len()], vec![0.0; self.weight.numbers.len()]);
        // Upstream gradients of a wrong length are reported as such.
        of_sums.resize(self.shape.batch as usize * self.outputs * self.pixels(), f64::NAN);
        self.products(|sum, input, weight| {
            of_inputs[input] += of_sums[sum] * f64::from(self.weight.numbers[weight]);
            of_kernel[weight] += of_sums[sum] * inputs[input];
        });
        let parameters = [("conv_w", of_kernel), ("conv_bn_weight", of_weight), ("conv_bn_bias", of_bias)];
        let mut gradients: Outputs = parameters.into_iter().map(|(name, numbers)| (name.to_owned(), numbers)).collect();
        let mut rest = of_inputs.as_slice();
        for _ in 0..self.shape.batch {
            for (name, _, channels) in &self.inputs {
                let (part, others) = rest.split_at(channels * self.pixels());
                gradients.entry((*name).to_owned()).or_default().extend(part);
                rest = others;
            }
        }
        gradients
    }
}
