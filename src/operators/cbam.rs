//! `cbam` as data.

use num_traits::Float;

use super::example::{Example, FEATURES, K, REDUCE};
use super::options::Reader;
use super::shared::{cbam_options, excitation, norm, norm_reference, reduced};
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::ops::spatial_gate::SPATIAL_NORM;
use crate::{Cbam, CbamBuffers, CbamOptions, CbamShape, Cost, Error, Recording, TensorSpec, reference};

#[derive(Debug)]
pub(super) struct CbamGate {
    operator: Cbam,
    options: CbamOptions,
    epsilon: f32,
}

impl Described for CbamGate {
    const NAME: &'static str = "cbam";
    const ABOUT: &'static str = "CBAM: the channel gate and then the spatial gate";
    const EXAMPLE: Example =
        Example::new(&[("features", FEATURES), REDUCE, ("spatial_weight", &[("1", 1), ("2", 2), K, K])]);
    type Shape = CbamShape;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let (chosen, epsilon) = cbam_options(options)?;
        Ok(Self { operator: Cbam::new(compiler, chosen, options.element()?)?, options: chosen, epsilon })
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
        let buffers = CbamBuffers {
            features: slices.required(Self::NAME, "features")?,
            reduce_weight: slices.required(Self::NAME, "reduce_weight")?,
            reduce_bias: slices.optional("reduce_bias"),
            expand_weight: slices.required(Self::NAME, "expand_weight")?,
            expand_bias: slices.optional("expand_bias"),
            spatial_weight: slices.required(Self::NAME, "spatial_weight")?,
            spatial_bias: slices.optional("spatial_bias"),
            spatial_norm: norm(Self::NAME, slices, SPATIAL_NORM, self.epsilon)?,
            identity: slices.optional("identity"),
            output: slices.required(Self::NAME, "output")?,
        };
        self.operator.bind(device, shape, buffers)
    }

    fn cost(&self, shape: CbamShape) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: CbamShape, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let norm = norm_reference(Self::NAME, inputs, SPATIAL_NORM, self.epsilon)?;
        let (weight, bias) = (inputs.required(Self::NAME, "spatial_weight")?, inputs.optional("spatial_bias"));
        let layer = reference::Layer { weight, bias, norm };
        let (features, identity) = (inputs.required(Self::NAME, "features")?, inputs.optional("identity"));
        let excitation = excitation(Self::NAME, inputs)?;
        let CbamShape { features: shape, kernel, .. } = shape;
        let output = reference::cbam(shape, self.options, kernel as usize, features, &excitation, &layer, identity);
        Ok(Arrays::new([("output", output)]))
    }
}
