//! The spatial gate of CBAM: one gate for each pixel, computed from the channels around it.
//!
//! ```text
//! planes = maximum and mean of x over the channels of each pixel
//! gate   = sigmoid(norm(convolution of the planes, k x k, zero padded))
//! y      = x * gate, or another Epilogue
//! ```
//!
//! The formula is Eq. 3 of CBAM (Woo et al. 2018, arXiv:1807.06521). `norm` is the batch norm of the authors' code, or a bias, or
//! neither. [`Cbam`](crate::Cbam) runs a channel gate before this one.
//!
//! ```no_run
//! use visual_attention::{Element, Epilogue, Nchw, SpatialGate, SpatialGateBuffers, SpatialGateShape};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let gpu = visual_attention::host::Gpu::open()?;
//! let spatial_gate = SpatialGate::new(&gpu.device, Epilogue::Scale, Element::F32)?;
//!
//! let shape = SpatialGateShape { features: Nchw::new(1, 64, 56, 56), kernel: 7 };
//! let features = gpu.upload("features", &vec![0.5f32; 64 * 56 * 56])?;
//! let weight = gpu.upload("weight", &[0.01f32; 2 * 7 * 7])?;
//! let output = gpu.buffer("output", 64 * 56 * 56 * 4)?;
//! let buffers = SpatialGateBuffers {
//!     features: features.slice(..),
//!     weight: weight.slice(..),
//!     bias: None,
//!     norm: None,
//!     identity: None,
//!     gate: None,
//!     output: Some(output.slice(..)),
//! };
//! let recording = spatial_gate.bind(&gpu.device, shape, buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok(())
//! # }
//! ```
//!
//! # Options and tensors
//!
//! The [`Epilogue`] decides what becomes of features and gate: scaled features, a residual unit, or the gate alone. The side `k` of the
//! convolution is odd and at most 127; the paper takes 7.
//!
//! [`SpatialGate::tensors`] lists the tensors. `output` may be `features` itself. Scratch is the planes `[n, 2, h, w]` f32, and the
//! gate `[n, h, w]` f32 unless the caller passes a buffer for it.
//!
//! # Errors and cost
//!
//! Work is divided over images, so one image must fit a binding of the device. [`SpatialGate::cost`] folds a batch norm into the
//! convolution as a bias.
//!
//! Kernels [`SPATIAL_GATE_SQUEEZE`](crate::shaders::SPATIAL_GATE_SQUEEZE),
//! [`SPATIAL_GATE_CONV`](crate::shaders::SPATIAL_GATE_CONV) and [`CHANNEL_SCALE`](crate::shaders::CHANNEL_SCALE); reference
//! [`reference::spatial_gate`](crate::reference::spatial_gate).

mod squeeze;

use bytemuck::Zeroable;

use super::channel_scale::{Combine, GateFrom, Scale, ScaleTensors, features_and_output, gate_out};
use super::global_pool::PlaneGrid;
use crate::cost::count;
use crate::kernel::shader::{ELEMENTS, Shader, Variant, params, shader};
use crate::kernel::tensor::Between;
use crate::kernel::{Build, Compiler, Dispatch, Kernel, Tensor, check, tensor};
use crate::{Activation, BatchNorm, Cost, Element, Epilogue, Error, Nchw, Recording, TensorSpec};

pub(crate) use self::squeeze::{SPATIAL_GATE_SQUEEZE, SpatialSqueeze, SqueezeTensors, spatially_squeezable};

const OP: &str = "spatial_gate";
/// Side of the convolution's workgroups, in pixels.
const TILE: u32 = 16;
/// Widest kernel whose taps one invocation may loop over.
const MAX_KERNEL: u32 = 127;

