//! Norm of each head and rotary positions, for queries and keys before an attention.
//!
//! For each head, of `d` channels, at each position:
//!
//! ```text
//! t = x / sqrt(mean of x^2 + eps)     HeadNorm::Rms
//!  or x / max(|x|, eps)               HeadNorm::L2
//!  or x                               HeadNorm::None
//! u = t * weight * scale
//! y(2j), y(2j+1) = u(2j) cos a - u(2j+1) sin a,  u(2j) sin a + u(2j+1) cos a
//! ```
//!
//! The channels of a head are split among the axes: the first `split[0]` turn by the frame, the next `split[1]` by the row, the next
//! `split[2]` by the column, and the rest do not turn. Pair `j` of the `s` channels of an axis turns by `a = p * base^(-2j/s)` at position
//! `p`, counted from [`first`](HeadNormRotaryOptions::first).
//!
//! Sources: `RMSNorm` (Zhang and Sennrich 2019, arXiv:1910.07467, Eq. 4); rotary positions of `RoFormer` (Su et al. 2021,
//! arXiv:2104.09864, Eq. 34), here over several axes.
//!
//! ```no_run
//! use visual_attention::{Element, HeadNormRotary, HeadNormRotaryBuffers, HeadNormRotaryOptions, HeadNorm, Ncthw};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let gpu = visual_attention::host::Gpu::open()?;
//! // Queries of 4 heads of 64 channels. In each head, 16 channels turn by the frame.
//! let options = HeadNormRotaryOptions::new(4).with_norm(HeadNorm::Rms).with_split([16, 24, 24]).with_scale(0.125);
//! let rotary = HeadNormRotary::new(&gpu.device, options, Element::F32)?;
//!
//! let q = gpu.upload("q", &vec![0.5f32; 256 * 8 * 14 * 14])?;
//! let weight = gpu.upload("weight", &[1f32; 64])?;
//! let buffers = HeadNormRotaryBuffers { x: q.slice(..), weight: Some(weight.slice(..)), y: q.slice(..) }; // in place
//! let recording = rotary.bind(&gpu.device, Ncthw::new(1, 256, 8, 14, 14), buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok(())
//! # }
//! ```
//!
//! # Tensors
//!
//! `x, y [n, heads*d, t, h, w]`, where `y` may be `x`, and the optional `weight [d]`. An image has one frame.
//! [`HeadNormRotary::tensors`] lists them. `bind` computes the cosines and sines in f64, and stores them in f32 in a buffer of its own:
//! two numbers for each position of an axis and each pair of its channels.
//!
//! # Errors and cost
//!
//! Work is divided over the heads of all images, so one head of one image must fit a binding of the device.
//! [`HeadNormRotary::cost`] counts four operations for each channel that is normalised, and three for each that turns.
//!
//! Kernel [`HEAD_NORM_ROTARY`](crate::shaders::HEAD_NORM_ROTARY); reference
//! [`reference::head_norm_rotary`](crate::reference::head_norm_rotary).

use bytemuck::Zeroable;

use crate::cost::count;
use crate::kernel::shader::{ELEMENTS, Shader, Variant, params, shader};
use crate::kernel::{Build, Compiler, Kernel, Tensor, check, rounds, tensor};
use crate::names::names;
use crate::{Cost, Element, Error, Ncthw, Recording, TensorSpec};

const OP: &str = "head_norm_rotary";
/// Positions of a workgroup.
const GROUP: u32 = 64;

