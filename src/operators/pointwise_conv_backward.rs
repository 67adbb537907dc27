//! `pointwise_conv_backward` as data.

use num_traits::Float;

use super::example::Example;
use super::options::Reader;
use super::shared::projection;
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{
    Cost, Error, Nchw, PointwiseConvBackward, PointwiseConvBackwardBuffers, PointwiseConvOptions, Recording,
    TensorSpec, reference,
};

#[derive(Debug)]
pub(super) struct ProjectionGradient {
    operator: PointwiseConvBackward,
    options: PointwiseConvOptions,
}

const Y: [&str; 3] = ["y[0]_gradient", "y[1]_gradient", "y[2]_gradient"];

impl Described for ProjectionGradient {
    const NAME: &'static str = "pointwise_conv_backward";
    const ABOUT: &'static str = "the gradients of a pointwise convolution with respect to its input, weights and bias";
    const EXAMPLE: Example = super::pointwise_conv::Projection::EXAMPLE;
    type Shape = Nchw;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let chosen = projection(options)?;
        Ok(Self { operator: PointwiseConvBackward::new(compiler, chosen, options.element()?)?, options: chosen })
    }

    fn shape(&self, shapes: &Shapes) -> Result<Nchw, Error> {
        shapes.nchw(Self::NAME, "x")
    }

    fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: Nchw, slices: &Slices<'_>) -> Result<Recording, Error> {
        let buffers = PointwiseConvBackwardBuffers {
            x: slices.optional("x"),
            weights: slices.optional("weights"),
            y_gradient: Y.map(|name| slices.optional(name)),
            x_gradient: slices.optional("x_gradient"),
            weights_gradient: slices.optional("weights_gradient"),
            bias_gradient: slices.optional("bias_gradient"),
        };
        self.operator.bind(device, shape, buffers)
    }

    fn cost(&self, shape: Nchw) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: Nchw, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let (x, weights) = (inputs.required(Self::NAME, "x")?, inputs.required(Self::NAME, "weights")?);
        let upstream = Y.into_iter().take(self.options.stack as usize).map(|name| inputs.required(Self::NAME, name));
        let upstream: Vec<&[T]> = upstream.collect::<Result<_, _>>()?;
        let gradients = reference::pointwise_conv_backward(shape, &self.options, x, weights, &upstream);
        let bias = self.options.bias.then_some(("bias_gradient", gradients.bias));
        let others = [("x_gradient", gradients.x), ("weights_gradient", gradients.weights)];
        Ok(Arrays::new(others.into_iter().chain(bias)))
    }
}
