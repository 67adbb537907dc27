//! `resize_backward` as data.

use num_traits::Float;

use super::example::Example;
use super::options::Reader;
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::check;
use crate::kernel::compiler::Compiler;
use crate::{
    Cost, Element, Error, Recording, ResizeBackward, ResizeBackwardBuffers, ResizeShape, Sampling, Size, TensorSpec,
    reference,
};

#[derive(Debug)]
pub(super) struct ResizeGradient {
    operator: ResizeBackward,
    sampling: Sampling,
    size: Size,
    element: Element,
}

impl ResizeGradient {
    /// The forward operator's input, which gives the shape and is not read.
    fn unread(&self, shape: ResizeShape) -> TensorSpec {
        TensorSpec::input("input", shape.input, self.element).optional()
    }
}

impl Described for ResizeGradient {
    const NAME: &'static str = "resize_backward";
    const ABOUT: &'static str = "the gradient of bilinear resampling with respect to the input";
    const EXAMPLE: Example = super::resize::Resized::EXAMPLE;
    type Shape = ResizeShape;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let sampling = options.name("sampling", Sampling::NAMES, Sampling::default())?;
        let (size, element) = (options.size("size", None)?, options.element()?);
        Ok(Self { operator: ResizeBackward::new(compiler, sampling, element)?, sampling, size, element })
    }

    fn shape(&self, shapes: &Shapes) -> Result<ResizeShape, Error> {
        Ok(ResizeShape { input: shapes.nchw(Self::NAME, "input")?, output: self.size })
    }

    fn tensors(&self, shape: ResizeShape) -> Result<Vec<TensorSpec>, Error> {
        Ok([vec![self.unread(shape)], self.operator.tensors(shape)?].concat())
    }

    fn bind(&self, device: &wgpu::Device, shape: ResizeShape, slices: &Slices<'_>) -> Result<Recording, Error> {
        // What is given is checked, even if it is not read.
        check::slices(Self::NAME, device, &[self.unread(shape)], &[("input", slices.optional("input"))])?;
        let buffers = ResizeBackwardBuffers {
            output_gradient: slices.required(Self::NAME, "output_gradient")?,
            input_gradient: slices.optional("input_gradient"),
        };
        self.operator.bind(device, shape, buffers)
    }

    fn cost(&self, shape: ResizeShape) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: ResizeShape, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let upstream = inputs.required(Self::NAME, "output_gradient")?;
        let gradient = reference::resize_backward(shape.input, shape.output, self.sampling, upstream);
        Ok(Arrays::new([("input_gradient", gradient)]))
    }
}
