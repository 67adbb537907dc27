//! Windowed attention: each query attends to the keys of the window around it, over frames, rows and columns.
//!
//! For a query of head `g` and entry `e = (f, a, b)` of its window:
//!
//! ```text
//! score(e) = scale * q . k(e) + r * q . E(e)             tables of the axes
//!         or scale * q . k(e) + r * B[g, df, da, db]     bias table
//! y        = sum over e of softmax(score)(e) * v(e)
//! ```
//!
//! `r` is `scale`, or 1 if [`scale_relative`](WindowAttentionOptions::scale_relative) is off. `df`, `da` and `db` are the offset of the
//! key in window steps. The formula is Eqs. 2 and 3 of Stand-Alone Self-Attention (SASA, Ramachandran et al. 2019,
//! arXiv:1906.05909). [`WindowAxis`] says where a window lies on each axis.
//!
//! ```no_run
//! use visual_attention::{
//!     Border, Element, Ncthw, PositionTables, WindowAttention, WindowAttentionBuffers, WindowAttentionOptions, WindowAxis,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let gpu = visual_attention::host::Gpu::open()?;
//! // A video: this frame and the two before it, and 7 x 7 pixels of each.
//! let frames = WindowAxis::new(3).with_border(Border::Causal);
//! let pixels = WindowAxis::new(7).with_border(Border::Shift);
//! let options = WindowAttentionOptions::volume(4, 16, [frames, pixels, pixels]);
//! let attention = WindowAttention::new(&gpu.device, options, Element::F32)?;
//!
//! let shape = Ncthw::new(1, options.channels(), 8, 32, 32);
//! let numbers = vec![0.5f32; 64 * 8 * 32 * 32];
//! let [q, k, v] = [gpu.upload("q", &numbers)?, gpu.upload("k", &numbers)?, gpu.upload("v", &numbers)?];
//! let y = gpu.buffer("y", 64 * 8 * 32 * 32 * 4)?;
//! let buffers = WindowAttentionBuffers {
//!     q: q.slice(..),
//!     k: k.slice(..),
//!     v: v.slice(..),
//!     tables: PositionTables::None,
//!     y: y.slice(..),
//!     log_sum_exp: None,
//! };
//! let recording = attention.bind(&gpu.device, shape, buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok(())
//! # }
//! ```
//!
//! # Options
//!
//! | attention | options |
//! | --- | --- |
//! | SASA (arXiv:1906.05909), `k` x `k` keys | [`WindowAttentionOptions::new`] |
//! | NATTEN (arXiv:2204.07143): `na1d`, `na2d`, `na3d` | [`line`](WindowAttentionOptions::line), [`plane`](WindowAttentionOptions::plane), [`volume`](WindowAttentionOptions::volume) of axes with [`Border::Shift`]. Its `stride` is [`group`](WindowAxis::group), and a causal axis is one of [`Border::Causal`] |
//! | Swin (arXiv:2103.14030), plain and shifted windows | [`WindowAttentionOptions::swin`] |
//! | `HaloNet` (arXiv:2103.12731), blocks with a halo | [`WindowAttentionOptions::halo`] |
//! | axial attention (arXiv:1912.12180) | a window of one key on all axes but one |
//! | a stream of frames | [`Border::Causal`] on the axis of frames |
//!
//! Heads of queries and keys have 1 to 1,024 channels, and so have heads of values, which may be others.
//!
//! # Tables of a checkpoint
//!
//! Entries of our tables by offset count the key minus the query. The middle entry, `keys - 1`, is the query's own position.
//!
//! - Swin's `relative_position_bias_table [(2k-1)^2, heads]` counts the query minus the key. Our entry `[g, 0, i, j]` is its entry
//!   `[(2k-2-i) * (2k-1) + (2k-2-j), g]`: transposed, with both axes reversed.
//! - NATTEN's `rpb [heads, 2k-1, 2k-1]` is our table.
//! - The `height_rel [2k-1, d]` of timm's `HaloAttn`, where `k = block + 2 * halo`, is shifted by the halo. Our entry `[c, i]` of rows is
//!   its entry `[i + halo, c]`. No query meets the entries that this leaves empty. `width_rel` is that of columns.
//! - The window of timm's `BottleneckAttn` is the whole map: [`WindowAxis::swin`] with `keys = h`, shift 0. Its `height_rel [2h-1, d]` is
//!   our table, transposed.
//!
//! # Tensors
//!
//! `q, k [n, heads*d, t, h, w], v [n, heads*dv, t, h, w] -> y [n, heads*dv, to, ho, wo]`. [`Nchw`](crate::Nchw) is the shape of images:
//! they have one frame. [`WindowAttention::tensors`] lists the tensors with the tables and the optional `log_sum_exp`. No window is
//! copied out of the tensor, so the operator needs no memory beyond inputs and outputs. [`WindowAttention::bind_weights`] computes the softmax itself for chosen
//! queries. [`MergeAttention`](crate::MergeAttention) joins two results by their log-sum-exps.
//!
//! The softmax runs in f32. A NaN or +infinite logit gives NaN, and a query without keys gives zeros.
//!
//! # Errors and cost
//!
//! [`WindowAttentionOptions::check`] checks options and shape without a device. Work is divided over images and heads, so one head
//! of one image or video must fit a binding of the device. On a software adapter, `new` refuses windows that take more loop iterations
//! than one invocation may run there: 31 x 31 keys at head dimension 128 fit, and 11 x 11 x 11 at 64. GPUs take any window.
//!
//! [`WindowAttention::cost`] counts the products of queries and keys, of weights and values, and of queries and embeddings. It omits
//! the softmax, as the paper does.
//!
//! Kernels [`WINDOW_ATTENTION`](crate::shaders::WINDOW_ATTENTION) and
//! [`WINDOW_ATTENTION_WEIGHTS`](crate::shaders::WINDOW_ATTENTION_WEIGHTS); reference
//! [`reference::window_attention`](crate::reference::window_attention).

