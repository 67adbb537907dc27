//! `bisenet_backward` as data.

use num_traits::Float;

use super::example::Example;
use super::options::Reader;
use super::shared::{
    EPSILON, epilogue, gate_upstream, gate_upstream_reference, required_norm, required_norm_reference,
};
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{
    BatchNorm, BiSeNetAttentionBackward, BiSeNetAttentionBackwardBuffers, Cost, Epilogue, Error, Nchw, Recording,
    TensorSpec, reference,
};

#[derive(Debug)]
pub(super) struct BiSeNetGradient {
    operator: BiSeNetAttentionBackward,
    epilogue: Epilogue,
    epsilon: f32,
}

impl Described for BiSeNetGradient {
    const NAME: &'static str = "bisenet_backward";
    const ABOUT: &'static str = "the gradients of BiSeNet's attention";
    const EXAMPLE: Example = super::bisenet::BiSeNet::EXAMPLE;
    type Shape = Nchw;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let (epilogue, epsilon) = (epilogue(options)?, options.number("norm_epsilon", Some(EPSILON))?);
        let operator = BiSeNetAttentionBackward::new(compiler, epilogue, options.element()?)?;
        Ok(Self { operator, epilogue, epsilon })
    }

    fn shape(&self, shapes: &Shapes) -> Result<Nchw, Error> {
        shapes.nchw(Self::NAME, "features")
    }

    fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: Nchw, slices: &Slices<'_>) -> Result<Recording, Error> {
        let [output, output_gradient, gate_gradient] = gate_upstream(slices);
        let buffers = BiSeNetAttentionBackwardBuffers {
            features: slices.required(Self::NAME, "features")?,
            weight: slices.required(Self::NAME, "weight")?,
            norm: required_norm(Self::NAME, slices, BatchNorm::NAMES, self.epsilon)?,
            output,
            output_gradient,
            gate_gradient,
            features_gradient: slices.optional("features_gradient"),
            identity_gradient: slices.optional("identity_gradient"),
            weight_gradient: slices.optional("weight_gradient"),
            norm_weight_gradient: slices.optional("norm.weight_gradient"),
            norm_bias_gradient: slices.optional("norm.bias_gradient"),
        };
        self.operator.bind(device, shape, buffers)
    }

    fn cost(&self, shape: Nchw) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: Nchw, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let norm = required_norm_reference(Self::NAME, inputs, BatchNorm::NAMES, self.epsilon)?;
        let (features, weight) = (inputs.required(Self::NAME, "features")?, inputs.required(Self::NAME, "weight")?);
        let upstream = gate_upstream_reference(inputs);
        let gradients = reference::bisenet_backward(shape, self.epilogue, features, weight, norm, upstream);
        let mut arrays = vec![
            ("features_gradient", gradients.features),
            ("weight_gradient", gradients.weight),
            ("norm.weight_gradient", gradients.norm_weight),
            ("norm.bias_gradient", gradients.norm_bias),
        ];
        if self.epilogue == Epilogue::Residual {
            arrays.push(("identity_gradient", gradients.identity));
        }
        Ok(Arrays::new(arrays))
    }
}
