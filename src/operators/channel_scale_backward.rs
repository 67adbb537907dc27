//! `channel_scale_backward` as data.

use num_traits::Float;

use super::example::Example;
use super::options::Reader;
use super::shared::epilogue;
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{
    ChannelScaleBackward, ChannelScaleBackwardBuffers, Cost, Epilogue, Error, Nchw, Recording, TensorSpec, reference,
};

#[derive(Debug)]
pub(super) struct ScaleGradient {
    operator: ChannelScaleBackward,
    epilogue: Epilogue,
}

impl Described for ScaleGradient {
    const NAME: &'static str = "channel_scale_backward";
    const ABOUT: &'static str = "the gradients of channels scaled by a gate that is given";
    const EXAMPLE: Example = super::channel_scale::Scale::EXAMPLE;
    type Shape = Nchw;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let epilogue = epilogue(options)?;
        Ok(Self { operator: ChannelScaleBackward::new(compiler, epilogue, options.element()?)?, epilogue })
    }

    fn shape(&self, shapes: &Shapes) -> Result<Nchw, Error> {
        shapes.nchw(Self::NAME, "features")
    }

    fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: Nchw, slices: &Slices<'_>) -> Result<Recording, Error> {
        let buffers = ChannelScaleBackwardBuffers {
            features: slices.required(Self::NAME, "features")?,
            gate: slices.required(Self::NAME, "gate")?,
            output: slices.optional("output"),
            output_gradient: slices.required(Self::NAME, "output_gradient")?,
            features_gradient: slices.optional("features_gradient"),
            gate_gradient: slices.optional("gate_gradient"),
            identity_gradient: slices.optional("identity_gradient"),
        };
        self.operator.bind(device, shape, buffers)
    }

    fn cost(&self, shape: Nchw) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: Nchw, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let (features, gate) = (inputs.required(Self::NAME, "features")?, inputs.required(Self::NAME, "gate")?);
        let (output, upstream) = (inputs.optional("output"), inputs.required(Self::NAME, "output_gradient")?);
        let gradients = reference::channel_scale_backward(shape, self.epilogue, features, gate, output, upstream);
        let mut arrays = vec![("features_gradient", gradients.features), ("gate_gradient", gradients.gate)];
        if self.epilogue == Epilogue::Residual {
            arrays.push(("identity_gradient", gradients.identity));
        }
        Ok(Arrays::new(arrays))
    }
}
