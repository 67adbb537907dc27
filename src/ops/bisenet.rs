//! The attention of BiSeNet's attention refinement and feature fusion modules.
//!
//! ```text
//! s    = mean of f over each plane                      kernel global_pool
//! gate = sigmoid(norm(weight s))                        kernel dense: a 1x1 convolution, batch norm, sigmoid
//! y    = f * gate, f * gate + f, or another Epilogue    kernel channel_scale
//! ```
//!
//! Source: BiSeNet (Yu et al. 2018, arXiv:1808.00897), Fig. 2b and 2c. `f` are the features that the module's convolution gives.
//! [`Epilogue::Scale`] is the attention refinement module. [`Epilogue::ScaleAdd`] is the feature fusion module with one layer and
//! a batch norm; [`SqueezeExciteOptions::FEATURE_FUSION`](crate::SqueezeExciteOptions::FEATURE_FUSION) is the one with two
//! layers.
//!
//! # Example
//!
//! ```no_run
//! use visual_attention::host::Gpu;
//! use visual_attention::{BatchNorm, BiSeNetAttention, BiSeNetAttentionBuffers, Element, Epilogue, Nchw};
//!
//! let gpu = Gpu::open()?;
//! let features = gpu.upload("features", &vec![0.5f32; 128 * 32 * 32])?;
//! let weight = gpu.upload("weight", &vec![0.1f32; 128 * 128])?;
//! let ones = gpu.upload("ones", &vec![1.0f32; 128])?;
//! let zeros = gpu.upload("zeros", &vec![0.0f32; 128])?;
//!
//! let operator = BiSeNetAttention::new(&gpu.device, Epilogue::Scale, Element::F32)?;
//! let (zeros, ones) = (zeros.slice(..), ones.slice(..));
//! let buffers = BiSeNetAttentionBuffers {
//!     features: features.slice(..),
//!     weight: weight.slice(..),
//!     norm: BatchNorm { weight: ones, bias: zeros, mean: zeros, variance: ones, epsilon: 1e-5 },
//!     identity: None,
//!     gate: None,
//!     output: Some(features.slice(..)), // in place
//! };
//! let recording = operator.bind(&gpu.device, Nchw::new(1, 128, 32, 32), buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok::<(), visual_attention::Error>(())
//! ```
//!
//! `output` may be the same slice as `features`. The scratch holds the mean, `[n, c]` f32 for each part of a plane (see
//! [`global_pool`](super::global_pool)), and the gate, `[n, c]` f32, if the caller gives no buffer for it.
//! [`BiSeNetAttention::bind`] lists the errors, [`BiSeNetAttention::cost`] counts bytes and operations.
//!
//! Kernels: [`global_pool`](crate::shaders::GLOBAL_POOL), [`dense`](crate::shaders::DENSE),
//! [`channel_scale`](crate::shaders::CHANNEL_SCALE). Reference: [`reference::bisenet`](crate::reference::bisenet).

use super::channel_scale::{Combine, GateFrom, Scale, ScaleTensors, features_and_output, gate_out};
use super::dense::{Join, Layer, LayerProblem, LayerTensors, layer_cost};
use super::global_pool::{GlobalPoolBuffers, PlaneGrid, Pool, squeezable};
use crate::cost::count;
use crate::kernel::tensor::Between;
use crate::kernel::{Compiler, check, tensor};
use crate::{Activation, BatchNorm, Cost, DenseShape, Element, Epilogue, Error, Nchw, Recording, Squeeze, TensorSpec};

const OP: &str = "bisenet";

/// The attention of BiSeNet's modules. The [page of the module](self) has the formula and an example.
#[doc(alias = "ARM")]
#[doc(alias = "FFM")]
#[derive(Clone, Debug)]
pub struct BiSeNetAttention {
    epilogue: Epilogue,
    element: Element,
    pool: Pool,
    layer: Layer,
    scale: Scale,
}

/// Tensors of a [`BiSeNetAttention`]; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct BiSeNetAttentionBuffers<'a> {
    /// In: `[n, c, h, w]`, the operator's element type.
    pub features: wgpu::BufferSlice<'a>,
    /// In: `[c, c]`, the operator's element type.
    pub weight: wgpu::BufferSlice<'a>,
    /// Batch norm over `c` channels.
    pub norm: BatchNorm<'a>,
    /// In, only for [`Epilogue::Residual`]: `[n, c, h, w]`, the operator's element type.
    pub identity: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, c]` f32, the gate. Required by [`Epilogue::GateOnly`], optional otherwise.
    pub gate: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, c, h, w]`, the operator's element type; may be `features`. [`Epilogue::GateOnly`] has no output.
    pub output: Option<wgpu::BufferSlice<'a>>,
}

