//! `squeeze_excite` as data.

use num_traits::Float;

use super::example::{Example, FEATURES, REDUCE};
use super::options::Reader;
use super::shared::{excitation, excite_options, gated, reduced};
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{
    Cost, Error, Recording, SqueezeExcite, SqueezeExciteBuffers, SqueezeExciteOptions, SqueezeExciteShape, TensorSpec,
    reference,
};

#[derive(Debug)]
pub(super) struct Excite {
    operator: SqueezeExcite,
    options: SqueezeExciteOptions,
}

impl Described for Excite {
    const NAME: &'static str = "squeeze_excite";
    const ABOUT: &'static str = "Squeeze-and-Excitation: every channel times a gate computed from the planes";
    const EXAMPLE: Example = Example::new(&[("features", FEATURES), REDUCE]);
    type Shape = SqueezeExciteShape;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let chosen = excite_options(options)?;
        Ok(Self { operator: SqueezeExcite::new(compiler, chosen, options.element()?)?, options: chosen })
    }

    fn shape(&self, shapes: &Shapes) -> Result<SqueezeExciteShape, Error> {
        let (features, reduced) = (shapes.nchw(Self::NAME, "features")?, reduced(Self::NAME, shapes)?);
        Ok(SqueezeExciteShape { features, reduced })
    }

    fn tensors(&self, shape: SqueezeExciteShape) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: SqueezeExciteShape, slices: &Slices<'_>) -> Result<Recording, Error> {
        let buffers = SqueezeExciteBuffers {
            features: slices.required(Self::NAME, "features")?,
            reduce_weight: slices.required(Self::NAME, "reduce_weight")?,
            reduce_bias: slices.optional("reduce_bias"),
            expand_weight: slices.required(Self::NAME, "expand_weight")?,
            expand_bias: slices.optional("expand_bias"),
            identity: slices.optional("identity"),
            gate: slices.optional("gate"),
            output: slices.optional("output"),
        };
        self.operator.bind(device, shape, buffers)
    }

    fn cost(&self, shape: SqueezeExciteShape) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: SqueezeExciteShape, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let (features, identity) = (inputs.required(Self::NAME, "features")?, inputs.optional("identity"));
        let excitation = excitation(Self::NAME, inputs)?;
        let both = reference::squeeze_excite(shape.features, self.options, features, &excitation, identity);
        Ok(gated(self.options.epilogue, both))
    }
}
