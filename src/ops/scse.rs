//! scSE, concurrent spatial and channel Squeeze-and-Excitation: both gates at once, on the same features.
//!
//! ```text
//! cse = x * sigmoid(expand_weight relu(reduce_weight mean(x) + reduce_bias) + expand_bias)    over the channels
//! sse = x * sigmoid(sum over c of spatial_weight(c) * x(c) + spatial_bias)                    over the pixels
//! y   = cse + sse, or max(cse, sse), then an Epilogue
//! ```
//!
//! The formula is Sec. 2 of Roy et al. 2018, arXiv:1803.02579. The maximum is from the same authors' arXiv:1808.08127.
//!
//! ```no_run
//! use visual_attention::{Element, Nchw, ScSe, ScSeBuffers, ScSeOptions, ScSeShape};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let gpu = visual_attention::host::Gpu::open()?;
//! let scse = ScSe::new(&gpu.device, ScSeOptions::STANDARD, Element::F32)?;
//!
//! let shape = ScSeShape { features: Nchw::new(1, 64, 56, 56), reduced: 32 };
//! let features = gpu.upload("features", &vec![0.5f32; 64 * 56 * 56])?;
//! let reduce = gpu.upload("reduce", &[0.1f32; 32 * 64])?;
//! let expand = gpu.upload("expand", &[0.1f32; 64 * 32])?;
//! let spatial = gpu.upload("spatial", &[0.1f32; 64])?;
//! let output = gpu.buffer("output", 64 * 56 * 56 * 4)?;
//! let buffers = ScSeBuffers {
//!     features: features.slice(..),
//!     reduce_weight: reduce.slice(..),
//!     reduce_bias: None,
//!     expand_weight: expand.slice(..),
//!     expand_bias: None,
//!     spatial_weight: spatial.slice(..),
//!     spatial_bias: None,
//!     identity: None,
//!     output: output.slice(..),
//! };
//! let recording = scse.bind(&gpu.device, shape, buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok(())
//! # }
//! ```
//!
//! # Options and tensors
//!
//! [`ScSeOptions::STANDARD`] is the paper's sum. Setters change the combination and the epilogue. The paper reduces by 2, without
//! biases.
//!
//! [`ScSe::tensors`] lists the tensors; `output` may be `features` itself. Scratch is the spatial gate `[n, h, w]` f32 and the pooled
//! vectors. The three kernels of [`SqueezeExcite`] run, and the last one applies both gates.
//!
//! The kernel adds two products, as written. WGSL allows a driver to assume finite numbers, and Mesa adds the gates first and multiplies
//! once. An infinite feature with one gate of exactly 0 then gives an infinity, while the formula gives NaN.
//!
//! # Errors and cost
//!
//! Work is divided over images, so one image must fit a binding of the device. [`ScSe::cost`] counts no biases.
//!
//! Kernels [`SPATIAL_GATE_SQUEEZE`](crate::shaders::SPATIAL_GATE_SQUEEZE), [`GLOBAL_POOL`](crate::shaders::GLOBAL_POOL),
//! [`DENSE`](crate::shaders::DENSE) and [`CHANNEL_SCALE`](crate::shaders::CHANNEL_SCALE); reference
//! [`reference::scse`](crate::reference::scse).

use super::channel_scale::{Combine, features_and_output};
use super::global_pool::{PlaneGrid, squeezable};
use super::spatial_gate::{SpatialSqueeze, SqueezeTensors, spatially_squeezable};
use super::squeeze_excite::{Excitation, Surroundings};
use crate::cost::count;
use crate::kernel::{Compiler, check, tensor};
use crate::names::names;
use crate::{
    Cost, Element, Epilogue, Error, Nchw, Recording, SqueezeExcite, SqueezeExciteOptions, SqueezeExciteShape,
    TensorSpec,
};

const OP: &str = "scse";

