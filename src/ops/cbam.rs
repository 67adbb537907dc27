//! CBAM, the Convolutional Block Attention Module: a channel gate, then a spatial gate.
//!
//! ```text
//! x' = x * channel gate of x          SqueezeExciteOptions::CBAM_CHANNEL
//! y  = x' * spatial gate of x'        SpatialGate, or another Epilogue
//! ```
//!
//! The formula is Eq. 1 of Woo et al. 2018, arXiv:1807.06521. For one gate alone use [`SqueezeExcite`] with
//! [`SqueezeExciteOptions::CBAM_CHANNEL`], or [`SpatialGate`].
//!
//! ```no_run
//! use visual_attention::{Cbam, CbamBuffers, CbamOptions, CbamShape, Element, Nchw};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let gpu = visual_attention::host::Gpu::open()?;
//! let cbam = Cbam::new(&gpu.device, CbamOptions::STANDARD, Element::F32)?;
//!
//! let shape = CbamShape { features: Nchw::new(1, 64, 56, 56), reduced: 4, kernel: 7 };
//! let features = gpu.upload("features", &vec![0.5f32; 64 * 56 * 56])?;
//! let reduce = gpu.upload("reduce", &[0.1f32; 4 * 64])?;
//! let expand = gpu.upload("expand", &[0.1f32; 64 * 4])?;
//! let spatial = gpu.upload("spatial", &[0.01f32; 2 * 7 * 7])?;
//! let output = gpu.buffer("output", 64 * 56 * 56 * 4)?;
//! let buffers = CbamBuffers {
//!     features: features.slice(..),
//!     reduce_weight: reduce.slice(..),
//!     reduce_bias: None,
//!     expand_weight: expand.slice(..),
//!     expand_bias: None,
//!     spatial_weight: spatial.slice(..),
//!     spatial_bias: None,
//!     spatial_norm: None,
//!     identity: None,
//!     output: output.slice(..),
//! };
//! let recording = cbam.bind(&gpu.device, shape, buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok(())
//! # }
//! ```
//!
//! # Options and tensors
//!
//! [`CbamOptions::STANDARD`] is the paper's module, [`CbamOptions::RESIDUAL`] its place in a residual unit. Setters change
//! activations and epilogue. [`Cbam::tensors`] lists the tensors; `output` may be `features` itself.
//!
//! `x'` is never stored: the spatial gate applies the channel gate while it reads the features. Scratch is the pooled vectors, the
//! planes `[n, 2, h, w]` and the spatial gate `[n, h, w]`, all f32. The effect of infinite weights is described at
//! [`SqueezeExciteOptions::squeeze`].
//!
//! # Errors and cost
//!
//! Errors are those of the two gates. [`Cbam::cost`] counts no biases of the channel gate.
//!
//! Kernels [`GLOBAL_POOL`](crate::shaders::GLOBAL_POOL), [`DENSE`](crate::shaders::DENSE),
//! [`SPATIAL_GATE_SQUEEZE`](crate::shaders::SPATIAL_GATE_SQUEEZE),
//! [`SPATIAL_GATE_CONV`](crate::shaders::SPATIAL_GATE_CONV) and [`CHANNEL_SCALE`](crate::shaders::CHANNEL_SCALE); reference
//! [`reference::cbam`](crate::reference::cbam).

use super::channel_scale::{Combine, features_and_output};
use super::global_pool::squeezable;
use super::spatial_gate::{
    Convolution, ConvolutionNames, SpatialGate, SpatialGateShape, SpatialTensors, spatially_squeezable,
};
use super::squeeze_excite::{Excitation, Surroundings};
use crate::cost::count;
use crate::kernel::{Compiler, check, tensor};
use crate::{
    Activation, BatchNorm, Cost, Element, Epilogue, Error, Nchw, Recording, Squeeze, SqueezeExcite,
    SqueezeExciteOptions, SqueezeExciteShape, TensorSpec,
};

const OP: &str = "cbam";

