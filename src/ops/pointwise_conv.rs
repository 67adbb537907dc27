//! Pointwise convolution: a 1x1 projection of the channels of each pixel.
//!
//! ```text
//! y[s][n, o, p] = sum over i of weights[s, o, i] * x[n, i, p]  [+ bias[s, o]]      for each matrix s and pixel p
//! ```
//!
//! Up to three stacked matrices run in one dispatch and read `x` once. They are the projections to queries, keys and values of
//! Stand-Alone Self-Attention (Ramachandran et al. 2019, arXiv:1906.05909, Sec. 3.1).
//!
//! ```no_run
//! use visual_attention::{Element, Nchw, PointwiseConv, PointwiseConvBuffers, PointwiseConvOptions};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let gpu = visual_attention::host::Gpu::open()?;
//! let options = PointwiseConvOptions::new(64, 128).with_stack(3);
//! let conv = PointwiseConv::new(&gpu.device, options, Element::F32)?;
//!
//! let x = gpu.upload("x", &vec![0.5f32; 64 * 32 * 32])?;
//! let weights = gpu.upload("weights", &vec![0.1f32; 3 * 128 * 64])?;
//! let bytes = 128 * 32 * 32 * 4;
//! let [q, k, v] = [gpu.buffer("q", bytes)?, gpu.buffer("k", bytes)?, gpu.buffer("v", bytes)?];
//! let buffers = PointwiseConvBuffers {
//!     x: x.slice(..),
//!     weights: weights.slice(..),
//!     bias: None,
//!     y: [&q, &k, &v].map(|y| Some(y.slice(..))),
//! };
//! let recording = conv.bind(&gpu.device, Nchw::new(1, 64, 32, 32), buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok(())
//! # }
//! ```
//!
//! # Options and tensors
//!
//! [`PointwiseConvOptions::new`] is one dense matrix without bias. Setters change groups, stack and bias.
//!
//! `x [n, inputs, h, w] -> y [n, outputs, h, w]` for each matrix. [`PointwiseConv::tensors`] lists the tensors.
//!
//! # Errors and cost
//!
//! Work is divided over images, so one image must fit a binding of the device. A group has at most 31,774 input channels.
//! [`PointwiseConv::cost`] counts a multiply-add for each weight at each pixel.
//!
//! Kernels [`POINTWISE_CONV`](crate::shaders::POINTWISE_CONV) and, if `h * w` and the inputs of a group are multiples of 4,
//! [`POINTWISE_CONV_VEC4`](crate::shaders::POINTWISE_CONV_VEC4); reference
//! [`reference::pointwise_conv`](crate::reference::pointwise_conv).

use bytemuck::Zeroable;

use crate::cost::{Count, count};
use crate::kernel::rounds::MAX_TERMS;
use crate::kernel::shader::{INNER, INNER_VECTORS, NO_OR_YES, Shader, Variant, group, params, shader};
use crate::kernel::{Build, Compiler, Kernel, Tensor, check};
use crate::{Cost, Element, Error, Nchw, Recording, TensorSpec};

const OP: &str = "pointwise_conv";
/// Pixels of a workgroup.
const PIXELS: u64 = 256;
/// Outputs of one invocation.
const OUTPUTS: u32 = 8;
/// Matrices of one stack.
const MAX_STACK: u32 = 3;

params!(Params {
    origin_x: u32,
    origin_y: u32,
    x_base: u32,
    y0_base: u32,
    y1_base: u32,
    y2_base: u32,
    pixels: u32,
    inputs: u32,
    outputs: u32,
    groups: u32,
    group_inputs: u32,
    group_outputs: u32,
    tiles: u32,
    block: u32,
});

pub(crate) const POINTWISE_CONV: Shader = shader!(
    "pointwise_conv",
    Params,
    INNER,
    &[group(&["BIAS"], NO_OR_YES), group(&["DEEP"], NO_OR_YES)],
    [x: Read, weights: Read, bias: Read, y0: Write, y1: Write, y2: Write],
    [],
);

