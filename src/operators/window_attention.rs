//! `window_attention` as data.

use num_traits::Float;

use super::options::Reader;
use super::shared::{tables, window_options};
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{Cost, Error, Nchw, Recording, TensorSpec, WindowAttention, WindowAttentionBuffers, reference};

#[derive(Debug)]
pub(super) struct Attention(WindowAttention);

impl Described for Attention {
    const NAME: &'static str = "window_attention";
    const ABOUT: &'static str = "softmax attention of every query to the keys of the window around it";
    type Shape = Nchw;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        Ok(Self(WindowAttention::new(compiler, window_options(options)?, options.element()?)?))
    }

    fn shape(&self, shapes: &Shapes) -> Result<Nchw, Error> {
        shapes.nchw(Self::NAME, "q")
    }

    fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        self.0.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: Nchw, slices: &Slices<'_>) -> Result<Recording, Error> {
        let buffers = WindowAttentionBuffers {
            q: slices.required(Self::NAME, "q")?,
            k: slices.required(Self::NAME, "k")?,
            v: slices.required(Self::NAME, "v")?,
            tables: tables(self.0.options().relative, |name| slices.required(Self::NAME, name))?,
            y: slices.required(Self::NAME, "y")?,
            log_sum_exp: slices.optional("log_sum_exp"),
        };
        self.0.bind(device, shape, buffers)
    }

    fn cost(&self, shape: Nchw) -> Cost {
        self.0.cost(shape)
    }

    fn reference<T: Float>(&self, shape: Nchw, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let need = |name| inputs.required(Self::NAME, name);
        let tables = tables(self.0.options().relative, need)?;
        let found = reference::window_attention(shape, self.0.options(), need("q")?, need("k")?, need("v")?, tables);
        Ok(Arrays::new([("y", found.y), ("log_sum_exp", found.log_sum_exp)]))
    }
}
