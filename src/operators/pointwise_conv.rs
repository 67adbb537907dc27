//! `pointwise_conv` as data.

use num_traits::Float;

use super::{Arrays, Described, Options, Shapes, Slices};
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
    type Shape = Nchw;

    fn open(compiler: Compiler<'_>, options: &Options) -> Result<Self, Error> {
        let (inputs, outputs) = (options.integer("inputs", None)?, options.integer("outputs", None)?);
        let defaults = PointwiseConvOptions::new(inputs, outputs);
        let chosen = defaults
            .with_groups(options.integer("groups", Some(defaults.groups))?)
            .with_stack(options.integer("stack", Some(defaults.stack))?)
            .with_bias(options.flag("bias", defaults.bias)?);
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
            x: slices.need(Self::NAME, "x")?,
            weights: slices.need(Self::NAME, "weights")?,
            bias: slices.get("bias"),
            y: ["y[0]", "y[1]", "y[2]"].map(|name| slices.get(name)),
        };
        self.operator.bind(device, shape, buffers)
    }

    fn cost(&self, shape: Nchw) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: Nchw, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let (x, weights) = (inputs.need(Self::NAME, "x")?, inputs.need(Self::NAME, "weights")?);
        let outputs = reference::pointwise_conv(shape, &self.options, x, weights, inputs.get("bias"));
        Ok(Arrays::new(["y[0]", "y[1]", "y[2]"].into_iter().zip(outputs)))
    }
}
