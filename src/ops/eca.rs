//! Efficient Channel Attention: the gate is a short convolution along the channels of the pooled vector.
//!
//! ```text
//! s(c)    = mean of x over the plane of channel c
//! gate(c) = sigmoid(sum over j of weight(j) * s(c + j - (taps - 1) / 2))      s is 0 outside the channels
//! y       = x * gate, or another Epilogue
//! ```
//!
//! Source: ECA-Net (Wang et al. 2020, arXiv:1910.03151), Eq. 6. [`Eca::taps`] is the paper's choice of the number of weights, Eq.
//! 12.
//!
//! # Example
//!
//! ```no_run
//! use visual_attention::host::Gpu;
//! use visual_attention::{Eca, EcaBuffers, EcaShape, Element, Epilogue, Nchw};
//!
//! let gpu = Gpu::open()?;
//! let shape = EcaShape { features: Nchw::new(1, 256, 56, 56), taps: Eca::taps(256) };
//! let features = gpu.upload("features", &vec![0.5f32; 256 * 56 * 56])?;
//! let weight = gpu.upload("weight", &vec![0.2f32; shape.taps as usize])?;
//!
//! let operator = Eca::new(&gpu.device, Epilogue::Scale, Element::F32)?;
//! let buffers = EcaBuffers {
//!     features: features.slice(..),
//!     weight: weight.slice(..),
//!     identity: None,
//!     gate: None,
//!     output: Some(features.slice(..)), // in place
//! };
//! let recording = operator.bind(&gpu.device, shape, buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok::<(), visual_attention::Error>(())
//! ```
//!
//! `output` may be the same slice as `features`. The scratch holds the mean, `[n, c]` f32, and 4 bytes for each part of a plane
//! that is pooled in parts: see [`global_pool`](super::global_pool). A software adapter computes the gate in a dispatch of its
//! own if `taps` exceeds 8, with `[n, c]` f32 of scratch more. [`Eca::bind`] lists the errors, [`Eca::cost`] counts bytes and
//! operations.
//!
//! Kernels: [`global_pool`](crate::shaders::GLOBAL_POOL), [`channel_scale`](crate::shaders::CHANNEL_SCALE). Reference:
//! [`reference::eca`](crate::reference::eca).

use super::channel_scale::{Combine, GateFrom, Scale, ScaleTensors, features_and_output, gate_out};
use super::global_pool::{Finish, GlobalPoolBuffers, PlaneGrid, Pool, squeezable};
use crate::cost::count;
use crate::kernel::{Compiler, check, tensor};
use crate::{Activation, Cost, Element, Epilogue, Error, Nchw, Recording, Squeeze, TensorSpec};

const OP: &str = "eca";

/// Efficient Channel Attention. The [page of the module](self) has the formula and an example.
#[doc(alias = "ECA-Net")]
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
    /// Weights of the convolution along the channels, an odd number.
    pub taps: u32,
}

/// Tensors of an [`Eca`]; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct EcaBuffers<'a> {
    /// In: `[n, c, h, w]`, the operator's element type.
    pub features: wgpu::BufferSlice<'a>,
    /// In: `[taps]`, the operator's element type.
    pub weight: wgpu::BufferSlice<'a>,
    /// In, only for [`Epilogue::Residual`]: `[n, c, h, w]`, the operator's element type.
    pub identity: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, c]` f32, the gate. Required by [`Epilogue::GateOnly`], optional otherwise.
    pub gate: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, c, h, w]`, the operator's element type; may be `features`. [`Epilogue::GateOnly`] has no output.
    pub output: Option<wgpu::BufferSlice<'a>>,
}

impl Eca {
    /// Compiles the kernels for features and weights of type `element`.
    ///
    /// # Errors
    ///
    /// - [`Error::MissingFeature`] for f16 on a device without it.
    /// - [`Error::LimitExceeded`] if the device's workgroups hold fewer than 256 invocations.
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
        // For c from 2^e to 2^(e+1) - 1, the floor of (log2(c) + 1) / 2 is the floor of (e + 1) / 2.
        let taps = channels.max(1).ilog2().div_ceil(2);
        taps | 1
    }

    /// Refuses an even number of taps.
    pub(crate) fn check_taps(op: &'static str, taps: u32) -> Result<(), Error> {
        if taps.is_multiple_of(2) {
            let (given, needed) = (taps.to_string(), "an odd number".into());
            return Err(Error::InvalidParameter { op, parameter: "taps", given, needed });
        }
        Ok(())
    }

    /// The epilogue that the operator was built with.
    #[must_use]
    pub const fn epilogue(&self) -> Epilogue {
        self.epilogue
    }

    /// The tensors for this shape, in the order in which `bind` checks them.
    ///
    /// # Errors
    ///
    /// What [`Self::bind`] refuses about the shape.
    pub fn tensors(&self, shape: EcaShape) -> Result<Vec<TensorSpec>, Error> {
        let EcaShape { features, taps } = shape;
        check::elements(OP, "features", features)?;
        Self::check_taps(OP, taps)?;
        let mut specs = features_and_output(features, self.element, self.epilogue);
        specs.push(TensorSpec::input("weight", [taps], self.element));
        specs.push(gate_out([features.batch, features.channels], self.epilogue));
        Ok(specs)
    }

    /// Checks the buffers against the shape and binds them.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidParameter`] for an even number of taps, or if `identity`, `gate` or `output` does not match the
    ///   operator's [`Epilogue`].
    /// - [`Error::InvalidShape`] for planes without pixels.
    /// - [`Error::LimitExceeded`] if one plane exceeds a binding of the device.
    /// - [What every operator refuses](crate#what-is-refused).
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
        let (features, taps) = (count(shape.elements()), count(u64::from(taps)));
        let gates = count(u64::from(shape.batch) * u64::from(shape.channels));
        let bytes = (features * count(self.epilogue.tensors()) + taps) * count(self.element.bytes());
        let flops = features * count(1 + self.epilogue.flops()) + gates * count(2) * taps;
        Cost::new(bytes, flops, taps)
    }
}
