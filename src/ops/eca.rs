//! Efficient Channel Attention.

use super::channel_scale::{Combine, GateFrom, Scale, ScaleTensors, features_and_output, gate_out};
use super::global_pool::{Finish, GlobalPoolBuffers, PlaneGrid, Pool, squeezable};
use crate::kernel::{Compiler, check, tensor};
use crate::{Activation, Cost, Element, Epilogue, Error, Nchw, Recording, Squeeze, TensorSpec};

const OP: &str = "eca";

/// Efficient Channel Attention (Wang et al. 2020, arXiv:1910.03151, Eq. 6): the gate is a convolution of `taps` weights along
/// the channels of the pooled vector, zero padded, and a sigmoid.
///
/// ```text
/// s(c)    = mean of x over the plane of channel c
/// gate(c) = sigmoid(sum over j of weight(j) * s(c + j - (taps - 1) / 2))
/// y       = x * gate, or another Epilogue
/// ```
///
/// A preset: [`GlobalPool`](crate::GlobalPool), then the scaling kernel with one row of weights for all channels. `output` may
/// be `features` itself.
///
/// Reference [`reference::eca`](crate::reference::eca).
#[derive(Clone, Debug)]
pub struct Eca {
    epilogue: Epilogue,
    element: Element,
    pool: Pool,
    finish: Finish,
    scale: Scale,
}

/// Extents of an [`Eca`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EcaShape {
    /// `[n, c, h, w]`.
    pub features: Nchw,
    /// Taps of the convolution along the channels, an odd number.
    pub taps: u32,
}

/// Tensors of an [`Eca`]; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct EcaBuffers<'a> {
    /// In: `[n, c, h, w]`, the operator's element type.
    pub features: wgpu::BufferSlice<'a>,
    /// In: `[taps]`, the operator's element type.
    pub weight: wgpu::BufferSlice<'a>,
    /// In: `[n, c, h, w]`, the operator's element type; for [`Epilogue::Residual`] only.
    pub identity: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, c]` f32, the gate; must be there for [`Epilogue::GateOnly`], may be elsewhere.
    pub gate: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, c, h, w]`, the operator's element type, but for [`Epilogue::GateOnly`]; may be `features`.
    pub output: Option<wgpu::BufferSlice<'a>>,
}

impl Eca {
    /// Compiles the kernels for features and weights of type `element`.
    ///
    /// # Errors
    ///
    /// [`Error::MissingFeature`] for f16 on a device without it; [`Error::LimitExceeded`] on a device whose workgroups hold
    /// fewer than 256 invocations.
    pub fn new<'a>(compiler: impl Into<Compiler<'a>>, epilogue: Epilogue, element: Element) -> Result<Self, Error> {
        let compiler = compiler.into();
        Ok(Self {
            epilogue,
            element,
            pool: Pool::new(OP, compiler, Squeeze::Mean, element)?,
            finish: Finish::new(OP, compiler, Squeeze::Mean)?,
            scale: Scale::new(OP, compiler, epilogue, Combine::Channel, Activation::Sigmoid, element)?,
        })
    }

    /// The paper's number of taps for `channels` channels (Eq. 12 with gamma 2 and b 1): the odd number at or above
    /// `floor((log2(c) + 1) / 2)`.
    #[must_use]
    pub fn taps(channels: u32) -> u32 {
        // With c between 2^e and 2^(e+1) the floor is that of (e + 1) / 2.
        let taps = channels.max(1).ilog2().div_ceil(2);
        taps | 1
    }

    /// The tensors of one `bind`, in the order in which they are checked.
    ///
    /// # Errors
    ///
    /// What [`Self::bind`] refuses of a shape, before any buffer.
    pub fn tensors(&self, shape: EcaShape) -> Result<Vec<TensorSpec>, Error> {
        let EcaShape { features, taps } = shape;
        check::elements(OP, "features", features)?;
        if taps.is_multiple_of(2) {
            let (given, needed) = (taps.to_string(), "an odd number".into());
            return Err(Error::InvalidParameter { op: OP, parameter: "taps", given, needed });
        }
        let mut specs = features_and_output(features, self.element, self.epilogue);
        specs.push(TensorSpec::input("weight", [taps], self.element));
        specs.push(gate_out([features.batch, features.channels], self.epilogue));
        Ok(specs)
    }

    /// Checks the buffers against the shape and the number of taps, and binds them.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for an even number of taps, or where `identity`, `gate` or `output` is missing or of no use
    /// to the operator's [`Epilogue`]; [`Error::InvalidShape`] for planes without pixels; [`Error::LimitExceeded`] where one plane
    /// exceeds a binding of the device, and what every operator refuses of its buffers.
    pub fn bind(&self, device: &wgpu::Device, shape: EcaShape, buffers: EcaBuffers<'_>) -> Result<Recording, Error> {
        let EcaBuffers { features, weight, identity, gate, output } = buffers;
        let specs = self.tensors(shape)?;
        let EcaShape { features: shape, taps } = shape;
        self.epilogue.check(OP, identity.is_some(), gate.is_some(), output.is_some())?;
        if !squeezable(OP, shape)? {
            return Ok(Recording::default());
        }
        let pooled = u64::from(shape.channels);
        let given = [
            ("features", Some(features)),
            ("identity", identity),
            ("output", output),
            ("weight", Some(weight)),
            ("gate", gate),
        ];
        check::slices(OP, device, &specs, &given)?;
        let grid = PlaneGrid::new(OP, device, shape, self.element)?;
        let bytes = u64::from(shape.batch).saturating_mul(pooled).saturating_mul(4);
        let mean = tensor::scratch(OP, device, "squeezed mean", bytes)?;
        let squeezed = GlobalPoolBuffers { features, mean: Some(mean.slice(..)), max: None };
        let mut dispatches = self.pool.finished(device, shape, &grid, &self.finish, squeezed)?;
        let from = GateFrom::Taps { hidden: mean.slice(..), weight, taps };
        let tensors = ScaleTensors { features, gate: from, identity, spatial: None, gate_out: gate, output };
        dispatches.extend(self.scale.dispatches(device, shape, &grid, tensors)?);
        Ok(Recording::new(dispatches))
    }

    /// What one run has to move and to compute.
    #[must_use]
    pub fn cost(&self, shape: EcaShape) -> Cost {
        let EcaShape { features: shape, taps } = shape;
        let features = shape.elements().unwrap_or(u64::MAX);
        let gates = u64::from(shape.batch) * u64::from(shape.channels);
        Cost {
            bytes: features
                .saturating_mul(self.epilogue.tensors())
                .saturating_add(taps.into())
                .saturating_mul(self.element.bytes()),
            flops: features
                .saturating_mul(1 + self.epilogue.flops())
                .saturating_add(gates.saturating_mul(2).saturating_mul(taps.into())),
            parameters: taps.into(),
        }
    }
}
