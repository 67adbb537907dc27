//! The gradients of scSE.
//!
//! ```text
//! uc, us = u for both, or for ScSeCombine::Max u for the larger product alone:
//!          uc = u where x * gate >= x * s, else us = u              gate [n, c], s [n, h, w] as the forward operator computes them
//! dt     = (sum over c of us * x) * s * (1 - s)                     [n, h, w]
//! dg     = sum over the plane of uc * x                             [n, c]
//! spatial_weight_gradient(c)  = sum over n, y, x of dt * x(c)
//! spatial_bias_gradient       = sum over n, y, x of dt
//! ds, and the gradients of both layers, from dg as in SqueezeExciteBackward
//! features_gradient = uc * gate + us * s + dt * spatial_weight(c) + ds / (h * w) [+ u]
//! identity_gradient = u
//!
//! u = output_gradient; in a residual unit where output > 0, else 0
//! ```
//!
//! Source: the chain rule of Sec. 2 of Roy et al. 2018, arXiv:1803.02579, and of the maximum in arXiv:1808.08127. Equal products take the
//! channel gate, and so does a NaN of the channel gate's product. `PyTorch`'s `maximum` halves the gradient of equal products.
//!
//! ```no_run
//! use visual_attention::{Element, Nchw, ScSeBackward, ScSeBackwardBuffers, ScSeOptions, ScSeShape};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let gpu = visual_attention::host::Gpu::open()?;
//! let operator = ScSeBackward::new(&gpu.device, ScSeOptions::STANDARD, Element::F32)?;
//!
//! let shape = ScSeShape { features: Nchw::new(1, 64, 56, 56), reduced: 32 };
//! let features = gpu.upload("features", &vec![0.5f32; 64 * 56 * 56])?;
//! let weights = gpu.upload("weights", &[0.1f32; 64 * 32])?;
//! let spatial = gpu.upload("spatial", &[0.1f32; 64])?;
//! let output_gradient = gpu.upload("gradient of the output", &vec![1.0f32; 64 * 56 * 56])?;
//! let features_gradient = gpu.buffer("gradient of the features", 64 * 56 * 56 * 4)?;
//! let spatial_gradient = gpu.buffer("gradient of the spatial weight", 64 * 4)?;
//! let buffers = ScSeBackwardBuffers {
//!     features: features.slice(..),
//!     reduce_weight: weights.slice(..),
//!     reduce_bias: None,
//!     expand_weight: weights.slice(..),
//!     expand_bias: None,
//!     spatial_weight: spatial.slice(..),
//!     spatial_bias: None,
//!     output: None,
//!     output_gradient: output_gradient.slice(..),
//!     features_gradient: Some(features_gradient.slice(..)),
//!     identity_gradient: None,
//!     reduce_weight_gradient: None,
//!     reduce_bias_gradient: None,
//!     expand_weight_gradient: None,
//!     expand_bias_gradient: None,
//!     spatial_weight_gradient: Some(spatial_gradient.slice(..)),
//!     spatial_bias_gradient: None,
//! };
//! let recording = operator.bind(&gpu.device, shape, buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok(())
//! # }
//! ```
//!
//! # Passes, order and memory
//!
//! A first pass adds up the channels of each pixel, a second pass the pixels of each plane, and a last pass writes the gradient of the
//! features. The sum reads features and upstream gradient twice, and the upstream gradient once more. The maximum needs both gates
//! beforehand, so it reads the features twice more, and again in the last pass. Of the forward pass only the output of a residual unit is
//! kept: the first pass that reads it writes `identity_gradient`, which the others read instead. A forward pass in place overwrites the
//! features: training needs a separate output.
//!
//! Gradients of parameters are f32. They are summed in parts of planes and in order of parts and images, so the bits do not depend on how
//! the work is divided. Scratch takes 8 bytes for each pixel of a map `[n, h, w]`, 20 bytes for each part of a plane, and the vectors of
//! [`SqueezeExciteBackward`](crate::SqueezeExciteBackward). [`ScSeBackward::bind`] lists the errors, [`ScSeBackward::cost`] counts bytes
//! and operations.
//!
//! Kernels [`SCSE_BACKWARD_PIXELS`](crate::shaders::SCSE_BACKWARD_PIXELS), [`SCSE_BACKWARD_PLANES`](crate::shaders::SCSE_BACKWARD_PLANES),
//! [`CHANNEL_SCALE_BACKWARD_JOIN`](crate::shaders::CHANNEL_SCALE_BACKWARD_JOIN), those of [`dense_backward`](super::dense_backward),
//! [`PART_SUM`](crate::shaders::PART_SUM), [`SCSE_BACKWARD_APPLY`](crate::shaders::SCSE_BACKWARD_APPLY), and for the maximum
//! [`SPATIAL_GATE_SQUEEZE`](crate::shaders::SPATIAL_GATE_SQUEEZE); reference
//! [`reference::scse_backward`](crate::reference::scse_backward).