mod axis;
mod geometry;
mod options;
mod relative;
mod weights;

use self::geometry::Params;
use self::options::OP;
use self::weights::Weights;
use crate::cost::count;
use crate::kernel::shader::{INNER, Shader, THREE_CODES, Variant, group, shader};
use crate::kernel::tuning::WindowTile;
use crate::kernel::{Build, Compiler, Dispatch, Kernel, Tensor, check, tuning};
use crate::{Cost, Element, Error, Ncthw, Recording, TensorSpec};

pub(crate) use self::axis::QUERIES;
pub use self::axis::{Border, WindowAxis};
pub(crate) use self::geometry::{Geometry, Params as GeometryParams, Ring, shrink};
pub use self::options::WindowAttentionOptions;
pub use self::relative::{PositionTables, RelativePosition};
pub(crate) use self::weights::WINDOW_ATTENTION_WEIGHTS;
pub use self::weights::{QueryPosition, WindowWeightsBuffers};

/// Invocations of a workgroup.
const GROUP: u32 = 64;

/// Like [`INNER`], for every length of the private array.
pub(crate) const LENGTHS: &[Variant] = &{
    let lengths = tuning::WINDOW_LENGTHS;
    let mut variants = [Variant::F32; 12];
    let mut index = 0;
    while index < variants.len() {
        variants[index] = Variant { length: lengths[index / 3], ..INNER[index % 3] };
        index += 1;
    }
    variants
};

pub(crate) const WINDOW_ATTENTION: Shader = shader!(
    "window_attention",
    Params,
    LENGTHS,
    &[group(&["RELATIVE"], THREE_CODES), tuning::WINDOW_TILES],
    [
        q: Read, k: Read, v: Read, frame_table: Read, row_table: Read, column_table: Read, y: Write, log_sum_exp: Write,
    ],
    ["window"],
);

/// Windowed attention; the [page](self) has formula and example.
#[doc(alias = "softmax")]
#[doc(alias = "self-attention")]
#[doc(alias = "neighborhood attention")]
#[doc(alias = "NATTEN")]
#[doc(alias = "SASA")]
#[derive(Clone, Debug)]
pub struct WindowAttention {
    op: &'static str,
    options: WindowAttentionOptions,
    element: Element,
    inner: Element,
    tile: WindowTile,
    kernel: Kernel,
    weights: Weights,
}

/// Tensors of a [`WindowAttention`]; each needs `BufferUsages::STORAGE`. `q`, `k`, `v`, the tables and `y` have the operator's
/// element type.
#[derive(Clone, Copy, Debug)]
pub struct WindowAttentionBuffers<'a> {
    /// In: queries `[n, heads*d, t, h, w]`.
    pub q: wgpu::BufferSlice<'a>,
    /// In: keys `[n, heads*d, t, h, w]`.
    pub k: wgpu::BufferSlice<'a>,
    /// In: values `[n, heads*dv, t, h, w]`.
    pub v: wgpu::BufferSlice<'a>,
    /// In: the tables of the options' relative term.
    pub tables: PositionTables<wgpu::BufferSlice<'a>>,
    /// Out: `[n, heads*dv, to, ho, wo]`.
    pub y: wgpu::BufferSlice<'a>,
    /// Out, optional: `[n, heads, to, ho, wo]` f32, the logarithm of the sum of the exponentials of a query's logits. It is
    /// -infinity for a query without keys.
    pub log_sum_exp: Option<wgpu::BufferSlice<'a>>,
}

