//! CBAM: the spatial gate, and the channel and spatial gates in sequence.

use bytemuck::Zeroable;

use super::channel_scale::{Combine, GateFrom, Scale, ScaleTensors, features_and_output, gate_out};
use super::global_pool::{PlaneGrid, squeezable};
use super::squeeze_excite::{Excitation, Surroundings};
use crate::kernel::rounds::MAX_TERMS;
use crate::kernel::shader::{ELEMENTS, NO_OR_YES, Shader, VECTORS, Variant, group, params, shader};
use crate::kernel::tensor::Between;
use crate::kernel::tuning::Team;
use crate::kernel::{Build, Compiler, Dispatch, Kernel, Tensor, check, tensor, tuning};
use crate::{
    Activation, BatchNorm, Cost, Element, Epilogue, Error, Nchw, Recording, Squeeze, SqueezeExcite,
    SqueezeExciteOptions, SqueezeExciteShape, TensorSpec,
};

const GATE_OP: &str = "spatial_gate";
const OP: &str = "cbam";
/// Side of the convolution's workgroups, in pixels.
const TILE: u32 = 16;
/// Widest kernel whose taps one invocation may loop over.
const MAX_KERNEL: u32 = 127;

params!(SqueezeParams {
    origin: u32,
    features_base: u32,
    gate_base: u32,
    planes_base: u32,
    channels: u32,
    pixels: u32,
    has_gate: u32,
    has_bias: u32,
});

params!(ConvParams {
    origin_x: u32,
    origin_y: u32,
    planes_base: u32,
    gate_base: u32,
    height: u32,
    width: u32,
    kernel: u32,
    has_bias: u32,
    has_norm: u32,
    epsilon: f32,
});

pub(crate) const SPATIAL_GATE_CONV: Shader = shader!(
    "spatial_gate_conv",
    ConvParams,
    ELEMENTS,
    &[],
    [planes: Read, weight: Read, bias: Read, norm_weight: Read, norm_mean: Read, norm_variance: Read, gate: Write],
    ["activation", "batch_norm"],
);

pub(crate) const SPATIAL_GATE_SQUEEZE: Shader = shader!(
    "spatial_gate_squeeze",
    SqueezeParams,
    VECTORS,
    &[tuning::PIXELS_BY_CHANNELS, group(&["PROJECTION"], NO_OR_YES)],
    [features: Read, gate: Read, weight: Read, bias: Read, planes: Write],
    ["ordered", "blocked_sum"],
);

/// CBAM's spatial gate (Woo et al. 2018, arXiv:1807.06521, Eq. 3), with the batch norm of the authors' code or without:
///
/// ```text
/// planes = maximum and mean of x over the channels of each pixel        shaders/spatial_gate_squeeze.wgsl
/// gate   = sigmoid(norm(convolution of the planes, k x k, zero padded)) shaders/spatial_gate_conv.wgsl
/// y      = x * gate, or another Epilogue                                    shaders/channel_scale.wgsl
/// ```
///
/// `features [n, c, h, w]`, `k` odd and at most 127 (7 in the paper). Scratch: the planes `[n, 2, h, w]` f32, and the gate where
/// it is not asked for. `output` may be `features` itself.
///
/// Reference [`reference::spatial_gate`](crate::reference::spatial_gate).
#[derive(Clone, Debug)]
pub struct SpatialGate {
    op: &'static str,
    epilogue: Epilogue,
    element: Element,
    squeeze: SpatialSqueeze,
    conv: Kernel,
    scale: Scale,
}

/// Extents of a [`SpatialGate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SpatialGateShape {
    /// `[n, c, h, w]`.
    pub features: Nchw,
    /// Side `k` of the convolution, odd.
    pub kernel: u32,
}

