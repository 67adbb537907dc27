//! `window_attention` as data.

use num_traits::Float;

use super::example::{Example, FEATURES};
use super::options::Reader;
use super::shared::{Positions, tables, window_options};
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{Cost, Error, Recording, TensorSpec, WindowAttention, WindowAttentionBuffers, reference};

#[derive(Debug)]
pub(super) struct Attention(WindowAttention);

impl Described for Attention {
    const NAME: &'static str = "window_attention";
    const ABOUT: &'static str = "softmax attention of every query to the keys of the window around it";
    const EXAMPLE: Example =
        Example::new(&[("q", FEATURES)]).with(&[("heads", "6"), ("head_dim", "24"), ("window", "5,7")]);
    type Shape = Positions;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let window = window_options(options)?;
        let value_dim = options.integer("value_dim", Some(window.head_dim))?;
        Ok(Self(WindowAttention::new(compiler, window.with_value_dim(value_dim), options.element()?)?))
    }

    fn shape(&self, shapes: &Shapes) -> Result<Positions, Error> {
        Positions::of(Self::NAME, shapes, "q")
    }

    fn tensors(&self, shape: Positions) -> Result<Vec<TensorSpec>, Error> {
        Ok(shape.specs(self.0.tensors(shape.shape)?))
    }

    fn bind(&self, device: &wgpu::Device, shape: Positions, slices: &Slices<'_>) -> Result<Recording, Error> {
        let buffers = WindowAttentionBuffers {
            q: slices.required(Self::NAME, "q")?,
            k: slices.required(Self::NAME, "k")?,
            v: slices.required(Self::NAME, "v")?,
            tables: tables(self.0.options(), |name| slices.required(Self::NAME, name))?,
            y: slices.required(Self::NAME, "y")?,
            log_sum_exp: slices.optional("log_sum_exp"),
        };
        self.0.bind(device, shape.shape, buffers)
    }

    fn cost(&self, shape: Positions) -> Cost {
        self.0.cost(shape.shape)
    }

    fn reference<T: Float>(&self, shape: Positions, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let need = |name| inputs.required(Self::NAME, name);
        let tables = tables(self.0.options(), need)?;
        let found =
            reference::window_attention(shape.shape, self.0.options(), need("q")?, need("k")?, need("v")?, tables);
        Ok(Arrays::new([("y", found.y), ("log_sum_exp", found.log_sum_exp)]))
    }
}
