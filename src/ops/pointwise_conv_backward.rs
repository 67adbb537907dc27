//! The gradients of a pointwise convolution with respect to its input, weights and bias.
//!
//! ```text
//! dx[n, c, p]   = sum over s, o of weights[s, o, c] * dy[s][n, o, p]      over the outputs o of the group of c
//! dw[s, o, c]   = sum over n, p of dy[s][n, o, p] * x[n, c, p]            c within the group of o
//! db[s, o]      = sum over n, p of dy[s][n, o, p]
//! ```
//!
//! Source: the chain rule of the projections of Stand-Alone Self-Attention (Ramachandran et al. 2019, arXiv:1906.05909, Sec. 3.1).
//!
//! # Example
//!
//! ```no_run
//! use visual_attention::{
//!     Element, Nchw, PointwiseConvBackward, PointwiseConvBackwardBuffers, PointwiseConvOptions,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let gpu = visual_attention::host::Gpu::open()?;
//! let operator = PointwiseConvBackward::new(&gpu.device, PointwiseConvOptions::new(64, 128), Element::F32)?;
//!
//! let x = gpu.upload("x", &vec![0.5f32; 64 * 32 * 32])?;
//! let weights = gpu.upload("weights", &vec![0.1f32; 128 * 64])?;
//! let y_gradient = gpu.upload("gradient of y", &vec![1.0f32; 128 * 32 * 32])?;
//! let x_gradient = gpu.buffer("gradient of x", 64 * 32 * 32 * 4)?;
//! let weights_gradient = gpu.buffer("gradient of the weights", 128 * 64 * 4)?;
//! let buffers = PointwiseConvBackwardBuffers {
//!     x: Some(x.slice(..)),
//!     weights: Some(weights.slice(..)),
//!     y_gradient: [Some(y_gradient.slice(..)), None, None],
//!     x_gradient: Some(x_gradient.slice(..)),
//!     weights_gradient: Some(weights_gradient.slice(..)),
//!     bias_gradient: None,
//! };
//! let recording = operator.bind(&gpu.device, Nchw::new(1, 64, 32, 32), buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok(())
//! # }
//! ```
//!
//! # Order and memory
//!
//! One dispatch computes `dx`. Two compute `dw` and `db`: the pixels of each image are summed in slices of 4,096, and the slices in order.
//! If the slices would take more than 64 MiB, they are up to four times as long. Scratch holds `stack * outputs * (inputs/groups + 1)`
//! numbers of f32 for each slice, so it grows with pixels and weights. With a single slice there is none.
//!
//! Gradients of weights and bias are f32, also if the tensors are f16. Gradients of 16-bit tensors below 6e-8 become zero: scale the loss.
//! [`PointwiseConvBackward::bind`] lists the errors, [`PointwiseConvBackward::cost`] counts bytes and operations.
//!
//! Kernels [`POINTWISE_CONV_BACKWARD_X`](crate::shaders::POINTWISE_CONV_BACKWARD_X),
//! [`POINTWISE_CONV_BACKWARD_WEIGHTS`](crate::shaders::POINTWISE_CONV_BACKWARD_WEIGHTS) and [`PART_SUM`](crate::shaders::PART_SUM);
//! reference [`reference::pointwise_conv_backward`](crate::reference::pointwise_conv_backward).

use bytemuck::Zeroable;

use crate::cost::count;
use crate::kernel::rounds::MAX_ROUNDS;
use crate::kernel::shader::{INNER, NO_OR_YES, Shader, Variant, group, params, shader};
use crate::kernel::tensor::Between;
use crate::kernel::{Build, Compiler, Dispatch, Kernel, Tensor, check};
use crate::ops::part_sum::{PartSum, Parts};
use crate::ops::pointwise_conv::{PointwiseConvOptions, block, deep};
use crate::{Cost, Element, Error, Nchw, Recording, TensorSpec};

const OP: &str = "pointwise_conv_backward";
/// Pixels of a workgroup of the first kernel.
const PIXELS: u64 = 256;
/// Inputs of one invocation of the first kernel.
const INPUTS: u32 = 8;
/// Rows and columns of a workgroup of the second kernel.
const TILE: u64 = 32;
/// Pixels that are summed before their sum goes to scratch.
const SLICE: u64 = 4096;
/// Bytes of scratch above which slices are longer, and how many times at most.
const MOST_SCRATCH: u64 = 64 << 20;
const LONGEST: u64 = 4;
// Iterations of one invocation: for each stage two loops, four iterations of the first, and the pixels.
const _: () = assert!(LONGEST * SLICE / 32 * (2 + 4 + 32) <= MAX_ROUNDS);

