//! `component_labels` as data.

use num_traits::Float;

use super::example::{Example, PLANE};
use super::options::Reader;
use super::shared::{floats, mask};
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{
    ComponentLabels, ComponentLabelsBuffers, Connectivity, Cost, Error, Nhw, Recording, TensorSpec, reference,
};

#[derive(Debug)]
pub(super) struct Labels(ComponentLabels);

impl Described for Labels {
    const NAME: &'static str = "component_labels";
    const ABOUT: &'static str = "every connected region of each mask, numbered in raster order, and how many there are";
    const EXAMPLE: Example = Example::new(&[("mask", PLANE)]);
    type Shape = Nhw;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let connectivity = options.name("connectivity", Connectivity::NAMES, Connectivity::default())?;
        ComponentLabels::new(compiler, connectivity).map(Self)
    }

    fn shape(&self, shapes: &Shapes) -> Result<Nhw, Error> {
        shapes.nhw(Self::NAME, "mask")
    }

    fn tensors(&self, shape: Nhw) -> Result<Vec<TensorSpec>, Error> {
        self.0.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: Nhw, slices: &Slices<'_>) -> Result<Recording, Error> {
        let [mask, labels, count] = ["mask", "labels", "count"].map(|name| slices.required(Self::NAME, name));
        self.0.bind(device, shape, ComponentLabelsBuffers { mask: mask?, labels: labels?, count: count? })
    }

    fn cost(&self, shape: Nhw) -> Cost {
        self.0.cost(shape)
    }

    fn reference<T: Float>(&self, shape: Nhw, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let mask = mask(inputs.required(Self::NAME, "mask")?);
        let (labels, count) = reference::component_labels(shape, self.0.connectivity(), &mask);
        Ok(Arrays::new([("labels", floats(labels)), ("count", floats(count))]))
    }
}
