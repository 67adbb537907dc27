//! `resize` as data.

use num_traits::Float;

use super::example::{Example, FEATURES, SIZE};
use super::options::Reader;
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{Cost, Error, Recording, Resize, ResizeBuffers, ResizeShape, Sampling, Size, TensorSpec, reference};

#[derive(Debug)]
pub(super) struct Resized {
    operator: Resize,
    sampling: Sampling,
    size: Size,
}

impl Described for Resized {
    const NAME: &'static str = "resize";
    const ABOUT: &'static str = "bilinear resizing of every plane";
    const EXAMPLE: Example = Example::new(&[("input", FEATURES)]).with(&[("size", SIZE)]);
    type Shape = ResizeShape;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let sampling = options.name("sampling", Sampling::NAMES, Sampling::default())?;
        let size = options.size("size", None)?;
        Ok(Self { operator: Resize::new(compiler, sampling, options.element()?)?, sampling, size })
    }

    fn shape(&self, shapes: &Shapes) -> Result<ResizeShape, Error> {
        Ok(ResizeShape { input: shapes.nchw(Self::NAME, "input")?, output: self.size })
    }

    fn tensors(&self, shape: ResizeShape) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: ResizeShape, slices: &Slices<'_>) -> Result<Recording, Error> {
        let (input, output) = (slices.required(Self::NAME, "input")?, slices.required(Self::NAME, "output")?);
        self.operator.bind(device, shape, ResizeBuffers { input, output })
    }

    fn cost(&self, shape: ResizeShape) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: ResizeShape, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let input = inputs.required(Self::NAME, "input")?;
        Ok(Arrays::new([("output", reference::resize(shape.input, shape.output, self.sampling, input))]))
    }
}
