//! `bisenet` as data.

use num_traits::Float;

use super::shared::{EPSILON, NORM, epilogue, gated, missing, norm, norm_reference};
use super::{Arrays, Described, Options, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{BiSeNetAttention, BiSeNetAttentionBuffers, Cost, Epilogue, Error, Nchw, Recording, TensorSpec, reference};

#[derive(Debug)]
pub(super) struct BiSeNet {
    operator: BiSeNetAttention,
    epilogue: Epilogue,
    epsilon: f32,
}

impl Described for BiSeNet {
    const NAME: &'static str = "bisenet";
    const ABOUT: &'static str = "BiSeNet's attention: a gate from one layer with batch norm";
    type Shape = Nchw;

    fn open(compiler: Compiler<'_>, options: &Options) -> Result<Self, Error> {
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
        let norm = norm(Self::NAME, slices, NORM, self.epsilon)?;
        let buffers = BiSeNetAttentionBuffers {
            features: slices.need(Self::NAME, "features")?,
            weight: slices.need(Self::NAME, "weight")?,
            norm: norm.map_or_else(|| Err(missing(Self::NAME, "norm.weight")), Ok)?,
            identity: slices.get("identity"),
            gate: slices.get("gate"),
            output: slices.get("output"),
        };
        self.operator.bind(device, shape, buffers)
    }

    fn cost(&self, shape: Nchw) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: Nchw, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let norm = norm_reference(Self::NAME, inputs, NORM, self.epsilon)?;
        let norm = norm.map_or_else(|| Err(missing(Self::NAME, "norm.weight")), Ok)?;
        let (features, weight) = (inputs.need(Self::NAME, "features")?, inputs.need(Self::NAME, "weight")?);
        let both = reference::bisenet(shape, self.epilogue, features, weight, norm, inputs.get("identity"));
        Ok(gated(self.epilogue, both))
    }
}
