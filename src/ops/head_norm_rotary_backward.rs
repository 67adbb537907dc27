//! The gradients of the norm of each head and of rotary positions.
//!
//! For each head, of `d` channels, at each position, with `r` the length that the forward operator divides by:
//!
//! ```text
//! t  = x / r
//! du = g turned back: by the angle -a                 for pairs of channels that turn
//! dt = du * weight * scale
//! dx = (dt - t * sum(dt * t) / d) / r                 HeadNorm::Rms
//!      (dt - t * sum(dt * t)) / r                     HeadNorm::L2, dt / eps for heads no longer than eps
//!      dt                                             HeadNorm::None
//! dweight = scale * sum of du * t                     over images, heads and positions
//! ```
//!
//! Sources: the chain rule of `RMSNorm` (Zhang and Sennrich 2019, arXiv:1910.07467, Eq. 4) and of rotary positions (Su et al. 2021,
//! arXiv:2104.09864, Eq. 34). The transpose of a rotation is the rotation by the negative angle. A head with `r = 0` has the gradient 0.
//!
//! # Example
//!
//! ```no_run
//! use visual_attention::host::Gpu;
//! use visual_attention::{
//!     Element, HeadNorm, HeadNormRotaryBackward, HeadNormRotaryBackwardBuffers, HeadNormRotaryOptions, Ncthw,
//! };
//!
//! let gpu = Gpu::open()?;
//! let options = HeadNormRotaryOptions::new(4).with_norm(HeadNorm::Rms).with_split([16, 24, 24]).with_scale(0.125);
//! let rotary = HeadNormRotaryBackward::new(&gpu.device, options, Element::F32)?;
//!
//! let [q, y_gradient] = [gpu.upload("q", &vec![0.5f32; 256 * 1568])?, gpu.upload("gradient", &vec![1f32; 256 * 1568])?];
//! let weight = gpu.upload("weight", &[1f32; 64])?;
//! let q_gradient = gpu.buffer("gradient of q", 256 * 1568 * 4)?;
//! let weight_gradient = gpu.buffer("gradient of the weight", 64 * 4)?;
//! let buffers = HeadNormRotaryBackwardBuffers {
//!     x: q.slice(..),
//!     weight: Some(weight.slice(..)),
//!     y_gradient: y_gradient.slice(..),
//!     x_gradient: Some(q_gradient.slice(..)),
//!     weight_gradient: Some(weight_gradient.slice(..)),
//! };
//! let recording = rotary.bind(&gpu.device, Ncthw::new(1, 256, 8, 14, 14), buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok::<(), visual_attention::Error>(())
//! ```
//!
//! # Tensors
//!
//! `x, y_gradient, x_gradient [n, heads*d, t, h, w]`, `weight [d]`, and `weight_gradient [d]` in f32 whatever the element type.
//! [`HeadNormRotaryBackward::tensors`] lists them. Nothing but the input of the forward operator is saved. A forward pass in place loses
//! that input, so training needs a separate output.
//!
//! `bind` makes the table of cosines and sines of the forward operator. For the gradient of the weight there is scratch: the lengths, 4
//! bytes for each head of each position if there is a norm, and `4*d` bytes for each head and each 4096 positions.
//!
//! # Errors and cost
//!
//! Each head of each position is computed by itself. The gradient of the weight sums tiles of 4096 positions of a head, and then these
//! sums in order, so the bits do not depend on how work is divided. One head of one image must fit a binding of the device.
//! [`HeadNormRotaryBackward::bind`] lists the errors. [`HeadNormRotaryBackward::cost`] counts eight operations for each channel that is
//! normalised, three for each that turns, and four for each product of the weight's gradient.
//!
//! Kernels [`HEAD_NORM_ROTARY_BACKWARD`](crate::shaders::HEAD_NORM_ROTARY_BACKWARD),
//! [`HEAD_NORM_ROTARY_BACKWARD_WEIGHT`](crate::shaders::HEAD_NORM_ROTARY_BACKWARD_WEIGHT) and
//! [`PART_SUM`](crate::shaders::PART_SUM); reference
//! [`reference::head_norm_rotary_backward`](crate::reference::head_norm_rotary_backward).

use bytemuck::Zeroable;