/// Options of a [`Cbam`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct CbamOptions {
    /// Activation after the first layer.
    pub activation: Activation,
    /// Activation of the channel gate; that of the spatial gate is the sigmoid.
    pub gate: Activation,
    /// What becomes of the features and both gates: any epilogue except [`Epilogue::GateOnly`].
    pub epilogue: Epilogue,
}

impl CbamOptions {
    /// The paper's Eq. 1: `ReLU`, sigmoid, `x * gates`.
    pub const STANDARD: Self =
        Self { activation: Activation::Relu, gate: Activation::Sigmoid, epilogue: Epilogue::Scale };
    /// In a residual unit (the paper's Fig. 3): `relu(x * gates + identity)`.
    pub const RESIDUAL: Self = Self::STANDARD.with_epilogue(Epilogue::Residual);

    /// With this activation after the first layer.
    #[must_use]
    pub const fn with_activation(self, activation: Activation) -> Self {
        Self { activation, ..self }
    }

    /// With this activation of the channel gate.
    #[must_use]
    pub const fn with_gate(self, gate: Activation) -> Self {
        Self { gate, ..self }
    }

    /// With this epilogue.
    #[must_use]
    pub const fn with_epilogue(self, epilogue: Epilogue) -> Self {
        Self { epilogue, ..self }
    }
}

impl Default for CbamOptions {
    fn default() -> Self {
        Self::STANDARD
    }
}

/// CBAM; the [page](self) has formula and example.
#[doc(alias = "convolutional block attention module")]
#[derive(Clone, Debug)]
pub struct Cbam {
    options: CbamOptions,
    element: Element,
    channel: SqueezeExcite,
    spatial: SpatialGate,
}

/// Extents of a [`Cbam`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CbamShape {
    /// `[n, c, h, w]`.
    pub features: Nchw,
    /// Reduced width `r` of the channel gate.
    pub reduced: u32,
    /// Side `k` of the spatial gate's convolution, odd.
    pub kernel: u32,
}

