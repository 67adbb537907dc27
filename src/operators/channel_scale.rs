//! `channel_scale` as data.

use num_traits::Float;

use super::example::{Example, FEATURES};
use super::options::Reader;
use super::shared::epilogue;
use super::{Arrays, Described, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::{ChannelScale, ChannelScaleBuffers, Cost, Epilogue, Error, Nchw, Recording, TensorSpec, reference};

#[derive(Debug)]
pub(super) struct Scale {
    operator: ChannelScale,
    epilogue: Epilogue,
}

impl Described for Scale {
    const NAME: &'static str = "channel_scale";
    const ABOUT: &'static str = "every channel times a gate that is given";
    const EXAMPLE: Example = Example::new(&[("features", FEATURES)]);
    type Shape = Nchw;

    fn open(compiler: Compiler<'_>, options: &Reader<'_>) -> Result<Self, Error> {
        let epilogue = epilogue(options)?;
        Ok(Self { operator: ChannelScale::new(compiler, epilogue, options.element()?)?, epilogue })
    }

    fn shape(&self, shapes: &Shapes) -> Result<Nchw, Error> {
        shapes.nchw(Self::NAME, "features")
    }

    fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: Nchw, slices: &Slices<'_>) -> Result<Recording, Error> {
        let (features, gate) = (slices.required(Self::NAME, "features")?, slices.required(Self::NAME, "gate")?);
        let (identity, output) = (slices.optional("identity"), slices.required(Self::NAME, "output")?);
        self.operator.bind(device, shape, ChannelScaleBuffers { features, gate, identity, output })
    }

    fn cost(&self, shape: Nchw) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: Nchw, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let (features, gate) = (inputs.required(Self::NAME, "features")?, inputs.required(Self::NAME, "gate")?);
        let output = reference::channel_scale(shape, self.epilogue, features, gate, inputs.optional("identity"));
        Ok(Arrays::new([("output", output)]))
    }
}
