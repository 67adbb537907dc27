//! `global_pool_backward` as data.

use num_traits::Float;

use super::example::Example;
use super::options::Reader;
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{
    Cost, Error, GlobalPoolBackward, GlobalPoolBackwardBuffers, Nchw, Recording, Squeeze, TensorSpec, reference,
};

#[derive(Debug)]
pub(super) struct PoolGradient {
    operator: GlobalPoolBackward,
}

impl Described for PoolGradient {
    const NAME: &'static str = "global_pool_backward";
    const ABOUT: &'static str = "the gradient of the mean and the maximum of every plane with respect to the features";
    const EXAMPLE: Example = super::global_pool::Pool::EXAMPLE;
    type Shape = Nchw;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let squeeze = options.name("squeeze", Squeeze::NAMES, Squeeze::default())?;
        Ok(Self { operator: GlobalPoolBackward::new(compiler, squeeze, options.element()?)? })
    }

    fn shape(&self, shapes: &Shapes) -> Result<Nchw, Error> {
        shapes.nchw(Self::NAME, "features")
    }

    fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: Nchw, slices: &Slices<'_>) -> Result<Recording, Error> {
        let buffers = GlobalPoolBackwardBuffers {
            features: slices.optional("features"),
            mean_gradient: slices.optional("mean_gradient"),
            max_gradient: slices.optional("max_gradient"),
            features_gradient: slices.optional("features_gradient"),
        };
        self.operator.bind(device, shape, buffers)
    }

    fn cost(&self, shape: Nchw) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: Nchw, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let features = inputs.optional("features").unwrap_or_default();
        let (mean, max) = (inputs.optional("mean_gradient"), inputs.optional("max_gradient"));
        let gradient = reference::global_pool_backward(shape, features, mean, max);
        Ok(Arrays::new([("features_gradient", gradient)]))
    }
}