impl WindowAttention {
    /// Compiles for tensors of type `element`. The kernel for weights is compiled at the first [`Self::bind_weights`].
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidParameter`], which names the axis: a window, a dilation, a stride or a group of 0, a group larger than the
    ///   window, a stride or an origin with [`Border::Shift`], an origin with [`Border::Causal`] or a dilation.
    /// - [`Error::InvalidParameter`]: no heads, a `head_dim` or `value_dim` of 0 or above 1024, a scale that is not finite.
    /// - [`Error::InvalidParameter`]: tables whose channels do not divide by the number of axes, groups with
    ///   [`RelativePosition::PerHead`] or [`RelativePosition::WholeChannel`].
    /// - [`Error::TooManyRounds`]: a window that is too large for a software adapter.
    /// - [`Error::MissingFeature`]: f16 on a device without it.
    pub fn new<'a>(
        compiler: impl Into<Compiler<'a>>,
        options: WindowAttentionOptions,
        element: Element,
    ) -> Result<Self, Error> {
        Self::new_within(OP, compiler.into(), options, element, element)
    }

    /// Like [`Self::new`], with queries, keys and values of type `inner`: in a layer they are f32 even if its input is f16.
    pub(crate) fn new_within(
        op: &'static str,
        compiler: Compiler<'_>,
        options: WindowAttentionOptions,
        element: Element,
        inner: Element,
    ) -> Result<Self, Error> {
        options.check_options(op)?;
        let tile = options.tile(compiler.software);
        compiler.check_rounds(op, tile.rounds, "make the window smaller, or the heads less deep")?;
        let relative = match options.relative {
            RelativePosition::None => 0.0,
            RelativePosition::PerHead | RelativePosition::WholeChannel | RelativePosition::Sum => 1.0,
            RelativePosition::Bias => 2.0,
        };
        let WindowTile { length, blocks, split, .. } = tile;
        let kernel = Kernel::new(
            compiler,
            &Build {
                op,
                shader: &WINDOW_ATTENTION,
                variant: Variant { inner, length, ..Variant::new(element, 1) },
                constants: &[("RELATIVE", relative), ("BLOCKS", f64::from(blocks)), ("SPLIT", f64::from(split))],
                workgroup: [GROUP / split, 1, split],
                workgroup_bytes: if split > 1 { 2 * 4 * GROUP * 16 } else { 2 * 16 },
            },
        )?;
        let weights = Weights::new(op, compiler, options, relative, [element, inner])?;
        Ok(Self { op, options, element, inner, tile, kernel, weights })
    }

    /// Element type of queries, keys and values.
    pub(crate) fn inner(&self) -> Element {
        self.inner
    }

    /// The options it was compiled with.
    #[must_use]
    pub fn options(&self) -> &WindowAttentionOptions {
        &self.options
    }

    /// The tensors of one [`Self::bind`], in the order in which they are checked. `shape` is that of `q` and `k`. An image has
    /// one frame. A line has one frame and one row.
    ///
    /// # Errors
    ///
    /// Whatever [`Self::bind`] refuses about a shape.
    pub fn tensors(&self, shape: impl Into<Ncthw>) -> Result<Vec<TensorSpec>, Error> {
        let (options, shape) = (&self.options, shape.into());
        let values = Ncthw { channels: options.value_channels(), ..shape };
        for (name, shape) in [("q", shape), ("v", values)] {
            check::elements(self.op, name, shape)?;
        }
        options.check_shape(self.op, shape)?;
        let y = options.output(shape);
        let mut specs = Vec::from(["q", "k"].map(|name| TensorSpec::input(name, shape, self.inner)));
        specs.push(TensorSpec::input("v", values, self.inner));
        specs.extend(options.table_specs(self.element));
        specs.push(TensorSpec::output("y", y, self.element));
        let log_sum_exp = Ncthw { channels: options.heads, ..y };
        specs.push(TensorSpec::output("log_sum_exp", log_sum_exp, Element::F32).optional());
        Ok(specs)
    }

    /// The tensors of one [`Self::bind_weights`] of `queries` queries, in the order in which they are checked.
    ///
    /// # Errors
    ///
    /// Whatever [`Self::bind_weights`] refuses about a shape.
    pub fn weights_tensors(&self, shape: impl Into<Ncthw>, queries: u32) -> Result<Vec<TensorSpec>, Error> {
        self.weights.tensors(shape.into(), queries)
    }

    /// Checks the buffers against the shape of `q` and `k`, and binds them.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidShape`]: the channels are not `heads * d`.
    /// - [`Error::InvalidParameter`]: [`Border::Shift`] with a window, times its dilation, larger than the extent of the axis; tables of
    ///   another relative term.
    /// - [`Error::LimitExceeded`]: one head of one image or video exceeds a binding of the device.
    /// - What [every operator refuses](crate#what-is-refused) about its buffers.
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: impl Into<Ncthw>,
        buffers: WindowAttentionBuffers<'_>,
    ) -> Result<Recording, Error> {
        let (options, shape) = (&self.options, shape.into());
        let specs = self.tensors(shape)?;
        let tables = options.table_slices(self.op, buffers.tables)?;
        if shape.is_empty() {
            return Ok(Recording::default());
        }
        let mut given = vec![
            ("q", Some(buffers.q)),
            ("k", Some(buffers.k)),
            ("v", Some(buffers.v)),
            ("y", Some(buffers.y)),
            ("log_sum_exp", buffers.log_sum_exp),
        ];
        given.extend(tables);
        check::slices(self.op, device, &specs, &given)?;

        let keys = Tensor::divided(buffers.k, head_elements(options.head_dim, shape), self.inner.bytes());
        let values = Tensor::divided(buffers.v, head_elements(options.value_dim, shape), self.inner.bytes());
        Ok(Recording::new(self.dispatches(device, shape, &buffers, tables, [keys, values], None)?))
    }

    /// Binds the kernel to buffers that were checked. Keys and values are divided as queries are. A stream binds its whole ring.
    pub(crate) fn dispatches(
        &self,
        device: &wgpu::Device,
        shape: Ncthw,
        buffers: &WindowAttentionBuffers<'_>,
        tables: [(&'static str, Option<wgpu::BufferSlice<'_>>); 3],
        [keys, values]: [Tensor<'_>; 2],
        ring: Option<Ring>,
    ) -> Result<Vec<Dispatch>, Error> {
        let options = &self.options;
        let out = options.output(shape);
        let [frame, row, column] = options.table_tensors(tables, self.element);
        let mut tensors = [
            Tensor::divided(buffers.q, head_elements(options.head_dim, shape), self.inner.bytes()),
            keys,
            values,
            frame,
            row,
            column,
            Tensor::divided(buffers.y, head_elements(options.value_dim, out), self.element.bytes()),
            Tensor::divided(buffers.log_sum_exp, out.positions(), Element::F32.bytes()),
        ];
        let planes = check::to_u32(self.op, "heads of a batch", u64::from(shape.batch) * u64::from(options.heads))?;
        let deepest = options.head_dim.max(options.value_dim);
        check::to_u32(self.op, "elements of a head", head_elements(deepest, shape))?;
        let Geometry { params, lanes } = Geometry::new(options, shape, ring);
        if options.transposed() && options.tables_of_axes() {
            tensors.swap(4, 5);
        }
        let WindowTile { length, split, .. } = self.tile;
        let invocations = check::to_u32(self.op, "invocations of a frame", lanes)?;
        let chunks = options.value_dim.div_ceil(length * split);
        let groups = check::to_u32(self.op, "chunks of all frames", u64::from(chunks) * u64::from(out.frames))?;
        let groups = [invocations.div_ceil(GROUP / split), groups];
        // Every chunk of the values' channels computes the logits anew.
        let repeated = u64::from(chunks - 1) * u64::from(options.head_dim) * 2;
        let queries = count(out.positions()) * count(options.keys());
        let flops = options.head_flops(shape) + queries * count(repeated);
        self.kernel.bind_costly(device, planes, groups, flops, &tensors, None, |part| Params {
            with_log_sum_exp: u32::from(buffers.log_sum_exp.is_some()),
            plane: part.units.start,
            key_plane: if ring.is_some() { part.units.start } else { 0 },
            chunks,
            share: tuning::window_share(options.head_dim, length, split),
            ..params
        })
    }

    /// Binds the computation of the attention weights of chosen queries, for inspection. Each row of `weights` sums to 1. Entry
    /// `(f * kh + a) * kw + b` belongs to the key in frame `f`, row `a` and column `b` of the window, and is 0 if that key takes no
    /// part. A query without keys has zeros, one with a NaN or +infinite logit has NaN.
    ///
    /// # Errors
    ///
    /// As [`Self::bind`], and:
    ///
    /// - [`Error::InvalidParameter`]: a query outside the output.
    /// - [`Error::LimitExceeded`]: the whole of `q` or `k` exceeds a binding of the device.
    pub fn bind_weights(
        &self,
        device: &wgpu::Device,
        shape: impl Into<Ncthw>,
        queries: &[QueryPosition],
        buffers: WindowWeightsBuffers<'_>,
    ) -> Result<Recording, Error> {
        self.weights.bind(device, shape.into(), queries, buffers)
    }

    /// What one run moves and computes, for `q`, `k` and `v` of this shape. Parameters are the tables.
    #[must_use]
    pub fn cost(&self, shape: impl Into<Ncthw>) -> Cost {
        self.options.cost(shape.into(), self.element, self.inner)
    }
}

/// Elements of one head of `head_dim` channels. Within `u64`: `tensors` has refused larger tensors.
pub(crate) fn head_elements(head_dim: u32, shape: Ncthw) -> u64 {
    shape.positions().saturating_mul(head_dim.into())
}