/// Tensors of a [`SpatialGate`]; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct SpatialGateBuffers<'a> {
    /// In: `[n, c, h, w]`, the operator's element type.
    pub features: wgpu::BufferSlice<'a>,
    /// In: `[1, 2, k, k]`, the operator's element type: for the plane of maxima, then for that of means.
    pub weight: wgpu::BufferSlice<'a>,
    /// In: `[1]`, the operator's element type.
    pub bias: Option<wgpu::BufferSlice<'a>>,
    /// Batch norm of the one channel, in the place of a bias.
    pub norm: Option<BatchNorm<'a>>,
    /// In: `[n, c, h, w]`, the operator's element type; for [`Epilogue::Residual`] only.
    pub identity: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, h, w]` f32, the gate; required by [`Epilogue::GateOnly`], optional otherwise.
    pub gate: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, c, h, w]`, the operator's element type, every element written; may be `features`. Required by every form
    /// except [`Epilogue::GateOnly`].
    pub output: Option<wgpu::BufferSlice<'a>>,
}

/// The convolution's tensors.
#[derive(Clone, Copy, Debug)]
struct Convolution<'a> {
    kernel: u32,
    weight: wgpu::BufferSlice<'a>,
    bias: Option<wgpu::BufferSlice<'a>>,
    norm: Option<BatchNorm<'a>>,
}

/// What the tensors of a convolution are called.
#[derive(Clone, Copy, Debug)]
struct ConvolutionNames {
    weight: &'static str,
    bias: &'static str,
    norm: [&'static str; 4],
}

impl ConvolutionNames {
    const OWN: Self = Self { weight: "weight", bias: "bias", norm: BatchNorm::NAMES };
    const SPATIAL: Self = Self {
        weight: "spatial_weight",
        bias: "spatial_bias",
        norm: ["spatial_norm.weight", "spatial_norm.bias", "spatial_norm.mean", "spatial_norm.variance"],
    };
}

impl<'a> Convolution<'a> {
    fn check_norm(&self, op: &'static str) -> Result<(), Error> {
        BatchNorm::check(self.norm, op, self.bias.is_some())
    }

    fn check_kernel(op: &'static str, kernel: u32) -> Result<(), Error> {
        if kernel % 2 == 1 && kernel <= MAX_KERNEL {
            return Ok(());
        }
        let (given, needed) = (kernel.to_string(), format!("an odd number up to {MAX_KERNEL}"));
        Err(Error::InvalidParameter { op, parameter: "kernel", given, needed })
    }

    /// The convolution's tensors, `names` being those of the weight, of the bias and of the norm.
    fn specs(names: ConvolutionNames, kernel: u32, element: Element) -> Vec<TensorSpec> {
        let mut specs = vec![
            TensorSpec::input(names.weight, [1, 2, kernel, kernel], element),
            TensorSpec::input(names.bias, [1], element).optional(),
        ];
        specs.extend(BatchNorm::specs(names.norm, 1, element));
        specs
    }

    fn slices(&self, names: ConvolutionNames) -> Vec<(&'static str, Option<wgpu::BufferSlice<'a>>)> {
        let mut slices = vec![(names.weight, Some(self.weight)), (names.bias, self.bias)];
        slices.extend(BatchNorm::slices(self.norm, names.norm));
        slices
    }

    /// In the kernel's order.
    fn tensors(&self, bytes: u64) -> [Tensor<'a>; 5] {
        let taps = 2 * u64::from(self.kernel) * u64::from(self.kernel);
        let [norm_weight, bias, mean, variance] = BatchNorm::tensors(self.norm, self.bias, 1, bytes);
        [Tensor::whole(self.weight, taps, bytes), bias, norm_weight, mean, variance]
    }
}

/// Tensors of [`SpatialGate::steps`] besides the convolution's.
#[derive(Clone, Copy, Debug)]
struct SpatialTensors<'a> {
    features: wgpu::BufferSlice<'a>,
    /// `[n, c]`: CBAM's channel gate, applied before the statistics.
    channel_gate: Option<wgpu::BufferSlice<'a>>,
    identity: Option<wgpu::BufferSlice<'a>>,
    gate: Option<wgpu::BufferSlice<'a>>,
    output: Option<wgpu::BufferSlice<'a>>,
}