pub(crate) const POINTWISE_CONV_VEC4: Shader = shader!(
    "pointwise_conv_vec4",
    Params,
    INNER_VECTORS,
    &[group(&["BIAS"], NO_OR_YES), group(&["DEEP"], NO_OR_YES)],
    [x: Read, weights: Read, bias: Read, y0: Write, y1: Write, y2: Write],
    [],
);

/// Options of a [`PointwiseConv`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct PointwiseConvOptions {
    /// Channels of `x`.
    pub inputs: u32,
    /// Channels of each output.
    pub outputs: u32,
    /// Groups of channels that are projected separately; 1 is dense. Divides inputs and outputs.
    pub groups: u32,
    /// Stacked matrices, each with its own output tensor: 1 to 3.
    pub stack: u32,
    /// Whether there is a bias.
    pub bias: bool,
}

impl PointwiseConvOptions {
    /// One dense matrix without bias.
    #[must_use]
    pub const fn new(inputs: u32, outputs: u32) -> Self {
        Self { inputs, outputs, groups: 1, stack: 1, bias: false }
    }

    /// With groups of channels.
    #[must_use]
    pub const fn with_groups(self, groups: u32) -> Self {
        Self { groups, ..self }
    }

    /// With stacked matrices.
    #[must_use]
    pub const fn with_stack(self, stack: u32) -> Self {
        Self { stack, ..self }
    }

    /// With a bias, or without.
    #[must_use]
    pub const fn with_bias(self, bias: bool) -> Self {
        Self { bias, ..self }
    }

    pub(crate) fn weights(&self) -> Count {
        let rows = u64::from(self.stack) * u64::from(self.outputs);
        count(rows) * count(u64::from(self.inputs / self.groups.max(1)))
    }

    pub(crate) fn biases(&self) -> Count {
        count(if self.bias { u64::from(self.stack) * u64::from(self.outputs) } else { 0 })
    }

    pub(crate) fn check(&self, op: &'static str) -> Result<(), Error> {
        let refuse =
            |parameter, given: String, needed: String| Err(Error::InvalidParameter { op, parameter, given, needed });
        if !(1..=MAX_STACK).contains(&self.stack) {
            return refuse("stack", self.stack.to_string(), format!("1 to {MAX_STACK}"));
        }
        for (parameter, channels) in [("inputs", self.inputs), ("outputs", self.outputs)] {
            if channels == 0 {
                return refuse(parameter, "0".into(), "at least 1".into());
            }
            if channels.checked_rem(self.groups) != Some(0) {
                return refuse("groups", self.groups.to_string(), format!("a divisor of {parameter}, {channels}"));
            }
        }
        let rounds = u64::from(self.inputs / self.groups);
        if rounds > MAX_TERMS {
            let limit = "input channels of a group";
            return Err(Error::LimitExceeded { op, limit, needed: rounds, given: MAX_TERMS });
        }
        Ok(())
    }

    /// As [`PointwiseConv::cost`], without a device.
    pub(crate) fn cost(&self, shape: Nchw, element: Element, inner: Element) -> Cost {
        let pixels = count(shape.plane().elements());
        let parameters = self.weights() + self.biases();
        let outputs = pixels * count(u64::from(self.stack) * u64::from(self.outputs));
        let inputs = pixels * count(u64::from(self.inputs)) + parameters;
        let rounds = self.inputs / self.groups.max(1);
        Cost::new(
            inputs * count(element.bytes()) + outputs * count(inner.bytes()),
            outputs * count(2 * u64::from(rounds) + u64::from(self.bias)),
            parameters,
        )
    }
}

/// Pointwise convolution; the [page](self) has formula and example.
#[doc(alias = "1x1 convolution")]
#[doc(alias = "linear projection")]
#[derive(Clone, Debug)]
pub struct PointwiseConv {
    op: &'static str,
    options: PointwiseConvOptions,
    element: Element,
    inner: Element,
    kernel: Kernel,
    /// For inputs of a group that are a multiple of 4.
    quads: Option<Kernel>,
}

