//! The gradients of CBAM: of its spatial gate, and then of its channel gate.
//!
//! ```text
//! u                 = features * channel gate
//! du                = the gradient of the features of a spatial gate whose features are u: see spatial_gate_backward
//! d channel gate    = sum over y, x of du * features
//! features_gradient = du * channel gate [+ g] + the gradients of the pooled mean / (h * w) and maximum at its first pixel
//! identity_gradient = g
//!
//! g = output_gradient; in a residual unit where output > 0, else 0
//! ```
//!
//! The gradients of the channel gate's layers, and through them of the pooled vectors, are those of
//! [`squeeze_excite_backward`](super::squeeze_excite_backward).
//!
//! Source: the chain rule of CBAM's Eqs. 1 to 3 (Woo et al. 2018, arXiv:1807.06521). The first of several equal maxima takes the gradient:
//! the lowest channel, and the first pixel row by row. A NaN counts as the largest number.
//!
//! ```no_run
//! use visual_attention::{CbamBackward, CbamBackwardBuffers, CbamOptions, CbamShape, Element, Nchw};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let gpu = visual_attention::host::Gpu::open()?;
//! let shape = CbamShape { features: Nchw::new(1, 64, 56, 56), reduced: 4, kernel: 7 };
//! let features = gpu.upload("features", &vec![0.5f32; 64 * 56 * 56])?;
//! let [reduce, expand] = ["reduce", "expand"].map(|name| gpu.upload(name, &vec![0.1f32; 4 * 64]));
//! let (reduce, expand) = (reduce?, expand?);
//! let taps = gpu.upload("taps", &vec![0.1f32; 2 * 7 * 7])?;
//! let output_gradient = gpu.upload("gradient of the output", &vec![1.0f32; 64 * 56 * 56])?;
//! let features_gradient = gpu.buffer("gradient of the features", 64 * 56 * 56 * 4)?;
//!
//! let operator = CbamBackward::new(&gpu.device, CbamOptions::STANDARD, Element::F32)?;
//! let buffers = CbamBackwardBuffers {
//!     features: features.slice(..),
//!     reduce_weight: reduce.slice(..),
//!     reduce_bias: None,
//!     expand_weight: expand.slice(..),
//!     expand_bias: None,
//!     spatial_weight: taps.slice(..),
//!     spatial_bias: None,
//!     spatial_norm: None,
//!     output: None,
//!     output_gradient: output_gradient.slice(..),
//!     features_gradient: Some(features_gradient.slice(..)),
//!     identity_gradient: None,
//!     reduce_weight_gradient: None,
//!     reduce_bias_gradient: None,
//!     expand_weight_gradient: None,
//!     expand_bias_gradient: None,
//!     spatial_weight_gradient: None,
//!     spatial_bias_gradient: None,
//!     spatial_norm_weight_gradient: None,
//!     spatial_norm_bias_gradient: None,
//! };
//! let recording = operator.bind(&gpu.device, shape, buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok(())
//! # }
//! ```
//!
//! # Passes, order and memory
//!
//! Of the forward pass only the output of a residual unit has to be kept. Both gates and everything that was pooled are computed again: the
//! channel gate from one more read of the features, the spatial gate within a read that the gradient needs anyway. The features are read
//! three times, the upstream gradient three times, and no tensor of their size is kept between passes.
//!
//! Gradients of parameters are f32. They are sums over images and pixels in an order that depends on the shape alone. Scratch takes 36 bytes
//! for each pixel of a map `[n, h, w]`, and that of the two layers. [`CbamBackward::bind`] lists the errors, [`CbamBackward::cost`] counts
//! bytes and operations.
//!
//! Kernels [`CBAM_BACKWARD`](crate::shaders::CBAM_BACKWARD), and those of [the spatial gate](super::spatial_gate_backward) and of
//! [the layers](super::dense_backward); reference [`reference::cbam_backward`](crate::reference::cbam_backward).

mod buffers;

use bytemuck::Zeroable;

pub use self::buffers::CbamBackwardBuffers;

use super::cbam::{CbamOptions, CbamShape};
use super::channel_scale_backward::{Gate, Upstream};
use super::dense::DenseShape;
use super::dense_backward::layer_cost;
use super::global_pool::{PlaneGrid, squeezable};
use super::spatial_gate::{Convolution, ConvolutionNames, spatially_squeezable};
use super::spatial_gate_backward::{self, ChannelPart, Given, ParameterGradients, Passes};
use super::squeeze_excite::Excitation;
use super::squeeze_excite_backward::{LayerGradients, LayerShape, Layers};
use crate::cost::count;
use crate::kernel::shader::{Shader, THREE_CODES, VECTORS, Variant, group, params, shader};
use crate::kernel::tuning::Team;
use crate::kernel::{Build, Compiler, Dispatch, Kernel, Tensor, check, rounds, tensor, tuning};
use crate::ops::part_sum::PartSum;
use crate::{Cost, Element, Epilogue, Error, Nchw, Recording, Squeeze, TensorSpec};

