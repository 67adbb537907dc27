//! Scaling of channels by gates, in the forms that blocks need.

use super::dense::Activation;
use super::global_pool::PlaneGrid;
use crate::pipeline::{self, Access, Between, Build, Compiler, Dispatch, Kernel, MAX_TERMS, Tensor};
use crate::plan::{self, Team};
use crate::shaders::{self, Variant, params};
use crate::{Cost, Element, Error, Nchw, Recording};

const OP: &str = "channel_scale";
/// Loads that one workgroup scales.
const CHUNK: u32 = 256 * 16;

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

/// What becomes of features `x` and their gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Epilogue {
    /// `x * gate`: Squeeze-and-Excitation, Eq. 4.
    Scale,
    /// `relu(x * gate + identity)`: the tail of an SE-ResNet block, the Axpy layer of the authors' code and its `ReLU`.
    Residual,
    /// `x * gate + x`: BiSeNet's feature fusion.
    ScaleAdd,
    /// The gate alone.
    GateOnly,
}

impl Epilogue {
    /// Every form.
    pub const ALL: [Self; 4] = [Self::Scale, Self::Residual, Self::ScaleAdd, Self::GateOnly];

    const fn code(self) -> f64 {
        match self {
            Self::Scale | Self::GateOnly => 0.0,
            Self::Residual => 1.0,
            Self::ScaleAdd => 2.0,
        }
    }

    /// Refuses tensors that the form has no use for, and the lack of those that it needs.
    pub(crate) fn check(self, op: &'static str, identity: bool, gate: bool, output: bool) -> Result<(), Error> {
        let reason = format!("Epilogue::{self:?}");
        pipeline::check_presence(op, "identity", identity, self == Self::Residual, &reason)?;
        pipeline::check_presence(op, "output", output, self != Self::GateOnly, &reason)?;
        if self == Self::GateOnly { pipeline::check_presence(op, "gate", gate, true, &reason) } else { Ok(()) }
    }

    /// Refuses the form without an output, where the gate alone is none.
    pub(crate) fn check_output(self, op: &'static str, reason: &str) -> Result<(), Error> {
        if self != Self::GateOnly {
            return Ok(());
        }
        let (given, needed) = ("GateOnly".into(), format!("an epilogue with an output: {reason}"));
        Err(Error::InvalidParameter { op, parameter: "form", given, needed })
    }

    /// Floating-point operations for each feature.
    pub(crate) fn flops(self) -> u64 {
        match self {
            Self::Scale => 1,
            Self::Residual => 3,
            Self::ScaleAdd => 2,
            Self::GateOnly => 0,
        }
    }

    /// Tensors of the size of the features that move at the least.
    pub(crate) fn tensors(self) -> u64 {
        match self {
            Self::Scale | Self::ScaleAdd => 2,
            Self::Residual => 3,
            Self::GateOnly => 1,
        }
    }
}

