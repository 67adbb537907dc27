//! `cross_attention` as data.

use num_traits::Float;

use super::example::{C, Example, FEATURES, N};
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
pub(super) type Extents = (Positions, u32);

pub(super) fn extents(op: &'static str, shapes: &Shapes) -> Result<Extents, Error> {
    let [_, _, keys]: [u32; 3] = shapes.axes(op, "k")?;
    Ok((Positions::of(op, shapes, "q")?, keys))
}

/// The tensors with as many axes as the queries. Keys and values have one axis of their own.
pub(super) fn specs((queries, _): Extents, specs: Vec<TensorSpec>) -> Vec<TensorSpec> {
    let own = |spec: &TensorSpec| ["k", "v", "k_gradient", "v_gradient"].contains(&spec.name);
    let of = |spec: TensorSpec| if own(&spec) { vec![spec] } else { queries.specs(vec![spec]) };
    specs.into_iter().flat_map(of).collect()
}

pub(super) fn cross_options(options: &Reader<'_>) -> Result<CrossAttentionOptions, Error> {
    let heads = options.integer("heads", Some(1))?;
    let defaults = CrossAttentionOptions::new(heads, options.integer("head_dim", None)?);
    Ok(defaults
        .with_value_dim(options.integer("value_dim", Some(defaults.value_dim))?)
        .with_scale(options.number("scale", Some(defaults.scale))?))
}

pub(super) fn shape((queries, keys): Extents) -> CrossAttentionShape {
    CrossAttentionShape { queries: queries.shape, keys }
}

impl Described for Cross {
    const NAME: &'static str = "cross_attention";
    const ABOUT: &'static str = "softmax attention of every position to a few keys that all positions see";
    const EXAMPLE: Example =
        Example::new(&[("q", FEATURES), ("k", &[N, C, ("keys", 59)])]).with(&[("heads", "6"), ("head_dim", "24")]);
    type Shape = Extents;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        Ok(Self(CrossAttention::new(compiler, cross_options(options)?, options.element()?)?))
    }

    fn shape(&self, shapes: &Shapes) -> Result<Extents, Error> {
        extents(Self::NAME, shapes)
    }

    fn tensors(&self, extents: Extents) -> Result<Vec<TensorSpec>, Error> {
        Ok(specs(extents, self.0.tensors(shape(extents))?))
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
