//! Squeeze-and-Excitation: every channel times a gate that two small layers compute from the pooled planes.
//!
//! ```text
//! s    = mean of x over each plane                     kernel global_pool
//! a    = relu(reduce_weight s + reduce_bias)           kernel dense
//! gate = sigmoid(expand_weight a + expand_bias)        kernel channel_scale: each plane computes its own gate,
//! y    = x * gate                                      and is scaled in the same dispatch
//! ```
//!
//! Source: Squeeze-and-Excitation (Hu et al. 2018, arXiv:1709.01507), Eqs. 2 to 4. `x` is `features [n, c, h, w]`, and the hidden
//! vector `a` has `r` numbers: `c / 16` in the paper, any number from 1 on here.
//!
//! # Example
//!
//! The tail of an SE-ResNet block, `relu(x * gate + identity)`:
//!
//! ```no_run
//! use visual_attention::host::Gpu;
//! use visual_attention::{
//!     Element, Nchw, SqueezeExcite, SqueezeExciteBuffers, SqueezeExciteOptions, SqueezeExciteShape,
//! };
//!
//! let gpu = Gpu::open()?;
//! let shape = SqueezeExciteShape { features: Nchw::new(1, 256, 56, 56), reduced: 16 };
//! let features = gpu.upload("features", &vec![0.5f32; 256 * 56 * 56])?;
//! let identity = gpu.upload("identity", &vec![0.5f32; 256 * 56 * 56])?;
//! let weights = gpu.upload("weights", &vec![0.1f32; 256 * 16])?;
//!
//! let operator = SqueezeExcite::new(&gpu.device, SqueezeExciteOptions::RESIDUAL, Element::F32)?;
//! let buffers = SqueezeExciteBuffers {
//!     features: features.slice(..),
//!     reduce_weight: weights.slice(..),
//!     reduce_bias: None,
//!     expand_weight: weights.slice(..),
//!     expand_bias: None,
//!     identity: Some(identity.slice(..)),
//!     gate: None,
//!     output: Some(features.slice(..)), // in place
//! };
//! let recording = operator.bind(&gpu.device, shape, buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok::<(), visual_attention::Error>(())
//! ```
//!
//! # Options
//!
//! [`SqueezeExciteOptions`] has presets. The paper's placements (Sec. 6.5) in a residual unit `relu(F(x) + x)`:
//!
//! | placement | unit | options | `features` | `identity` |
//! | --- | --- | --- | --- | --- |
//! | standard | `relu(SE(F(x)) + x)` | `RESIDUAL` | `F(x)` | `x` |
//! | PRE | `relu(F(SE(x)) + x)` | `STANDARD`, before `F` | `x` | |
//! | POST | `SE(relu(F(x) + x))` | `STANDARD`, in place | the unit's output | |
//! | identity | `relu(F(x) + SE(x))` | `RESIDUAL` | `x` | `F(x)` |
//!
//! After an Inception module the features are its concatenated output, with `STANDARD` in place.
//!
//! # Memory and errors
//!
//! `output` may be the same slice as `features`. The scratch holds `[n, r]` f32, and `[n, c]` f32 for each pooled statistic.
//! Large planes are pooled in up to 64 parts, with an `[n, c]` for each: see [`global_pool`](super::global_pool). A software
//! adapter computes the gate in a dispatch of its own if `r` exceeds 8, with `[n, c]` f32 of scratch more.
//! [`SqueezeExcite::bind`] lists the errors, [`SqueezeExcite::cost`] counts bytes and operations.
//!
//! Kernels: [`global_pool`](crate::shaders::GLOBAL_POOL), [`dense`](crate::shaders::DENSE),
//! [`channel_scale`](crate::shaders::CHANNEL_SCALE). Reference: [`reference::squeeze_excite`](crate::reference::squeeze_excite).

use super::channel_scale::{Combine, GateFrom, Scale, ScaleTensors, features_and_output, gate_out};
use super::dense::{Join, Layer, LayerProblem, LayerTensors, layer_cost};
use super::global_pool::{GlobalPoolBuffers, PlaneGrid, Pool, squeezable};
use crate::cost::count;
use crate::kernel::{Compiler, Dispatch, check, divide, tensor};
use crate::{Activation, Cost, DenseShape, Element, Epilogue, Error, Nchw, Recording, Squeeze, TensorSpec};