/// Scales each channel by a gate that is given: `features [n, c, h, w], gate [n, c] -> output [n, c, h, w]`
/// (Squeeze-and-Excitation, Hu et al. 2018, arXiv:1709.01507, Eq. 4), in any [`Epilogue`] that has an output.
///
/// `output` may be `features` itself: the same slice in both fields works in place.
///
/// Kernel `shaders/channel_scale.wgsl`; reference [`reference::channel_scale`](crate::reference::channel_scale).
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
    /// In: `[n, c, h, w]`, the operator's element type; for [`Epilogue::Residual`] only.
    pub identity: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, c, h, w]`, the operator's element type, every element written; may be `features`.
    pub output: wgpu::BufferSlice<'a>,
}

impl ChannelScale {
    /// Compiles the kernels for features of type `element`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for [`Epilogue::GateOnly`], [`Error::MissingFeature`] for f16 on a device without it;
    /// [`Error::LimitExceeded`] on a device whose workgroups hold fewer than 256 invocations.
    pub fn new<'a>(compiler: impl Into<Compiler<'a>>, epilogue: Epilogue, element: Element) -> Result<Self, Error> {
        let compiler = compiler.into();
        epilogue.check_output(OP, "the gate is given")?;
        let scale = Scale::new(OP, compiler, epilogue, Combine::Channel, Activation::None, element)?;
        Ok(Self { epilogue, element, scale })
    }

    /// Checks the buffers against the shape and binds them.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] where `identity` is missing or of no use to the operator's [`Epilogue`];
    /// [`Error::LimitExceeded`] where one plane exceeds a binding of the device, and what every operator refuses of its
    /// buffers: too small, wrong usage, misaligned, output overlapping another tensor other than `features` in place.
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        buffers: ChannelScaleBuffers<'_>,
    ) -> Result<Recording, Error> {
        let ChannelScaleBuffers { features, gate, identity, output } = buffers;
        pipeline::check_elements(OP, "features", shape)?;
        self.epilogue.check(OP, identity.is_some(), true, true)?;
        if shape.is_empty() {
            return Ok(Recording::default());
        }
        let mut tensors = Vec::from(features_and_output(shape, self.element, features, identity, Some(output)));
        tensors.push(Tensor::read("gate", gate, shape.channels.into(), 4));
        pipeline::check(OP, device, shape.batch, &tensors)?;
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

    /// What one run moves and computes: every tensor once.
    #[must_use]
    pub fn cost(&self, shape: Nchw) -> Cost {
        let features = shape.elements().unwrap_or(u64::MAX);
        let gates = u64::from(shape.batch) * u64::from(shape.channels);
        Cost {
            bytes: features
                .saturating_mul(self.element.bytes())
                .saturating_mul(self.epilogue.tensors())
                .saturating_add(gates.saturating_mul(4)),
            flops: features.saturating_mul(self.epilogue.flops()),
            parameters: 0,
        }
    }
}

/// The tensors of the size of the features, for [`pipeline::check`]: in place, `output` stands for both.
pub(crate) fn features_and_output<'a>(
    shape: Nchw,
    element: Element,
    features: wgpu::BufferSlice<'a>,
    identity: Option<wgpu::BufferSlice<'a>>,
    output: Option<wgpu::BufferSlice<'a>>,
) -> [Tensor<'a>; 3] {
    let image = u64::from(shape.channels) * shape.size().pixels();
    let in_place = output.is_some_and(|output| pipeline::in_place(features, output));
    [
        Tensor::read_if("features", (!in_place).then_some(features), image, element.bytes()),
        Tensor::read_if("identity", identity, image, element.bytes()),
        Tensor::write_if("output", output, image, element.bytes()),
    ]
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
    /// There is none.
    Nowhere,
    /// `[n, c]`.
    Given(wgpu::BufferSlice<'a>),
    /// A dense layer: `hidden [n, width]`, the mean of so many `vectors` whose results add up, `weight [c, width]`, `bias [c]`.
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
    /// Terms of its sum; 0 where there is none.
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
    /// `[n, c]`: the channel gate, for the caller.
    pub(crate) gate_out: Option<wgpu::BufferSlice<'a>>,
    /// None for the gate alone.
    pub(crate) output: Option<wgpu::BufferSlice<'a>>,
}

/// The kernels that scale, for any operator that does.
#[derive(Clone, Debug)]
pub(crate) struct Scale {
    op: &'static str,
    element: Element,
    software: bool,
    /// The channel gate's.
    activation: Activation,
    /// By lanes (1, 4), then as [`plan::scale_teams`].
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
                    shader: &shaders::CHANNEL_SCALE,
                    variant: Variant::new(element, lanes),
                    constants: &[
                        ("PIXELS", f64::from(pixels)),
                        ("PLANES", f64::from(planes)),
                        ("FORM", epilogue.code()),
                        ("COMBINE", combine),
                    ],
                    workgroup: [pixels * planes, 1, 1],
                    workgroup_bytes: pixels * planes * 4,
                    storage: &[
                        Access::Read,
                        Access::Read,
                        Access::Read,
                        Access::Read,
                        Access::Read,
                        Access::Read,
                        Access::Write,
                        Access::Write,
                    ],
                    texture: false,
                },
            )
        };
        let kernels = |lanes| -> Result<_, Error> {
            plan::scale_teams(software).iter().map(|team| kernel(lanes, team)).collect()
        };
        Ok(Self { op, element, software, activation, kernels: [kernels(1)?, kernels(4)?] })
    }

    /// The tensors have been checked. `shape` has pixels and channels.
    pub(crate) fn dispatches(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        grid: &PlaneGrid,
        tensors: ScaleTensors<'_>,
    ) -> Result<Vec<Dispatch>, Error> {
        let ScaleTensors { features, gate, identity, spatial, gate_out, output } = tensors;
        let channels = shape.channels;
        if output.is_some() && plan::gate_apart(self.software, gate.terms().into()) {
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
        let in_place = output.is_some_and(|output| pipeline::in_place(features, output));
        // What the gate's sum runs over: see the kernel.
        let (hidden, width, weight, weights, terms, dispatches, reach) = match gate {
            GateFrom::Nowhere => (None, channels, None, 1, 0, [0, 0], 0),
            GateFrom::Given(gate) => (Some(gate), channels, None, 1, 0, [0, 0], 0),
            GateFrom::Dense { hidden, width, weight, .. } => {
                let weights = u64::from(channels) * u64::from(width);
                pipeline::to_u32(self.op, "weights", weights)?;
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
        // With the gate alone there is nothing to scale, but each plane still has its workgroup.
        let pixels = if output.is_some() { grid.pixels } else { 0 };
        let index = plan::scale_team(self.software, pixels.into(), terms.into());
        let team = plan::scale_teams(self.software)[index];
        let given = MAX_TERMS * u64::from(if team.sharing < 16 { 1 } else { team.sharing }) / 2;
        if u64::from(terms) > given {
            return Err(Error::LimitExceeded { op: self.op, limit: "inputs of a gate", needed: terms.into(), given });
        }
        let chunk = CHUNK.min(pixels);
        let chunks = if pixels == 0 { 1 } else { pixels.div_ceil(chunk) };
        // What belongs to an image is divided with the images, and whole where the units are planes.
        let of_image = |name, slice, elements: u64, element_bytes| {
            if grid.by_image {
                Tensor::read_if(name, slice, elements, element_bytes)
            } else {
                Tensor::read_whole_if(name, slice, elements * u64::from(shape.batch), element_bytes)
            }
        };
        let unit = grid.unit();
        let tensors = [
            Tensor::read_if("features", (output.is_some() && !in_place).then_some(features), unit, load),
            of_image("gate", hidden, width.into(), 4),
            Tensor::read_whole_if("weight", weight, weights, bytes),
            Tensor::read_whole_if("bias", bias, channels.into(), bytes),
            Tensor::read_if("identity", identity, unit, load),
            of_image("spatial gate", spatial, grid.pixels.into(), 4 * grid.lanes),
            Tensor::write_if("gate", gate_out, grid.planes.into(), 4),
            Tensor::write_if("output", output, unit, load),
        ];
        let kernel = &self.kernels[grid.lanes_index()][index];
        let groups = [grid.planes.div_ceil(team.across), chunks];
        kernel.bind(device, grid.units, groups, &tensors, None, |part, bases| {
            Params {
                origin_x: part.origin[0],
                origin_y: part.origin[1],
                // Below the number of planes, which `PlaneGrid` and the limits of bindings hold within 32 bits.
                first_plane: part.units.start.wrapping_mul(grid.planes),
                first_image: if grid.by_image { part.units.start } else { 0 },
                features_base: bases[0],
                hidden_base: bases[1],
                identity_base: bases[4],
                spatial_base: bases[5],
                gate_base: bases[6],
                output_base: bases[7],
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
            }
        })
    }
}
