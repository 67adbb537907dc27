//! `scse_backward` as data.

use num_traits::Float;

use super::example::Example;
use super::options::Reader;
use super::shared::{epilogue, excitation, reduced};
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{
    Cost, Epilogue, Error, Recording, ScSeBackward, ScSeBackwardBuffers, ScSeCombine, ScSeOptions, ScSeShape,
    TensorSpec, reference,
};

#[derive(Debug)]
pub(super) struct ScSeGradient {
    operator: ScSeBackward,
    options: ScSeOptions,
}

impl Described for ScSeGradient {
    const NAME: &'static str = "scse_backward";
    const ABOUT: &'static str = "the gradients of concurrent spatial and channel Squeeze-and-Excitation";
    const EXAMPLE: Example = super::scse::ScSeGate::EXAMPLE;
    type Shape = ScSeShape;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let combine = options.name("combine", ScSeCombine::NAMES, ScSeCombine::default())?;
        let chosen = ScSeOptions::STANDARD.with_combine(combine).with_epilogue(epilogue(options)?);
        Ok(Self { operator: ScSeBackward::new(compiler, chosen, options.element()?)?, options: chosen })
    }

    fn shape(&self, shapes: &Shapes) -> Result<ScSeShape, Error> {
        let (features, reduced) = (shapes.nchw(Self::NAME, "features")?, reduced(Self::NAME, shapes)?);
        Ok(ScSeShape { features, reduced })
    }

    fn tensors(&self, shape: ScSeShape) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: ScSeShape, slices: &Slices<'_>) -> Result<Recording, Error> {
        let buffers = ScSeBackwardBuffers {
            features: slices.required(Self::NAME, "features")?,
            reduce_weight: slices.required(Self::NAME, "reduce_weight")?,
            reduce_bias: slices.optional("reduce_bias"),
            expand_weight: slices.required(Self::NAME, "expand_weight")?,
            expand_bias: slices.optional("expand_bias"),
            spatial_weight: slices.required(Self::NAME, "spatial_weight")?,
            spatial_bias: slices.optional("spatial_bias"),
            output: slices.optional("output"),
            output_gradient: slices.required(Self::NAME, "output_gradient")?,
            features_gradient: slices.optional("features_gradient"),
            identity_gradient: slices.optional("identity_gradient"),
            reduce_weight_gradient: slices.optional("reduce_weight_gradient"),
            reduce_bias_gradient: slices.optional("reduce_bias_gradient"),
            expand_weight_gradient: slices.optional("expand_weight_gradient"),
            expand_bias_gradient: slices.optional("expand_bias_gradient"),
            spatial_weight_gradient: slices.optional("spatial_weight_gradient"),
            spatial_bias_gradient: slices.optional("spatial_bias_gradient"),
        };
        self.operator.bind(device, shape, buffers)
    }

    fn cost(&self, shape: ScSeShape) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: ScSeShape, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let (features, output) = (inputs.required(Self::NAME, "features")?, inputs.optional("output"));
        let (weight, bias) = (inputs.required(Self::NAME, "spatial_weight")?, inputs.optional("spatial_bias"));
        let upstream = inputs.required(Self::NAME, "output_gradient")?;
        let excitation = excitation(Self::NAME, inputs)?;
        let shape = shape.features;
        let gradients =
            reference::scse_backward(shape, self.options, features, &excitation, weight, bias, output, upstream);
        let mut arrays = vec![
            ("features_gradient", gradients.features),
            ("reduce_weight_gradient", gradients.reduce_weight),
            ("reduce_bias_gradient", gradients.reduce_bias),
            ("expand_weight_gradient", gradients.expand_weight),
            ("expand_bias_gradient", gradients.expand_bias),
            ("spatial_weight_gradient", gradients.spatial_weight),
            ("spatial_bias_gradient", gradients.spatial_bias),
        ];
        if self.options.epilogue == Epilogue::Residual {
            arrays.push(("identity_gradient", gradients.identity));
        }
        Ok(Arrays::new(arrays))
    }
}
