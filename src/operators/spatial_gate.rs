//! `spatial_gate` as data.

use num_traits::Float;

use super::example::{Example, FEATURES, K};
use super::options::Reader;
use super::shared::{EPSILON, epilogue, gated, norm, norm_reference};
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{
    BatchNorm, Cost, Epilogue, Error, Recording, SpatialGate, SpatialGateBuffers, SpatialGateShape, TensorSpec,
    reference,
};

#[derive(Debug)]
pub(super) struct Spatial {
    operator: SpatialGate,
    epilogue: Epilogue,
    epsilon: f32,
}

impl Described for Spatial {
    const NAME: &'static str = "spatial_gate";
    const ABOUT: &'static str = "CBAM's spatial gate: every pixel times a gate computed from its channels";
    const EXAMPLE: Example = Example::new(&[("features", FEATURES), ("weight", &[("1", 1), ("2", 2), K, K])]);
    type Shape = SpatialGateShape;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let (epilogue, epsilon) = (epilogue(options)?, options.number("norm_epsilon", Some(EPSILON))?);
        Ok(Self { operator: SpatialGate::new(compiler, epilogue, options.element()?)?, epilogue, epsilon })
    }

    fn shape(&self, shapes: &Shapes) -> Result<SpatialGateShape, Error> {
        let [_, _, kernel, _] = shapes.axes(Self::NAME, "weight")?;
        Ok(SpatialGateShape { features: shapes.nchw(Self::NAME, "features")?, kernel })
    }

    fn tensors(&self, shape: SpatialGateShape) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: SpatialGateShape, slices: &Slices<'_>) -> Result<Recording, Error> {
        let buffers = SpatialGateBuffers {
            features: slices.required(Self::NAME, "features")?,
            weight: slices.required(Self::NAME, "weight")?,
            bias: slices.optional("bias"),
            norm: norm(Self::NAME, slices, BatchNorm::NAMES, self.epsilon)?,
            identity: slices.optional("identity"),
            gate: slices.optional("gate"),
            output: slices.optional("output"),
        };
        self.operator.bind(device, shape, buffers)
    }

    fn cost(&self, shape: SpatialGateShape) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: SpatialGateShape, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let norm = norm_reference(Self::NAME, inputs, BatchNorm::NAMES, self.epsilon)?;
        let layer =
            reference::Layer { weight: inputs.required(Self::NAME, "weight")?, bias: inputs.optional("bias"), norm };
        let (features, identity) = (inputs.required(Self::NAME, "features")?, inputs.optional("identity"));
        let SpatialGateShape { features: shape, kernel } = shape;
        let both = reference::spatial_gate(shape, self.epilogue, kernel as usize, features, &layer, identity);
        Ok(gated(self.epilogue, both))
    }
}
