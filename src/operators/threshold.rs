//! `threshold` as data.

use num_traits::Float;

use super::example::{Example, PLANE, SIZE};
use super::options::Reader;
use super::shared::floats;
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{
    Cost, Error, Nchw, Nhw, Recording, Sampling, Size, TensorSpec, Threshold, ThresholdBuffers, ThresholdRule,
    ThresholdShape, reference,
};

#[derive(Debug)]
pub(super) struct Mask {
    operator: Threshold,
    rule: ThresholdRule,
    sampling: Sampling,
    size: Size,
}

impl Described for Mask {
    const NAME: &'static str = "threshold";
    const ABOUT: &'static str = "the mask of a map that exceeds a threshold, at another size";
    const EXAMPLE: Example = Example::new(&[("map", PLANE)]).with(&[("size", SIZE)]);
    type Shape = ThresholdShape;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let rule = options.threshold("threshold")?;
        let sampling = options.name("sampling", Sampling::NAMES, Sampling::default())?;
        let size = options.size("size", None)?;
        Ok(Self { operator: Threshold::new(compiler, rule, sampling)?, rule, sampling, size })
    }

    fn shape(&self, shapes: &Shapes) -> Result<ThresholdShape, Error> {
        Ok(ThresholdShape { map: shapes.nhw(Self::NAME, "map")?, mask: self.size })
    }

    fn tensors(&self, shape: ThresholdShape) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: ThresholdShape, slices: &Slices<'_>) -> Result<Recording, Error> {
        let (map, mask) = (slices.required(Self::NAME, "map")?, slices.required(Self::NAME, "mask")?);
        self.operator.bind(device, shape, ThresholdBuffers { map, mask })
    }

    fn cost(&self, shape: ThresholdShape) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: ThresholdShape, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let ThresholdShape { map: Nhw { batch, height, width }, mask } = shape;
        let map = inputs.required(Self::NAME, "map")?;
        let map = reference::resize(Nchw::new(batch, 1, height, width), mask, self.sampling, map);
        let mask = reference::threshold(Nhw::new(batch, mask.height, mask.width), self.rule, &map);
        Ok(Arrays::new([("mask", floats(mask))]))
    }
}