params!(XParams {
    origin_x: u32,
    origin_y: u32,
    dy0_base: u32,
    dy1_base: u32,
    dy2_base: u32,
    dx_base: u32,
    pixels: u32,
    stack: u32,
    inputs: u32,
    outputs: u32,
    group_inputs: u32,
    group_outputs: u32,
    tiles: u32,
    block: u32,
});

pub(crate) const POINTWISE_CONV_BACKWARD_X: Shader = shader!(
    "pointwise_conv_backward_x",
    XParams,
    INNER,
    &[group(&["DEEP"], NO_OR_YES)],
    [dy0: Read, dy1: Read, dy2: Read, weights: Read, dx: Write],
    [],
);

params!(WeightsParams {
    origin_x: u32,
    origin_y: u32,
    x_base: u32,
    dy0_base: u32,
    dy1_base: u32,
    dy2_base: u32,
    parts_base: u32,
    pixels: u32,
    inputs: u32,
    outputs: u32,
    groups: u32,
    group_inputs: u32,
    group_outputs: u32,
    row_tiles: u32,
    column_tiles: u32,
    first: u32,
    end: u32,
    slice: u32,
    slices: u32,
    rows: u32,
});

pub(crate) const POINTWISE_CONV_BACKWARD_WEIGHTS: Shader = shader!(
    "pointwise_conv_backward_weights",
    WeightsParams,
    INNER,
    &[],
    [x: Read, dy0: Read, dy1: Read, dy2: Read, parts: Write],
    [],
);

/// The gradients of a [`PointwiseConv`](crate::PointwiseConv); the [page](self) has formula and example.
#[derive(Clone, Debug)]
pub struct PointwiseConvBackward {
    op: &'static str,
    options: PointwiseConvOptions,
    element: Element,
    inner: Element,
    x: Kernel,
    weights: Kernel,
    part_sum: PartSum,
}

/// Names of the gradients of the outputs.
const Y: [&str; 3] = ["y[0]_gradient", "y[1]_gradient", "y[2]_gradient"];

/// Tensors of a [`PointwiseConvBackward`]; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct PointwiseConvBackwardBuffers<'a> {
    /// In: `[n, inputs, h, w]`, the operator's element type. Needed for `weights_gradient`.
    pub x: Option<wgpu::BufferSlice<'a>>,
    /// In: `[stack, outputs, inputs/groups]`, the operator's element type. Needed for `x_gradient`.
    pub weights: Option<wgpu::BufferSlice<'a>>,
    /// In: `[n, outputs, h, w]` for each matrix of the stack, the operator's element type; then `None`.
    pub y_gradient: [Option<wgpu::BufferSlice<'a>>; 3],
    /// Out: `[n, inputs, h, w]`, the operator's element type.
    pub x_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[stack, outputs, inputs/groups]` f32.
    pub weights_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[stack, outputs]` f32.
    pub bias_gradient: Option<wgpu::BufferSlice<'a>>,
}

