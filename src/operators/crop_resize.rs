//! `crop_resize` as data.

use num_traits::Float;

use super::example::{Example, FEATURES, SIZE};
use super::options::Reader;
use super::shared::boxes;
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{
    Cost, CropEnd, CropResize, CropResizeBuffers, CropResizeShape, Error, Recording, Sampling, Size, TensorSpec,
    reference,
};

#[derive(Debug)]
pub(super) struct Crop {
    operator: CropResize,
    end: CropEnd,
    sampling: Sampling,
    size: Size,
}

impl Described for Crop {
    const NAME: &'static str = "crop_resize";
    const ABOUT: &'static str = "the box of each image, resized";
    const EXAMPLE: Example = Example::new(&[("images", FEATURES)]).with(&[("size", SIZE)]);
    type Shape = CropResizeShape;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let end = options.name("crop_end", CropEnd::NAMES, CropEnd::default())?;
        let sampling = options.name("sampling", Sampling::NAMES, Sampling::default())?;
        let size = options.size("size", None)?;
        Ok(Self { operator: CropResize::new(compiler, end, sampling, options.element()?)?, end, sampling, size })
    }

    fn shape(&self, shapes: &Shapes) -> Result<CropResizeShape, Error> {
        Ok(CropResizeShape { images: shapes.nchw(Self::NAME, "images")?, crop: self.size })
    }

    fn tensors(&self, shape: CropResizeShape) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: CropResizeShape, slices: &Slices<'_>) -> Result<Recording, Error> {
        let (images, boxes) = (slices.required(Self::NAME, "images")?, slices.required(Self::NAME, "boxes")?);
        self.operator.bind(
            device,
            shape,
            CropResizeBuffers { images, boxes, crops: slices.required(Self::NAME, "crops")? },
        )
    }

    fn cost(&self, shape: CropResizeShape) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: CropResizeShape, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let (images, found) = (inputs.required(Self::NAME, "images")?, boxes(inputs.required(Self::NAME, "boxes")?));
        let crops = reference::crop_resize(shape.images, shape.crop, self.end, self.sampling, images, &found);
        Ok(Arrays::new([("crops", crops)]))
    }
}