params!(Params {
    origin: u32,
    x_base: u32,
    y_base: u32,
    in_place: u32,
    with_weight: u32,
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

pub(crate) const HEAD_NORM_ROTARY: Shader = shader!(
    "head_norm_rotary",
    Params,
    ELEMENTS,
    &[],
    [x: Read, weight: Read, turns: Read, y: Write],
    ["head_norm", "blocked_sum"],
);

/// How a head is normalised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HeadNorm {
    /// Not at all.
    #[default]
    None,
    /// By the root of its mean square.
    Rms,
    /// By its length.
    L2,
}

names!(HeadNorm, "norm", None = "none", Rms = "rms", L2 = "l2");

impl HeadNorm {
    /// As the kernels number it.
    pub(crate) const fn code(self) -> u32 {
        match self {
            Self::None => 0,
            Self::Rms => 1,
            Self::L2 => 2,
        }
    }
}

/// Options of a [`HeadNormRotary`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct HeadNormRotaryOptions {
    /// Heads; channels `g*d .. (g+1)*d` belong to head `g`.
    pub heads: u32,
    /// The norm.
    pub norm: HeadNorm,
    /// Added under the root by [`HeadNorm::Rms`]; the least length of [`HeadNorm::L2`].
    pub epsilon: f32,
    /// Factor after the norm: often `1/sqrt(d)` for queries.
    pub scale: f32,
    /// Channels of a head that turn by the frame, the row and the column: even numbers.
    pub split: [u32; 3],
    /// Base of the angles.
    pub base: f32,
    /// Position of the first frame, row and column: a frame of a stream, or a tile of an image, is not the first.
    pub first: [u32; 3],
}

impl HeadNormRotaryOptions {
    /// No norm and no rotation, epsilon 1e-6, scale 1, base 10,000.
    #[must_use]
    pub const fn new(heads: u32) -> Self {
        Self { heads, norm: HeadNorm::None, epsilon: 1e-6, scale: 1.0, split: [0; 3], base: 10_000.0, first: [0; 3] }
    }

    /// With this norm.
    #[must_use]
    pub const fn with_norm(self, norm: HeadNorm) -> Self {
        Self { norm, ..self }
    }

    /// With this epsilon.
    #[must_use]
    pub const fn with_epsilon(self, epsilon: f32) -> Self {
        Self { epsilon, ..self }
    }

    /// With this factor after the norm.
    #[must_use]
    pub const fn with_scale(self, scale: f32) -> Self {
        Self { scale, ..self }
    }

    /// With these channels turned by the frame, the row and the column.
    #[must_use]
    pub const fn with_split(self, split: [u32; 3]) -> Self {
        Self { split, ..self }
    }

    /// With this base of the angles.
    #[must_use]
    pub const fn with_base(self, base: f32) -> Self {
        Self { base, ..self }
    }

    /// With these positions of the first frame, row and column.
    #[must_use]
    pub const fn with_first(self, first: [u32; 3]) -> Self {
        Self { first, ..self }
    }

    /// Checks what does not depend on a shape.
    pub(crate) fn check(&self, op: &'static str) -> Result<(), Error> {
        let refuse = |parameter, given: String, needed: &str| {
            Err(Error::InvalidParameter { op, parameter, given, needed: needed.into() })
        };
        if self.heads == 0 {
            return refuse("heads", "0".into(), "at least 1");
        }
        if self.split.iter().any(|split| split % 2 == 1) {
            return refuse("split", format!("{:?}", self.split), "even numbers for frames, rows and columns");
        }
        for (parameter, value, positive) in [("epsilon", self.epsilon, false), ("base", self.base, true)] {
            if !value.is_finite() || value < 0.0 || positive && value == 0.0 {
                return refuse(parameter, value.to_string(), if positive { "above 0" } else { "0 or more" });
            }
        }
        check::finite(op, "scale", self.scale).map(|_| ())
    }

    /// Checks the shape of `x`: the channels of a head.
    pub(crate) fn check_shape(&self, op: &'static str, shape: Ncthw) -> Result<u32, Error> {
        check::elements(op, "x", shape)?;
        let refuse = |needed| Err(Error::InvalidShape { op, binding: "x", given: shape.to_string(), needed });
        if !shape.channels.is_multiple_of(self.heads) {
            return refuse(format!("a multiple of {} channels, one share for each head", self.heads));
        }
        let head_dim = shape.channels / self.heads;
        let turned: u64 = self.split.iter().map(|&split| u64::from(split)).sum();
        if shape.channels > 0 && turned > u64::from(head_dim) {
            return refuse(format!("at least {turned} channels for each head, those of the split"));
        }
        Ok(head_dim)
    }