mod buffers;
mod passes;

pub use self::buffers::ScSeBackwardBuffers;
use self::passes::{Gates, Passes, PlaneSums, Upstream};
pub(crate) use self::passes::{SCSE_BACKWARD_APPLY, SCSE_BACKWARD_PIXELS, SCSE_BACKWARD_PLANES};
use super::channel_scale_backward::{self, Join, JoinTensors};
use super::dense::DenseShape;
use super::dense_backward::layer_cost;
use super::global_pool::{PlaneGrid, squeezable};
use super::part_sum::{PartSum, Parts};
use super::scse::{ScSeCombine, ScSeOptions, ScSeShape};
use super::spatial_gate::{SpatialSqueeze, SqueezeTensors, spatially_squeezable};
use super::squeeze_excite::Excitation;
use super::squeeze_excite_backward::{LayerGradients, LayerShape, Layers};
use crate::cost::count;
use crate::kernel::{Compiler, Dispatch, check, tensor};
use crate::{Activation, Cost, Element, Epilogue, Error, Nchw, Recording, Squeeze, TensorSpec};

const OP: &str = "scse_backward";

/// The gradients of a [`ScSe`](crate::ScSe); the [page](self) has formulas and example.
#[derive(Clone, Debug)]
pub struct ScSeBackward {
    options: ScSeOptions,
    element: Element,
    /// For a maximum: the spatial gate, which the first pass needs beforehand.
    projection: Option<SpatialSqueeze>,
    passes: Passes,
    join: Join,
    layers: Layers,
    part_sum: PartSum,
}

/// What one run of the passes reads, after all checks.
struct Run<'a> {
    device: &'a wgpu::Device,
    shape: Nchw,
    grid: PlaneGrid,
    excitation: Excitation<'a>,
    buffers: ScSeBackwardBuffers<'a>,
}

impl<'a> Run<'a> {
    fn layers(&self) -> LayerShape {
        LayerShape { batch: self.shape.batch, channels: self.shape.channels, vectors: 1 }
    }

    fn gradients(&self) -> LayerGradients<'a> {
        LayerGradients {
            reduce_weight: self.buffers.reduce_weight_gradient,
            reduce_bias: self.buffers.reduce_bias_gradient,
            expand_weight: self.buffers.expand_weight_gradient,
            expand_bias: self.buffers.expand_bias_gradient,
        }
    }

    /// `[n, c]`, or as many numbers as `elements` for each image.
    fn scratch(&self, label: &'static str, elements: u64) -> Result<wgpu::Buffer, Error> {
        let bytes = u64::from(self.shape.batch).saturating_mul(elements).saturating_mul(4);
        tensor::scratch(OP, self.device, label, bytes)
    }
}

