//! `eca_backward` as data.

use num_traits::Float;

use super::example::Example;
use super::options::Reader;
use super::shared::{epilogue, gate_upstream, gate_upstream_reference};
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{Cost, EcaBackward, EcaBackwardBuffers, EcaShape, Epilogue, Error, Recording, TensorSpec, reference};

#[derive(Debug)]
pub(super) struct EcaGradient {
    operator: EcaBackward,
    epilogue: Epilogue,
}

impl Described for EcaGradient {
    const NAME: &'static str = "eca_backward";
    const ABOUT: &'static str = "the gradients of ECA";
    const EXAMPLE: Example = super::eca::EcaGate::EXAMPLE;
    type Shape = EcaShape;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let epilogue = epilogue(options)?;
        Ok(Self { operator: EcaBackward::new(compiler, epilogue, options.element()?)?, epilogue })
    }

    fn shape(&self, shapes: &Shapes) -> Result<EcaShape, Error> {
        let [taps] = shapes.axes(Self::NAME, "weight")?;
        Ok(EcaShape { features: shapes.nchw(Self::NAME, "features")?, taps })
    }

    fn tensors(&self, shape: EcaShape) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: EcaShape, slices: &Slices<'_>) -> Result<Recording, Error> {
        let [output, output_gradient, gate_gradient] = gate_upstream(slices);
        let buffers = EcaBackwardBuffers {
            features: slices.required(Self::NAME, "features")?,
            weight: slices.required(Self::NAME, "weight")?,
            output,
            output_gradient,
            gate_gradient,
            features_gradient: slices.optional("features_gradient"),
            identity_gradient: slices.optional("identity_gradient"),
            weight_gradient: slices.optional("weight_gradient"),
        };
        self.operator.bind(device, shape, buffers)
    }

    fn cost(&self, shape: EcaShape) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: EcaShape, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let (features, weight) = (inputs.required(Self::NAME, "features")?, inputs.required(Self::NAME, "weight")?);
        let upstream = gate_upstream_reference(inputs);
        let gradients = reference::eca_backward(shape.features, self.epilogue, features, weight, upstream);
        let mut arrays = vec![("features_gradient", gradients.features), ("weight_gradient", gradients.weight)];
        if self.epilogue == Epilogue::Residual {
            arrays.push(("identity_gradient", gradients.identity));
        }
        Ok(Arrays::new(arrays))
    }
}
