//! `head_norm_rotary_backward` as data.

use num_traits::Float;

use super::example::Example;
use super::head_norm_rotary::rotary_options;
use super::options::Reader;
use super::shared::Positions;
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{Cost, Error, HeadNormRotaryBackward, HeadNormRotaryBackwardBuffers, Recording, TensorSpec, reference};

#[derive(Debug)]
pub(super) struct RotaryGradient(HeadNormRotaryBackward);

impl Described for RotaryGradient {
    const NAME: &'static str = "head_norm_rotary_backward";
    const ABOUT: &'static str = "the gradients of the norm of each head and of rotary positions";
    const EXAMPLE: Example = super::head_norm_rotary::Rotary::EXAMPLE;
    type Shape = Positions;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        Ok(Self(HeadNormRotaryBackward::new(compiler, rotary_options(options)?, options.element()?)?))
    }

    fn shape(&self, shapes: &Shapes) -> Result<Positions, Error> {
        Positions::of(Self::NAME, shapes, "x")
    }

    fn tensors(&self, shape: Positions) -> Result<Vec<TensorSpec>, Error> {
        Ok(shape.specs(self.0.tensors(shape.shape)?))
    }

    fn bind(&self, device: &wgpu::Device, shape: Positions, slices: &Slices<'_>) -> Result<Recording, Error> {
        let buffers = HeadNormRotaryBackwardBuffers {
            x: slices.required(Self::NAME, "x")?,
            weight: slices.optional("weight"),
            y_gradient: slices.required(Self::NAME, "y_gradient")?,
            x_gradient: slices.optional("x_gradient"),
            weight_gradient: slices.optional("weight_gradient"),
        };
        self.0.bind(device, shape.shape, buffers)
    }

    fn cost(&self, shape: Positions) -> Cost {
        self.0.cost(shape.shape)
    }

    fn reference<T: Float>(&self, shape: Positions, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let [x, upstream] = ["x", "y_gradient"].map(|name| inputs.required(Self::NAME, name));
        let weight = inputs.optional("weight");
        let found = reference::head_norm_rotary_backward(shape.shape, self.0.options(), x?, weight, upstream?);
        Ok(Arrays::new([("x_gradient", found.x), ("weight_gradient", found.weight)]))
    }
}
