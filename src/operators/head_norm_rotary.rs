//! `head_norm_rotary` as data.

use num_traits::Float;

use super::example::{Example, FEATURES};
use super::options::Reader;
use super::shared::Positions;
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{
    Cost, Error, HeadNorm, HeadNormRotary, HeadNormRotaryBuffers, HeadNormRotaryOptions, Recording, TensorSpec,
    reference,
};

#[derive(Debug)]
pub(super) struct Rotary(HeadNormRotary);

pub(super) fn rotary_options(options: &Reader<'_>) -> Result<HeadNormRotaryOptions, Error> {
    let defaults = HeadNormRotaryOptions::new(options.integer("heads", Some(1))?);
    Ok(defaults
        .with_norm(options.name("norm", HeadNorm::NAMES, defaults.norm)?)
        .with_epsilon(options.number("epsilon", Some(defaults.epsilon))?)
        .with_scale(options.number("scale", Some(defaults.scale))?)
        .with_split(options.axes("split", defaults.split, false)?)
        .with_first(options.axes("first", defaults.first, false)?)
        .with_base(options.number("base", Some(defaults.base))?))
}

impl Described for Rotary {
    const NAME: &'static str = "head_norm_rotary";
    const ABOUT: &'static str = "norm of each head and rotary positions, for queries and keys";
    const EXAMPLE: Example = Example::new(&[("x", FEATURES)]).with(&[("heads", "6")]);
    type Shape = Positions;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        Ok(Self(HeadNormRotary::new(compiler, rotary_options(options)?, options.element()?)?))
    }

    fn shape(&self, shapes: &Shapes) -> Result<Positions, Error> {
        Positions::of(Self::NAME, shapes, "x")
    }

    fn tensors(&self, shape: Positions) -> Result<Vec<TensorSpec>, Error> {
        Ok(shape.specs(self.0.tensors(shape.shape)?))
    }

    fn bind(&self, device: &wgpu::Device, shape: Positions, slices: &Slices<'_>) -> Result<Recording, Error> {
        let buffers = HeadNormRotaryBuffers {
            x: slices.required(Self::NAME, "x")?,
            weight: slices.optional("weight"),
            y: slices.required(Self::NAME, "y")?,
        };
        self.0.bind(device, shape.shape, buffers)
    }

    fn cost(&self, shape: Positions) -> Cost {
        self.0.cost(shape.shape)
    }

    fn reference<T: Float>(&self, shape: Positions, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let x = inputs.required(Self::NAME, "x")?;
        let y = reference::head_norm_rotary(shape.shape, self.0.options(), x, inputs.optional("weight"));
        Ok(Arrays::new([("y", y)]))
    }
}