const OP: &str = "cbam_backward";

params!(Params {
    origin: u32,
    features_base: u32,
    output_base: u32,
    output_gradient_base: u32,
    maps_base: u32,
    gate_gradient_base: u32,
    channels: u32,
    pixels: u32,
    has_output_gradient: u32,
});

pub(crate) const CBAM_BACKWARD: Shader = shader!(
    "cbam_backward",
    Params,
    VECTORS,
    &[tuning::PIXELS_BY_PLANES, group(&["FORM"], THREE_CODES)],
    [features: Read, output: Read, output_gradient: Read, maps: Read, gate_gradient: Write],
    ["blocked_sum", "spatial_backward"],
);

/// The gradients of [`Cbam`](crate::Cbam); the [page](self) has formulas and example.
#[derive(Clone, Debug)]
pub struct CbamBackward {
    options: CbamOptions,
    element: Element,
    software: bool,
    gate: Gate,
    layers: Layers,
    spatial: Passes,
    /// By vector width (1, 4), then as [`tuning::plane_teams`].
    kernels: [Vec<Kernel>; 2],
    zeros: PartSum,
}

/// Names of the gradients of the norm's weight and bias.
const NORM_GRADIENTS: [&str; 2] = ["spatial_norm.weight_gradient", "spatial_norm.bias_gradient"];