/// Tensors of a [`Cbam`]; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct CbamBuffers<'a> {
    /// In: `[n, c, h, w]`, the operator's element type.
    pub features: wgpu::BufferSlice<'a>,
    /// In: `[r, c]`, the operator's element type.
    pub reduce_weight: wgpu::BufferSlice<'a>,
    /// In: `[r]`, the operator's element type.
    pub reduce_bias: Option<wgpu::BufferSlice<'a>>,
    /// In: `[c, r]`, the operator's element type.
    pub expand_weight: wgpu::BufferSlice<'a>,
    /// In: `[c]`, the operator's element type; it counts twice, once for each statistic.
    pub expand_bias: Option<wgpu::BufferSlice<'a>>,
    /// In: `[1, 2, k, k]`, the operator's element type: taps of the maxima, then taps of the means.
    pub spatial_weight: wgpu::BufferSlice<'a>,
    /// In: `[1]`, the operator's element type.
    pub spatial_bias: Option<wgpu::BufferSlice<'a>>,
    /// Batch norm of the convolution's one channel, instead of a bias.
    pub spatial_norm: Option<BatchNorm<'a>>,
    /// In: `[n, c, h, w]`, the operator's element type; for [`Epilogue::Residual`] only.
    pub identity: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, c, h, w]`, the operator's element type, every element written; may be `features`.
    pub output: wgpu::BufferSlice<'a>,
}

impl Cbam {
    /// Compiles for features and weights of type `element`.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidParameter`]: the epilogue is [`Epilogue::GateOnly`].
    /// - [`Error::MissingFeature`]: f16 on a device without it.
    /// - [`Error::LimitExceeded`]: a device whose workgroups hold fewer than 256 invocations.
    pub fn new<'a>(compiler: impl Into<Compiler<'a>>, options: CbamOptions, element: Element) -> Result<Self, Error> {
        let compiler = compiler.into();
        let CbamOptions { activation, gate, epilogue } = options;
        epilogue.check_output(OP, "there are two gates")?;
        let channel =
            SqueezeExciteOptions { squeeze: Squeeze::MeanAndMax, activation, gate, epilogue: Epilogue::GateOnly };
        Ok(Self {
            options,
            element,
            channel: SqueezeExcite::new_within(OP, compiler, channel, Combine::Channel, element)?,
            spatial: SpatialGate::new_within(OP, compiler, epilogue, Combine::Product, element)?,
        })
    }

    /// The options it was compiled with.
    #[must_use]
    pub fn options(&self) -> &CbamOptions {
        &self.options
    }

    /// The tensors of one [`Self::bind`], in the order in which they are checked.
    ///
    /// # Errors
    ///
    /// Whatever [`Self::bind`] refuses about a shape.
    pub fn tensors(&self, shape: CbamShape) -> Result<Vec<TensorSpec>, Error> {
        let CbamShape { features, reduced, kernel } = shape;
        check::elements(OP, "features", features)?;
        Excitation::check(OP, features.channels, reduced)?;
        Convolution::check_kernel(OP, kernel)?;
        let mut specs = features_and_output(features, self.element, self.options.epilogue);
        specs.extend(Excitation::specs(features.channels, reduced, self.element));
        specs.extend(Convolution::specs(ConvolutionNames::SPATIAL, kernel, self.element));
        Ok(specs)
    }

    /// Checks the buffers against the shape and binds them.
    ///
    /// # Errors
    ///
    /// As [`SqueezeExcite::bind`] and [`SpatialGate::bind`].
    pub fn bind(&self, device: &wgpu::Device, shape: CbamShape, buffers: CbamBuffers<'_>) -> Result<Recording, Error> {
        let specs = self.tensors(shape)?;
        let CbamShape { features: shape, reduced, kernel } = shape;
        let CbamBuffers { features, identity, output, .. } = buffers;
        let excitation = Excitation {
            reduced,
            reduce_weight: buffers.reduce_weight,
            reduce_bias: buffers.reduce_bias,
            expand_weight: buffers.expand_weight,
            expand_bias: buffers.expand_bias,
        };
        let convolution = Convolution {
            kernel,
            weight: buffers.spatial_weight,
            bias: buffers.spatial_bias,
            norm: buffers.spatial_norm,
        };
        self.options.epilogue.check(OP, identity.is_some(), true, true)?;
        convolution.check_norm(OP)?;
        if !squeezable(OP, shape)? || !spatially_squeezable(OP, shape)? {
            return Ok(Recording::default());
        }
        let mut given = vec![("features", Some(features)), ("identity", identity), ("output", Some(output))];
        given.extend(excitation.slices());
        given.extend(convolution.slices(ConvolutionNames::SPATIAL));
        check::slices(OP, device, &specs, &given)?;
        let gates = u64::from(shape.batch).saturating_mul(shape.channels.into()).saturating_mul(4);
        let gate = tensor::scratch(OP, device, "channel gate", gates)?;
        let gate = gate.slice(..);
        let surroundings = Surroundings { identity: None, spatial: None, gate: Some(gate), output: None };
        let mut dispatches = self.channel.dispatches(device, shape, features, excitation, surroundings)?;
        let tensors = SpatialTensors { features, channel_gate: Some(gate), identity, gate: None, output: Some(output) };
        dispatches.extend(self.spatial.dispatches(device, shape, convolution, tensors)?);
        Ok(Recording::new(dispatches))
    }

    /// What one run moves and computes.
    #[must_use]
    pub fn cost(&self, shape: CbamShape) -> Cost {
        let CbamShape { features: shape, reduced, kernel } = shape;
        let features = count(shape.elements());
        let channel = self.channel.cost(SqueezeExciteShape { features: shape, reduced });
        let both = channel + self.spatial.cost(SpatialGateShape { features: shape, kernel });
        // Both sums read the features, which need to move once only. The channel gate is one more product for each feature.
        let bytes = count(both.bytes) - features * count(self.element.bytes());
        Cost::new(bytes, count(both.flops) + features, count(both.parameters))
    }
}
