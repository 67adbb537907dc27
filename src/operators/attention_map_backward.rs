//! `attention_map_backward` as data.

use num_traits::Float;

use super::example::Example;
use super::options::Reader;
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{
    AttentionMapBackward, AttentionMapBackwardBuffers, Cost, Error, Nchw, Recording, Statistic, TensorSpec, reference,
};

#[derive(Debug)]
pub(super) struct AttentionGradient {
    operator: AttentionMapBackward,
    statistic: Statistic,
}

impl Described for AttentionGradient {
    const NAME: &'static str = "attention_map_backward";
    const ABOUT: &'static str = "the gradient of an attention map with respect to its features";
    const EXAMPLE: Example = super::attention_map::Attention::EXAMPLE;
    type Shape = Nchw;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let statistic = options.name("statistic", Statistic::NAMES, Statistic::default())?;
        Ok(Self { operator: AttentionMapBackward::new(compiler, statistic, options.element()?)?, statistic })
    }

    fn shape(&self, shapes: &Shapes) -> Result<Nchw, Error> {
        shapes.nchw(Self::NAME, "features")
    }

    fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: Nchw, slices: &Slices<'_>) -> Result<Recording, Error> {
        let buffers = AttentionMapBackwardBuffers {
            features: slices.optional("features"),
            map: slices.optional("map"),
            map_gradient: slices.required(Self::NAME, "map_gradient")?,
            features_gradient: slices.optional("features_gradient"),
        };
        self.operator.bind(device, shape, buffers)
    }

    fn cost(&self, shape: Nchw) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: Nchw, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let saved = |name| inputs.optional(name).unwrap_or_default();
        let (features, map) = (saved("features"), saved("map"));
        let upstream = inputs.required(Self::NAME, "map_gradient")?;
        let gradient = reference::attention_map_backward(shape, self.statistic, features, map, upstream);
        Ok(Arrays::new([("features_gradient", gradient)]))
    }
}