impl SpatialGate {
    /// Compiles the kernels for features and weights of type `element`.
    ///
    /// # Errors
    ///
    /// [`Error::MissingFeature`] for f16 on a device without it; [`Error::LimitExceeded`] on a device whose workgroups hold
    /// fewer than 256 invocations.
    pub fn new<'a>(compiler: impl Into<Compiler<'a>>, epilogue: Epilogue, element: Element) -> Result<Self, Error> {
        Self::new_within(GATE_OP, compiler.into(), epilogue, Combine::Spatial, element)
    }

    fn new_within(
        op: &'static str,
        compiler: Compiler<'_>,
        epilogue: Epilogue,
        combine: Combine,
        element: Element,
    ) -> Result<Self, Error> {
        let build = Build {
            op,
            shader: &SPATIAL_GATE_CONV,
            variant: Variant::new(element, 1),
            constants: &[],
            workgroup: [TILE, TILE, 1],
            workgroup_bytes: 0,
        };
        Ok(Self {
            op,
            epilogue,
            element,
            squeeze: SpatialSqueeze::new(op, compiler, false, element)?,
            conv: Kernel::new(compiler, &build)?,
            scale: Scale::new(op, compiler, epilogue, combine, Activation::None, element)?,
        })
    }

    /// The tensors of one `bind`, in the order in which they are checked.
    ///
    /// # Errors
    ///
    /// What [`Self::bind`] refuses of a shape, before any buffer.
    pub fn tensors(&self, shape: SpatialGateShape) -> Result<Vec<TensorSpec>, Error> {
        let SpatialGateShape { features, kernel } = shape;
        check::elements(self.op, "features", features)?;
        Convolution::check_kernel(self.op, kernel)?;
        let mut specs = features_and_output(features, self.element, self.epilogue);
        specs.extend(Convolution::specs(ConvolutionNames::OWN, kernel, self.element));
        specs.push(gate_out(features.plane(), self.epilogue));
        Ok(specs)
    }

    /// Checks the buffers against the shape and the side `kernel` of the convolution, and binds them.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for a kernel that is even or above 127, a bias beside a batch norm, a `norm.epsilon` that
    /// is negative or not finite, or where `identity`, `gate` or `output` is missing or of no use to the operator's [`Epilogue`]; [`Error::LimitExceeded`] where one image exceeds a binding of the device, and what every
    /// operator refuses of its buffers.
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: SpatialGateShape,
        buffers: SpatialGateBuffers<'_>,
    ) -> Result<Recording, Error> {
        let specs = self.tensors(shape)?;
        let SpatialGateShape { features: shape, kernel } = shape;
        let SpatialGateBuffers { features, weight, bias, norm, identity, gate, output } = buffers;
        let convolution = Convolution { kernel, weight, bias, norm };
        self.epilogue.check(self.op, identity.is_some(), gate.is_some(), output.is_some())?;
        convolution.check_norm(self.op)?;
        if !spatially_squeezable(self.op, shape)? {
            return Ok(Recording::default());
        }
        let mut given = vec![("features", Some(features)), ("identity", identity), ("output", output), ("gate", gate)];
        given.extend(convolution.slices(ConvolutionNames::OWN));
        check::slices(self.op, device, &specs, &given)?;
        let tensors = SpatialTensors { features, channel_gate: None, identity, gate, output };
        Ok(Recording::new(self.dispatches(device, shape, convolution, tensors)?))
    }

    /// The tensors have been checked.
    fn dispatches(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        convolution: Convolution<'_>,
        tensors: SpatialTensors<'_>,
    ) -> Result<Vec<Dispatch>, Error> {
        let SpatialTensors { features, channel_gate, identity, gate, output } = tensors;
        let grid = PlaneGrid::new(self.op, device, shape, self.element)?;
        let bytes = shape.plane().elements().unwrap_or(u64::MAX).saturating_mul(4);
        let planes = tensor::scratch(self.op, device, "planes", bytes.saturating_mul(2))?;
        let gate = Between::new(gate, self.op, device, "gate", bytes)?;
        let gate = gate.slice();
        let squeezed =
            SqueezeTensors { features, gate: channel_gate, weight: None, bias: None, planes: planes.slice(..) };
        let mut dispatches = self.squeeze.dispatches(device, shape, &grid, squeezed)?;
        dispatches.extend(self.convolve(device, shape, convolution, planes.slice(..), gate)?);
        if output.is_none() {
            return Ok(dispatches);
        }
        let tensors = ScaleTensors {
            features,
            gate: channel_gate.map_or(GateFrom::Nowhere, GateFrom::Given),
            identity,
            spatial: Some(gate),
            gate_out: None,
            output,
        };
        dispatches.extend(self.scale.dispatches(device, shape, &grid, tensors)?);
        Ok(dispatches)
    }

    fn convolve(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        convolution: Convolution<'_>,
        planes: wgpu::BufferSlice<'_>,
        gate: wgpu::BufferSlice<'_>,
    ) -> Result<Vec<Dispatch>, Error> {
        let Nchw { batch, height, width, .. } = shape;
        let pixels = shape.size().pixels();
        let [weight, bias, norm_weight, mean, variance] = convolution.tensors(self.element.bytes());
        let tensors = [
            Tensor::divided(planes, 2 * pixels, 4),
            weight,
            bias,
            norm_weight,
            mean,
            variance,
            Tensor::divided(gate, pixels, 4),
        ];
        let groups = [width.div_ceil(TILE), height.div_ceil(TILE)];
        self.conv.bind(device, batch, groups, &tensors, None, |_| ConvParams {
            height,
            width,
            kernel: convolution.kernel,
            has_bias: convolution.bias.is_some().into(),
            has_norm: convolution.norm.is_some().into(),
            epsilon: convolution.norm.map_or(0.0, |norm| norm.epsilon),
            ..Zeroable::zeroed()
        })
    }

    /// What one run has to move and to compute, with the batch norm folded into the convolution as a bias.
    #[must_use]
    pub fn cost(&self, shape: SpatialGateShape) -> Cost {
        let SpatialGateShape { features: shape, kernel } = shape;
        let features = shape.elements().unwrap_or(u64::MAX);
        let pixels = shape.plane().elements().unwrap_or(u64::MAX);
        let parameters = u64::from(kernel).saturating_mul(2 * u64::from(kernel)).saturating_add(1);
        Cost {
            bytes: features
                .saturating_mul(self.epilogue.tensors())
                .saturating_add(parameters)
                .saturating_mul(self.element.bytes()),
            flops: features
                .saturating_mul(2 + self.epilogue.flops())
                .saturating_add(pixels.saturating_mul(parameters - 1).saturating_mul(2)),
            parameters,
        }
    }
}

