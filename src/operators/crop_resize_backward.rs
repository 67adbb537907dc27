//! `crop_resize_backward` as data.

use num_traits::Float;

use super::example::Example;
use super::options::Reader;
use super::shared::boxes;
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::check;
use crate::kernel::compiler::Compiler;
use crate::{
    Cost, CropEnd, CropResizeBackward, CropResizeBackwardBuffers, CropResizeShape, Element, Error, Recording, Sampling,
    Size, TensorSpec, reference,
};

#[derive(Debug)]
pub(super) struct CropGradient {
    operator: CropResizeBackward,
    end: CropEnd,
    sampling: Sampling,
    size: Size,
    element: Element,
}

impl CropGradient {
    /// The forward operator's input, which gives the shape and is not read.
    fn unread(&self, shape: CropResizeShape) -> TensorSpec {
        TensorSpec::input("images", shape.images, self.element).optional()
    }
}

impl Described for CropGradient {
    const NAME: &'static str = "crop_resize_backward";
    const ABOUT: &'static str = "the gradient of crops with respect to the images";
    const EXAMPLE: Example = super::crop_resize::Crop::EXAMPLE;
    type Shape = CropResizeShape;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let end = options.name("crop_end", CropEnd::NAMES, CropEnd::default())?;
        let sampling = options.name("sampling", Sampling::NAMES, Sampling::default())?;
        let (size, element) = (options.size("size", None)?, options.element()?);
        let operator = CropResizeBackward::new(compiler, end, sampling, element)?;
        Ok(Self { operator, end, sampling, size, element })
    }

    fn shape(&self, shapes: &Shapes) -> Result<CropResizeShape, Error> {
        Ok(CropResizeShape { images: shapes.nchw(Self::NAME, "images")?, crop: self.size })
    }

    fn tensors(&self, shape: CropResizeShape) -> Result<Vec<TensorSpec>, Error> {
        Ok([vec![self.unread(shape)], self.operator.tensors(shape)?].concat())
    }

    fn bind(&self, device: &wgpu::Device, shape: CropResizeShape, slices: &Slices<'_>) -> Result<Recording, Error> {
        // What is given is checked, even if it is not read.
        check::slices(Self::NAME, device, &[self.unread(shape)], &[("images", slices.optional("images"))])?;
        let buffers = CropResizeBackwardBuffers {
            boxes: slices.required(Self::NAME, "boxes")?,
            crops_gradient: slices.required(Self::NAME, "crops_gradient")?,
            images_gradient: slices.optional("images_gradient"),
        };
        self.operator.bind(device, shape, buffers)
    }

    fn cost(&self, shape: CropResizeShape) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: CropResizeShape, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let found = boxes(inputs.required(Self::NAME, "boxes")?);
        let upstream = inputs.required(Self::NAME, "crops_gradient")?;
        let CropResizeShape { images, crop } = shape;
        let gradient = reference::crop_resize_backward(images, crop, self.end, self.sampling, &found, upstream);
        Ok(Arrays::new([("images_gradient", gradient)]))
    }
}
