//! `normalize_backward` as data.

use num_traits::Float;

use super::example::Example;
use super::options::Reader;
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{
    Cost, Error, Nhw, Normalization, NormalizeBackward, NormalizeBackwardBuffers, Recording, TensorSpec, reference,
};

#[derive(Debug)]
pub(super) struct NormalizedGradient {
    operator: NormalizeBackward,
    normalization: Normalization,
}

impl Described for NormalizedGradient {
    const NAME: &'static str = "normalize_backward";
    const ABOUT: &'static str = "the gradient of a normalised map, in place";
    const EXAMPLE: Example = super::normalize::Normalized::EXAMPLE;
    type Shape = Nhw;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let normalization = options.name("normalization", Normalization::NAMES, Normalization::default())?;
        Ok(Self { operator: NormalizeBackward::new(compiler, normalization)?, normalization })
    }

    fn shape(&self, shapes: &Shapes) -> Result<Nhw, Error> {
        shapes.nhw(Self::NAME, "map")
    }

    fn tensors(&self, shape: Nhw) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: Nhw, slices: &Slices<'_>) -> Result<Recording, Error> {
        let [map, range, map_gradient] = ["map", "range", "map_gradient"].map(|name| slices.required(Self::NAME, name));
        let buffers = NormalizeBackwardBuffers { map: map?, range: range?, map_gradient: map_gradient? };
        self.operator.bind(device, shape, buffers)
    }

    fn cost(&self, shape: Nhw) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: Nhw, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let [map, range, upstream] = ["map", "range", "map_gradient"].map(|name| inputs.required(Self::NAME, name));
        let gradient = reference::normalize_backward(shape, self.normalization, map?, range?, upstream?);
        Ok(Arrays::new([("map_gradient", gradient)]))
    }
}
