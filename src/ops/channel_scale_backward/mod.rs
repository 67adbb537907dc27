//! The gradients of channels scaled by gates.
//!
//! ```text
//! u                 = output_gradient                                 Scale, ScaleAdd
//!                     output_gradient where output > 0, else 0        Residual
//! features_gradient = u * gate                                        Scale, Residual
//!                     u * gate + u                                    ScaleAdd
//! gate_gradient     = sum of u * features over each plane
//! identity_gradient = u                                               Residual
//! ```
//!
//! Source: the chain rule of Squeeze-and-Excitation's Eq. 4 (Hu et al. 2018, arXiv:1709.01507). The gradient of `relu` is taken from the
//! output, so no mask has to be kept.
//!
//! # Example
//!
//! ```no_run
//! use visual_attention::host::Gpu;
//! use visual_attention::{ChannelScaleBackward, ChannelScaleBackwardBuffers, Element, Epilogue, Nchw};
//!
//! let gpu = Gpu::open()?;
//! let features = gpu.upload("features", &vec![0.5f32; 256 * 56 * 56])?;
//! let gate = gpu.upload("gate", &vec![0.5f32; 256])?;
//! let output_gradient = gpu.upload("gradient of the output", &vec![1.0f32; 256 * 56 * 56])?;
//! let features_gradient = gpu.buffer("gradient of the features", 256 * 56 * 56 * 4)?;
//! let gate_gradient = gpu.buffer("gradient of the gate", 256 * 4)?;
//!
//! let operator = ChannelScaleBackward::new(&gpu.device, Epilogue::Scale, Element::F32)?;
//! let buffers = ChannelScaleBackwardBuffers {
//!     features: features.slice(..),
//!     gate: gate.slice(..),
//!     output: None,
//!     output_gradient: output_gradient.slice(..),
//!     features_gradient: Some(features_gradient.slice(..)),
//!     gate_gradient: Some(gate_gradient.slice(..)),
//!     identity_gradient: None,
//! };
//! let recording = operator.bind(&gpu.device, Nchw::new(1, 256, 56, 56), buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok::<(), visual_attention::Error>(())
//! ```
//!
//! All gradients come from one read of features and upstream gradient. A forward pass in place overwrites the features: training needs a
//! separate output. Planes of more than 16,384 vectors are summed up in up to 64 parts, and a second dispatch joins the parts. Only then
//! there is scratch, 16 bytes for each part. The order of a sum depends on the size of one plane alone, so the bits do not depend on how
//! the work is divided. [`ChannelScaleBackward::bind`] lists the errors, [`ChannelScaleBackward::cost`] counts bytes and operations.
//!
//! Kernels: [`channel_scale_backward`](crate::shaders::CHANNEL_SCALE_BACKWARD),
//! [`channel_scale_backward_join`](crate::shaders::CHANNEL_SCALE_BACKWARD_JOIN). Reference:
//! [`reference::channel_scale_backward`](crate::reference::channel_scale_backward).

mod gate;
mod join;
mod passes;

use super::global_pool::PlaneGrid;
use crate::cost::count;
use crate::kernel::{Compiler, check};
use crate::{Cost, Element, Epilogue, Error, Nchw, Recording, TensorSpec};

pub(crate) use gate::{Gate, gate_cost};
pub(crate) use join::{CHANNEL_SCALE_BACKWARD_JOIN, Join, JoinTensors, vectors};
pub(crate) use passes::{CHANNEL_SCALE_BACKWARD, CHANNEL_SCALE_BACKWARD_APPLY, Planes, PlanesTensors, Upstream};

const OP: &str = "channel_scale_backward";

/// The gradients of [`ChannelScale`](crate::ChannelScale). The [page of the module](self) has the formulas and an example.
#[derive(Clone, Debug)]
pub struct ChannelScaleBackward {
    epilogue: Epilogue,
    element: Element,
    planes: Planes,
}

