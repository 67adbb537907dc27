//! `squeeze_excite_backward` as data.

use num_traits::Float;

use super::example::Example;
use super::options::Reader;
use super::shared::{excitation, excite_options, gate_upstream, gate_upstream_reference, reduced};
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{
    Cost, Epilogue, Error, Recording, SqueezeExciteBackward, SqueezeExciteBackwardBuffers, SqueezeExciteOptions,
    SqueezeExciteShape, TensorSpec, reference,
};

#[derive(Debug)]
pub(super) struct ExciteGradient {
    operator: SqueezeExciteBackward,
    options: SqueezeExciteOptions,
}

impl Described for ExciteGradient {
    const NAME: &'static str = "squeeze_excite_backward";
    const ABOUT: &'static str = "the gradients of Squeeze-and-Excitation";
    const EXAMPLE: Example = super::squeeze_excite::Excite::EXAMPLE;
    type Shape = SqueezeExciteShape;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let chosen = excite_options(options)?;
        Ok(Self { operator: SqueezeExciteBackward::new(compiler, chosen, options.element()?)?, options: chosen })
    }

    fn shape(&self, shapes: &Shapes) -> Result<SqueezeExciteShape, Error> {
        let (features, reduced) = (shapes.nchw(Self::NAME, "features")?, reduced(Self::NAME, shapes)?);
        Ok(SqueezeExciteShape { features, reduced })
    }

    fn tensors(&self, shape: SqueezeExciteShape) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: SqueezeExciteShape, slices: &Slices<'_>) -> Result<Recording, Error> {
        let [output, output_gradient, gate_gradient] = gate_upstream(slices);
        let buffers = SqueezeExciteBackwardBuffers {
            features: slices.required(Self::NAME, "features")?,
            reduce_weight: slices.required(Self::NAME, "reduce_weight")?,
            reduce_bias: slices.optional("reduce_bias"),
            expand_weight: slices.required(Self::NAME, "expand_weight")?,
            expand_bias: slices.optional("expand_bias"),
            output,
            output_gradient,
            gate_gradient,
            features_gradient: slices.optional("features_gradient"),
            identity_gradient: slices.optional("identity_gradient"),
            reduce_weight_gradient: slices.optional("reduce_weight_gradient"),
            reduce_bias_gradient: slices.optional("reduce_bias_gradient"),
            expand_weight_gradient: slices.optional("expand_weight_gradient"),
            expand_bias_gradient: slices.optional("expand_bias_gradient"),
        };
        self.operator.bind(device, shape, buffers)
    }

    fn cost(&self, shape: SqueezeExciteShape) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: SqueezeExciteShape, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let features = inputs.required(Self::NAME, "features")?;
        let excitation = excitation(Self::NAME, inputs)?;
        let upstream = gate_upstream_reference(inputs);
        let gradients =
            reference::squeeze_excite_backward(shape.features, self.options, features, &excitation, upstream);
        let mut arrays = vec![
            ("features_gradient", gradients.features),
            ("reduce_weight_gradient", gradients.reduce_weight),
            ("reduce_bias_gradient", gradients.reduce_bias),
            ("expand_weight_gradient", gradients.expand_weight),
            ("expand_bias_gradient", gradients.expand_bias),
        ];
        if self.options.epilogue == Epilogue::Residual {
            arrays.push(("identity_gradient", gradients.identity));
        }
        Ok(Arrays::new(arrays))
    }
}