/// Whether a sum over `rounds` iterations is added up in three levels of blocks, rather than two.
pub(crate) const fn deep(rounds: u32) -> bool {
    rounds > 2048
}

/// Iterations of a block. Each term takes part in at most 96 additions: `2 * sqrt(rounds)` with two levels, 32 in each of three.
pub(crate) const fn block(rounds: u32) -> u32 {
    if deep(rounds) {
        return 32;
    }
    let root = rounds.isqrt();
    if root * root < rounds { root + 1 } else { root }
}

/// Names of the outputs.
const Y: [&str; 3] = ["y[0]", "y[1]", "y[2]"];

/// Tensors of a [`PointwiseConv`], of its element type; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct PointwiseConvBuffers<'a> {
    /// In: `[n, inputs, h, w]`.
    pub x: wgpu::BufferSlice<'a>,
    /// In: `[stack, outputs, inputs/groups]`.
    pub weights: wgpu::BufferSlice<'a>,
    /// In, if the options have a bias: `[stack, outputs]`.
    pub bias: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, outputs, h, w]` for each matrix of the stack, then `None`.
    pub y: [Option<wgpu::BufferSlice<'a>>; 3],
}

impl PointwiseConv {
    /// Compiles for tensors of type `element`.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidParameter`]: no channels, groups that don't divide them, a stack of 0 or above 3.
    /// - [`Error::LimitExceeded`]: more than 31,774 input channels in a group.
    /// - [`Error::MissingFeature`]: f16 on a device without it.
    pub fn new<'a>(
        compiler: impl Into<Compiler<'a>>,
        options: PointwiseConvOptions,
        element: Element,
    ) -> Result<Self, Error> {
        Self::new_within(OP, compiler.into(), options, element, element)
    }

    /// Like [`Self::new`], with outputs of type `inner` and errors under the name `op`.
    pub(crate) fn new_within(
        op: &'static str,
        compiler: Compiler<'_>,
        options: PointwiseConvOptions,
        element: Element,
        inner: Element,
    ) -> Result<Self, Error> {
        options.check(op)?;
        let kernel = |shader, lanes| {
            let build = Build {
                op,
                shader,
                variant: Variant { inner, ..Variant::new(element, lanes) },
                constants: &[
                    ("BIAS", f64::from(u8::from(options.bias))),
                    ("DEEP", f64::from(u8::from(deep(options.inputs / options.groups / lanes)))),
                ],
                workgroup: [64, 1, 1],
                workgroup_bytes: 0,
            };
            Kernel::new(compiler, &build)
        };
        let in_fours = (options.inputs / options.groups).is_multiple_of(4);
        Ok(Self {
            op,
            options,
            element,
            inner,
            kernel: kernel(&POINTWISE_CONV, 1)?,
            quads: in_fours.then(|| kernel(&POINTWISE_CONV_VEC4, 4)).transpose()?,
        })
    }

    /// The options it was compiled with.
    #[must_use]
    pub fn options(&self) -> &PointwiseConvOptions {
        &self.options
    }

    /// The tensors of one [`Self::bind`], in the order in which they are checked.
    ///
    /// # Errors
    ///
    /// Whatever [`Self::bind`] refuses about a shape.
    pub fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        let (op, options) = (self.op, &self.options);
        check::elements(op, "x", shape)?;
        if shape.channels != options.inputs {
            let needed = format!("{} channels", options.inputs);
            return Err(Error::InvalidShape { op, binding: "x", given: shape.to_string(), needed });
        }
        let y = Nchw { channels: options.outputs, ..shape };
        check::elements(op, "y", y)?;
        let PointwiseConvOptions { inputs, outputs, groups, stack, bias, .. } = *options;
        let mut specs = vec![
            TensorSpec::input("x", shape, self.element),
            TensorSpec::input("weights", [stack, outputs, inputs / groups], self.element),
        ];
        if bias {
            specs.push(TensorSpec::input("bias", [stack, outputs], self.element));
        }
        specs.extend(Y.into_iter().take(stack as usize).map(|name| TensorSpec::output(name, y, self.inner)));
        Ok(specs)
    }

    /// Checks the buffers against the shape of `x` and binds them.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidShape`]: the channels of `x` are not those of the options.
    /// - [`Error::InvalidParameter`]: a bias or an output that is missing, or that the options do not have.
    /// - [`Error::LimitExceeded`]: one image exceeds a binding of the device.
    /// - What [every operator refuses](crate#what-is-refused) about its buffers.
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        buffers: PointwiseConvBuffers<'_>,
    ) -> Result<Recording, Error> {
        let (op, options) = (self.op, &self.options);
        let specs = self.tensors(shape)?;
        let said = |there: bool| if there { "there" } else { "absent" };
        let mut expected = vec![("bias", options.bias, buffers.bias.is_some())];
        for (stack, (name, y)) in (0..).zip(Y.into_iter().zip(buffers.y)) {
            expected.push((name, stack < options.stack, y.is_some()));
        }
        if let Some(&(parameter, needed, given)) = expected.iter().find(|(_, needed, given)| needed != given) {
            let needed = format!("it {}, as its options say", said(needed));
            return Err(Error::InvalidParameter { op, parameter, given: said(given).into(), needed });
        }
        if shape.is_empty() {
            return Ok(Recording::default());
        }
        let pixels = shape.size().pixels();
        // The choice depends on one image alone, so results don't depend on the division of a batch.
        let (kernel, lanes) = match &self.quads {
            Some(quads) if pixels.is_multiple_of(4) => (quads, 4),
            _ => (&self.kernel, 1),
        };
        let pixels = pixels / u64::from(lanes);
        let (unit, out_unit) = (u64::from(options.inputs) * pixels, u64::from(options.outputs) * pixels);
        let (scalar, bytes, inner) =
            (self.element.bytes(), self.element.bytes() * u64::from(lanes), self.inner.bytes() * u64::from(lanes));
        let [y0, y1, y2] = buffers.y;
        let tensors = [
            Tensor::divided(buffers.x, unit, bytes),
            Tensor::whole(buffers.weights, options.weights().0 / u64::from(lanes), bytes),
            Tensor::whole(buffers.bias, options.biases().0, scalar),
            Tensor::divided(y0, out_unit, inner),
            Tensor::divided(y1, out_unit, inner),
            Tensor::divided(y2, out_unit, inner),
        ];
        let mut given = vec![("x", Some(buffers.x)), ("weights", Some(buffers.weights)), ("bias", buffers.bias)];
        given.extend(Y.into_iter().zip(buffers.y));
        check::slices(op, device, &specs, &given)?;
        check::to_u32(op, "elements of an image", unit.max(out_unit))?;
        let group_outputs = options.outputs / options.groups;
        let tiles = group_outputs.div_ceil(OUTPUTS);
        let rows = u64::from(options.stack) * u64::from(options.groups) * u64::from(tiles);
        let groups = [
            check::to_u32(op, "pixels", pixels.div_ceil(PIXELS / u64::from(lanes)))?,
            check::to_u32(op, "tiles of outputs", rows)?,
        ];
        let pixels = check::to_u32(op, "pixels", pixels)?;
        let flops = count(options.cost(Nchw { batch: 1, ..shape }, self.element, self.inner).flops);
        let dispatches = kernel.bind_costly(device, shape.batch, groups, flops, &tensors, None, |_| Params {
            pixels,
            inputs: options.inputs,
            outputs: options.outputs,
            groups: options.groups,
            group_inputs: options.inputs / options.groups / lanes,
            group_outputs,
            tiles,
            block: block(options.inputs / options.groups / lanes),
            ..Zeroable::zeroed()
        })?;
        Ok(Recording::new(dispatches))
    }

    /// What one run moves and computes. Parameters are weights and bias.
    #[must_use]
    pub fn cost(&self, shape: Nchw) -> Cost {
        self.options.cost(shape, self.element, self.inner)
    }
}