use crate::cost::count;
use crate::kernel::shader::{ELEMENTS, Shader, Variant, params, shader};
use crate::kernel::{Build, Compiler, Dispatch, Kernel, Tensor, check, rounds, tensor};
use crate::ops::head_norm_rotary::{HeadNorm, HeadNormRotaryOptions, Turns};
use crate::ops::part_sum::{PartSum, Parts};
use crate::{Cost, Element, Error, Ncthw, Recording, TensorSpec};

const OP: &str = "head_norm_rotary_backward";
/// Positions of a workgroup of the first kernel.
const GROUP: u32 = 64;
/// Positions whose share of the weight's gradient one workgroup sums.
const TILE: u32 = 4096;

params!(Params {
    origin: u32,
    x_base: u32,
    y_gradient_base: u32,
    x_gradient_base: u32,
    lengths_base: u32,
    with_weight: u32,
    with_x_gradient: u32,
    with_lengths: u32,
    head_dim: u32,
    height: u32,
    width: u32,
    positions: u32,
    frame_pairs: u32,
    row_pairs: u32,
    column_pairs: u32,
    first_row: u32,
    first_column: u32,
    norm: u32,
    epsilon: f32,
    scale: f32,
});

pub(crate) const HEAD_NORM_ROTARY_BACKWARD: Shader = shader!(
    "head_norm_rotary_backward",
    Params,
    ELEMENTS,
    &[],
    [x: Read, weight: Read, turns: Read, y_gradient: Read, x_gradient: Write, lengths: Write],
    ["head_norm", "rotary_backward", "blocked_sum"],
);

params!(WeightParams {
    origin_x: u32,
    origin_y: u32,
    x_base: u32,
    lengths_base: u32,
    y_gradient_base: u32,
    parts_base: u32,
    tiles: u32,
    head_dim: u32,
    height: u32,
    width: u32,
    positions: u32,
    frame_pairs: u32,
    row_pairs: u32,
    column_pairs: u32,
    first_row: u32,
    first_column: u32,
    norm: u32,
    epsilon: f32,
    scale: f32,
});

pub(crate) const HEAD_NORM_ROTARY_BACKWARD_WEIGHT: Shader = shader!(
    "head_norm_rotary_backward_weight",
    WeightParams,
    ELEMENTS,
    &[],
    [x: Read, lengths: Read, turns: Read, y_gradient: Read, parts: Write],
    ["head_norm", "rotary_backward", "blocked_sum"],
);

/// The gradients of [`HeadNormRotary`](crate::HeadNormRotary); the [page](self) has formulas and example.
#[derive(Clone, Debug)]
pub struct HeadNormRotaryBackward {
    options: HeadNormRotaryOptions,
    element: Element,
    heads: Kernel,
    weight: Kernel,
    part_sum: PartSum,
}

