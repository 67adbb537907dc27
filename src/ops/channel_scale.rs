//! Scaling of channels by gates.
//!
//! ```text
//! y = x * gate                       Scale, Squeeze-and-Excitation, Eq. 4
//! y = relu(x * gate + identity)      Residual
//! y = x * gate + x                   ScaleAdd
//! ```
//!
//! `gate [n, c]` has one number for each plane of `features [n, c, h, w]`.
//!
//! Source: Squeeze-and-Excitation (Hu et al. 2018, arXiv:1709.01507), Eq. 4.
//!
//! # Example
//!
//! ```no_run
//! use visual_attention::host::Gpu;
//! use visual_attention::{ChannelScale, ChannelScaleBuffers, Element, Epilogue, Nchw};
//!
//! let gpu = Gpu::open()?;
//! let features = gpu.upload("features", &vec![0.5f32; 256 * 56 * 56])?;
//! let gate = gpu.upload("gate", &vec![0.5f32; 256])?;
//!
//! let operator = ChannelScale::new(&gpu.device, Epilogue::Scale, Element::F32)?;
//! let buffers = ChannelScaleBuffers {
//!     features: features.slice(..),
//!     gate: gate.slice(..),
//!     identity: None,
//!     output: features.slice(..), // in place
//! };
//! let recording = operator.bind(&gpu.device, Nchw::new(1, 256, 56, 56), buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok::<(), visual_attention::Error>(())
//! ```
//!
//! [`Epilogue`] chooses the formula, and every one except [`Epilogue::GateOnly`] is accepted. Features, identity and output are
//! all f32 or all f16; the gate is f32. `output` may be the same slice as `features`. [`ChannelScale::bind`] lists the errors,
//! [`ChannelScale::cost`] counts bytes and operations. There is no scratch.
//!
//! Kernel: [`channel_scale`](crate::shaders::CHANNEL_SCALE). Reference:
//! [`reference::channel_scale`](crate::reference::channel_scale).

use bytemuck::Zeroable;

use super::activation::Activation;
use super::global_pool::PlaneGrid;
use crate::cost::count;
use crate::kernel::rounds::MAX_TERMS;
use crate::kernel::shader::{Shader, THREE_CODES, VECTORS, Variant, group, params, shader};
use crate::kernel::tensor::Between;
use crate::kernel::tuning::Team;
use crate::kernel::{Build, Compiler, Dispatch, Kernel, Tensor, check, tensor, tuning};
use crate::{Cost, Element, Epilogue, Error, Nchw, Recording, TensorSpec};

const OP: &str = "channel_scale";
/// Vectors that one workgroup scales.
pub(crate) const CHUNK: u32 = 256 * 16;

params!(Params {
    origin_x: u32,
    origin_y: u32,
    first_plane: u32,
    first_image: u32,
    features_base: u32,
    hidden_base: u32,
    identity_base: u32,
    spatial_base: u32,
    gate_base: u32,
    output_base: u32,
    planes: u32,
    channels: u32,
    pixels: u32,
    chunk: u32,
    in_place: u32,
    terms: u32,
    width: u32,
    weight_step: u32,
    hidden_step: u32,
    reach: u32,
    vectors: f32,
    has_bias: u32,
    writes_gate: u32,
    activation: u32,
    slope: f32,
    offset: f32,
});

pub(crate) const CHANNEL_SCALE: Shader = shader!(
    "channel_scale",
    Params,
    VECTORS,
    &[tuning::SCALED_BY_PLANES, group(&["FORM"], THREE_CODES), group(&["COMBINE"], &[&[0.0], &[1.0], &[2.0], &[3.0], &[4.0]])],
    [features: Read, hidden: Read, weight: Read, bias: Read, identity: Read, spatial: Read, gate: Write, output: Write],
    ["activation", "ordered", "blocked_sum"],
);

/// Scales each channel by its gate. The [page of the module](self) has the formulas and an example.
#[doc(alias = "Axpy")]
#[doc(alias = "excite")]
#[derive(Clone, Debug)]
pub struct ChannelScale {
    epilogue: Epilogue,
    element: Element,
    scale: Scale,
}

