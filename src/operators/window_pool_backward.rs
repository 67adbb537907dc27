//! `window_pool_backward` as data.

use num_traits::Float;

use super::example::Example;
use super::options::Reader;
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{
    Cost, Error, Nchw, Pooling, Recording, Size, TensorSpec, WindowPoolBackward, WindowPoolBackwardBuffers, reference,
};

#[derive(Debug)]
pub(super) struct PoolGradient {
    operator: WindowPoolBackward,
    pooling: Pooling,
    window: Size,
}

impl Described for PoolGradient {
    const NAME: &'static str = "window_pool_backward";
    const ABOUT: &'static str = "the gradient of pooling over windows with respect to the input";
    const EXAMPLE: Example = super::window_pool::Pool::EXAMPLE;
    type Shape = Nchw;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let pooling = options.name("pooling", Pooling::NAMES, Pooling::default())?;
        let window = options.size("window", Some(Size::new(2, 2)))?;
        let operator = WindowPoolBackward::new(compiler, pooling, window, options.element()?)?;
        Ok(Self { operator, pooling, window })
    }

    fn shape(&self, shapes: &Shapes) -> Result<Nchw, Error> {
        shapes.nchw(Self::NAME, "x")
    }

    fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: Nchw, slices: &Slices<'_>) -> Result<Recording, Error> {
        let buffers = WindowPoolBackwardBuffers {
            x: slices.optional("x"),
            y_gradient: slices.required(Self::NAME, "y_gradient")?,
            x_gradient: slices.optional("x_gradient"),
        };
        self.operator.bind(device, shape, buffers)
    }

    fn cost(&self, shape: Nchw) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: Nchw, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let x = inputs.optional("x").unwrap_or_default();
        let upstream = inputs.required(Self::NAME, "y_gradient")?;
        let gradient = reference::window_pool_backward(shape, self.pooling, self.window, x, upstream);
        Ok(Arrays::new([("x_gradient", gradient)]))
    }
}
