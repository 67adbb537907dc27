//! `attention_map` as data.

use num_traits::Float;

use super::example::{Example, FEATURES};
use super::options::Reader;
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{AttentionMap, AttentionMapBuffers, Cost, Error, Nchw, Recording, Statistic, TensorSpec, reference};

#[derive(Debug)]
pub(super) struct Attention {
    operator: AttentionMap,
    statistic: Statistic,
}

impl Described for Attention {
    const NAME: &'static str = "attention_map";
    const ABOUT: &'static str = "one statistic over the channels of each pixel";
    const EXAMPLE: Example = Example::new(&[("features", FEATURES)]);
    type Shape = Nchw;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let statistic = options.name("statistic", Statistic::NAMES, Statistic::default())?;
        Ok(Self { operator: AttentionMap::new(compiler, statistic, options.element()?)?, statistic })
    }

    fn shape(&self, shapes: &Shapes) -> Result<Nchw, Error> {
        shapes.nchw(Self::NAME, "features")
    }

    fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: Nchw, slices: &Slices<'_>) -> Result<Recording, Error> {
        let (features, map) = (slices.required(Self::NAME, "features")?, slices.required(Self::NAME, "map")?);
        self.operator.bind(device, shape, AttentionMapBuffers { features, map })
    }

    fn cost(&self, shape: Nchw) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: Nchw, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let features = inputs.required(Self::NAME, "features")?;
        Ok(Arrays::new([("map", reference::attention_map(shape, self.statistic, features))]))
    }
}
