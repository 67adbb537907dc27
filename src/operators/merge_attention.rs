//! `merge_attention` as data.

use num_traits::Float;

use super::example::{Example, FEATURES};
use super::options::Reader;
use super::shared::Positions;
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{Cost, Error, MergeAttention, MergeAttentionBuffers, Recording, TensorSpec, reference};

#[derive(Debug)]
pub(super) struct Merge {
    operator: MergeAttention,
    heads: u32,
}

impl Described for Merge {
    const NAME: &'static str = "merge_attention";
    const ABOUT: &'static str = "two results of attention over different keys in one";
    const EXAMPLE: Example = Example::new(&[("y1", FEATURES)]).with(&[("heads", "6")]);
    type Shape = Positions;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let heads = options.integer("heads", Some(1))?;
        Ok(Self { operator: MergeAttention::new(compiler, heads, options.element()?)?, heads })
    }

    fn shape(&self, shapes: &Shapes) -> Result<Positions, Error> {
        Positions::of(Self::NAME, shapes, "y1")
    }

    fn tensors(&self, shape: Positions) -> Result<Vec<TensorSpec>, Error> {
        Ok(shape.specs(self.operator.tensors(shape.shape)?))
    }

    fn bind(&self, device: &wgpu::Device, shape: Positions, slices: &Slices<'_>) -> Result<Recording, Error> {
        let buffers = MergeAttentionBuffers {
            y1: slices.required(Self::NAME, "y1")?,
            log_sum_exp1: slices.required(Self::NAME, "log_sum_exp1")?,
            y2: slices.required(Self::NAME, "y2")?,
            log_sum_exp2: slices.required(Self::NAME, "log_sum_exp2")?,
            y: slices.required(Self::NAME, "y")?,
            log_sum_exp: slices.optional("log_sum_exp"),
        };
        self.operator.bind(device, shape.shape, buffers)
    }

    fn cost(&self, shape: Positions) -> Cost {
        self.operator.cost(shape.shape)
    }

    fn reference<T: Float>(&self, shape: Positions, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let input = |name| inputs.required(Self::NAME, name);
        let (y1, y2) = (input("y1")?, input("y2")?);
        let (first, second) = (input("log_sum_exp1")?, input("log_sum_exp2")?);
        let merged = reference::merge_attention(shape.shape, self.heads, y1, first, y2, second);
        Ok(Arrays::new([("y", merged.y), ("log_sum_exp", merged.log_sum_exp)]))
    }
}