const OP: &str = "squeeze_excite";

/// Options of a [`SqueezeExcite`]. The default is [`STANDARD`](Self::STANDARD).
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct SqueezeExciteOptions {
    /// How a plane becomes a number. With [`Squeeze::MeanAndMax`] each vector goes through both layers, and the two results are
    /// added before the gate's activation, as in CBAM. `expand_bias` then counts twice.
    ///
    /// The second layer is computed once, on the mean of both hidden vectors. This differs from the formula only for an infinite
    /// weight that meets a zero in one of the vectors: the formula gives NaN, the operator an infinite sum.
    pub squeeze: Squeeze,
    /// Activation after the first layer.
    pub activation: Activation,
    /// Activation after the second layer.
    pub gate: Activation,
    /// How the gate is applied to the features.
    pub epilogue: Epilogue,
}

impl SqueezeExciteOptions {
    /// Squeeze-and-Excitation as in the paper: mean, `ReLU`, sigmoid, `x * gate`.
    pub const STANDARD: Self = Self {
        squeeze: Squeeze::Mean,
        activation: Activation::Relu,
        gate: Activation::Sigmoid,
        epilogue: Epilogue::Scale,
    };
    /// The tail of an SE-ResNet block: `relu(x * gate + identity)`.
    pub const RESIDUAL: Self = Self { epilogue: Epilogue::Residual, ..Self::STANDARD };
    /// CBAM's channel gate (Woo et al. 2018, arXiv:1807.06521, Eq. 2): mean and maximum through the same two layers.
    pub const CBAM_CHANNEL: Self = Self { squeeze: Squeeze::MeanAndMax, ..Self::STANDARD };
    /// BiSeNet's feature fusion in its form of two layers without norm (Yu et al. 2018, arXiv:1808.00897, Fig. 2c):
    /// `x * gate + x`. The form with one layer and a batch norm is [`BiSeNetAttention`](crate::BiSeNetAttention).
    #[doc(alias = "FFM")]
    pub const FEATURE_FUSION: Self = Self { epilogue: Epilogue::ScaleAdd, ..Self::STANDARD };

    /// With this pooling.
    #[must_use]
    pub const fn with_squeeze(self, squeeze: Squeeze) -> Self {
        Self { squeeze, ..self }
    }

    /// With this activation after the first layer.
    #[must_use]
    pub const fn with_activation(self, activation: Activation) -> Self {
        Self { activation, ..self }
    }

    /// With this activation after the second layer.
    #[must_use]
    pub const fn with_gate(self, gate: Activation) -> Self {
        Self { gate, ..self }
    }

    /// With this use of the gate.
    #[must_use]
    pub const fn with_epilogue(self, epilogue: Epilogue) -> Self {
        Self { epilogue, ..self }
    }
}

impl Default for SqueezeExciteOptions {
    fn default() -> Self {
        Self::STANDARD
    }
}

/// Squeeze-and-Excitation. The [page of the module](self) has the formula and an example.
#[doc(alias = "SE")]
#[doc(alias = "SENet")]
#[derive(Clone, Debug)]
pub struct SqueezeExcite {
    op: &'static str,
    options: SqueezeExciteOptions,
    element: Element,
    pool: Pool,
    reduce: Layer,
    scale: Scale,
}

/// Extents of a [`SqueezeExcite`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SqueezeExciteShape {
    /// `[n, c, h, w]`.
    pub features: Nchw,
    /// Reduced width `r`: `c / 16` in the paper.
    pub reduced: u32,
}

/// Tensors of a [`SqueezeExcite`]; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct SqueezeExciteBuffers<'a> {
    /// In: `[n, c, h, w]`, the operator's element type.
    pub features: wgpu::BufferSlice<'a>,
    /// In: `[r, c]`, the operator's element type; `W1` in the paper.
    pub reduce_weight: wgpu::BufferSlice<'a>,
    /// In: `[r]`, the operator's element type.
    pub reduce_bias: Option<wgpu::BufferSlice<'a>>,
    /// In: `[c, r]`, the operator's element type; `W2` in the paper.
    pub expand_weight: wgpu::BufferSlice<'a>,
    /// In: `[c]`, the operator's element type.
    pub expand_bias: Option<wgpu::BufferSlice<'a>>,
    /// In, only for [`Epilogue::Residual`]: `[n, c, h, w]`, the operator's element type.
    pub identity: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, c]` f32, the gate. Required by [`Epilogue::GateOnly`], optional otherwise.
    pub gate: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, c, h, w]`, the operator's element type; may be `features`. [`Epilogue::GateOnly`] has no output.
    pub output: Option<wgpu::BufferSlice<'a>>,
}