impl ScSeBackward {
    /// Compiles for features and weights of type `element`.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidParameter`]: the epilogue is [`Epilogue::GateOnly`].
    /// - [`Error::MissingFeature`]: f16 on a device without it.
    /// - [`Error::LimitExceeded`]: a device whose workgroups hold fewer than 256 invocations.
    pub fn new<'a>(compiler: impl Into<Compiler<'a>>, options: ScSeOptions, element: Element) -> Result<Self, Error> {
        let compiler = compiler.into();
        options.epilogue.check_output(OP, "there are two gates")?;
        let maximum = options.combine == ScSeCombine::Max;
        let projection = maximum.then(|| SpatialSqueeze::new(OP, compiler, true, element)).transpose()?;
        Ok(Self {
            options,
            element,
            projection,
            passes: Passes::new(OP, compiler, maximum, element)?,
            join: Join::new(OP, compiler)?,
            layers: Layers::new(OP, compiler, [Activation::Relu, Activation::Sigmoid], element)?,
            part_sum: PartSum::new(OP, compiler)?,
        })
    }

    /// The options it was compiled with.
    #[must_use]
    pub const fn options(&self) -> &ScSeOptions {
        &self.options
    }

    /// The tensors of one [`Self::bind`], in the order in which they are checked.
    ///
    /// # Errors
    ///
    /// Whatever [`Self::bind`] refuses about a shape.
    pub fn tensors(&self, shape: ScSeShape) -> Result<Vec<TensorSpec>, Error> {
        let ScSeShape { features: shape, reduced } = shape;
        let Nchw { channels, .. } = shape;
        check::elements(OP, "features", shape)?;
        Excitation::check(OP, channels, reduced)?;
        let mut specs = vec![TensorSpec::input("features", shape, self.element)];
        specs.extend(Excitation::specs(channels, reduced, self.element));
        specs.push(TensorSpec::input("spatial_weight", [channels], self.element));
        specs.push(TensorSpec::input("spatial_bias", [1], self.element).optional());
        specs.extend(channel_scale_backward::Upstream::specs(shape, self.element, self.options.epilogue));
        specs.extend(channel_scale_backward::Upstream::result_specs(shape, self.element, self.options.epilogue));
        let gradient = |name, shape: &[u32]| TensorSpec::output(name, shape, Element::F32).optional();
        specs.push(gradient("reduce_weight_gradient", &[reduced, channels]));
        specs.push(gradient("reduce_bias_gradient", &[reduced]));
        specs.push(gradient("expand_weight_gradient", &[channels, reduced]));
        specs.push(gradient("expand_bias_gradient", &[channels]));
        specs.push(gradient("spatial_weight_gradient", &[channels]));
        specs.push(gradient("spatial_bias_gradient", &[1]));
        Ok(specs)
    }

    /// Checks the buffers against the shape and binds them. What is not wanted is not computed.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidParameter`]: a reduced width of zero; the gradient of a bias that is not given; an `output` or `identity_gradient`
    ///   that does not match the [`Epilogue`].
    /// - [`Error::InvalidShape`]: planes without pixels.
    /// - [`Error::LimitExceeded`]: more than 31,774 channels, images, or parts of the planes of all images; an image that exceeds a binding
    ///   of the device.
    /// - What [every operator refuses](crate#what-is-refused) about its buffers.
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: ScSeShape,
        buffers: ScSeBackwardBuffers<'_>,
    ) -> Result<Recording, Error> {
        let specs = self.tensors(shape)?;
        let ScSeShape { features: shape, reduced } = shape;
        let ScSeBackwardBuffers { features, reduce_weight, reduce_bias, expand_weight, expand_bias, .. } = buffers;
        let upstream = channel_scale_backward::Upstream {
            output: buffers.output,
            output_gradient: Some(buffers.output_gradient),
            gate_gradient: None,
        };
        upstream.check(OP, self.options.epilogue, buffers.identity_gradient.is_some())?;
        for (name, bias, gradient) in [
            ("reduce_bias_gradient", reduce_bias, buffers.reduce_bias_gradient),
            ("expand_bias_gradient", expand_bias, buffers.expand_bias_gradient),
            ("spatial_bias_gradient", buffers.spatial_bias, buffers.spatial_bias_gradient),
        ] {
            let wanted = gradient.is_some() && bias.is_some();
            check::presence(OP, name, gradient.is_some(), wanted, "there is no such bias")?;
        }
        let empty = !squeezable(OP, shape)? || !spatially_squeezable(OP, shape)?;
        let excitation = Excitation { reduced, reduce_weight, reduce_bias, expand_weight, expand_bias };
        let mut given = vec![
            ("features", Some(features)),
            ("spatial_weight", Some(buffers.spatial_weight)),
            ("spatial_bias", buffers.spatial_bias),
            ("output", buffers.output),
            ("output_gradient", Some(buffers.output_gradient)),
            ("features_gradient", buffers.features_gradient),
            ("identity_gradient", buffers.identity_gradient),
            ("reduce_weight_gradient", buffers.reduce_weight_gradient),
            ("reduce_bias_gradient", buffers.reduce_bias_gradient),
            ("expand_weight_gradient", buffers.expand_weight_gradient),
            ("expand_bias_gradient", buffers.expand_bias_gradient),
            ("spatial_weight_gradient", buffers.spatial_weight_gradient),
            ("spatial_bias_gradient", buffers.spatial_bias_gradient),
        ];
        given.extend(excitation.slices());
        check::slices(OP, device, &specs, &given)?;
        if empty {
            return self.part_sum.zeros(device, &specs, &given);
        }

        let output = upstream.read_by(self.options.epilogue).output;
        let grid = PlaneGrid::new(OP, device, shape, self.element)?;
        let run = Run { device, shape, grid, excitation, buffers: ScSeBackwardBuffers { output, ..buffers } };
        self.layers.check(run.layers(), reduced)?;
        Ok(Recording::new(self.dispatches(&run)?))
    }

    fn dispatches(&self, run: &Run<'_>) -> Result<Vec<Dispatch>, Error> {
        let Run { device, shape, ref grid, ref excitation, buffers } = *run;
        let ScSeBackwardBuffers { features, features_gradient, identity_gradient, .. } = buffers;
        let maximum = self.options.combine == ScSeCombine::Max;
        let mut upstream = Upstream { output: buffers.output, output_gradient: buffers.output_gradient };
        let through = features_gradient.is_some();
        let of_channel = through || run.gradients().any();
        let of_weights = buffers.spatial_weight_gradient.is_some() || buffers.spatial_bias_gradient.is_some();
        let of_spatial = through || of_weights;
        let (channels, pixels) = (u64::from(shape.channels), shape.size().pixels());
        let (parts, _) = self.passes.parts(grid)?;

        let compared = maximum && (of_channel || of_spatial);
        let maps = (of_spatial || compared).then(|| run.scratch("maps", pixels.saturating_mul(2))).transpose()?;
        let maps = maps.as_ref().map(|buffer| buffer.slice(..));
        let layered = of_channel || compared;
        let vectors = |label| layered.then(|| run.scratch(label, channels)).transpose();
        let (squeezed, of_gate) = (vectors("squeezed")?, vectors("gradient of the gate")?);
        let squeezed = squeezed.as_ref().map(|buffer| buffer.slice(..));
        let of_gate = of_gate.as_ref().map(|buffer| buffer.slice(..));
        let part_numbers = channels.saturating_mul(u64::from(parts));
        let sums = layered.then(|| run.scratch("sums of the planes", part_numbers.saturating_mul(4))).transpose()?;
        let sums = sums.as_ref().map(|buffer| buffer.slice(..));
        let means = squeezed.map(|slice| (slice, Squeeze::Mean));

        let mut dispatches = Vec::new();
        let mut excited = None;
        // A maximum compares both gates, so they come before everything else.
        if let (true, Some(maps), Some(sums), Some(squeezed)) = (compared, maps, sums, squeezed) {
            let wanted = PlaneSums { sums: Some(sums), weight_parts: None, channels: true, ones: false };
            let none = Gates { channel: None, maps: None };
            dispatches.extend(self.passes.planes(device, shape, grid, features, None, none, wanted)?);
            let joined =
                JoinTensors { sums, upstream: None, gate_gradient: None, squeezed: means, first_maximum: None };
            dispatches.extend(self.join.dispatches(device, shape, parts, joined)?);
            let (forward, layers) = self.layers.forward(device, run.layers(), squeezed, excitation)?;
            dispatches.extend(forward);
            dispatches.extend(self.layers.gate(device, run.layers(), &layers, excitation)?);
            excited = Some(layers);
            let projected = SqueezeTensors {
                features,
                gate: None,
                weight: Some(buffers.spatial_weight),
                bias: buffers.spatial_bias,
                planes: maps,
            };
            if let Some(projection) = &self.projection {
                dispatches.extend(projection.dispatches_into(device, shape, grid, projected, 2)?);
            }
        }
        if of_spatial || identity_gradient.is_some() {
            let gates =
                Gates { channel: excited.as_ref().map(|excited| excited.gate()), maps: maps.filter(|_| of_spatial) };
            let projection = [Some(buffers.spatial_weight), buffers.spatial_bias];
            let pass =
                self.passes.pixels(device, shape, grid, features, upstream, projection, gates, identity_gradient)?;
            dispatches.extend(pass);
        }
        if let Some(output_gradient) = identity_gradient {
            upstream = Upstream { output: None, output_gradient };
        }
        if of_channel || of_weights {
            let weight_parts = (channels + 1).saturating_mul(u64::from(parts));
            let weight_parts = of_weights.then(|| run.scratch("parts of the weight", weight_parts)).transpose()?;
            let weight_parts = weight_parts.as_ref().map(|buffer| buffer.slice(..));
            let wanted = PlaneSums {
                sums: sums.filter(|_| of_channel),
                weight_parts,
                channels: of_channel || buffers.spatial_weight_gradient.is_some(),
                ones: buffers.spatial_bias_gradient.is_some(),
            };
            let gates = Gates { channel: excited.as_ref().map(|excited| excited.gate()), maps };
            let gradient = of_channel.then_some(upstream);
            dispatches.extend(self.passes.planes(device, shape, grid, features, gradient, gates, wanted)?);
            let all = Parts::new(u64::from(shape.batch) * u64::from(parts), channels + 1);
            for (gradient, first, columns) in
                [(buffers.spatial_weight_gradient, 0, channels), (buffers.spatial_bias_gradient, channels, 1)]
            {
                if let Some(gradient) = gradient {
                    let columns = Parts { first, columns, ..all };
                    dispatches.extend(self.part_sum.dispatches(device, columns, weight_parts, gradient)?);
                }
            }
        }
        let (true, Some(sums), Some(squeezed), Some(of_gate)) = (of_channel, sums, squeezed, of_gate) else {
            return Ok(dispatches);
        };
        let joined = JoinTensors {
            sums,
            upstream: None,
            gate_gradient: Some(of_gate),
            squeezed: means.filter(|_| !maximum),
            first_maximum: None,
        };
        dispatches.extend(self.join.dispatches(device, shape, parts, joined)?);
        let excited = match excited {
            Some(excited) => excited,
            None => {
                let (forward, excited) = self.layers.forward(device, run.layers(), squeezed, excitation)?;
                dispatches.extend(forward);
                excited
            }
        };
        let (backward, of_squeezed) = self.layers.backward(
            device,
            run.layers(),
            squeezed,
            &excited,
            excitation,
            of_gate,
            run.gradients(),
            through,
        )?;
        dispatches.extend(backward);
        if let (Some(features_gradient), Some(of_squeezed)) = (features_gradient, of_squeezed) {
            let gates = Gates { channel: Some(excited.gate()), maps };
            dispatches.extend(self.passes.apply(
                device,
                shape,
                grid,
                features,
                upstream,
                gates,
                buffers.spatial_weight,
                of_squeezed.slice(..),
                features_gradient,
                self.options.epilogue == Epilogue::ScaleAdd,
            )?);
        }
        Ok(dispatches)
    }

    /// What one run with every gradient moves and computes, without biases. The weights are read twice, and their gradients are written.
    #[must_use]
    pub fn cost(&self, shape: ScSeShape) -> Cost {
        let ScSeShape { features: shape, reduced } = shape;
        let (features, channels) = (count(shape.elements()), count(u64::from(shape.channels)));
        // Features and upstream gradient twice, the latter once more, and the gradient. A maximum reads the features three times more. A
        // residual unit reads the output and writes a gradient, which stands for the upstream gradient from then on.
        let (mut tensors, mut flops) = match self.options.combine {
            ScSeCombine::Add => (6, 15),
            ScSeCombine::Max => (9, 21),
        };
        match self.options.epilogue {
            Epilogue::Residual => tensors += 2,
            Epilogue::ScaleAdd => flops += 1,
            Epilogue::Scale | Epilogue::GateOnly => {}
        }
        let layer = |inputs, outputs, activation| {
            let shape = DenseShape { batch: shape.batch, inputs, second_inputs: 0, outputs };
            layer_cost(shape, false, activation, self.element)
        };
        let bytes =
            features * count(tensors) * count(self.element.bytes()) + channels * count(self.element.bytes() + 4);
        Cost::new(bytes, features * count(flops), channels)
            + layer(shape.channels, reduced, Activation::Relu)
            + layer(reduced, shape.channels, Activation::Sigmoid)
    }
}
