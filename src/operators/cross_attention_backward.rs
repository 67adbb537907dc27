//! `cross_attention_backward` as data.

use num_traits::Float;

use super::cross_attention::{Extents, cross_options, extents, shape, specs};
use super::example::Example;
use super::options::Reader;
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{Cost, CrossAttentionBackward, CrossAttentionBackwardBuffers, Error, Recording, TensorSpec, reference};

#[derive(Debug)]
pub(super) struct CrossGradient(CrossAttentionBackward);

impl Described for CrossGradient {
    const NAME: &'static str = "cross_attention_backward";
    const ABOUT: &'static str = "the gradients of cross-attention with respect to queries, keys and values";
    const EXAMPLE: Example = super::cross_attention::Cross::EXAMPLE;
    type Shape = Extents;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        Ok(Self(CrossAttentionBackward::new(compiler, cross_options(options)?, options.element()?)?))
    }

    fn shape(&self, shapes: &Shapes) -> Result<Extents, Error> {
        extents(Self::NAME, shapes)
    }

    fn tensors(&self, extents: Extents) -> Result<Vec<TensorSpec>, Error> {
        Ok(specs(extents, self.0.tensors(shape(extents))?))
    }

    fn bind(&self, device: &wgpu::Device, extents: Extents, slices: &Slices<'_>) -> Result<Recording, Error> {
        let buffers = CrossAttentionBackwardBuffers {
            q: slices.required(Self::NAME, "q")?,
            k: slices.required(Self::NAME, "k")?,
            v: slices.required(Self::NAME, "v")?,
            log_sum_exp: slices.required(Self::NAME, "log_sum_exp")?,
            y_gradient: slices.required(Self::NAME, "y_gradient")?,
            log_sum_exp_gradient: slices.optional("log_sum_exp_gradient"),
            q_gradient: slices.optional("q_gradient"),
            k_gradient: slices.optional("k_gradient"),
            v_gradient: slices.optional("v_gradient"),
        };
        self.0.bind(device, shape(extents), buffers)
    }

    fn cost(&self, extents: Extents) -> Cost {
        self.0.cost(shape(extents))
    }

    fn reference<T: Float>(&self, extents: Extents, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let input = |name| inputs.required(Self::NAME, name);
        let tensors = [input("q")?, input("k")?, input("v")?];
        let (sums, upstream) = (input("log_sum_exp")?, input("y_gradient")?);
        let sums_upstream = inputs.optional("log_sum_exp_gradient");
        let options = self.0.options();
        let found =
            reference::cross_attention_backward(shape(extents), options, tensors, sums, upstream, sums_upstream);
        Ok(Arrays::new([("q_gradient", found.q), ("k_gradient", found.k), ("v_gradient", found.v)]))
    }
}