/// Weights and biases of both layers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Excitation<'a> {
    pub(crate) reduced: u32,
    pub(crate) reduce_weight: wgpu::BufferSlice<'a>,
    pub(crate) reduce_bias: Option<wgpu::BufferSlice<'a>>,
    pub(crate) expand_weight: wgpu::BufferSlice<'a>,
    pub(crate) expand_bias: Option<wgpu::BufferSlice<'a>>,
}

impl<'a> Excitation<'a> {
    /// The tensors of both layers, after [`Self::check`].
    pub(crate) fn specs(channels: u32, reduced: u32, element: Element) -> [TensorSpec; 4] {
        [
            TensorSpec::input("reduce_weight", [reduced, channels], element),
            TensorSpec::input("reduce_bias", [reduced], element).optional(),
            TensorSpec::input("expand_weight", [channels, reduced], element),
            TensorSpec::input("expand_bias", [channels], element).optional(),
        ]
    }

    pub(crate) fn slices(&self) -> [(&'static str, Option<wgpu::BufferSlice<'a>>); 4] {
        [
            ("reduce_weight", Some(self.reduce_weight)),
            ("reduce_bias", self.reduce_bias),
            ("expand_weight", Some(self.expand_weight)),
            ("expand_bias", self.expand_bias),
        ]
    }

    /// Refuses a reduced width of zero, and more weights than a 32-bit index reaches.
    pub(crate) fn check(op: &'static str, channels: u32, reduced: u32) -> Result<(), Error> {
        if reduced == 0 {
            let (given, needed) = ("0".into(), "at least 1".into());
            return Err(Error::InvalidParameter { op, parameter: "reduced", given, needed });
        }
        check::to_u32(op, "weights", u64::from(channels) * u64::from(reduced)).map(|_| ())
    }
}

/// The other tensors of [`SqueezeExcite::dispatches`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings<'a> {
    pub(crate) identity: Option<wgpu::BufferSlice<'a>>,
    pub(crate) spatial: Option<wgpu::BufferSlice<'a>>,
    pub(crate) gate: Option<wgpu::BufferSlice<'a>>,
    pub(crate) output: Option<wgpu::BufferSlice<'a>>,
}