/// How [`ScSe`] joins the two recalibrated tensors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ScSeCombine {
    /// Their sum: Roy et al. 2018, arXiv:1803.02579, Sec. 2.
    #[default]
    Add,
    /// The larger of the two, element by element: the same authors' arXiv:1808.08127.
    Max,
}

names!(ScSeCombine, "combination of gates", Add = "add", Max = "max");

/// Options of a [`ScSe`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ScSeOptions {
    /// How the two recalibrated tensors are joined.
    pub combine: ScSeCombine,
    /// What becomes of the joined tensor, which stands for `x * gate`: any epilogue except [`Epilogue::GateOnly`].
    pub epilogue: Epilogue,
}

impl ScSeOptions {
    /// The paper's sum, nothing after it.
    pub const STANDARD: Self = Self { combine: ScSeCombine::Add, epilogue: Epilogue::Scale };

    /// With this combination.
    #[must_use]
    pub const fn with_combine(self, combine: ScSeCombine) -> Self {
        Self { combine, ..self }
    }

    /// With this epilogue.
    #[must_use]
    pub const fn with_epilogue(self, epilogue: Epilogue) -> Self {
        Self { epilogue, ..self }
    }
}

impl Default for ScSeOptions {
    fn default() -> Self {
        Self::STANDARD
    }
}

/// scSE; the [page](self) has formula and example.
#[doc(alias = "concurrent squeeze and excitation")]
#[derive(Clone, Debug)]
pub struct ScSe {
    options: ScSeOptions,
    element: Element,
    channel: SqueezeExcite,
    spatial: SpatialSqueeze,
}

/// Extents of a [`ScSe`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ScSeShape {
    /// `[n, c, h, w]`.
    pub features: Nchw,
    /// Reduced width `r` of the channel gate.
    pub reduced: u32,
}

