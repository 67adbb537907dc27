//! `cross_attention` as data.

use num_traits::Float;

use super::options::Reader;
use super::shared::Positions;
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{
    Cost, CrossAttention, CrossAttentionBuffers, CrossAttentionOptions, CrossAttentionShape, Error, Recording,
    TensorSpec, reference,
};

#[derive(Debug)]
pub(super) struct Cross(CrossAttention);

/// Positions of the queries, and keys.
type Extents = (Positions, u32);

fn shape((queries, keys): Extents) -> CrossAttentionShape {
    CrossAttentionShape { queries: queries.shape, keys }
}

impl Described for Cross {
    const NAME: &'static str = "cross_attention";
    const ABOUT: &'static str = "softmax attention of every position to a few keys that all positions see";
    type Shape = Extents;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let heads = options.integer("heads", Some(1))?;
        let defaults = CrossAttentionOptions::new(heads, options.integer("head_dim", None)?);
        let read = defaults
            .with_value_dim(options.integer("value_dim", Some(defaults.value_dim))?)
            .with_scale(options.number("scale", Some(defaults.scale))?);
        Ok(Self(CrossAttention::new(compiler, read, options.element()?)?))
    }

    fn shape(&self, shapes: &Shapes) -> Result<Extents, Error> {
        let [_, _, keys]: [u32; 3] = shapes.axes(Self::NAME, "k")?;
        Ok((Positions::of(Self::NAME, shapes, "q")?, keys))
    }

    fn tensors(&self, extents: Extents) -> Result<Vec<TensorSpec>, Error> {
        let (queries, _) = extents;
        let specs = self.0.tensors(shape(extents))?.into_iter();
        // Keys and values have one axis of their own.
        let (own, others): (Vec<_>, Vec<_>) = specs.partition(|spec| ["k", "v"].contains(&spec.name));
        let mut specs = queries.specs(others);
        specs.splice(1..1, own);
        Ok(specs)
    }

    fn bind(&self, device: &wgpu::Device, extents: Extents, slices: &Slices<'_>) -> Result<Recording, Error> {
        let buffers = CrossAttentionBuffers {
            q: slices.required(Self::NAME, "q")?,
            k: slices.required(Self::NAME, "k")?,
            v: slices.required(Self::NAME, "v")?,
            y: slices.required(Self::NAME, "y")?,
            log_sum_exp: slices.optional("log_sum_exp"),
        };
        self.0.bind(device, shape(extents), buffers)
    }

    fn cost(&self, extents: Extents) -> Cost {
        self.0.cost(shape(extents))
    }

    fn reference<T: Float>(&self, extents: Extents, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let [q, k, v] = ["q", "k", "v"].map(|name| inputs.required(Self::NAME, name));
        let found = reference::cross_attention(shape(extents), self.0.options(), q?, k?, v?);
        Ok(Arrays::new([("y", found.y), ("log_sum_exp", found.log_sum_exp)]))
    }
}
