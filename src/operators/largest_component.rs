//! `largest_component` as data.

use num_traits::Float;

use super::example::{Example, PLANE};
use super::options::Reader;
use super::shared::{floats, mask};
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{
    Connectivity, Cost, Error, LabelBuffers, LargestComponent, LargestComponentBuffers, Nhw, Recording, TensorSpec,
    reference,
};

#[derive(Debug)]
pub(super) struct Component {
    operator: LargestComponent,
    connectivity: Connectivity,
}

impl Described for Component {
    const NAME: &'static str = "largest_component";
    const ABOUT: &'static str = "the largest connected component of each mask, its box, and every component by label";
    const EXAMPLE: Example = Example::new(&[("mask", PLANE)]);
    type Shape = Nhw;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let connectivity = options.name("connectivity", Connectivity::NAMES, Connectivity::default())?;
        Ok(Self { operator: LargestComponent::new(compiler, connectivity)?, connectivity })
    }

    fn shape(&self, shapes: &Shapes) -> Result<Nhw, Error> {
        shapes.nhw(Self::NAME, "mask")
    }

    fn tensors(&self, shape: Nhw) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: Nhw, slices: &Slices<'_>) -> Result<Recording, Error> {
        let all = match (slices.optional("all.labels"), slices.optional("all.sizes")) {
            (Some(labels), Some(sizes)) => Some(LabelBuffers { labels, sizes }),
            (None, None) => None,
            (labels, _) => {
                let parameter = if labels.is_some() { "all.sizes" } else { "all.labels" };
                let (given, needed) = ("none".into(), "labels and sizes, or neither".into());
                return Err(Error::InvalidParameter { op: Self::NAME, parameter, given, needed });
            }
        };
        let (mask, boxes) = (slices.required(Self::NAME, "mask")?, slices.required(Self::NAME, "boxes")?);
        let buffers = LargestComponentBuffers { mask, boxes, component: slices.optional("component"), all };
        self.operator.bind(device, shape, buffers)
    }

    fn cost(&self, shape: Nhw) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: Nhw, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let mask = mask(inputs.required(Self::NAME, "mask")?);
        let found = reference::largest_component(shape, self.connectivity, &mask);
        Ok(Arrays::new([
            ("boxes", floats(found.boxes.as_flattened().iter().copied())),
            ("component", floats(found.component)),
            ("all.labels", floats(found.labels)),
            ("all.sizes", floats(found.sizes)),
        ]))
    }
}
