//! `global_pool` as data.

use num_traits::Float;

use super::example::{Example, FEATURES};
use super::options::Reader;
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{Cost, Error, GlobalPool, GlobalPoolBuffers, Nchw, Recording, Squeeze, TensorSpec, reference};

#[derive(Debug)]
pub(super) struct Pool {
    operator: GlobalPool,
    squeeze: Squeeze,
}

impl Described for Pool {
    const NAME: &'static str = "global_pool";
    const ABOUT: &'static str = "mean and maximum of every plane";
    const EXAMPLE: Example = Example::new(&[("features", FEATURES)]);
    type Shape = Nchw;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let squeeze = options.name("squeeze", Squeeze::NAMES, Squeeze::default())?;
        Ok(Self { operator: GlobalPool::new(compiler, squeeze, options.element()?)?, squeeze })
    }

    fn shape(&self, shapes: &Shapes) -> Result<Nchw, Error> {
        shapes.nchw(Self::NAME, "features")
    }

    fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: Nchw, slices: &Slices<'_>) -> Result<Recording, Error> {
        let features = slices.required(Self::NAME, "features")?;
        let buffers = GlobalPoolBuffers { features, mean: slices.optional("mean"), max: slices.optional("max") };
        self.operator.bind(device, shape, buffers)
    }

    fn cost(&self, shape: Nchw) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: Nchw, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let features = inputs.required(Self::NAME, "features")?;
        let mean = (self.squeeze != Squeeze::Max).then(|| ("mean", reference::global_mean(shape, features)));
        let max = (self.squeeze != Squeeze::Mean).then(|| ("max", reference::global_max(shape, features)));
        Ok(Arrays::new(mean.into_iter().chain(max)))
    }
}