    /// Pairs of channels that turn, for each axis.
    pub(crate) fn pairs(&self) -> [u32; 3] {
        self.split.map(|split| split / 2)
    }

    /// Cosines and sines of one axis: a pair of numbers for each position and pair of channels.
    fn turns(&self, axis: usize, extent: u32) -> impl Iterator<Item = [f32; 2]> {
        let (split, base, first) = (self.split[axis], f64::from(self.base), f64::from(self.first[axis]));
        (0..extent).flat_map(move |position| {
            (0..split / 2).map(move |pair| {
                let angle = (first + f64::from(position)) * base.powf(-f64::from(2 * pair) / f64::from(split));
                [angle.cos() as f32, angle.sin() as f32]
            })
        })
    }
}

/// The cosines and sines of a shape, on the GPU.
#[derive(Debug)]
pub(crate) struct Turns {
    /// `None` if nothing turns.
    buffer: Option<wgpu::Buffer>,
    pairs: u64,
    /// Where those of the rows and of the columns begin.
    pub(crate) first_row: u32,
    pub(crate) first_column: u32,
}

impl Turns {
    /// For an `x` of this shape, whose elements of a head fit `u32`.
    pub(crate) fn new(
        op: &'static str,
        device: &wgpu::Device,
        options: &HeadNormRotaryOptions,
        shape: Ncthw,
    ) -> Result<Self, Error> {
        let (pairs, extents) = (options.pairs(), [shape.frames, shape.height, shape.width]);
        // No table is larger than a head, whose elements were counted.
        let [frames, rows, columns] = [0, 1, 2].map(|axis| extents[axis] * pairs[axis]);
        let pairs = u64::from(frames) + u64::from(rows) + u64::from(columns);
        tensor::checked_size(op, device, 8 * pairs)?;
        let turns: Vec<[f32; 2]> = (0..3).flat_map(|axis| options.turns(axis, extents[axis])).collect();
        let buffer = match turns.as_slice() {
            [] => None,
            turns => {
                let contents = bytemuck::cast_slice(turns);
                Some(tensor::filled(op, device, "turns", contents, wgpu::BufferUsages::STORAGE)?)
            }
        };
        Ok(Self { buffer, pairs, first_row: frames, first_column: frames + rows })
    }

    pub(crate) fn tensor(&self) -> Tensor<'_> {
        Tensor::whole(self.buffer.as_ref().map(|buffer| buffer.slice(..)), self.pairs, 8)
    }
}

/// Norm of each head and rotary positions; the [page](self) has formula and example.
#[doc(alias = "RMSNorm")]
#[doc(alias = "RoPE")]
#[doc(alias = "rotary position embedding")]
#[doc(alias = "QK norm")]
#[derive(Clone, Debug)]
pub struct HeadNormRotary {
    options: HeadNormRotaryOptions,
    element: Element,
    kernel: Kernel,
}

