//! `window_pool` as data.

use num_traits::Float;

use super::example::{Example, FEATURES};
use super::options::Reader;
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{Cost, Error, Nchw, Pooling, Recording, Size, TensorSpec, WindowPool, WindowPoolBuffers, reference};

#[derive(Debug)]
pub(super) struct Pool {
    operator: WindowPool,
    pooling: Pooling,
    window: Size,
}

impl Described for Pool {
    const NAME: &'static str = "window_pool";
    const ABOUT: &'static str = "mean or maximum over windows side by side";
    const EXAMPLE: Example = Example::new(&[("x", FEATURES)]).with(&[("window", "5,7")]);
    type Shape = Nchw;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let pooling = options.name("pooling", Pooling::NAMES, Pooling::default())?;
        let window = options.size("window", Some(Size::new(2, 2)))?;
        Ok(Self { operator: WindowPool::new(compiler, pooling, window, options.element()?)?, pooling, window })
    }

    fn shape(&self, shapes: &Shapes) -> Result<Nchw, Error> {
        shapes.nchw(Self::NAME, "x")
    }

    fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: Nchw, slices: &Slices<'_>) -> Result<Recording, Error> {
        let (x, y) = (slices.required(Self::NAME, "x")?, slices.required(Self::NAME, "y")?);
        self.operator.bind(device, shape, WindowPoolBuffers { x, y })
    }

    fn cost(&self, shape: Nchw) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: Nchw, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let x = inputs.required(Self::NAME, "x")?;
        Ok(Arrays::new([("y", reference::window_pool(shape, self.pooling, self.window, x))]))
    }
}
