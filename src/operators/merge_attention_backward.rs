//! `merge_attention_backward` as data.

use num_traits::Float;

use super::example::Example;
use super::options::Reader;
use super::shared::Positions;
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{Cost, Error, MergeAttentionBackward, MergeAttentionBackwardBuffers, Recording, TensorSpec, reference};

#[derive(Debug)]
pub(super) struct MergeGradient {
    operator: MergeAttentionBackward,
    heads: u32,
}

impl Described for MergeGradient {
    const NAME: &'static str = "merge_attention_backward";
    const ABOUT: &'static str = "the gradients of two merged results of attention";
    const EXAMPLE: Example = super::merge_attention::Merge::EXAMPLE;
    type Shape = Positions;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let heads = options.integer("heads", Some(1))?;
        Ok(Self { operator: MergeAttentionBackward::new(compiler, heads, options.element()?)?, heads })
    }

    fn shape(&self, shapes: &Shapes) -> Result<Positions, Error> {
        Positions::of(Self::NAME, shapes, "y1")
    }

    fn tensors(&self, shape: Positions) -> Result<Vec<TensorSpec>, Error> {
        Ok(shape.specs(self.operator.tensors(shape.shape)?))
    }

    fn bind(&self, device: &wgpu::Device, shape: Positions, slices: &Slices<'_>) -> Result<Recording, Error> {
        let buffers = MergeAttentionBackwardBuffers {
            y1: slices.required(Self::NAME, "y1")?,
            log_sum_exp1: slices.required(Self::NAME, "log_sum_exp1")?,
            y2: slices.required(Self::NAME, "y2")?,
            log_sum_exp2: slices.required(Self::NAME, "log_sum_exp2")?,
            y_gradient: slices.required(Self::NAME, "y_gradient")?,
            log_sum_exp_gradient: slices.optional("log_sum_exp_gradient"),
            y1_gradient: slices.optional("y1_gradient"),
            log_sum_exp1_gradient: slices.optional("log_sum_exp1_gradient"),
            y2_gradient: slices.optional("y2_gradient"),
            log_sum_exp2_gradient: slices.optional("log_sum_exp2_gradient"),
        };
        self.operator.bind(device, shape.shape, buffers)
    }

    fn cost(&self, shape: Positions) -> Cost {
        self.operator.cost(shape.shape)
    }

    fn reference<T: Float>(&self, shape: Positions, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let input = |name| inputs.required(Self::NAME, name);
        let parts = [(input("y1")?, input("log_sum_exp1")?), (input("y2")?, input("log_sum_exp2")?)];
        let (upstream, sums) = (input("y_gradient")?, inputs.optional("log_sum_exp_gradient"));
        let found = reference::merge_attention_backward(shape.shape, self.heads, parts, upstream, sums);
        Ok(Arrays::new([
            ("y1_gradient", found.y1),
            ("log_sum_exp1_gradient", found.log_sum_exp1),
            ("y2_gradient", found.y2),
            ("log_sum_exp2_gradient", found.log_sum_exp2),
        ]))
    }
}
