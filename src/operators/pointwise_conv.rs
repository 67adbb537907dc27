//! `pointwise_conv` as data.

use num_traits::Float;

use super::example::{Example, H, N, W};
use super::options::Reader;
use super::shared::projection;
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{
    Cost, Error, Nchw, PointwiseConv, PointwiseConvBuffers, PointwiseConvOptions, Recording, TensorSpec, reference,
};

#[derive(Debug)]
pub(super) struct Projection {
    operator: PointwiseConv,
    options: PointwiseConvOptions,
}

impl Described for Projection {
    const NAME: &'static str = "pointwise_conv";
    const ABOUT: &'static str = "up to three 1x1 convolutions of one tensor";
    const EXAMPLE: Example =
        Example::new(&[("x", &[N, ("inputs", 113), H, W])]).with(&[("inputs", "113"), ("outputs", "127")]);
    type Shape = Nchw;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let chosen = projection(options)?;
        Ok(Self { operator: PointwiseConv::new(compiler, chosen, options.element()?)?, options: chosen })
    }

    fn shape(&self, shapes: &Shapes) -> Result<Nchw, Error> {
        shapes.nchw(Self::NAME, "x")
    }

    fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: Nchw, slices: &Slices<'_>) -> Result<Recording, Error> {
        let buffers = PointwiseConvBuffers {
            x: slices.required(Self::NAME, "x")?,
            weights: slices.required(Self::NAME, "weights")?,
            bias: slices.optional("bias"),
            y: ["y[0]", "y[1]", "y[2]"].map(|name| slices.optional(name)),
        };
        self.operator.bind(device, shape, buffers)
    }

    fn cost(&self, shape: Nchw) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: Nchw, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let (x, weights) = (inputs.required(Self::NAME, "x")?, inputs.required(Self::NAME, "weights")?);
        let outputs = reference::pointwise_conv(shape, &self.options, x, weights, inputs.optional("bias"));
        Ok(Arrays::new(["y[0]", "y[1]", "y[2]"].into_iter().zip(outputs)))
    }
}
