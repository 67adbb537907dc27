//! `spatial_gate_backward` as data.

use num_traits::Float;

use super::example::Example;
use super::options::Reader;
use super::shared::{EPSILON, epilogue, gate_upstream, gate_upstream_reference, norm, norm_reference};
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::reference::Layer;
use crate::{
    BatchNorm, Cost, Epilogue, Error, Recording, SpatialGateBackward, SpatialGateBackwardBuffers, SpatialGateShape,
    TensorSpec, reference,
};

#[derive(Debug)]
pub(super) struct SpatialGradient {
    operator: SpatialGateBackward,
    epilogue: Epilogue,
    epsilon: f32,
}

impl Described for SpatialGradient {
    const NAME: &'static str = "spatial_gate_backward";
    const ABOUT: &'static str = "the gradients of CBAM's spatial gate";
    const EXAMPLE: Example = super::spatial_gate::Spatial::EXAMPLE;
    type Shape = SpatialGateShape;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let (epilogue, epsilon) = (epilogue(options)?, options.number("norm_epsilon", Some(EPSILON))?);
        let operator = SpatialGateBackward::new(compiler, epilogue, options.element()?)?;
        Ok(Self { operator, epilogue, epsilon })
    }

    fn shape(&self, shapes: &Shapes) -> Result<SpatialGateShape, Error> {
        let [_, _, kernel, _] = shapes.axes(Self::NAME, "weight")?;
        Ok(SpatialGateShape { features: shapes.nchw(Self::NAME, "features")?, kernel })
    }

    fn tensors(&self, shape: SpatialGateShape) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: SpatialGateShape, slices: &Slices<'_>) -> Result<Recording, Error> {
        let [output, output_gradient, gate_gradient] = gate_upstream(slices);
        let buffers = SpatialGateBackwardBuffers {
            features: slices.required(Self::NAME, "features")?,
            weight: slices.required(Self::NAME, "weight")?,
            bias: slices.optional("bias"),
            norm: norm(Self::NAME, slices, BatchNorm::NAMES, self.epsilon)?,
            output,
            output_gradient,
            gate_gradient,
            features_gradient: slices.optional("features_gradient"),
            identity_gradient: slices.optional("identity_gradient"),
            weight_gradient: slices.optional("weight_gradient"),
            bias_gradient: slices.optional("bias_gradient"),
            norm_weight_gradient: slices.optional("norm.weight_gradient"),
            norm_bias_gradient: slices.optional("norm.bias_gradient"),
        };
        self.operator.bind(device, shape, buffers)
    }

    fn cost(&self, shape: SpatialGateShape) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: SpatialGateShape, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let (features, weight) = (inputs.required(Self::NAME, "features")?, inputs.required(Self::NAME, "weight")?);
        let norm = norm_reference(Self::NAME, inputs, BatchNorm::NAMES, self.epsilon)?;
        let layer = Layer { weight, bias: inputs.optional("bias"), norm };
        let upstream = gate_upstream_reference(inputs);
        let SpatialGateShape { features: shape, kernel } = shape;
        let gradients =
            reference::spatial_gate_backward(shape, self.epilogue, kernel as usize, features, &layer, upstream);
        let mut arrays = vec![("features_gradient", gradients.features), ("weight_gradient", gradients.weight)];
        if norm.is_some() {
            arrays.push(("norm.bias_gradient", gradients.bias));
            arrays.push(("norm.weight_gradient", gradients.norm_weight));
        } else if layer.bias.is_some() {
            arrays.push(("bias_gradient", gradients.bias));
        }
        if self.epilogue == Epilogue::Residual {
            arrays.push(("identity_gradient", gradients.identity));
        }
        Ok(Arrays::new(arrays))
    }
}
