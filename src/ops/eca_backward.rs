//! The gradients of Efficient Channel Attention.
//!
//! ```text
//! u                  = output_gradient, with a residual only where output > 0   kernel channel_scale_backward, with s below
//! dt(c)              = gate * (1 - gate) * (sum of u * x over the plane + gate_gradient)
//! ds(c)              = sum over j of weight(j) * dt(c - j + (taps - 1) / 2)     kernel eca_backward
//! weight_gradient(j) = sum over n and c of dt(c) * s(c + j - (taps - 1) / 2)    kernels eca_backward_weight, part_sum
//! dx                 = u * gate + ds / (h * w)                                  kernel channel_scale_backward_apply
//! ```
//!
//! Source: the chain rule of ECA-Net's Eq. 6 (Wang et al. 2020, arXiv:1910.03151). `s` is the mean of each plane, and `s` and `dt` are 0
//! outside the channels. [`Epilogue::ScaleAdd`] adds `u` to `dx`, and [`Epilogue::Residual`] has `identity_gradient = u`.
//!
//! # Example
//!
//! ```no_run
//! use visual_attention::host::Gpu;
//! use visual_attention::{Eca, EcaBackward, EcaBackwardBuffers, EcaShape, Element, Epilogue, Nchw};
//!
//! let gpu = Gpu::open()?;
//! let shape = EcaShape { features: Nchw::new(1, 256, 56, 56), taps: Eca::taps(256) };
//! let features = gpu.upload("features", &vec![0.5f32; 256 * 56 * 56])?;
//! let weight = gpu.upload("weight", &vec![0.2f32; shape.taps as usize])?;
//! let output_gradient = gpu.upload("gradient of the output", &vec![1.0f32; 256 * 56 * 56])?;
//! let features_gradient = gpu.buffer("gradient of the features", 256 * 56 * 56 * 4)?;
//! let weight_gradient = gpu.buffer("gradient of the weight", u64::from(shape.taps) * 4)?;
//!
//! let operator = EcaBackward::new(&gpu.device, Epilogue::Scale, Element::F32)?;
//! let buffers = EcaBackwardBuffers {
//!     features: features.slice(..),
//!     weight: weight.slice(..),
//!     output: None,
//!     output_gradient: Some(output_gradient.slice(..)),
//!     gate_gradient: None,
//!     features_gradient: Some(features_gradient.slice(..)),
//!     identity_gradient: None,
//!     weight_gradient: Some(weight_gradient.slice(..)),
//! };
//! let recording = operator.bind(&gpu.device, shape, buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok::<(), visual_attention::Error>(())
//! ```
//!
//! Of the forward pass only the output of a residual unit has to be kept: means and gates are computed again, from the read of the features
//! that the gate's gradient needs anyway. A forward pass in place overwrites the features: training needs a separate output. Features and
//! upstream gradient move four times in all, with a residual six times.
//!
//! The gradient of the weights is f32, whatever the element type. It is a sum over the batch, image by image in order, so the bits do not
//! depend on how the work is divided. The scratch holds `[n, c]` f32 four times, `[n, taps]` f32, and 16 bytes for each part of a plane.
//! [`EcaBackward::bind`] lists the errors, [`EcaBackward::cost`] counts bytes and operations.
//!
//! Kernels: [`channel_scale_backward`](crate::shaders::CHANNEL_SCALE_BACKWARD),
//! [`channel_scale_backward_join`](crate::shaders::CHANNEL_SCALE_BACKWARD_JOIN), [`channel_scale`](crate::shaders::CHANNEL_SCALE),
//! [`eca_backward`](crate::shaders::ECA_BACKWARD), [`eca_backward_weight`](crate::shaders::ECA_BACKWARD_WEIGHT),
//! [`part_sum`](crate::shaders::PART_SUM),
//! [`channel_scale_backward_apply`](crate::shaders::CHANNEL_SCALE_BACKWARD_APPLY). Reference:
//! [`reference::eca_backward`](crate::reference::eca_backward).

use bytemuck::Zeroable;

