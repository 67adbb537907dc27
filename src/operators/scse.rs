//! `scse` as data.

use num_traits::Float;

use super::example::{Example, FEATURES, REDUCE};
use super::options::Reader;
use super::shared::{epilogue, excitation, reduced};
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{Cost, Error, Recording, ScSe, ScSeBuffers, ScSeCombine, ScSeOptions, ScSeShape, TensorSpec, reference};

#[derive(Debug)]
pub(super) struct ScSeGate {
    operator: ScSe,
    options: ScSeOptions,
}

impl Described for ScSeGate {
    const NAME: &'static str = "scse";
    const ABOUT: &'static str = "concurrent spatial and channel Squeeze-and-Excitation";
    const EXAMPLE: Example = Example::new(&[("features", FEATURES), REDUCE]);
    type Shape = ScSeShape;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let combine = options.name("combine", ScSeCombine::NAMES, ScSeCombine::default())?;
        let chosen = ScSeOptions::STANDARD.with_combine(combine).with_epilogue(epilogue(options)?);
        Ok(Self { operator: ScSe::new(compiler, chosen, options.element()?)?, options: chosen })
    }

    fn shape(&self, shapes: &Shapes) -> Result<ScSeShape, Error> {
        let (features, reduced) = (shapes.nchw(Self::NAME, "features")?, reduced(Self::NAME, shapes)?);
        Ok(ScSeShape { features, reduced })
    }

    fn tensors(&self, shape: ScSeShape) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: ScSeShape, slices: &Slices<'_>) -> Result<Recording, Error> {
        let buffers = ScSeBuffers {
            features: slices.required(Self::NAME, "features")?,
            reduce_weight: slices.required(Self::NAME, "reduce_weight")?,
            reduce_bias: slices.optional("reduce_bias"),
            expand_weight: slices.required(Self::NAME, "expand_weight")?,
            expand_bias: slices.optional("expand_bias"),
            spatial_weight: slices.required(Self::NAME, "spatial_weight")?,
            spatial_bias: slices.optional("spatial_bias"),
            identity: slices.optional("identity"),
            output: slices.required(Self::NAME, "output")?,
        };
        self.operator.bind(device, shape, buffers)
    }

    fn cost(&self, shape: ScSeShape) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: ScSeShape, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let (features, identity) = (inputs.required(Self::NAME, "features")?, inputs.optional("identity"));
        let (weight, bias) = (inputs.required(Self::NAME, "spatial_weight")?, inputs.optional("spatial_bias"));
        let excitation = excitation(Self::NAME, inputs)?;
        let output = reference::scse(shape.features, self.options, features, &excitation, weight, bias, identity);
        Ok(Arrays::new([("output", output)]))
    }
}