params!(Params {
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
    Params,
    ELEMENTS,
    &[],
    [planes: Read, weight: Read, bias: Read, norm_weight: Read, norm_mean: Read, norm_variance: Read, gate: Write],
    ["activation", "batch_norm"],
);

/// CBAM's spatial gate; the [page](self) has formula and example.
#[derive(Clone, Debug)]
pub struct SpatialGate {
    op: &'static str,
    epilogue: Epilogue,
    element: Element,
    squeeze: SpatialSqueeze,
    conv: SpatialConv,
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
    /// In: `[1, 2, k, k]`, the operator's element type: taps of the maxima, then taps of the means.
    pub weight: wgpu::BufferSlice<'a>,
    /// In: `[1]`, the operator's element type.
    pub bias: Option<wgpu::BufferSlice<'a>>,
    /// Batch norm of the one channel, instead of a bias.
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
pub(crate) struct Convolution<'a> {
    pub(super) kernel: u32,
    pub(super) weight: wgpu::BufferSlice<'a>,
    pub(super) bias: Option<wgpu::BufferSlice<'a>>,
    pub(super) norm: Option<BatchNorm<'a>>,
}

/// Names of the norm's tensors in a [`Cbam`](crate::Cbam).
pub(crate) const SPATIAL_NORM: [&str; 4] =
    ["spatial_norm.weight", "spatial_norm.bias", "spatial_norm.mean", "spatial_norm.variance"];

/// Names of the convolution's tensors.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConvolutionNames {
    weight: &'static str,
    bias: &'static str,
    norm: [&'static str; 4],
}

impl ConvolutionNames {
    /// In a [`SpatialGate`].
    pub(super) const OWN: Self = Self { weight: "weight", bias: "bias", norm: BatchNorm::NAMES };
    /// In a [`Cbam`](crate::Cbam).
    pub(super) const SPATIAL: Self = Self { weight: "spatial_weight", bias: "spatial_bias", norm: SPATIAL_NORM };
}

impl<'a> Convolution<'a> {
    pub(super) fn check_norm(&self, op: &'static str) -> Result<(), Error> {
        BatchNorm::check(self.norm, op, self.bias.is_some())
    }

    pub(super) fn check_kernel(op: &'static str, kernel: u32) -> Result<(), Error> {
        if kernel % 2 == 1 && kernel <= MAX_KERNEL {
            return Ok(());
        }
        let (given, needed) = (kernel.to_string(), format!("an odd number up to {MAX_KERNEL}"));
        Err(Error::InvalidParameter { op, parameter: "kernel", given, needed })
    }

    pub(super) fn specs(names: ConvolutionNames, kernel: u32, element: Element) -> Vec<TensorSpec> {
        let mut specs = vec![
            TensorSpec::input(names.weight, [1, 2, kernel, kernel], element),
            TensorSpec::input(names.bias, [1], element).optional(),
        ];
        specs.extend(BatchNorm::specs(names.norm, 1, element));
        specs
    }

    pub(super) fn slices(&self, names: ConvolutionNames) -> Vec<(&'static str, Option<wgpu::BufferSlice<'a>>)> {
        let mut slices = vec![(names.weight, Some(self.weight)), (names.bias, self.bias)];
        slices.extend(BatchNorm::slices(self.norm, names.norm));
        slices
    }

    /// The tensors in the order of the kernel's bindings.
    fn tensors(&self, bytes: u64) -> [Tensor<'a>; 5] {
        let taps = 2 * u64::from(self.kernel) * u64::from(self.kernel);
        let [norm_weight, bias, mean, variance] = BatchNorm::tensors(self.norm, self.bias, 1, bytes);
        [Tensor::whole(self.weight, taps, bytes), bias, norm_weight, mean, variance]
    }
}

/// The convolution of the two planes, with its bias or norm and the sigmoid.
#[derive(Clone, Debug)]
pub(super) struct SpatialConv {
    element: Element,
    kernel: Kernel,
}

impl SpatialConv {
    pub(super) fn new(op: &'static str, compiler: Compiler<'_>, element: Element) -> Result<Self, Error> {
        let build = Build {
            op,
            shader: &SPATIAL_GATE_CONV,
            variant: Variant::new(element, 1),
            constants: &[],
            workgroup: [TILE, TILE, 1],
            workgroup_bytes: 0,
        };
        Ok(Self { element, kernel: Kernel::new(compiler, &build)? })
    }

    /// Writes `gate [n, h, w]` from `planes [n, 2, h, w]`. Expects tensors that have been checked.
    pub(super) fn dispatches(
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
        let taps = 2 * u64::from(convolution.kernel) * u64::from(convolution.kernel);
        let flops = count(2 * taps) * count(pixels);
        self.kernel.bind_costly(device, batch, groups, flops, &tensors, None, |_| Params {
            height,
            width,
            kernel: convolution.kernel,
            has_bias: convolution.bias.is_some().into(),
            has_norm: convolution.norm.is_some().into(),
            epsilon: convolution.norm.map_or(0.0, |norm| norm.epsilon),
            ..Zeroable::zeroed()
        })
    }
}

/// Tensors of [`SpatialGate::dispatches`] besides the convolution's.
#[derive(Clone, Copy, Debug)]
pub(super) struct SpatialTensors<'a> {
    pub(super) features: wgpu::BufferSlice<'a>,
    /// `[n, c]`: CBAM's channel gate, applied before the statistics.
    pub(super) channel_gate: Option<wgpu::BufferSlice<'a>>,
    pub(super) identity: Option<wgpu::BufferSlice<'a>>,
    pub(super) gate: Option<wgpu::BufferSlice<'a>>,
    pub(super) output: Option<wgpu::BufferSlice<'a>>,
}