use super::channel_scale::{Combine, GateFrom, Scale, ScaleTensors};
use super::channel_scale_backward::{Gate, Upstream, gate_cost};
use super::eca::{Eca, EcaShape};
use super::global_pool::{PlaneGrid, squeezable};
use super::part_sum::{PartSum, Parts};
use crate::cost::count;
use crate::kernel::rounds::MAX_TERMS;
use crate::kernel::shader::{ELEMENTS, PLAIN, Shader, Variant, params, shader};
use crate::kernel::tuning::Team;
use crate::kernel::{Build, Compiler, Dispatch, Kernel, Tensor, check, tensor, tuning};
use crate::{Activation, Cost, Element, Epilogue, Error, Nchw, Recording, Squeeze, TensorSpec};

const OP: &str = "eca_backward";

params!(MeansParams {
    origin: u32,
    gate_gradient_base: u32,
    gate_base: u32,
    squeezed_gradient_base: u32,
    channels: u32,
    taps: u32,
    reach: u32,
});

params!(WeightParams {
    origin: u32,
    gate_gradient_base: u32,
    gate_base: u32,
    squeezed_base: u32,
    partial_base: u32,
    channels: u32,
    taps: u32,
    reach: u32,
});

pub(crate) const ECA_BACKWARD: Shader = shader!(
    "eca_backward",
    MeansParams,
    ELEMENTS,
    &[tuning::VECTOR_GROUPS],
    [gate_gradient: Read, gate: Read, weight: Read, squeezed_gradient: Write],
    ["blocked_sum"],
);

pub(crate) const ECA_BACKWARD_WEIGHT: Shader = shader!(
    "eca_backward_weight",
    WeightParams,
    PLAIN,
    &[tuning::INPUTS_BY_ROWS],
    [gate_gradient: Read, gate: Read, squeezed: Read, partial: Write],
    ["blocked_sum"],
);

/// The gradients of [`Eca`]. The [page of the module](self) has the formulas and an example.
#[derive(Clone, Debug)]
pub struct EcaBackward {
    epilogue: Epilogue,
    element: Element,
    software: bool,
    gate: Gate,
    scale: Scale,
    means: Kernel,
    /// As [`tuning::layer_teams`].
    weights: Vec<Kernel>,
    sums: PartSum,
}

/// Tensors of an [`EcaBackward`]; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct EcaBackwardBuffers<'a> {
    /// In: `[n, c, h, w]`, the operator's element type.
    pub features: wgpu::BufferSlice<'a>,
    /// In: `[taps]`, the operator's element type.
    pub weight: wgpu::BufferSlice<'a>,
    /// In: `[n, c, h, w]`, the operator's element type, as the forward operator wrote it. Only [`Epilogue::Residual`] reads it.
    pub output: Option<wgpu::BufferSlice<'a>>,
    /// In: `[n, c, h, w]`, the operator's element type, the gradient of the loss with respect to the output. [`Epilogue::GateOnly`] has no
    /// output.
    pub output_gradient: Option<wgpu::BufferSlice<'a>>,
    /// In: `[n, c]` f32, the gradient of the loss with respect to the gate. Required by [`Epilogue::GateOnly`], optional otherwise.
    pub gate_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, c, h, w]`, the operator's element type.
    pub features_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out, only for [`Epilogue::Residual`]: `[n, c, h, w]`, the operator's element type.
    pub identity_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[taps]` f32.
    pub weight_gradient: Option<wgpu::BufferSlice<'a>>,
}

