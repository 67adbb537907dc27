//! `bisenet` as data.

use num_traits::Float;

use super::example::{Example, FEATURES};
use super::options::Reader;
use super::shared::{EPSILON, epilogue, gated, required_norm, required_norm_reference};
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{
    BatchNorm, BiSeNetAttention, BiSeNetAttentionBuffers, Cost, Epilogue, Error, Nchw, Recording, TensorSpec, reference,
};

#[derive(Debug)]
pub(super) struct BiSeNet {
    operator: BiSeNetAttention,
    epilogue: Epilogue,
    epsilon: f32,
}

impl Described for BiSeNet {
    const NAME: &'static str = "bisenet";
    const ABOUT: &'static str = "BiSeNet's attention: a gate from one layer with batch norm";
    const EXAMPLE: Example = Example::new(&[("features", FEATURES)]);
    type Shape = Nchw;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let (epilogue, epsilon) = (epilogue(options)?, options.number("norm_epsilon", Some(EPSILON))?);
        Ok(Self { operator: BiSeNetAttention::new(compiler, epilogue, options.element()?)?, epilogue, epsilon })
    }

    fn shape(&self, shapes: &Shapes) -> Result<Nchw, Error> {
        shapes.nchw(Self::NAME, "features")
    }

    fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: Nchw, slices: &Slices<'_>) -> Result<Recording, Error> {
        let buffers = BiSeNetAttentionBuffers {
            features: slices.required(Self::NAME, "features")?,
            weight: slices.required(Self::NAME, "weight")?,
            norm: required_norm(Self::NAME, slices, BatchNorm::NAMES, self.epsilon)?,
            identity: slices.optional("identity"),
            gate: slices.optional("gate"),
            output: slices.optional("output"),
        };
        self.operator.bind(device, shape, buffers)
    }

    fn cost(&self, shape: Nchw) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: Nchw, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let norm = required_norm_reference(Self::NAME, inputs, BatchNorm::NAMES, self.epsilon)?;
        let (features, weight) = (inputs.required(Self::NAME, "features")?, inputs.required(Self::NAME, "weight")?);
        let both = reference::bisenet(shape, self.epilogue, features, weight, norm, inputs.optional("identity"));
        Ok(gated(self.epilogue, both))
    }
}