impl CbamBackward {
    /// Compiles for features and weights of type `element`.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidParameter`]: the epilogue is [`Epilogue::GateOnly`], or an activation has a number that is not finite.
    /// - [`Error::MissingFeature`]: f16 on a device without it.
    /// - [`Error::LimitExceeded`]: a device whose workgroups hold fewer than 256 invocations.
    pub fn new<'a>(compiler: impl Into<Compiler<'a>>, options: CbamOptions, element: Element) -> Result<Self, Error> {
        let compiler = compiler.into();
        let CbamOptions { activation, gate, epilogue } = options;
        epilogue.check_output(OP, "there are two gates")?;
        let kernel = |lanes: u32, &Team { sharing, across }: &Team| {
            let build = Build {
                op: OP,
                shader: &CBAM_BACKWARD,
                variant: Variant::new(element, lanes),
                constants: &[("PIXELS", f64::from(sharing)), ("PLANES", f64::from(across)), ("FORM", epilogue.code())],
                workgroup: [sharing * across, 1, 1],
                workgroup_bytes: sharing * across * 4,
            };
            Kernel::new(compiler, &build)
        };
        let kernels = |lanes| -> Result<_, Error> {
            tuning::plane_teams(compiler.software).iter().map(|team| kernel(lanes, team)).collect()
        };
        Ok(Self {
            options,
            element,
            software: compiler.software,
            gate: Gate::new(OP, compiler, Epilogue::GateOnly, Squeeze::MeanAndMax, element)?,
            layers: Layers::new(OP, compiler, [activation, gate], element)?,
            spatial: Passes::new(OP, compiler, epilogue, element)?,
            kernels: [kernels(1)?, kernels(4)?],
            zeros: PartSum::new(OP, compiler.at_first_use())?,
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
        let CbamShape { features: shape, reduced, kernel } = shape;
        let Nchw { channels, .. } = shape;
        check::elements(OP, "features", shape)?;
        Excitation::check(OP, channels, reduced)?;
        Convolution::check_kernel(OP, kernel)?;
        let mut specs = vec![TensorSpec::input("features", shape, self.element)];
        specs.extend(Excitation::specs(channels, reduced, self.element));
        specs.extend(Convolution::specs(ConvolutionNames::SPATIAL, kernel, self.element));
        specs.extend(Upstream::specs(shape, self.element, self.options.epilogue));
        specs.extend(Upstream::result_specs(shape, self.element, self.options.epilogue));
        let parameter = |name, shape: &[u32]| TensorSpec::output(name, shape, Element::F32).optional();
        specs.push(parameter("reduce_weight_gradient", &[reduced, channels]));
        specs.push(parameter("reduce_bias_gradient", &[reduced]));
        specs.push(parameter("expand_weight_gradient", &[channels, reduced]));
        specs.push(parameter("expand_bias_gradient", &[channels]));
        specs.push(parameter("spatial_weight_gradient", &[1, 2, kernel, kernel]));
        specs.push(parameter("spatial_bias_gradient", &[1]));
        specs.extend(NORM_GRADIENTS.map(|name| parameter(name, &[1])));
        Ok(specs)
    }

    /// Checks the buffers against the shape and binds them. What is not wanted is not computed.
    ///
    /// # Errors
    ///
    /// As [`SqueezeExciteBackward::bind`](crate::SqueezeExciteBackward::bind) and
    /// [`SpatialGateBackward::bind`](crate::SpatialGateBackward::bind).
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: CbamShape,
        buffers: CbamBackwardBuffers<'_>,
    ) -> Result<Recording, Error> {
        let specs = self.tensors(shape)?;
        let CbamShape { features: shape, reduced, kernel } = shape;
        let CbamBackwardBuffers { features, output, output_gradient, features_gradient, identity_gradient, .. } =
            buffers;
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
        convolution.check_norm(OP)?;
        let norm_gradients = [buffers.spatial_norm_weight_gradient, buffers.spatial_norm_bias_gradient];
        for (parameter, gradient, there) in [
            ("reduce_bias_gradient", buffers.reduce_bias_gradient, buffers.reduce_bias.is_some()),
            ("expand_bias_gradient", buffers.expand_bias_gradient, buffers.expand_bias.is_some()),
            ("spatial_bias_gradient", buffers.spatial_bias_gradient, buffers.spatial_bias.is_some()),
            (NORM_GRADIENTS[0], norm_gradients[0], buffers.spatial_norm.is_some()),
            (NORM_GRADIENTS[1], norm_gradients[1], buffers.spatial_norm.is_some()),
        ] {
            let wanted = gradient.is_some() && there;
            check::presence(OP, parameter, gradient.is_some(), wanted, "the forward operator has no such parameter")?;
        }
        let empty = !squeezable(OP, shape)? || !spatially_squeezable(OP, shape)?;
        let mut given = vec![
            ("features", Some(features)),
            ("output", output),
            ("output_gradient", Some(output_gradient)),
            ("features_gradient", features_gradient),
            ("identity_gradient", identity_gradient),
            ("reduce_weight_gradient", buffers.reduce_weight_gradient),
            ("reduce_bias_gradient", buffers.reduce_bias_gradient),
            ("expand_weight_gradient", buffers.expand_weight_gradient),
            ("expand_bias_gradient", buffers.expand_bias_gradient),
            ("spatial_weight_gradient", buffers.spatial_weight_gradient),
            ("spatial_bias_gradient", buffers.spatial_bias_gradient),
        ];
        given.extend(NORM_GRADIENTS.into_iter().zip(norm_gradients));
        given.extend(excitation.slices());
        given.extend(convolution.slices(ConvolutionNames::SPATIAL));
        check::slices(OP, device, &specs, &given)?;
        if empty {
            return self.zeros.zeros(device, &specs, &given);
        }

        let of_layers = LayerGradients {
            reduce_weight: buffers.reduce_weight_gradient,
            reduce_bias: buffers.reduce_bias_gradient,
            expand_weight: buffers.expand_weight_gradient,
            expand_bias: buffers.expand_bias_gradient,
        };
        let of_convolution = ParameterGradients {
            weight: buffers.spatial_weight_gradient,
            bias: buffers.spatial_bias_gradient.or(norm_gradients[1]),
            norm_weight: norm_gradients[0],
        };
        let output = output.filter(|_| self.options.epilogue == Epilogue::Residual);
        let wanted = (features_gradient, identity_gradient);
        let dispatches = self.dispatches(
            device,
            shape,
            (features, [output, Some(output_gradient)]),
            (&excitation, of_layers),
            (convolution, of_convolution),
            wanted,
        )?;
        Ok(Recording::new(dispatches))
    }

    /// Every pass. The caller has checked the tensors.
    fn dispatches(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        (features, [output, output_gradient]): (wgpu::BufferSlice<'_>, [Option<wgpu::BufferSlice<'_>>; 2]),
        (excitation, of_layers): (&Excitation<'_>, LayerGradients<'_>),
        (convolution, of_convolution): (Convolution<'_>, ParameterGradients<'_>),
        (features_gradient, identity_gradient): (Option<wgpu::BufferSlice<'_>>, Option<wgpu::BufferSlice<'_>>),
    ) -> Result<Vec<Dispatch>, Error> {
        let grid = PlaneGrid::new(OP, device, shape, self.element)?;
        let last = |maps, channel| {
            let upstream = [output, output_gradient];
            self.spatial.last(device, shape, &grid, upstream, maps, channel, features_gradient, identity_gradient)
        };
        let through = features_gradient.is_some() || of_layers.any();
        if !through && !of_convolution.any() {
            return if identity_gradient.is_some() { last(None, None) } else { Ok(Vec::new()) };
        }

        let layers = LayerShape { batch: shape.batch, channels: shape.channels, vectors: 2 };
        self.layers.check(layers, excitation.reduced)?;
        let nothing = Upstream { output: None, output_gradient: None, gate_gradient: None };
        let mut pooled = self.gate.first(device, shape, &grid, Some(features), nothing, None)?;
        let mut dispatches = std::mem::take(&mut pooled.dispatches);
        let (forward, excited) = self.layers.forward(device, layers, pooled.squeezed(), excitation)?;
        dispatches.extend(forward);
        dispatches.extend(self.layers.gate(device, layers, &excited, excitation)?);

        let bytes = shape.plane().elements().unwrap_or(u64::MAX).saturating_mul(16);
        let maps = through.then(|| tensor::scratch(OP, device, "maps", bytes)).transpose()?;
        let maps = maps.as_ref().map(|buffer| buffer.slice(..));
        let given = Given {
            features,
            channel_gate: Some(excited.gate()),
            convolution,
            output,
            output_gradient,
            gate_gradient: None,
        };
        dispatches.extend(self.spatial.first(device, shape, &grid, given, maps, of_convolution)?);
        let Some(maps) = maps else {
            if identity_gradient.is_some() {
                dispatches.extend(last(None, None)?);
            }
            return Ok(dispatches);
        };

        let gates = u64::from(shape.batch).saturating_mul(shape.channels.into()).saturating_mul(4);
        let of_gate = tensor::scratch(OP, device, "gradient of the channel gate", gates)?;
        let of_gate = of_gate.slice(..);
        dispatches.extend(self.sums(device, shape, &grid, features, [output, output_gradient], maps, of_gate)?);
        let (backward, of_squeezed) = self.layers.backward(
            device,
            layers,
            pooled.squeezed(),
            &excited,
            excitation,
            of_gate,
            of_layers,
            features_gradient.is_some(),
        )?;
        dispatches.extend(backward);
        let channel = of_squeezed.as_ref().zip(pooled.first_maximum()).map(|(of_squeezed, first_maximum)| {
            ChannelPart { gate: excited.gate(), squeezed_gradient: of_squeezed.slice(..), first_maximum }
        });
        if features_gradient.is_some() || identity_gradient.is_some() {
            dispatches.extend(last(Some(maps), channel)?);
        }
        Ok(dispatches)
    }

    /// Writes the gradient of the channel gate, `[n, c]`.
    #[expect(clippy::too_many_arguments, reason = "what is read, and the gradient")]
    fn sums(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        grid: &PlaneGrid,
        features: wgpu::BufferSlice<'_>,
        [output, output_gradient]: [Option<wgpu::BufferSlice<'_>>; 2],
        maps: wgpu::BufferSlice<'_>,
        gate_gradient: wgpu::BufferSlice<'_>,
    ) -> Result<Vec<Dispatch>, Error> {
        let (channels, pixels) = (u64::from(shape.channels), u64::from(grid.pixels));
        let index = tuning::whole_plane_team(self.software, pixels);
        let team = tuning::plane_teams(self.software)[index];
        rounds::check(OP, rounds::summed(pixels.div_ceil(team.sharing.into())))?;
        let (element, unit) = (self.element.bytes() * grid.lanes, channels * pixels);
        let tensors = [
            Tensor::divided(features, unit, element),
            Tensor::divided(output, unit, element),
            Tensor::divided(output_gradient, unit, element),
            Tensor::divided(maps, 4 * pixels, 4 * grid.lanes),
            Tensor::divided(gate_gradient, channels, 4),
        ];
        let groups = [shape.channels.div_ceil(team.across), 1];
        let kernel = &self.kernels[grid.lanes_index()][index];
        kernel.bind(device, shape.batch, groups, &tensors, None, |_| Params {
            channels: shape.channels,
            pixels: grid.pixels,
            has_output_gradient: output_gradient.is_some().into(),
            ..Zeroable::zeroed()
        })
    }

    /// What one run with every gradient has to move and to compute. Features are read twice at the least, the upstream gradient three times,
    /// and in a residual unit the output as often; the gradients are written.
    #[must_use]
    pub fn cost(&self, shape: CbamShape) -> Cost {
        let CbamShape { features: shape, reduced, kernel } = shape;
        let CbamOptions { activation, gate, epilogue } = self.options;
        let features = count(shape.elements());
        let layer = |inputs, outputs, vectors: u32, activation| {
            let shape = DenseShape { batch: shape.batch.saturating_mul(vectors), inputs, second_inputs: 0, outputs };
            layer_cost(shape, false, activation, self.element)
        };
        // The sums over planes read features and upstream gradient once more.
        let more = count(if epilogue == Epilogue::Residual { 3 } else { 2 });
        let sums = Cost::new(features * more * count(self.element.bytes()), features * count(6), count(0));
        spatial_gate_backward::cost(shape, kernel, epilogue, self.element)
            + sums
            + layer(shape.channels, reduced, 2, activation)
            + layer(reduced, shape.channels, 1, gate)
    }
}