impl EcaBackward {
    /// Compiles the kernels for features of type `element`.
    ///
    /// # Errors
    ///
    /// - [`Error::MissingFeature`] for f16 on a device without it.
    /// - [`Error::LimitExceeded`] if the device's workgroups hold fewer than 256 invocations.
    pub fn new<'a>(compiler: impl Into<Compiler<'a>>, epilogue: Epilogue, element: Element) -> Result<Self, Error> {
        let compiler = compiler.into();
        let software = compiler.software;
        let size = tuning::vector_group(software);
        let weights = |team: &Team| {
            let Team { sharing: inputs, across: rows } = *team;
            let build = Build {
                op: OP,
                shader: &ECA_BACKWARD_WEIGHT,
                variant: Variant::F32,
                constants: &[("INPUTS", f64::from(inputs)), ("ROWS", f64::from(rows))],
                workgroup: [inputs * rows, 1, 1],
                workgroup_bytes: inputs * rows * 4,
            };
            Kernel::new(compiler, &build)
        };
        let means = Build {
            op: OP,
            shader: &ECA_BACKWARD,
            variant: Variant::new(element, 1),
            constants: &[("WORKGROUP_SIZE", f64::from(size))],
            workgroup: [size, 1, 1],
            workgroup_bytes: 0,
        };
        // The gates alone run in few of its variants.
        let scale = Scale::new(
            OP,
            compiler.at_first_use(),
            Epilogue::GateOnly,
            Combine::Channel,
            Activation::Sigmoid,
            element,
        )?;
        Ok(Self {
            epilogue,
            element,
            software,
            gate: Gate::new(OP, compiler, epilogue, Squeeze::Mean, element)?,
            scale,
            means: Kernel::new(compiler, &means)?,
            weights: tuning::layer_teams(software).iter().map(weights).collect::<Result<_, _>>()?,
            sums: PartSum::new(OP, compiler)?,
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
    pub fn tensors(&self, shape: EcaShape) -> Result<Vec<TensorSpec>, Error> {
        let EcaShape { features: shape, taps } = shape;
        check::elements(OP, "features", shape)?;
        Eca::check_taps(OP, taps)?;
        let mut specs = vec![TensorSpec::input("features", shape, self.element)];
        specs.push(TensorSpec::input("weight", [taps], self.element));
        specs.extend(Upstream::specs(shape, self.element, self.epilogue));
        specs.push(Upstream::gate_spec(shape, self.epilogue));
        specs.extend(Upstream::result_specs(shape, self.element, self.epilogue));
        specs.push(TensorSpec::output("weight_gradient", [taps], Element::F32).optional());
        Ok(specs)
    }

    /// Checks the buffers against the shape and binds them. Without any gradient there is nothing to compute.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidParameter`] for an even number of taps, or if `output`, `output_gradient`, `gate_gradient` or `identity_gradient`
    ///   does not match the operator's [`Epilogue`].
    /// - [`Error::InvalidShape`] for planes without pixels.
    /// - [`Error::LimitExceeded`] if one plane exceeds a binding of the device, for more taps or channels than the loops of one invocation
    ///   take, and for the gradient of the weights over more than 31,774 images.
    /// - [What every operator refuses](crate#what-is-refused).
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: EcaShape,
        buffers: EcaBackwardBuffers<'_>,
    ) -> Result<Recording, Error> {
        let EcaBackwardBuffers { features, weight, output, output_gradient, gate_gradient, .. } = buffers;
        let EcaBackwardBuffers { features_gradient, identity_gradient, weight_gradient, .. } = buffers;
        let specs = self.tensors(shape)?;
        let EcaShape { features: shape, taps } = shape;
        let upstream = Upstream { output, output_gradient, gate_gradient };
        upstream.check(OP, self.epilogue, identity_gradient.is_some())?;
        let empty = !squeezable(OP, shape)?;
        let mut given = vec![
            ("features", Some(features)),
            ("weight", Some(weight)),
            ("features_gradient", features_gradient),
            ("identity_gradient", identity_gradient),
            ("weight_gradient", weight_gradient),
        ];
        given.extend(upstream.slices());
        check::slices(OP, device, &specs, &given)?;
        if empty {
            return self.sums.zeros(device, &specs, &given);
        }
        let (channels, reached) = (u64::from(shape.channels), u64::from(taps.min(shape.channels)));
        if reached > MAX_TERMS {
            return Err(Error::LimitExceeded { op: OP, limit: "taps", needed: reached, given: MAX_TERMS });
        }

        let grid = PlaneGrid::new(OP, device, shape, self.element)?;
        let upstream = upstream.read_by(self.epilogue);
        let needed = features_gradient.is_some() || weight_gradient.is_some();
        let mut first =
            self.gate.first(device, shape, &grid, needed.then_some(features), upstream, identity_gradient)?;
        let mut dispatches = std::mem::take(&mut first.dispatches);
        if !needed {
            return Ok(Recording::new(dispatches));
        }
        let scratch = |label, width: u64| {
            tensor::scratch(OP, device, label, u64::from(shape.batch).saturating_mul(width).saturating_mul(4))
        };
        let gate = scratch("gate", channels)?;
        let gate = gate.slice(..);
        let from = GateFrom::Taps { hidden: first.squeezed(), weight, taps };
        let tensors =
            ScaleTensors { features, gate: from, identity: None, spatial: None, gate_out: Some(gate), output: None };
        dispatches.extend(self.scale.dispatches(device, shape, &grid, tensors)?);
        let gates = [first.gate_gradient(), gate].map(|slice| Tensor::divided(slice, channels, 4));
        if let Some(weight_gradient) = weight_gradient {
            let partial = scratch("gradient of the weights by image", taps.into())?;
            let partial = partial.slice(..);
            let all = Parts::new(shape.batch.into(), taps.into());
            dispatches.extend(self.weights(device, shape, taps, gates, first.squeezed(), partial)?);
            dispatches.extend(self.sums.dispatches(device, all, Some(partial), weight_gradient)?);
        }
        if let Some(features_gradient) = features_gradient {
            let of_means = scratch("gradient of the means", channels)?;
            let of_means = of_means.slice(..);
            let [gate_gradient, gates] = gates;
            let weight = Tensor::whole(weight, taps.into(), self.element.bytes());
            let bound = [gate_gradient, gates, weight, Tensor::divided(of_means, channels, 4)];
            let groups = [shape.channels.div_ceil(tuning::vector_group(self.software)), 1];
            dispatches.extend(self.means.bind(device, shape.batch, groups, &bound, None, |_| MeansParams {
                channels: shape.channels,
                taps,
                reach: (taps - 1) / 2,
                ..Zeroable::zeroed()
            })?);
            let last = first.apply(upstream, identity_gradient, gate, of_means, features_gradient);
            dispatches.extend(self.gate.last(device, shape, &grid, last)?);
        }
        Ok(Recording::new(dispatches))
    }

    /// The gradient of the weights of each image, `[n, taps]`.
    fn weights(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        taps: u32,
        [gate_gradient, gate]: [Tensor<'_>; 2],
        squeezed: wgpu::BufferSlice<'_>,
        partial: wgpu::BufferSlice<'_>,
    ) -> Result<Vec<Dispatch>, Error> {
        let index = tuning::layer_team(self.software, u64::from(shape.channels) * 2);
        let team = tuning::layer_teams(self.software)[index];
        let (needed, given) = (u64::from(shape.channels), MAX_TERMS * u64::from(team.sharing));
        if needed > given {
            return Err(Error::LimitExceeded { op: OP, limit: "channels", needed, given });
        }
        let tensors = [
            gate_gradient,
            gate,
            Tensor::divided(squeezed, shape.channels.into(), 4),
            Tensor::divided(partial, taps.into(), 4),
        ];
        let groups = [taps.div_ceil(team.across), 1];
        self.weights[index].bind(device, shape.batch, groups, &tensors, None, |_| WeightParams {
            channels: shape.channels,
            taps,
            reach: (taps - 1) / 2,
            ..Zeroable::zeroed()
        })
    }

    /// What one run with every gradient has to move and to compute.
    #[must_use]
    pub fn cost(&self, shape: EcaShape) -> Cost {
        let EcaShape { features: shape, taps } = shape;
        let taps = count(u64::from(taps));
        let gates = count(u64::from(shape.batch) * u64::from(shape.channels));
        let bytes = taps * count(self.element.bytes() + 4);
        gate_cost(shape, self.epilogue, self.element) + Cost::new(bytes, gates * taps * count(6), taps)
    }
}