impl SpatialGate {
    /// Compiles for features and weights of type `element`.
    ///
    /// # Errors
    ///
    /// - [`Error::MissingFeature`]: f16 on a device without it.
    /// - [`Error::LimitExceeded`]: a device whose workgroups hold fewer than 256 invocations.
    pub fn new<'a>(compiler: impl Into<Compiler<'a>>, epilogue: Epilogue, element: Element) -> Result<Self, Error> {
        Self::new_within(OP, compiler.into(), epilogue, Combine::Spatial, element)
    }

    pub(super) fn new_within(
        op: &'static str,
        compiler: Compiler<'_>,
        epilogue: Epilogue,
        combine: Combine,
        element: Element,
    ) -> Result<Self, Error> {
        Ok(Self {
            op,
            epilogue,
            element,
            squeeze: SpatialSqueeze::new(op, compiler, false, element)?,
            conv: SpatialConv::new(op, compiler, element)?,
            scale: Scale::new(op, compiler, epilogue, combine, Activation::None, element)?,
        })
    }

    /// The tensors of one [`Self::bind`], in the order in which they are checked.
    ///
    /// # Errors
    ///
    /// Whatever [`Self::bind`] refuses about a shape.
    pub fn tensors(&self, shape: SpatialGateShape) -> Result<Vec<TensorSpec>, Error> {
        let SpatialGateShape { features, kernel } = shape;
        check::elements(self.op, "features", features)?;
        Convolution::check_kernel(self.op, kernel)?;
        let mut specs = features_and_output(features, self.element, self.epilogue);
        specs.extend(Convolution::specs(ConvolutionNames::OWN, kernel, self.element));
        specs.push(gate_out(features.plane(), self.epilogue));
        Ok(specs)
    }

    /// Checks the buffers against the shape and binds them.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidParameter`]: a kernel that is even or above 127; a bias beside a batch norm; a `norm.epsilon` that is
    ///   negative or not finite.
    /// - [`Error::InvalidParameter`]: an `identity`, `gate` or `output` that is missing, or that the [`Epilogue`] does not take.
    /// - [`Error::InvalidShape`]: pixels without channels.
    /// - [`Error::LimitExceeded`]: more than 31,774 channels, or an image that exceeds a binding of the device.
    /// - What [every operator refuses](crate#what-is-refused) about its buffers.
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

    /// Expects tensors that have been checked.
    pub(super) fn dispatches(
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
        dispatches.extend(self.conv.dispatches(device, shape, convolution, planes.slice(..), gate)?);
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

    /// What one run moves and computes. The parameters are the taps and one bias.
    #[must_use]
    pub fn cost(&self, shape: SpatialGateShape) -> Cost {
        let SpatialGateShape { features: shape, kernel } = shape;
        let (features, pixels) = (count(shape.elements()), count(shape.plane().elements()));
        let taps = count(2) * count(u64::from(kernel)) * count(u64::from(kernel));
        let parameters = taps + count(1);
        Cost::new(
            (features * count(self.epilogue.tensors()) + parameters) * count(self.element.bytes()),
            features * count(2 + self.epilogue.flops()) + pixels * taps * count(2),
            parameters,
        )
    }
}