/// Tensors of a [`HeadNormRotaryBackward`]; each needs `BufferUsages::STORAGE`. All but the last have the operator's element type.
#[derive(Clone, Copy, Debug)]
pub struct HeadNormRotaryBackwardBuffers<'a> {
    /// In: `[n, heads*d, t, h, w]`, the input of the forward operator.
    pub x: wgpu::BufferSlice<'a>,
    /// In, optional: `[d]`, factors after the norm, the same for all heads.
    pub weight: Option<wgpu::BufferSlice<'a>>,
    /// In: `[n, heads*d, t, h, w]`, the gradient of the output.
    pub y_gradient: wgpu::BufferSlice<'a>,
    /// Out: `[n, heads*d, t, h, w]`.
    pub x_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[d]` f32. It does not depend on the weight, which may be absent.
    pub weight_gradient: Option<wgpu::BufferSlice<'a>>,
}

/// What both kernels need to know of a shape.
struct Work<'a> {
    shape: Ncthw,
    head_dim: u32,
    positions: u32,
    units: u32,
    turns: Turns,
    lengths: Option<wgpu::BufferSlice<'a>>,
}

impl HeadNormRotaryBackward {
    /// Compiles for tensors of type `element`. The options are those of the forward operator.
    ///
    /// # Errors
    ///
    /// As [`HeadNormRotary::new`](crate::HeadNormRotary::new).
    pub fn new<'a>(
        compiler: impl Into<Compiler<'a>>,
        options: HeadNormRotaryOptions,
        element: Element,
    ) -> Result<Self, Error> {
        options.check(OP)?;
        let compiler = compiler.into();
        let kernel = |shader, workgroup_bytes| {
            let (variant, workgroup) = (Variant::new(element, 1), [GROUP, 1, 1]);
            Kernel::new(compiler, &Build { op: OP, shader, variant, constants: &[], workgroup, workgroup_bytes })
        };
        let heads = kernel(&HEAD_NORM_ROTARY_BACKWARD, 0)?;
        let weight = kernel(&HEAD_NORM_ROTARY_BACKWARD_WEIGHT, 4 * GROUP)?;
        Ok(Self { options, element, heads, weight, part_sum: PartSum::new(OP, compiler)? })
    }

    /// The options it was compiled with.
    #[must_use]
    pub fn options(&self) -> &HeadNormRotaryOptions {
        &self.options
    }

    /// The tensors of one [`Self::bind`], in the order in which they are checked. `shape` is that of `x`.
    ///
    /// # Errors
    ///
    /// Whatever [`Self::bind`] refuses about a shape.
    pub fn tensors(&self, shape: impl Into<Ncthw>) -> Result<Vec<TensorSpec>, Error> {
        let shape = shape.into();
        let head_dim = self.options.check_shape(OP, shape)?;
        Ok(vec![
            TensorSpec::input("x", shape, self.element),
            TensorSpec::input("weight", [head_dim], self.element).optional(),
            TensorSpec::input("y_gradient", shape, self.element),
            TensorSpec::output("x_gradient", shape, self.element).optional(),
            TensorSpec::output("weight_gradient", [head_dim], Element::F32).optional(),
        ])
    }

    /// Checks the buffers against the shape of `x` and binds them. Gradients that are not given are not computed. Of an empty `x`, the
    /// gradient of the weight is 0.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidShape`]: channels that the heads do not divide, or fewer in a head than the split has.
    /// - [`Error::LimitExceeded`]: one head of one image exceeds a binding of the device; a head of more than 10,699 channels; more than
    ///   31,774 tiles of the weight's gradient.
    /// - What [every operator refuses](crate#what-is-refused) about its buffers.
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: impl Into<Ncthw>,
        buffers: HeadNormRotaryBackwardBuffers<'_>,
    ) -> Result<Recording, Error> {
        let (shape, options) = (shape.into(), &self.options);
        let specs = self.tensors(shape)?;
        let HeadNormRotaryBackwardBuffers { x, weight, y_gradient, x_gradient, weight_gradient } = buffers;
        let head_dim = shape.channels / options.heads;
        let given = [
            ("x", Some(x)),
            ("weight", weight),
            ("y_gradient", Some(y_gradient)),
            ("x_gradient", x_gradient),
            ("weight_gradient", weight_gradient),
        ];
        check::slices(OP, device, &specs, &given)?;
        if head_dim == 0 || (x_gradient.is_none() && weight_gradient.is_none()) {
            return Ok(Recording::default());
        }
        if shape.is_empty() {
            return self.part_sum.zeros(device, &specs, &given);
        }
        // Squares, then products with the normalised channels, then every channel.
        rounds::check(OP, 2 * rounds::summed(head_dim.into()) + u64::from(head_dim))?;
        let positions = check::to_u32(OP, "positions of a head", shape.positions())?;
        let units = check::to_u32(OP, "heads of all images", u64::from(shape.batch) * u64::from(options.heads))?;
        check::to_u32(OP, "elements of a head", shape.positions().saturating_mul(head_dim.into()))?;

        let with_lengths = weight_gradient.is_some() && options.norm != HeadNorm::None;
        let bytes = 4 * u64::from(units) * u64::from(positions);
        let lengths = with_lengths.then(|| tensor::scratch(OP, device, "lengths", bytes)).transpose()?;
        let lengths = lengths.as_ref().map(|buffer| buffer.slice(..));
        let turns = Turns::new(OP, device, options, shape)?;
        let work = Work { shape, head_dim, positions, units, turns, lengths };
        let mut dispatches = Vec::new();
        if x_gradient.is_some() || with_lengths {
            dispatches.extend(self.bind_heads(device, &work, &buffers)?);
        }
        if let Some(total) = weight_gradient {
            dispatches.extend(self.bind_weight(device, &work, &buffers, total)?);
        }
        Ok(Recording::new(dispatches))
    }

    fn bind_heads(
        &self,
        device: &wgpu::Device,
        work: &Work<'_>,
        buffers: &HeadNormRotaryBackwardBuffers<'_>,
    ) -> Result<Vec<Dispatch>, Error> {
        let Work { shape, head_dim, positions, units, ref turns, lengths } = *work;
        let (options, pairs) = (&self.options, self.options.pairs());
        let head =
            |slice: Option<_>| Tensor::divided(slice, u64::from(head_dim) * u64::from(positions), self.element.bytes());
        let tensors = [
            head(Some(buffers.x)),
            Tensor::whole(buffers.weight, head_dim.into(), self.element.bytes()),
            turns.tensor(),
            head(Some(buffers.y_gradient)),
            head(buffers.x_gradient),
            Tensor::divided(lengths, positions.into(), 4),
        ];
        self.heads.bind(device, units, [positions.div_ceil(GROUP), 1], &tensors, None, |_| Params {
            with_weight: buffers.weight.is_some().into(),
            with_x_gradient: buffers.x_gradient.is_some().into(),
            with_lengths: lengths.is_some().into(),
            head_dim,
            height: shape.height,
            width: shape.width,
            positions,
            frame_pairs: pairs[0],
            row_pairs: pairs[1],
            column_pairs: pairs[2],
            first_row: turns.first_row,
            first_column: turns.first_column,
            norm: options.norm.code(),
            // The kernel compares bits, and -0.0 has large ones.
            epsilon: options.epsilon.abs(),
            scale: options.scale,
            ..Zeroable::zeroed()
        })
    }

    fn bind_weight(
        &self,
        device: &wgpu::Device,
        work: &Work<'_>,
        buffers: &HeadNormRotaryBackwardBuffers<'_>,
        total: wgpu::BufferSlice<'_>,
    ) -> Result<Vec<Dispatch>, Error> {
        let Work { shape, head_dim, positions, units, ref turns, lengths } = *work;
        let (options, pairs) = (&self.options, self.options.pairs());
        let tiles = positions.div_ceil(TILE);
        let parts = Parts::new(u64::from(units) * u64::from(tiles), head_dim.into());
        // Before the scratch is created.
        rounds::check(OP, rounds::summed(parts.count))?;
        let unit = u64::from(tiles) * u64::from(head_dim);
        let sums = tensor::scratch(OP, device, "sums of tiles", 4 * u64::from(units) * unit)?;
        let head = |slice| Tensor::divided(slice, u64::from(head_dim) * u64::from(positions), self.element.bytes());
        let tensors = [
            head(buffers.x),
            Tensor::divided(lengths, positions.into(), 4),
            turns.tensor(),
            head(buffers.y_gradient),
            Tensor::divided(sums.slice(..), unit, 4),
        ];
        let mut dispatches = self.weight.bind(device, units, [tiles, head_dim], &tensors, None, |_| WeightParams {
            tiles,
            head_dim,
            height: shape.height,
            width: shape.width,
            positions,
            frame_pairs: pairs[0],
            row_pairs: pairs[1],
            column_pairs: pairs[2],
            first_row: turns.first_row,
            first_column: turns.first_column,
            norm: options.norm.code(),
            epsilon: options.epsilon.abs(),
            scale: options.scale,
            ..Zeroable::zeroed()
        })?;
        dispatches.extend(self.part_sum.dispatches(device, parts, Some(sums.slice(..)), total)?);
        Ok(dispatches)
    }

    /// What one run moves and computes, with a weight and both gradients.
    #[must_use]
    pub fn cost(&self, shape: impl Into<Ncthw>) -> Cost {
        let (shape, options) = (shape.into(), &self.options);
        let elements = count(shape.elements());
        let heads = count(u64::from(shape.batch)) * count(u64::from(options.heads));
        let turned: u64 = options.split.iter().map(|&split| u64::from(split)).sum();
        let turned = heads * count(shape.positions()) * count(turned);
        let weights = count(u64::from(shape.channels / options.heads));
        let normalised = if options.norm == HeadNorm::None { count(1) } else { count(8) };
        Cost::new(
            (count(3) * elements + weights) * count(self.element.bytes()) + weights * count(4),
            (normalised + count(4)) * elements + count(6) * turned,
            weights,
        )
    }
}
