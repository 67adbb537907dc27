//! `normalize` as data.

use num_traits::Float;

use super::example::{Example, PLANE};
use super::options::Reader;
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{Cost, Error, Nhw, Normalization, Normalize, NormalizeBuffers, Recording, TensorSpec, reference};

#[derive(Debug)]
pub(super) struct Normalized {
    operator: Normalize,
    normalization: Normalization,
}

impl Described for Normalized {
    const NAME: &'static str = "normalize";
    const ABOUT: &'static str = "each map brought to 0..1, in place";
    const EXAMPLE: Example = Example::new(&[("map", PLANE)]);
    type Shape = Nhw;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let normalization = options.name("normalization", Normalization::NAMES, Normalization::default())?;
        Ok(Self { operator: Normalize::new(compiler, normalization)?, normalization })
    }

    fn shape(&self, shapes: &Shapes) -> Result<Nhw, Error> {
        shapes.nhw(Self::NAME, "map")
    }

    fn tensors(&self, shape: Nhw) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: Nhw, slices: &Slices<'_>) -> Result<Recording, Error> {
        let buffers = NormalizeBuffers { map: slices.required(Self::NAME, "map")?, range: slices.optional("range") };
        self.operator.bind(device, shape, buffers)
    }

    fn cost(&self, shape: Nhw) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: Nhw, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let map = inputs.required(Self::NAME, "map")?;
        let range = (self.normalization != Normalization::None).then(|| ("range", reference::map_range(shape, map)));
        let normalized = ("map", reference::normalize(shape, self.normalization, map));
        Ok(Arrays::new([normalized].into_iter().chain(range)))
    }
}