/// What a [`Cbam`] is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CbamOptions {
    /// After the first layer.
    pub activation: Activation,
    /// Of the channel gate; the spatial gate's is the sigmoid.
    pub gate: Activation,
    /// What becomes of the features and both gates; any form but [`Epilogue::GateOnly`].
    pub epilogue: Epilogue,
}

impl CbamOptions {
    /// The paper's Eq. 1: `ReLU`, sigmoid, `x * gates`.
    pub const STANDARD: Self =
        Self { activation: Activation::Relu, gate: Activation::Sigmoid, epilogue: Epilogue::Scale };
    /// In a residual unit (the paper's Fig. 3): `relu(x * gates + identity)`.
    pub const RESIDUAL: Self = Self { epilogue: Epilogue::Residual, ..Self::STANDARD };
}

/// CBAM (Woo et al. 2018, arXiv:1807.06521, Eq. 1): the channel gate and then the spatial gate, on `features [n, c, h, w]`.
///
/// ```text
/// x' = x * channel gate of x          SqueezeExciteOptions::CBAM_CHANNEL
/// y  = x' * spatial gate of x'        SpatialGate, or another Epilogue
/// ```
///
/// `x'` is never stored: the spatial gate's statistics are those of the gated features as they are read, so besides the
/// pooled vectors the only scratch is `[n, 2, h, w]` and `[n, h, w]` f32. Six dispatches. `output` may be `features` itself.
/// For the channel gate alone use [`SqueezeExcite`] with [`SqueezeExciteOptions::CBAM_CHANNEL`]; its
/// [`squeeze`](SqueezeExciteOptions::squeeze) says what infinite weights give.
///
/// Reference [`reference::cbam`](crate::reference::cbam).
#[derive(Clone, Debug)]
pub struct Cbam {
    epilogue: Epilogue,
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
    /// In: `[1, 2, k, k]`, the operator's element type: for the plane of maxima, then for that of means.
    pub spatial_weight: wgpu::BufferSlice<'a>,
    /// In: `[1]`, the operator's element type.
    pub spatial_bias: Option<wgpu::BufferSlice<'a>>,
    /// Batch norm of the convolution's one channel, in the place of a bias.
    pub spatial_norm: Option<BatchNorm<'a>>,
    /// In: `[n, c, h, w]`, the operator's element type; for [`Epilogue::Residual`] only.
    pub identity: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, c, h, w]`, the operator's element type, every element written; may be `features`.
    pub output: wgpu::BufferSlice<'a>,
}

impl Cbam {
    /// Compiles the kernels for features and weights of type `element`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for [`Epilogue::GateOnly`]; [`Error::MissingFeature`] for f16 on a device without it;
    /// [`Error::LimitExceeded`] on a device whose workgroups hold fewer than 256 invocations.
    pub fn new<'a>(compiler: impl Into<Compiler<'a>>, options: CbamOptions, element: Element) -> Result<Self, Error> {
        let compiler = compiler.into();
        let CbamOptions { activation, gate, epilogue } = options;
        epilogue.check_output(OP, "there are two gates")?;
        let options =
            SqueezeExciteOptions { squeeze: Squeeze::MeanAndMax, activation, gate, epilogue: Epilogue::GateOnly };
        Ok(Self {
            epilogue,
            element,
            channel: SqueezeExcite::new_within(OP, compiler, options, Combine::Channel, element)?,
            spatial: SpatialGate::new_within(OP, compiler, epilogue, Combine::Product, element)?,
        })
    }

    /// The tensors of one `bind`, in the order in which they are checked.
    ///
    /// # Errors
    ///
    /// What [`Self::bind`] refuses of a shape, before any buffer.
    pub fn tensors(&self, shape: CbamShape) -> Result<Vec<TensorSpec>, Error> {
        let CbamShape { features, reduced, kernel } = shape;
        check::elements(OP, "features", features)?;
        Excitation::check(OP, features.channels, reduced)?;
        Convolution::check_kernel(OP, kernel)?;
        let mut specs = features_and_output(features, self.element, self.epilogue);
        specs.extend(Excitation::specs(features.channels, reduced, self.element));
        specs.extend(Convolution::specs(ConvolutionNames::SPATIAL, kernel, self.element));
        Ok(specs)
    }

    /// Checks the buffers against the shape, the reduced width and the side `kernel` of the convolution, and binds them.
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
        self.epilogue.check(OP, identity.is_some(), true, true)?;
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

    /// What one run has to move and to compute, without biases of the channel gate.
    #[must_use]
    pub fn cost(&self, shape: CbamShape) -> Cost {
        let CbamShape { features: shape, reduced, kernel } = shape;
        let features = shape.elements().unwrap_or(u64::MAX);
        let channel = self.channel.cost(SqueezeExciteShape { features: shape, reduced });
        let mut cost = channel + self.spatial.cost(SpatialGateShape { features: shape, kernel });
        // Both read the features, and each feature is scaled by both gates.
        cost.bytes = cost.bytes.saturating_sub(features.saturating_mul(self.element.bytes()));
        cost.flops = cost.flops.saturating_add(features);
        cost
    }
}

/// Whether there is anything to reduce; a pixel without channels has neither maximum nor mean.
pub(crate) fn spatially_squeezable(op: &'static str, shape: Nchw) -> Result<bool, Error> {
    if shape.plane().is_empty() {
        return Ok(false);
    }
    if shape.channels == 0 {
        return Err(Error::InvalidShape {
            op,
            binding: "features",
            given: shape.to_string(),
            needed: "at least one channel".into(),
        });
    }
    let given = MAX_TERMS;
    if u64::from(shape.channels) > given {
        return Err(Error::LimitExceeded { op, limit: "channels", needed: shape.channels.into(), given });
    }
    Ok(true)
}

/// The reduction over the channels of each pixel: to CBAM's two planes, or by a weight for each channel to a gate.
#[derive(Clone, Debug)]
pub(crate) struct SpatialSqueeze {
    projection: bool,
    element: Element,
    software: bool,
    /// By lanes (1, 4), then as [`tuning::channel_teams`].
    kernels: [Vec<Kernel>; 2],
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct SqueezeTensors<'a> {
    pub(crate) features: wgpu::BufferSlice<'a>,
    /// `[n, c]`, for the statistics.
    pub(crate) gate: Option<wgpu::BufferSlice<'a>>,
    /// `[c]`, for the projection.
    pub(crate) weight: Option<wgpu::BufferSlice<'a>>,
    /// `[1]`, for the projection.
    pub(crate) bias: Option<wgpu::BufferSlice<'a>>,
    /// `[n, 2, h, w]`, or `[n, h, w]` of the projection.
    pub(crate) planes: wgpu::BufferSlice<'a>,
}

impl SpatialSqueeze {
    pub(crate) fn new(
        op: &'static str,
        compiler: Compiler<'_>,
        projection: bool,
        element: Element,
    ) -> Result<Self, Error> {
        let kernel = |lanes, team: &Team| {
            let Team { sharing: channels, across: pixels } = *team;
            Kernel::new(
                compiler,
                &Build {
                    op,
                    shader: &SPATIAL_GATE_SQUEEZE,
                    variant: Variant::new(element, lanes),
                    constants: &[
                        ("PIXELS", f64::from(pixels)),
                        ("CHANNELS", f64::from(channels)),
                        ("PROJECTION", f64::from(u8::from(projection))),
                    ],
                    workgroup: [pixels, channels, 1],
                    workgroup_bytes: pixels * channels * lanes * 8,
                },
            )
        };
        let kernels = |lanes| -> Result<_, Error> {
            tuning::channel_teams(compiler.software).iter().map(|team| kernel(lanes, team)).collect()
        };
        Ok(Self { projection, element, software: compiler.software, kernels: [kernels(1)?, kernels(4)?] })
    }

    /// The tensors have been checked.
    pub(crate) fn dispatches(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        grid: &PlaneGrid,
        tensors: SqueezeTensors<'_>,
    ) -> Result<Vec<Dispatch>, Error> {
        let SqueezeTensors { features, gate, weight, bias, planes } = tensors;
        let (channels, pixels) = (shape.channels, grid.pixels);
        let team = tuning::channel_team(self.software, pixels.into(), channels);
        let bytes = self.element.bytes();
        let outputs = if self.projection { 1 } else { 2 };
        let tensors = [
            Tensor::divided(features, u64::from(channels) * u64::from(pixels), bytes * grid.lanes),
            Tensor::divided(gate, channels.into(), 4),
            Tensor::whole(weight, channels.into(), bytes),
            Tensor::whole(bias, 1, bytes),
            Tensor::divided(planes, outputs * u64::from(pixels), 4 * grid.lanes),
        ];
        let kernel = &self.kernels[grid.lanes_index()][team];
        let groups = [pixels.div_ceil(tuning::channel_teams(self.software)[team].across), 1];
        kernel.bind(device, shape.batch, groups, &tensors, None, |_| SqueezeParams {
            channels,
            pixels,
            has_gate: gate.is_some().into(),
            has_bias: bias.is_some().into(),
            ..Zeroable::zeroed()
        })
    }
}
