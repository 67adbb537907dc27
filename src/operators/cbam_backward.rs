//! `cbam_backward` as data.

use num_traits::Float;

use super::example::Example;
use super::options::Reader;
use super::shared::{cbam_options, excitation, gate_upstream_reference, norm, norm_reference, reduced};
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::ops::spatial_gate::SPATIAL_NORM;
use crate::reference::Layer;
use crate::{
    CbamBackward, CbamBackwardBuffers, CbamOptions, CbamShape, Cost, Epilogue, Error, Recording, TensorSpec, reference,
};

#[derive(Debug)]
pub(super) struct CbamGradient {
    operator: CbamBackward,
    options: CbamOptions,
    epsilon: f32,
}

impl Described for CbamGradient {
    const NAME: &'static str = "cbam_backward";
    const ABOUT: &'static str = "the gradients of CBAM's channel gate and spatial gate";
    const EXAMPLE: Example = super::cbam::CbamGate::EXAMPLE;
    type Shape = CbamShape;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let (chosen, epsilon) = cbam_options(options)?;
        Ok(Self { operator: CbamBackward::new(compiler, chosen, options.element()?)?, options: chosen, epsilon })
    }

    fn shape(&self, shapes: &Shapes) -> Result<CbamShape, Error> {
        let [_, _, kernel, _] = shapes.axes(Self::NAME, "spatial_weight")?;
        let (features, reduced) = (shapes.nchw(Self::NAME, "features")?, reduced(Self::NAME, shapes)?);
        Ok(CbamShape { features, reduced, kernel })
    }

    fn tensors(&self, shape: CbamShape) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: CbamShape, slices: &Slices<'_>) -> Result<Recording, Error> {
        let buffers = CbamBackwardBuffers {
            features: slices.required(Self::NAME, "features")?,
            reduce_weight: slices.required(Self::NAME, "reduce_weight")?,
            reduce_bias: slices.optional("reduce_bias"),
            expand_weight: slices.required(Self::NAME, "expand_weight")?,
            expand_bias: slices.optional("expand_bias"),
            spatial_weight: slices.required(Self::NAME, "spatial_weight")?,
            spatial_bias: slices.optional("spatial_bias"),
            spatial_norm: norm(Self::NAME, slices, SPATIAL_NORM, self.epsilon)?,
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
            spatial_norm_weight_gradient: slices.optional("spatial_norm.weight_gradient"),
            spatial_norm_bias_gradient: slices.optional("spatial_norm.bias_gradient"),
        };
        self.operator.bind(device, shape, buffers)
    }

    fn cost(&self, shape: CbamShape) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: CbamShape, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let norm = norm_reference(Self::NAME, inputs, SPATIAL_NORM, self.epsilon)?;
        let (weight, bias) = (inputs.required(Self::NAME, "spatial_weight")?, inputs.optional("spatial_bias"));
        let layer = Layer { weight, bias, norm };
        let features = inputs.required(Self::NAME, "features")?;
        let excitation = excitation(Self::NAME, inputs)?;
        let upstream = gate_upstream_reference(inputs);
        let CbamShape { features: shape, kernel, .. } = shape;
        let gradients =
            reference::cbam_backward(shape, self.options, kernel as usize, features, &excitation, &layer, upstream);
        let (channel, spatial) = (gradients.channel, gradients.spatial);
        let mut arrays = vec![
            ("features_gradient", gradients.features),
            ("reduce_weight_gradient", channel.reduce_weight),
            ("expand_weight_gradient", channel.expand_weight),
            ("spatial_weight_gradient", spatial.weight),
        ];
        if excitation.reduce_bias.is_some() {
            arrays.push(("reduce_bias_gradient", channel.reduce_bias));
        }
        if excitation.expand_bias.is_some() {
            arrays.push(("expand_bias_gradient", channel.expand_bias));
        }
        if norm.is_some() {
            arrays.push(("spatial_norm.bias_gradient", spatial.bias));
            arrays.push(("spatial_norm.weight_gradient", spatial.norm_weight));
        } else if layer.bias.is_some() {
            arrays.push(("spatial_bias_gradient", spatial.bias));
        }
        if self.options.epilogue == Epilogue::Residual {
            arrays.push(("identity_gradient", gradients.identity));
        }
        Ok(Arrays::new(arrays))
    }
}