impl PointwiseConvBackward {
    /// Compiles for tensors of type `element`. The options are those of the forward operator.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidParameter`]: no channels, groups that don't divide them, a stack of 0 or above 3.
    /// - [`Error::LimitExceeded`]: more than 31,774 input channels in a group, or outputs of all stacks in a group.
    /// - [`Error::MissingFeature`]: f16 on a device without it.
    pub fn new<'a>(
        compiler: impl Into<Compiler<'a>>,
        options: PointwiseConvOptions,
        element: Element,
    ) -> Result<Self, Error> {
        Self::new_within(OP, compiler.into(), options, element, element)
    }

    /// Like [`Self::new`], with upstream gradients of type `inner` and errors under the name `op`.
    pub(crate) fn new_within(
        op: &'static str,
        compiler: Compiler<'_>,
        options: PointwiseConvOptions,
        element: Element,
        inner: Element,
    ) -> Result<Self, Error> {
        options.check(op)?;
        let transposed = PointwiseConvOptions { inputs: options.outputs, outputs: options.inputs, ..options };
        transposed.check(op)?;
        let variant = Variant { inner, ..Variant::new(element, 1) };
        let build = |shader, constants, workgroup_bytes| {
            let workgroup = [64, 1, 1];
            Kernel::new(compiler, &Build { op, shader, variant, constants, workgroup, workgroup_bytes })
        };
        let rounds = options.outputs / options.groups;
        let deep = [("DEEP", f64::from(u8::from(deep(rounds.saturating_mul(options.stack)))))];
        Ok(Self {
            op,
            options,
            element,
            inner,
            x: build(&POINTWISE_CONV_BACKWARD_X, &deep, 0)?,
            weights: build(&POINTWISE_CONV_BACKWARD_WEIGHTS, &[], 8 << 10)?,
            part_sum: PartSum::new(op, compiler)?,
        })
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
        let weights = [stack, outputs, inputs / groups];
        let mut specs = vec![
            TensorSpec::input("x", shape, self.element).optional(),
            TensorSpec::input("weights", weights, self.element).optional(),
        ];
        specs.extend(Y.into_iter().take(stack as usize).map(|name| TensorSpec::input(name, y, self.inner)));
        specs.push(TensorSpec::output("x_gradient", shape, self.element).optional());
        specs.push(TensorSpec::output("weights_gradient", weights, Element::F32).optional());
        if bias {
            specs.push(TensorSpec::output("bias_gradient", [stack, outputs], Element::F32).optional());
        }
        Ok(specs)
    }

    /// Checks the buffers against the shape of `x` and binds them. What is not wanted is not computed.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidShape`]: the channels of `x` are not those of the options.
    /// - [`Error::InvalidParameter`]: a gradient of an output is missing, or is one that the options do not have; `x` or `weights` is
    ///   missing and a wanted gradient needs it.
    /// - [`Error::LimitExceeded`]: one image exceeds a binding of the device, or so do the sums of the slices.
    /// - What [every operator refuses](crate#what-is-refused) about its buffers.
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        buffers: PointwiseConvBackwardBuffers<'_>,
    ) -> Result<Recording, Error> {
        let (op, specs) = (self.op, self.tensors(shape)?);
        let PointwiseConvBackwardBuffers { x, weights, y_gradient, x_gradient, weights_gradient, bias_gradient } =
            buffers;
        let mut given = vec![
            ("x", x),
            ("weights", weights),
            ("x_gradient", x_gradient),
            ("weights_gradient", weights_gradient),
            ("bias_gradient", bias_gradient),
        ];
        given.extend(Y.into_iter().zip(y_gradient));
        check::slices(op, device, &specs, &given)?;
        let reason = "a gradient that is wanted is computed from it";
        check::presence(op, "weights", weights.is_some(), weights.is_some() || x_gradient.is_some(), reason)?;
        check::presence(op, "x", x.is_some(), x.is_some() || weights_gradient.is_some(), reason)?;
        if shape.is_empty() {
            return self.part_sum.zeros(device, &specs, &given);
        }
        let mut dispatches = Vec::new();
        if x_gradient.is_some() {
            dispatches.extend(self.bind_x(device, shape, &buffers)?);
        }
        if weights_gradient.is_some() || bias_gradient.is_some() {
            dispatches.extend(self.bind_weights(device, shape, &buffers)?);
        }
        Ok(Recording::new(dispatches))
    }

    fn bind_x(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        buffers: &PointwiseConvBackwardBuffers<'_>,
    ) -> Result<Vec<Dispatch>, Error> {
        let (op, options, pixels) = (self.op, &self.options, shape.size().pixels());
        let (inputs, outputs) = (u64::from(options.inputs) * pixels, u64::from(options.outputs) * pixels);
        check::to_u32(op, "elements of an image", inputs.max(outputs))?;
        let upstream = buffers.y_gradient.map(|slice| Tensor::divided(slice, outputs, self.inner.bytes()));
        let tensors = [
            upstream[0],
            upstream[1],
            upstream[2],
            Tensor::whole(buffers.weights, options.weights().0, self.element.bytes()),
            Tensor::divided(buffers.x_gradient, inputs, self.element.bytes()),
        ];
        let (group_inputs, group_outputs) = (options.inputs / options.groups, options.outputs / options.groups);
        let tiles = group_inputs.div_ceil(INPUTS);
        let groups = [
            check::to_u32(op, "pixels", pixels.div_ceil(PIXELS))?,
            check::to_u32(op, "tiles of inputs", u64::from(options.groups) * u64::from(tiles))?,
        ];
        let pixels = check::to_u32(op, "pixels", pixels)?;
        let flops = self.products(Nchw { batch: 1, ..shape });
        self.x.bind_costly(device, shape.batch, groups, flops, &tensors, None, |_| XParams {
            pixels,
            stack: options.stack,
            inputs: options.inputs,
            outputs: options.outputs,
            group_inputs,
            group_outputs,
            tiles,
            block: block(group_outputs.saturating_mul(options.stack)),
            ..Zeroable::zeroed()
        })
    }

    fn bind_weights(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        buffers: &PointwiseConvBackwardBuffers<'_>,
    ) -> Result<Vec<Dispatch>, Error> {
        let PointwiseConvBackwardBuffers { weights_gradient, bias_gradient, .. } = *buffers;
        let (op, options, pixels) = (self.op, &self.options, shape.size().pixels());
        let (inputs, outputs) = (u64::from(options.inputs) * pixels, u64::from(options.outputs) * pixels);
        check::to_u32(op, "elements of an image", inputs.max(outputs))?;
        let (group_inputs, group_outputs) = (options.inputs / options.groups, options.outputs / options.groups);
        let first = if weights_gradient.is_some() { 0 } else { group_inputs };
        let end = group_inputs + u32::from(bias_gradient.is_some());
        let columns = u64::from(end - first);
        let rows = u64::from(options.stack) * u64::from(options.outputs);
        let slice = slice(pixels, u64::from(shape.batch), rows * columns);
        let slices = pixels.div_ceil(slice);
        let parts = slices * u64::from(shape.batch);
        // One part is the sum, if all of it is wanted in one tensor.
        let alone = (parts == 1).then(|| weights_gradient.xor(bias_gradient)).flatten();
        let scratch = parts.saturating_mul(rows).saturating_mul(columns).saturating_mul(4);
        let partial = Between::new(alone, op, device, "sums of slices", scratch)?;
        let upstream = buffers.y_gradient.map(|slice| Tensor::divided(slice, outputs, self.inner.bytes()));
        let tensors = [
            // The bias alone reads no features.
            Tensor::divided(buffers.x.filter(|_| first == 0), inputs, self.element.bytes()),
            upstream[0],
            upstream[1],
            upstream[2],
            Tensor::divided(partial.slice(), slices * rows * columns, 4),
        ];
        let row_tiles = u64::from(group_outputs).div_ceil(TILE);
        let column_tiles = columns.div_ceil(TILE);
        let tiles = u64::from(options.stack) * u64::from(options.groups) * row_tiles * column_tiles;
        let number = |value| check::to_u32(op, "slices and tiles", value);
        let params = WeightsParams {
            pixels: number(pixels)?,
            inputs: options.inputs,
            outputs: options.outputs,
            groups: options.groups,
            group_inputs,
            group_outputs,
            row_tiles: number(row_tiles)?,
            column_tiles: number(column_tiles)?,
            first,
            end,
            slice: number(slice)?,
            slices: number(slices)?,
            rows: number(rows)?,
            ..Zeroable::zeroed()
        };
        let flops = self.products(Nchw { batch: 1, ..shape });
        let groups = [number(tiles)?, number(slices)?];
        let mut dispatches =
            self.weights.bind_costly(device, shape.batch, groups, flops, &tensors, None, |_| params)?;
        if alone.is_some() {
            return Ok(dispatches);
        }
        let all = Parts { count: parts, rows, row_length: columns, first: 0, columns };
        let wanted = [
            (weights_gradient, Parts { columns: u64::from(group_inputs), ..all }),
            (bias_gradient, Parts { first: columns - 1, columns: 1, ..all }),
        ];
        for (total, part) in wanted {
            if let Some(total) = total {
                dispatches.extend(self.part_sum.dispatches(device, part, Some(partial.slice()), total)?);
            }
        }
        Ok(dispatches)
    }

    /// Operations of one of the two products: as many as those of the forward operator.
    fn products(&self, shape: Nchw) -> crate::cost::Count {
        count(self.options.with_bias(false).cost(shape, self.element, self.inner).flops)
    }

    /// What one run moves and computes if all gradients are wanted. The upstream gradients are read twice, the features and the weights
    /// once.
    #[must_use]
    pub fn cost(&self, shape: Nchw) -> Cost {
        let (options, pixels) = (&self.options, count(shape.plane().elements()));
        let (weights, biases) = (options.weights(), options.biases());
        let upstream = pixels * count(u64::from(options.stack) * u64::from(options.outputs));
        let features = pixels * count(u64::from(options.inputs));
        let (element, inner) = (count(self.element.bytes()), count(self.inner.bytes()));
        let bytes = count(2) * upstream * inner
            + count(2) * features * element
            + weights * (element + count(4))
            + biases * count(4);
        Cost::new(bytes, count(2) * self.products(shape), weights)
    }
}

/// Pixels of a slice of one image.
fn slice(pixels: u64, images: u64, sums: u64) -> u64 {
    let parts = images.saturating_mul(pixels.div_ceil(SLICE));
    let times = parts.saturating_mul(sums).saturating_mul(4).div_ceil(MOST_SCRATCH);
    (SLICE * times.clamp(1, LONGEST)).min(pixels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_longer_where_their_sums_take_much_memory() {
        assert_eq!(slice(49, 1, 1 << 20), 49);
        assert_eq!(slice(112 * 112, 1, 256 * 256), SLICE);
        assert_eq!(slice(512 * 512, 1, 512 * 512), SLICE);
        assert_eq!(slice(512 * 512, 8, 256 * 256), 2 * SLICE);
        assert_eq!(slice(1 << 22, 8, 1 << 20), 4 * SLICE);
    }
}