/// Tensors of a [`HeadNormRotary`], of its element type; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct HeadNormRotaryBuffers<'a> {
    /// In: `[n, heads*d, t, h, w]`.
    pub x: wgpu::BufferSlice<'a>,
    /// In, optional: `[d]`, factors after the norm, the same for all heads.
    pub weight: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, heads*d, t, h, w]`; may be `x`.
    pub y: wgpu::BufferSlice<'a>,
}

impl HeadNormRotary {
    /// Compiles for tensors of type `element`.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidParameter`]: no heads, an odd number in `split`, a negative epsilon, a base that is not above 0, a number that is
    ///   not finite.
    /// - [`Error::MissingFeature`]: f16 on a device without it.
    pub fn new<'a>(
        compiler: impl Into<Compiler<'a>>,
        options: HeadNormRotaryOptions,
        element: Element,
    ) -> Result<Self, Error> {
        options.check(OP)?;
        let kernel = Kernel::new(
            compiler.into(),
            &Build {
                op: OP,
                shader: &HEAD_NORM_ROTARY,
                variant: Variant::new(element, 1),
                constants: &[],
                workgroup: [GROUP, 1, 1],
                workgroup_bytes: 0,
            },
        )?;
        Ok(Self { options, element, kernel })
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
        let (shape, options) = (shape.into(), &self.options);
        let head_dim = options.check_shape(OP, shape)?;
        let y = TensorSpec::output("y", shape, self.element);
        Ok(vec![
            TensorSpec::input("x", shape, self.element),
            TensorSpec::input("weight", [head_dim], self.element).optional(),
            TensorSpec { in_place_of: Some("x"), ..y },
        ])
    }

    /// Checks the buffers against the shape of `x` and binds them.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidShape`]: channels that the heads do not divide, or fewer in a head than the split has.
    /// - [`Error::LimitExceeded`]: one head of one image exceeds a binding of the device; a head of more than 16,000 channels.
    /// - What [every operator refuses](crate#what-is-refused) about its buffers.
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: impl Into<Ncthw>,
        buffers: HeadNormRotaryBuffers<'_>,
    ) -> Result<Recording, Error> {
        let (shape, options) = (shape.into(), &self.options);
        let specs = self.tensors(shape)?;
        if shape.is_empty() {
            return Ok(Recording::default());
        }
        let HeadNormRotaryBuffers { x, weight, y } = buffers;
        check::slices(OP, device, &specs, &[("x", Some(x)), ("weight", weight), ("y", Some(y))])?;
        let head_dim = shape.channels / options.heads;
        // Squares, then every pair of channels that turn, and every other channel.
        let turned: u32 = options.split.iter().sum();
        rounds::check(OP, rounds::summed(head_dim.into()) + u64::from(head_dim - turned / 2))?;
        let positions = check::to_u32(OP, "positions of a head", shape.positions())?;
        let units = check::to_u32(OP, "heads of all images", u64::from(shape.batch) * u64::from(options.heads))?;
        let head = shape.positions().saturating_mul(head_dim.into());
        check::to_u32(OP, "elements of a head", head)?;

        let pairs = options.pairs();
        let turns = Turns::new(OP, device, options, shape)?;
        let in_place = tensor::in_place(x, y);
        let bytes = self.element.bytes();
        let tensors = [
            Tensor::divided((!in_place).then_some(x), head, bytes),
            Tensor::whole(weight, head_dim.into(), bytes),
            turns.tensor(),
            Tensor::divided(y, head, bytes),
        ];
        let groups = [positions.div_ceil(GROUP), 1];
        let dispatches = self.kernel.bind(device, units, groups, &tensors, None, |_| Params {
            in_place: in_place.into(),
            with_weight: weight.is_some().into(),
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
        })?;
        Ok(Recording::new(dispatches))
    }

    /// What one run moves and computes, with a weight.
    #[must_use]
    pub fn cost(&self, shape: impl Into<Ncthw>) -> Cost {
        let (shape, options) = (shape.into(), &self.options);
        let elements = count(shape.elements());
        let heads = count(u64::from(shape.batch)) * count(u64::from(options.heads));
        let turned: u64 = options.split.iter().map(|&split| u64::from(split)).sum();
        let turned = heads * count(shape.positions()) * count(turned);
        let weights = count(u64::from(shape.channels / options.heads));
        let normalised = if options.norm == HeadNorm::None { count(1) } else { count(4) };
        Cost::new(
            (count(2) * elements + weights) * count(self.element.bytes()),
            normalised * elements + count(3) * turned,
            weights,
        )
    }
}