/// Tensors of a [`ChannelScale`]; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct ChannelScaleBuffers<'a> {
    /// In: `[n, c, h, w]`, the operator's element type.
    pub features: wgpu::BufferSlice<'a>,
    /// In: `[n, c]` f32.
    pub gate: wgpu::BufferSlice<'a>,
    /// In, only for [`Epilogue::Residual`]: `[n, c, h, w]`, the operator's element type.
    pub identity: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, c, h, w]`, the operator's element type, every element written; may be `features`.
    pub output: wgpu::BufferSlice<'a>,
}

impl ChannelScale {
    /// Compiles the kernels for features of type `element`.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidParameter`] for [`Epilogue::GateOnly`].
    /// - [`Error::MissingFeature`] for f16 on a device without it.
    /// - [`Error::LimitExceeded`] if the device's workgroups hold fewer than 256 invocations.
    pub fn new<'a>(compiler: impl Into<Compiler<'a>>, epilogue: Epilogue, element: Element) -> Result<Self, Error> {
        let compiler = compiler.into();
        epilogue.check_output(OP, "the gate is given")?;
        let scale = Scale::new(OP, compiler, epilogue, Combine::Channel, Activation::None, element)?;
        Ok(Self { epilogue, element, scale })
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
        let mut specs = features_and_output(shape, self.element, self.epilogue);
        specs.push(TensorSpec::input("gate", [shape.batch, shape.channels], Element::F32));
        Ok(specs)
    }

    /// Checks the buffers against the shape and binds them.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidParameter`] if `identity` does not match the operator's [`Epilogue`].
    /// - [`Error::LimitExceeded`] if one plane exceeds a binding of the device.
    /// - [What every operator refuses](crate#what-is-refused).
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        buffers: ChannelScaleBuffers<'_>,
    ) -> Result<Recording, Error> {
        let ChannelScaleBuffers { features, gate, identity, output } = buffers;
        let specs = self.tensors(shape)?;
        self.epilogue.check(OP, identity.is_some(), true, true)?;
        if shape.is_empty() {
            return Ok(Recording::default());
        }
        let given =
            [("features", Some(features)), ("identity", identity), ("output", Some(output)), ("gate", Some(gate))];
        check::slices(OP, device, &specs, &given)?;
        let grid = PlaneGrid::new(OP, device, shape, self.element)?;
        let tensors = ScaleTensors {
            features,
            gate: GateFrom::Given(gate),
            identity,
            spatial: None,
            gate_out: None,
            output: Some(output),
        };
        Ok(Recording::new(self.scale.dispatches(device, shape, &grid, tensors)?))
    }

    /// What one run moves and computes. Every tensor moves once.
    #[must_use]
    pub fn cost(&self, shape: Nchw) -> Cost {
        let features = count(shape.elements());
        let gates = count(u64::from(shape.batch) * u64::from(shape.channels));
        let bytes = features * count(self.element.bytes()) * count(self.epilogue.tensors()) + gates * count(4);
        Cost::new(bytes, features * count(self.epilogue.flops()), count(0))
    }
}

/// The tensors of the features' size, for an epilogue.
pub(crate) fn features_and_output(shape: Nchw, element: Element, epilogue: Epilogue) -> Vec<TensorSpec> {
    let mut specs = vec![TensorSpec::input("features", shape, element)];
    if epilogue == Epilogue::Residual {
        specs.push(TensorSpec::input("identity", shape, element));
    }
    if epilogue != Epilogue::GateOnly {
        let output = TensorSpec::output("output", shape, element);
        specs.push(TensorSpec { in_place_of: Some("features"), ..output });
    }
    specs
}

/// The gate as an output. Only [`Epilogue::GateOnly`] requires it.
pub(crate) fn gate_out(shape: impl Into<Vec<u32>>, epilogue: Epilogue) -> TensorSpec {
    let optional = epilogue != Epilogue::GateOnly;
    TensorSpec { optional, ..TensorSpec::output("gate", shape, Element::F32) }
}