/// Tensors of a [`ChannelScaleBackward`]; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct ChannelScaleBackwardBuffers<'a> {
    /// In: `[n, c, h, w]`, the operator's element type. Only `gate_gradient` reads it.
    pub features: wgpu::BufferSlice<'a>,
    /// In: `[n, c]` f32. Only `features_gradient` reads it.
    pub gate: wgpu::BufferSlice<'a>,
    /// In: `[n, c, h, w]`, the operator's element type, as the forward operator wrote it. Only [`Epilogue::Residual`] reads it.
    pub output: Option<wgpu::BufferSlice<'a>>,
    /// In: `[n, c, h, w]`, the operator's element type, the gradient of the loss with respect to the output.
    pub output_gradient: wgpu::BufferSlice<'a>,
    /// Out: `[n, c, h, w]`, the operator's element type.
    pub features_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, c]` f32.
    pub gate_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out, only for [`Epilogue::Residual`]: `[n, c, h, w]`, the operator's element type.
    pub identity_gradient: Option<wgpu::BufferSlice<'a>>,
}

impl ChannelScaleBackward {
    /// Compiles the kernels for features of type `element`.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidParameter`] for [`Epilogue::GateOnly`].
    /// - [`Error::MissingFeature`] for f16 on a device without it.
    /// - [`Error::LimitExceeded`] if the device's workgroups hold fewer than 256 invocations.
    pub fn new<'a>(compiler: impl Into<Compiler<'a>>, epilogue: Epilogue, element: Element) -> Result<Self, Error> {
        epilogue.check_output(OP, "the gate is given")?;
        Ok(Self { epilogue, element, planes: Planes::new(OP, compiler.into(), epilogue, None, element)? })
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
    pub fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        check::elements(OP, "features", shape)?;
        let gates = [shape.batch, shape.channels];
        let mut specs = vec![TensorSpec::input("features", shape, self.element)];
        specs.push(TensorSpec::input("gate", gates, Element::F32));
        specs.extend(Upstream::specs(shape, self.element, self.epilogue));
        specs.extend(Upstream::result_specs(shape, self.element, self.epilogue));
        specs.push(TensorSpec::output("gate_gradient", gates, Element::F32).optional());
        Ok(specs)
    }

    /// Checks the buffers against the shape and binds them. Without any gradient there is nothing to compute.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidParameter`] if `output` or `identity_gradient` does not match the operator's [`Epilogue`].
    /// - [`Error::LimitExceeded`] if one plane exceeds a binding of the device.
    /// - [What every operator refuses](crate#what-is-refused).
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        buffers: ChannelScaleBackwardBuffers<'_>,
    ) -> Result<Recording, Error> {
        let ChannelScaleBackwardBuffers { features, gate, output, output_gradient, .. } = buffers;
        let ChannelScaleBackwardBuffers { features_gradient, gate_gradient, identity_gradient, .. } = buffers;
        let specs = self.tensors(shape)?;
        let upstream = Upstream { output, output_gradient: Some(output_gradient), gate_gradient: None };
        upstream.check(OP, self.epilogue, identity_gradient.is_some())?;
        if shape.is_empty() {
            return Ok(Recording::default());
        }
        let given = [
            ("features", Some(features)),
            ("gate", Some(gate)),
            ("output", output),
            ("output_gradient", Some(output_gradient)),
            ("features_gradient", features_gradient),
            ("gate_gradient", gate_gradient),
            ("identity_gradient", identity_gradient),
        ];
        check::slices(OP, device, &specs, &given)?;
        if features_gradient.is_none() && gate_gradient.is_none() && identity_gradient.is_none() {
            return Ok(Recording::default());
        }
        let grid = PlaneGrid::new(OP, device, shape, self.element)?;
        let tensors = PlanesTensors {
            features: gate_gradient.map(|_| features),
            upstream: upstream.read_by(self.epilogue),
            gate: features_gradient.map(|_| gate),
            features_gradient,
            identity_gradient,
            gate_gradient,
            squeezed: None,
            first_maximum: None,
        };
        Ok(Recording::new(self.planes.dispatches(device, shape, &grid, tensors)?))
    }

    /// What one run with every gradient moves and computes. Every tensor moves once.
    #[must_use]
    pub fn cost(&self, shape: Nchw) -> Cost {
        let features = count(shape.elements());
        let gates = count(u64::from(shape.batch) * u64::from(shape.channels));
        // Features, upstream gradient and gradient; with a residual the output and one gradient more.
        let tensors = if self.epilogue == Epilogue::Residual { 5 } else { 3 };
        let bytes = features * count(self.element.bytes()) * count(tensors) + gates * count(8);
        let flops = if self.epilogue == Epilogue::ScaleAdd { 4 } else { 3 };
        Cost::new(bytes, features * count(flops), count(0))
    }
}