/// Tensors of a [`ScSe`]; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct ScSeBuffers<'a> {
    /// In: `[n, c, h, w]`, the operator's element type.
    pub features: wgpu::BufferSlice<'a>,
    /// In: `[r, c]`, the operator's element type.
    pub reduce_weight: wgpu::BufferSlice<'a>,
    /// In: `[r]`, the operator's element type.
    pub reduce_bias: Option<wgpu::BufferSlice<'a>>,
    /// In: `[c, r]`, the operator's element type.
    pub expand_weight: wgpu::BufferSlice<'a>,
    /// In: `[c]`, the operator's element type.
    pub expand_bias: Option<wgpu::BufferSlice<'a>>,
    /// In: `[c]`, the operator's element type: a 1x1 convolution to one channel.
    pub spatial_weight: wgpu::BufferSlice<'a>,
    /// In: `[1]`, the operator's element type.
    pub spatial_bias: Option<wgpu::BufferSlice<'a>>,
    /// In: `[n, c, h, w]`, the operator's element type; for [`Epilogue::Residual`] only.
    pub identity: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, c, h, w]`, the operator's element type, every element written; may be `features`.
    pub output: wgpu::BufferSlice<'a>,
}

impl ScSe {
    /// Compiles for features and weights of type `element`.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidParameter`]: the epilogue is [`Epilogue::GateOnly`].
    /// - [`Error::MissingFeature`]: f16 on a device without it.
    /// - [`Error::LimitExceeded`]: a device whose workgroups hold fewer than 256 invocations.
    pub fn new<'a>(compiler: impl Into<Compiler<'a>>, options: ScSeOptions, element: Element) -> Result<Self, Error> {
        let compiler = compiler.into();
        let ScSeOptions { combine, epilogue } = options;
        epilogue.check_output(OP, "there are two gates")?;
        let combine = match combine {
            ScSeCombine::Add => Combine::Add,
            ScSeCombine::Max => Combine::Max,
        };
        let channel = SqueezeExciteOptions { epilogue, ..SqueezeExciteOptions::STANDARD };
        Ok(Self {
            options,
            element,
            channel: SqueezeExcite::new_within(OP, compiler, channel, combine, element)?,
            spatial: SpatialSqueeze::new(OP, compiler, true, element)?,
        })
    }

    /// The options it was compiled with.
    #[must_use]
    pub fn options(&self) -> &ScSeOptions {
        &self.options
    }

    /// The tensors of one [`Self::bind`], in the order in which they are checked.
    ///
    /// # Errors
    ///
    /// Whatever [`Self::bind`] refuses about a shape.
    pub fn tensors(&self, shape: ScSeShape) -> Result<Vec<TensorSpec>, Error> {
        let ScSeShape { features, reduced } = shape;
        check::elements(OP, "features", features)?;
        Excitation::check(OP, features.channels, reduced)?;
        let mut specs = features_and_output(features, self.element, self.options.epilogue);
        specs.extend(Excitation::specs(features.channels, reduced, self.element));
        specs.push(TensorSpec::input("spatial_weight", [features.channels], self.element));
        specs.push(TensorSpec::input("spatial_bias", [1], self.element).optional());
        Ok(specs)
    }

    /// Checks the buffers against the shape and binds them.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidParameter`]: a reduced width of zero; an `identity` that is missing, or that the [`Epilogue`] does not take.
    /// - [`Error::InvalidShape`]: planes without pixels.
    /// - [`Error::LimitExceeded`]: more than 31,774 channels, or an image that exceeds a binding of the device.
    /// - What [every operator refuses](crate#what-is-refused) about its buffers.
    pub fn bind(&self, device: &wgpu::Device, shape: ScSeShape, buffers: ScSeBuffers<'_>) -> Result<Recording, Error> {
        let specs = self.tensors(shape)?;
        let ScSeShape { features: shape, reduced } = shape;
        let ScSeBuffers { features, spatial_weight, spatial_bias, identity, output, .. } = buffers;
        let excitation = Excitation {
            reduced,
            reduce_weight: buffers.reduce_weight,
            reduce_bias: buffers.reduce_bias,
            expand_weight: buffers.expand_weight,
            expand_bias: buffers.expand_bias,
        };
        self.options.epilogue.check(OP, identity.is_some(), true, true)?;
        if !squeezable(OP, shape)? || !spatially_squeezable(OP, shape)? {
            return Ok(Recording::default());
        }
        let mut given = vec![
            ("features", Some(features)),
            ("identity", identity),
            ("output", Some(output)),
            ("spatial_weight", Some(spatial_weight)),
            ("spatial_bias", spatial_bias),
        ];
        given.extend(excitation.slices());
        check::slices(OP, device, &specs, &given)?;

        let grid = PlaneGrid::new(OP, device, shape, self.element)?;
        let pixels = shape.plane().elements().unwrap_or(u64::MAX);
        let gate = tensor::scratch(OP, device, "spatial gate", pixels.saturating_mul(4))?;
        let projected = SqueezeTensors {
            features,
            gate: None,
            weight: Some(spatial_weight),
            bias: spatial_bias,
            planes: gate.slice(..),
        };
        let mut dispatches = self.spatial.dispatches(device, shape, &grid, projected)?;
        let surroundings = Surroundings { identity, spatial: Some(gate.slice(..)), gate: None, output: Some(output) };
        dispatches.extend(self.channel.dispatches(device, shape, features, excitation, surroundings)?);
        Ok(Recording::new(dispatches))
    }

    /// What one run moves and computes.
    #[must_use]
    pub fn cost(&self, shape: ScSeShape) -> Cost {
        let ScSeShape { features: shape, reduced } = shape;
        let channels = count(u64::from(shape.channels));
        // Operations for each feature: two with the weight, one to scale, one to join.
        let flops = count(shape.elements()) * count(4);
        let spatial = Cost::new(channels * count(self.element.bytes()), flops, channels);
        self.channel.cost(SqueezeExciteShape { features: shape, reduced }) + spatial
    }
}