impl SqueezeExcite {
    /// Compiles the kernels for features and weights of type `element`.
    ///
    /// # Errors
    ///
    /// - [`Error::MissingFeature`] for f16 on a device without it.
    /// - [`Error::LimitExceeded`] if the device's workgroups hold fewer than 256 invocations.
    pub fn new<'a>(
        compiler: impl Into<Compiler<'a>>,
        options: SqueezeExciteOptions,
        element: Element,
    ) -> Result<Self, Error> {
        Self::new_within(OP, compiler.into(), options, Combine::Channel, element)
    }

    /// Like [`Self::new`], as a part of operator `op`.
    pub(crate) fn new_within(
        op: &'static str,
        compiler: Compiler<'_>,
        options: SqueezeExciteOptions,
        combine: Combine,
        element: Element,
    ) -> Result<Self, Error> {
        Ok(Self {
            op,
            options,
            element,
            pool: Pool::new(op, compiler, options.squeeze, element)?,
            reduce: Layer::new(op, compiler, options.activation, element)?,
            scale: Scale::new(op, compiler, options.epilogue, combine, options.gate, element)?,
        })
    }

    /// The options that the operator was built with.
    #[must_use]
    pub const fn options(&self) -> &SqueezeExciteOptions {
        &self.options
    }

    /// The tensors for this shape, in the order in which `bind` checks them.
    ///
    /// # Errors
    ///
    /// What [`Self::bind`] refuses about the shape.
    pub fn tensors(&self, shape: SqueezeExciteShape) -> Result<Vec<TensorSpec>, Error> {
        let SqueezeExciteShape { features, reduced } = shape;
        let Nchw { batch, channels, .. } = features;
        check::elements(self.op, "features", features)?;
        Excitation::check(self.op, channels, reduced)?;
        let mut specs = features_and_output(features, self.element, self.options.epilogue);
        specs.extend(Excitation::specs(channels, reduced, self.element));
        specs.push(gate_out([batch, channels], self.options.epilogue));
        Ok(specs)
    }

    /// Checks the buffers against the shape and binds them.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidParameter`] for a reduced width of zero, or if `identity`, `gate` or `output` does not match the
    ///   operator's [`Epilogue`].
    /// - [`Error::InvalidShape`] for planes without pixels.
    /// - [`Error::LimitExceeded`] if one plane or the weights exceed a binding of the device.
    /// - [What every operator refuses](crate#what-is-refused).
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: SqueezeExciteShape,
        buffers: SqueezeExciteBuffers<'_>,
    ) -> Result<Recording, Error> {
        self.bind_in_turns(device, shape, shape.features.batch, buffers)
    }

    /// Like [`Self::bind`], in chunks of `images` images. The bits are the same.
    ///
    /// The scaling of a chunk finds the features in the cache, where its pooling has just left them. Of the four tensors that a
    /// residual unit moves (features twice, identity, output), one then never comes from memory. But each chunk costs its own
    /// dispatches, and the waits between them. So this is faster if memory is slow for the size of the last cache, else slower.
    /// Try `images` whose features take a third of the cache: the scaling's other two tensors pass through it as well.
    ///
    /// `images` is rounded up until every chunk starts at an offset that the device can bind.
    ///
    /// # Errors
    ///
    /// As [`Self::bind`], and [`Error::InvalidParameter`] if `images` is zero.
    pub fn bind_in_turns(
        &self,
        device: &wgpu::Device,
        shape: SqueezeExciteShape,
        images: u32,
        buffers: SqueezeExciteBuffers<'_>,
    ) -> Result<Recording, Error> {
        let SqueezeExciteShape { features: features_shape, reduced } = shape;
        let SqueezeExciteBuffers { features, identity, gate, output, .. } = buffers;
        let excitation = Excitation {
            reduced,
            reduce_weight: buffers.reduce_weight,
            reduce_bias: buffers.reduce_bias,
            expand_weight: buffers.expand_weight,
            expand_bias: buffers.expand_bias,
        };
        let specs = self.tensors(shape)?;
        let shape = features_shape;
        self.options.epilogue.check(self.op, identity.is_some(), gate.is_some(), output.is_some())?;
        if !squeezable(self.op, shape)? {
            return Ok(Recording::default());
        }
        if images == 0 {
            let (given, needed) = ("0".into(), "at least 1".into());
            return Err(Error::InvalidParameter { op: self.op, parameter: "images", given, needed });
        }
        let mut given = vec![("features", Some(features)), ("identity", identity), ("output", output), ("gate", gate)];
        given.extend(excitation.slices());
        check::slices(self.op, device, &specs, &given)?;

        let image_bytes = u64::from(shape.channels) * shape.size().pixels() * self.element.bytes();
        let gate_bytes = u64::from(shape.channels) * 4;
        let unit_bytes = [image_bytes, if gate.is_some() { gate_bytes } else { image_bytes }];
        let mut recording = Recording::default();
        for images in
            divide::turns(shape.batch, images, &unit_bytes, device.limits().min_storage_buffer_offset_alignment)
        {
            let start = u64::from(images.start);
            let surroundings = Surroundings {
                identity: identity.map(|identity| identity.slice(start * image_bytes..)),
                spatial: None,
                gate: gate.map(|gate| gate.slice(start * gate_bytes..)),
                output: output.map(|output| output.slice(start * image_bytes..)),
            };
            let turn = Nchw { batch: images.end - images.start, ..shape };
            let dispatches =
                self.dispatches(device, turn, features.slice(start * image_bytes..), excitation, surroundings)?;
            recording.extend(Recording::new(dispatches));
        }
        Ok(recording)
    }

    /// The caller has checked the tensors. `shape` has pixels and channels.
    pub(crate) fn dispatches(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        features: wgpu::BufferSlice<'_>,
        excitation: Excitation<'_>,
        surroundings: Surroundings<'_>,
    ) -> Result<Vec<Dispatch>, Error> {
        let squeeze = self.options.squeeze;
        let Nchw { batch, channels, .. } = shape;
        let Excitation { reduced, reduce_weight, reduce_bias, expand_weight, expand_bias } = excitation;
        let Surroundings { identity, spatial, gate, output } = surroundings;
        let grid = PlaneGrid::new(self.op, device, shape, self.element)?;
        let parts = self.pool.parts(&grid)?;
        let scratch = |label, numbers: u64| {
            tensor::scratch(self.op, device, label, u64::from(batch).saturating_mul(numbers).saturating_mul(4))
        };
        let pooled = u64::from(channels) * u64::from(parts);
        let first = scratch(if squeeze == Squeeze::Max { "squeezed maximum" } else { "squeezed mean" }, pooled)?;
        let second = (squeeze == Squeeze::MeanAndMax).then(|| scratch("squeezed maximum", pooled)).transpose()?;
        let hidden = scratch("hidden", reduced.into())?;

        let (input, second) = (first.slice(..), second.as_ref().map(|buffer| buffer.slice(..)));
        let (mean, maximum) = if squeeze == Squeeze::Max { (None, Some(input)) } else { (Some(input), second) };
        let mut dispatches =
            self.pool.dispatches(device, shape, &grid, GlobalPoolBuffers { features, mean, max: maximum })?;

        // With both statistics, each goes through the first layer, and the kernel averages the results.
        let join = second.map_or(Join::One, Join::Averaged);
        let second_inputs = if squeeze == Squeeze::MeanAndMax { channels } else { 0 };
        let maxima = squeeze == Squeeze::Max;
        let problem = LayerProblem { batch, inputs: channels, second_inputs, outputs: reduced, parts, maxima };
        let output_of_layer = hidden.slice(..);
        let tensors =
            LayerTensors { input, join, weight: reduce_weight, bias: reduce_bias, norm: None, output: output_of_layer };
        dispatches.extend(self.reduce.dispatches(device, problem, tensors)?);

        // The second layer is affine: the sum of its results for both hidden vectors is twice its result for their mean.
        let vectors = if squeeze == Squeeze::MeanAndMax { 2.0 } else { 1.0 };
        let from = GateFrom::Dense {
            hidden: output_of_layer,
            width: reduced,
            weight: expand_weight,
            bias: expand_bias,
            vectors,
        };
        let tensors = ScaleTensors { features, gate: from, identity, spatial, gate_out: gate, output };
        dispatches.extend(self.scale.dispatches(device, shape, &grid, tensors)?);
        Ok(dispatches)
    }

    /// What one run has to move and to compute, without biases.
    ///
    /// Each tensor of the features' size moves once. The pooling takes one operation for each feature and statistic, the epilogue
    /// up to three for each feature, the layers two for each weight. `parameters` is the paper's `2 c r` (Eq. 5); biases would
    /// add `r + c`.
    #[must_use]
    pub fn cost(&self, shape: SqueezeExciteShape) -> Cost {
        let SqueezeExciteShape { features: shape, reduced } = shape;
        let SqueezeExciteOptions { squeeze, epilogue, .. } = self.options;
        let features = count(shape.elements());
        let statistics = u64::from(squeeze.mean()) + u64::from(squeeze.maximum());
        // Both statistics go through the first layer. The vectors between the layers need not move.
        let layer = |inputs, outputs, vectors: u64| {
            let shape = DenseShape { batch: shape.batch, inputs, second_inputs: 0, outputs };
            let Cost { flops, parameters, .. } = layer_cost(shape, false, self.element);
            let parameters = count(parameters);
            Cost::new(parameters * count(self.element.bytes()), count(flops) * count(vectors), parameters)
        };
        let bytes = features * count(self.element.bytes()) * count(epilogue.tensors());
        let elementwise = Cost::new(bytes, features * count(statistics + epilogue.flops()), count(0));
        elementwise + layer(shape.channels, reduced, statistics) + layer(reduced, shape.channels, 1)
    }
}
