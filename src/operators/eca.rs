//! `eca` as data.

use num_traits::Float;

use super::example::{Example, FEATURES, K};
use super::options::Reader;
use super::shared::{epilogue, gated};
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{Cost, Eca, EcaBuffers, EcaShape, Epilogue, Error, Recording, TensorSpec, reference};

#[derive(Debug)]
pub(super) struct EcaGate {
    operator: Eca,
    epilogue: Epilogue,
}

impl Described for EcaGate {
    const NAME: &'static str = "eca";
    const ABOUT: &'static str = "ECA: every channel times a gate from a convolution along the channels";
    const EXAMPLE: Example = Example::new(&[("features", FEATURES), ("weight", &[K])]);
    type Shape = EcaShape;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let epilogue = epilogue(options)?;
        Ok(Self { operator: Eca::new(compiler, epilogue, options.element()?)?, epilogue })
    }

    fn shape(&self, shapes: &Shapes) -> Result<EcaShape, Error> {
        let [taps] = shapes.axes(Self::NAME, "weight")?;
        Ok(EcaShape { features: shapes.nchw(Self::NAME, "features")?, taps })
    }

    fn tensors(&self, shape: EcaShape) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: EcaShape, slices: &Slices<'_>) -> Result<Recording, Error> {
        let buffers = EcaBuffers {
            features: slices.required(Self::NAME, "features")?,
            weight: slices.required(Self::NAME, "weight")?,
            identity: slices.optional("identity"),
            gate: slices.optional("gate"),
            output: slices.optional("output"),
        };
        self.operator.bind(device, shape, buffers)
    }

    fn cost(&self, shape: EcaShape) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: EcaShape, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let (features, weight) = (inputs.required(Self::NAME, "features")?, inputs.required(Self::NAME, "weight")?);
        let both = reference::eca(shape.features, self.epilogue, features, weight, inputs.optional("identity"));
        Ok(gated(self.epilogue, both))
    }
}