/// Which gates apply, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Combine {
    Channel,
    Spatial,
    Product,
    Max,
    Add,
}

/// Where the channel gate comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum GateFrom<'a> {
    /// Without a channel gate.
    Nowhere,
    /// `[n, c]`.
    Given(wgpu::BufferSlice<'a>),
    /// A dense layer: `weight [c, width]`, `bias [c]`, and `hidden [n, width]`, the mean of `vectors` vectors whose results add up.
    Dense {
        hidden: wgpu::BufferSlice<'a>,
        width: u32,
        weight: wgpu::BufferSlice<'a>,
        bias: Option<wgpu::BufferSlice<'a>>,
        vectors: f32,
    },
    /// A convolution along the channels: `hidden [n, c]`, `weight [taps]`, `taps` odd.
    Taps { hidden: wgpu::BufferSlice<'a>, weight: wgpu::BufferSlice<'a>, taps: u32 },
}

impl GateFrom<'_> {
    /// Terms of the gate's sum; 0 without a sum.
    fn terms(&self) -> u32 {
        match *self {
            Self::Nowhere | Self::Given(_) => 0,
            Self::Dense { width, .. } => width,
            Self::Taps { taps, .. } => taps,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct ScaleTensors<'a> {
    pub(crate) features: wgpu::BufferSlice<'a>,
    pub(crate) gate: GateFrom<'a>,
    pub(crate) identity: Option<wgpu::BufferSlice<'a>>,
    /// `[n, h, w]`.
    pub(crate) spatial: Option<wgpu::BufferSlice<'a>>,
    /// `[n, c]`: the channel gate as an output.
    pub(crate) gate_out: Option<wgpu::BufferSlice<'a>>,
    /// `None` for the gate alone.
    pub(crate) output: Option<wgpu::BufferSlice<'a>>,
}

/// The kernels that scale channels, for any operator.
#[derive(Clone, Debug)]
pub(crate) struct Scale {
    op: &'static str,
    element: Element,
    software: bool,
    /// Activation of the channel gate.
    activation: Activation,
    /// By vector width (1, 4), then as [`tuning::scale_teams`].
    kernels: [Vec<Kernel>; 2],
}

impl Scale {
    pub(crate) fn new(
        op: &'static str,
        compiler: Compiler<'_>,
        epilogue: Epilogue,
        combine: Combine,
        activation: Activation,
        element: Element,
    ) -> Result<Self, Error> {
        activation.check(op, "gate")?;
        let combine = match combine {
            Combine::Channel => 0.0,
            Combine::Spatial => 1.0,
            Combine::Product => 2.0,
            Combine::Max => 3.0,
            Combine::Add => 4.0,
        };
        let software = compiler.software;
        let kernel = |lanes, team: &Team| {
            let Team { sharing: pixels, across: planes } = *team;
            Kernel::new(
                compiler,
                &Build {
                    op,
                    shader: &CHANNEL_SCALE,
                    variant: Variant::new(element, lanes),
                    constants: &[
                        ("PIXELS", f64::from(pixels)),
                        ("PLANES", f64::from(planes)),
                        ("FORM", epilogue.code()),
                        ("COMBINE", combine),
                    ],
                    workgroup: [pixels * planes, 1, 1],
                    workgroup_bytes: pixels * planes * 4,
                },
            )
        };
        let kernels = |lanes| -> Result<_, Error> {
            tuning::scale_teams(software).iter().map(|team| kernel(lanes, team)).collect()
        };
        Ok(Self { op, element, software, activation, kernels: [kernels(1)?, kernels(4)?] })
    }

    /// The caller has checked the tensors. `shape` has pixels and channels.
    pub(crate) fn dispatches(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        grid: &PlaneGrid,
        tensors: ScaleTensors<'_>,
    ) -> Result<Vec<Dispatch>, Error> {
        let ScaleTensors { features, gate, identity, spatial, gate_out, output } = tensors;
        let channels = shape.channels;
        if output.is_some() && tuning::gate_apart(self.software, gate.terms().into()) {
            let bytes = u64::from(shape.batch) * u64::from(channels) * 4;
            let apart = Between::new(gate_out, self.op, device, "gate", bytes)?;
            let apart = apart.slice();
            let alone = ScaleTensors { identity: None, spatial: None, gate_out: Some(apart), output: None, ..tensors };
            let given = ScaleTensors { gate: GateFrom::Given(apart), gate_out: None, ..tensors };
            let mut dispatches = self.dispatches(device, shape, grid, alone)?;
            dispatches.extend(self.dispatches(device, shape, grid, given)?);
            return Ok(dispatches);
        }
        let bytes = self.element.bytes();
        let load = bytes * grid.lanes;
        let in_place = output.is_some_and(|output| tensor::in_place(features, output));
        // The kernel's header explains the steps and the reach of the gate's sum.
        let (hidden, width, weight, weights, terms, dispatches, reach) = match gate {
            GateFrom::Nowhere => (None, channels, None, 1, 0, [0, 0], 0),
            GateFrom::Given(gate) => (Some(gate), channels, None, 1, 0, [0, 0], 0),
            GateFrom::Dense { hidden, width, weight, .. } => {
                let weights = u64::from(channels) * u64::from(width);
                check::to_u32(self.op, "weights", weights)?;
                (Some(hidden), width, Some(weight), weights, width, [width, 0], 0)
            }
            GateFrom::Taps { hidden, weight, taps } => {
                (Some(hidden), channels, Some(weight), u64::from(taps), taps, [0, 1], (taps - 1) / 2)
            }
        };
        let (bias, vectors) = match gate {
            GateFrom::Dense { bias, vectors, .. } => (bias, vectors),
            _ => (None, 1.0),
        };
        // The gate alone scales no pixels, but each plane still has its workgroup.
        let pixels = if output.is_some() { grid.pixels } else { 0 };
        let index = tuning::scale_team(self.software, pixels.into(), terms.into());
        let team = tuning::scale_teams(self.software)[index];
        let given = MAX_TERMS * u64::from(if team.sharing < 16 { 1 } else { team.sharing }) / 2;
        if u64::from(terms) > given {
            return Err(Error::LimitExceeded { op: self.op, limit: "inputs of a gate", needed: terms.into(), given });
        }
        let chunk = CHUNK.min(pixels);
        let chunks = if pixels == 0 { 1 } else { pixels.div_ceil(chunk) };
        // A tensor with one row for each image is divided if units are images. If units are planes, it is bound whole.
        let of_image = |slice, elements: u64, element_bytes| {
            if grid.by_image {
                Tensor::divided(slice, elements, element_bytes)
            } else {
                Tensor::whole(slice, elements * u64::from(shape.batch), element_bytes)
            }
        };
        let unit = grid.unit();
        let tensors = [
            Tensor::divided((output.is_some() && !in_place).then_some(features), unit, load),
            of_image(hidden, width.into(), 4),
            Tensor::whole(weight, weights, bytes),
            Tensor::whole(bias, channels.into(), bytes),
            Tensor::divided(identity, unit, load),
            of_image(spatial, grid.pixels.into(), 4 * grid.lanes),
            Tensor::divided(gate_out, grid.planes.into(), 4),
            Tensor::divided(output, unit, load),
        ];
        let kernel = &self.kernels[grid.lanes_index()][index];
        let groups = [grid.planes.div_ceil(team.across), chunks];
        kernel.bind(device, grid.units, groups, &tensors, None, |part| {
            Params {
                // The product is below the number of planes, which `PlaneGrid` and the limits of bindings keep within 32 bits.
                first_plane: part.units.start.wrapping_mul(grid.planes),
                first_image: if grid.by_image { part.units.start } else { 0 },
                planes: grid.planes,
                channels,
                pixels,
                chunk,
                in_place: in_place.into(),
                terms,
                width,
                weight_step: dispatches[0],
                hidden_step: dispatches[1],
                reach,
                vectors,
                has_bias: bias.is_some().into(),
                writes_gate: gate_out.is_some().into(),
                activation: self.activation.code(),
                slope: self.activation.slope(),
                offset: self.activation.offset(),
                ..Zeroable::zeroed()
            }
        })
    }
}