impl BiSeNetAttention {
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
            layer: Layer::new(OP, compiler, Activation::Sigmoid, element)?,
            scale: Scale::new(OP, compiler, epilogue, Combine::Channel, Activation::None, element)?,
        })
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
        let Nchw { batch, channels, .. } = shape;
        check::elements(OP, "features", shape)?;
        check::to_u32(OP, "weights", u64::from(channels) * u64::from(channels))?;
        let mut specs = features_and_output(shape, self.element, self.epilogue);
        specs.push(TensorSpec::input("weight", [channels, channels], self.element));
        let norm = BatchNorm::specs(BatchNorm::NAMES, channels, self.element);
        specs.extend(norm.map(|spec| TensorSpec { optional: false, ..spec }));
        specs.push(gate_out([batch, channels], self.epilogue));
        Ok(specs)
    }

    /// Checks the buffers against the shape and binds them.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidParameter`] for a `norm.epsilon` that is negative or not finite, or if `identity`, `gate` or `output`
    ///   does not match the operator's [`Epilogue`].
    /// - [`Error::InvalidShape`] for planes without pixels.
    /// - [`Error::LimitExceeded`] if one plane or the weights exceed a binding of the device.
    /// - [What every operator refuses](crate#what-is-refused).
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        buffers: BiSeNetAttentionBuffers<'_>,
    ) -> Result<Recording, Error> {
        let BiSeNetAttentionBuffers { features, weight, norm, identity, gate, output } = buffers;
        let Nchw { batch, channels, .. } = shape;
        let specs = self.tensors(shape)?;
        self.epilogue.check(OP, identity.is_some(), gate.is_some(), output.is_some())?;
        BatchNorm::check(Some(norm), OP, false)?;
        if !squeezable(OP, shape)? {
            return Ok(Recording::default());
        }
        let mut given = vec![
            ("features", Some(features)),
            ("identity", identity),
            ("output", output),
            ("weight", Some(weight)),
            ("gate", gate),
        ];
        given.extend(BatchNorm::slices(Some(norm), BatchNorm::NAMES));
        check::slices(OP, device, &specs, &given)?;

        let grid = PlaneGrid::new(OP, device, shape, self.element)?;
        let parts = self.pool.parts(&grid)?;
        let pooled = u64::from(batch).saturating_mul(channels.into()).saturating_mul(4);
        let mean = tensor::scratch(OP, device, "squeezed mean", pooled.saturating_mul(parts.into()))?;
        let gate = Between::new(gate, OP, device, "gate", pooled)?;
        let gate = gate.slice();
        let squeezed = GlobalPoolBuffers { features, mean: Some(mean.slice(..)), max: None };
        let mut dispatches = self.pool.dispatches(device, shape, &grid, squeezed)?;
        let problem =
            LayerProblem { batch, inputs: channels, second_inputs: 0, outputs: channels, parts, maxima: false };
        let tensors =
            LayerTensors { input: mean.slice(..), join: Join::One, weight, bias: None, norm: Some(norm), output: gate };
        dispatches.extend(self.layer.dispatches(device, problem, tensors)?);
        if output.is_none() {
            return Ok(Recording::new(dispatches));
        }
        let tensors =
            ScaleTensors { features, gate: GateFrom::Given(gate), identity, spatial: None, gate_out: None, output };
        dispatches.extend(self.scale.dispatches(device, shape, &grid, tensors)?);
        Ok(Recording::new(dispatches))
    }

    /// What one run has to move and to compute. The batch norm is counted as a bias, into which it can be folded.
    #[must_use]
    pub fn cost(&self, shape: Nchw) -> Cost {
        let features = count(shape.elements());
        let channels = shape.channels;
        let layer = DenseShape { batch: shape.batch, inputs: channels, second_inputs: 0, outputs: channels };
        let Cost { flops, parameters, .. } = layer_cost(layer, true, self.element);
        let parameters = count(parameters);
        let bytes = (features * count(self.epilogue.tensors()) + parameters) * count(self.element.bytes());
        Cost::new(bytes, features * count(1 + self.epilogue.flops()) + count(flops), parameters)
    }
}
