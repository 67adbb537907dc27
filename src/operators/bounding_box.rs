//! `bounding_box` as data.

use num_traits::Float;

use super::example::{Example, PLANE};
use super::options::Reader;
use super::shared::{floats, mask};
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{BoundingBox, BoundingBoxBuffers, Cost, Error, Nhw, Recording, TensorSpec, reference};

#[derive(Debug)]
pub(super) struct Boxes(BoundingBox);

impl Described for Boxes {
    const NAME: &'static str = "bounding_box";
    const ABOUT: &'static str = "the box around what is set in each mask";
    const EXAMPLE: Example = Example::new(&[("mask", PLANE)]);
    type Shape = Nhw;

    fn open(compiler: Compiler<'_>, _: &Reader<'_>) -> Result<Self, Error> {
        Ok(Self(BoundingBox::new(compiler)?))
    }

    fn shape(&self, shapes: &Shapes) -> Result<Nhw, Error> {
        shapes.nhw(Self::NAME, "mask")
    }

    fn tensors(&self, shape: Nhw) -> Result<Vec<TensorSpec>, Error> {
        self.0.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: Nhw, slices: &Slices<'_>) -> Result<Recording, Error> {
        let (mask, boxes) = (slices.required(Self::NAME, "mask")?, slices.required(Self::NAME, "boxes")?);
        self.0.bind(device, shape, BoundingBoxBuffers { mask, boxes })
    }

    fn cost(&self, shape: Nhw) -> Cost {
        self.0.cost(shape)
    }

    fn reference<T: Float>(&self, shape: Nhw, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let found = reference::bounding_box(shape, &mask(inputs.required(Self::NAME, "mask")?));
        Ok(Arrays::new([("boxes", floats(found.as_flattened().iter().copied()))]))
    }
}
