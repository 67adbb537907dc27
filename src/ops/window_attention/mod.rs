//! Windowed attention: each query attends to the keys of the window around it.
//!
//! For the query `(i, j)` of the output, entry `(a, b)` of its window and head `g`:
//!
//! ```text
//! score(a, b) = scale * q . k(a, b) + r * q . E(a, b)           row and column tables
//!            or scale * q . k(a, b) + r * B[g, da, db]          bias table
//! y           = sum over (a, b) of softmax(score)(a, b) * v(a, b)
//! ```
//!
//! `r` is `scale`, or 1 if [`scale_relative`](WindowAttentionOptions::scale_relative) is off. `da` and `db` are the offset of the
//! key in window steps. The formula is Eqs. 2 and 3 of Stand-Alone Self-Attention (SASA, Ramachandran et al. 2019,
//! arXiv:1906.05909). [`Border::Shift`] gives the windows of NATTEN (Hassani et al. 2022, arXiv:2204.07143).
//!
//! ```no_run
//! use visual_attention::{
//!     Border, Element, Nchw, PositionTables, RelativePosition, WindowAttention, WindowAttentionBuffers, WindowAttentionOptions,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let gpu = visual_attention::host::Gpu::open()?;
//! let options = WindowAttentionOptions::new(4, 16, 7)
//!     .with_border(Border::Shift)
//!     .with_relative(RelativePosition::None)
//!     .with_scale(0.25);
//! let attention = WindowAttention::new(&gpu.device, options, Element::F32)?;
//!
//! let shape = Nchw::new(1, options.channels(), 32, 32);
//! let numbers = vec![0.5f32; 64 * 32 * 32];
//! let [q, k, v] = [gpu.upload("q", &numbers)?, gpu.upload("k", &numbers)?, gpu.upload("v", &numbers)?];
//! let y = gpu.buffer("y", 64 * 32 * 32 * 4)?;
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
//! [`WindowAttentionOptions::new`] gives SASA's attention. Setters change window, dilation, stride, border, relative term and scale.
//! Windows have odd sides, and heads 1 to 128 channels.
//!
//! There is one window around each query. Swin's windows, which do not move with the query, are not covered. `HaloNet`'s
//! attention is covered for blocks of one pixel; in larger blocks the queries share one window.
//!
//! # Tensors
//!
//! `q, k, v [n, heads*d, h, w] -> y [n, heads*d, ho, wo]`. [`WindowAttention::tensors`] lists them with the tables and the optional
//! `log_sum_exp`. No window is copied out of the image: memory is inputs and outputs. [`WindowAttention::bind_weights`] computes
//! the softmax itself for chosen queries. [`MergeAttention`](crate::MergeAttention) joins two results by their log-sum-exps.
//!
//! The softmax runs in f32. A NaN or +infinite logit gives NaN, and a query without keys gives zeros.
//!
//! # Errors and cost
//!
//! [`WindowAttentionOptions::check`] checks options and shape without a device. Work is divided over images and heads, so one head
//! of one image must fit a binding of the device. On a software adapter, `new` refuses windows that take more loop iterations than one
//! invocation may run there: 31 x 31 keys at head dimension 128 fit. GPUs take any window.
//!
//! [`WindowAttention::cost`] counts the products of queries and keys, of weights and values, and of queries and embeddings. It omits
//! the softmax, as the paper does.
//!
//! Kernels [`WINDOW_ATTENTION`](crate::shaders::WINDOW_ATTENTION) and
//! [`WINDOW_ATTENTION_WEIGHTS`](crate::shaders::WINDOW_ATTENTION_WEIGHTS); reference
//! [`reference::window_attention`](crate::reference::window_attention).

mod options;
mod weights;

use bytemuck::Zeroable;

use self::options::{OP, QUERIES};
use self::weights::Weights;
use crate::kernel::check::signed;
use crate::kernel::shader::{INNER, Shader, THREE_CODES, Variant, group, params, shader};
use crate::kernel::tuning::WindowTile;
use crate::kernel::{Build, Compiler, Kernel, Tensor, check, tuning};
use crate::{Cost, Element, Error, Nchw, Recording, Size, TensorSpec};

pub use self::options::{Border, PositionTables, RelativePosition, WindowAttentionOptions};
pub(crate) use self::weights::WINDOW_ATTENTION_WEIGHTS;
pub use self::weights::{QueryPosition, WindowWeightsBuffers};

/// Invocations of a workgroup.
const GROUP: u32 = 64;

params!(Params {
    origin_x: u32,
    origin_y: u32,
    q_base: u32,
    k_base: u32,
    v_base: u32,
    y_base: u32,
    log_sum_exp_base: u32,
    with_log_sum_exp: u32,
    plane: u32,
    heads: u32,
    head_dim: u32,
    height: i32,
    width: i32,
    out_height: u32,
    out_width: u32,
    window_height: i32,
    window_width: i32,
    union_height: i32,
    dilation_height: i32,
    dilation_width: i32,
    stride_height: i32,
    stride_width: i32,
    classes: u32,
    tiles: u32,
    border: u32,
    whole_channel: u32,
    scale: f32,
    relative_scale: f32,
    shrink: f32,
});

/// Like [`INNER`], for every length of the private array.
const LENGTHS: &[Variant] = &{
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
    [q: Read, k: Read, v: Read, row_table: Read, column_table: Read, y: Write, log_sum_exp: Write],
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
    /// In: queries `[n, heads*d, h, w]`.
    pub q: wgpu::BufferSlice<'a>,
    /// In: keys `[n, heads*d, h, w]`.
    pub k: wgpu::BufferSlice<'a>,
    /// In: values `[n, heads*d, h, w]`.
    pub v: wgpu::BufferSlice<'a>,
    /// In: the tables of the options' relative term.
    pub tables: PositionTables<wgpu::BufferSlice<'a>>,
    /// Out: `[n, heads*d, ho, wo]`.
    pub y: wgpu::BufferSlice<'a>,
    /// Out, optional: `[n, heads, ho, wo]` f32, the logarithm of the sum of the exponentials of a query's logits. It is
    /// -infinity for a query without keys.
    pub log_sum_exp: Option<wgpu::BufferSlice<'a>>,
}

impl WindowAttention {
    /// Compiles for tensors of type `element`. The kernel for weights is compiled at the first [`Self::bind_weights`].
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidParameter`]: an even window, a `head_dim` of 0 or above 128, row and column tables over an odd number of
    ///   channels, a stride with [`Border::Shift`], a scale that is not finite.
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
            RelativePosition::PerHead | RelativePosition::WholeChannel => 1.0,
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

    /// The options it was compiled with.
    #[must_use]
    pub fn options(&self) -> &WindowAttentionOptions {
        &self.options
    }

    /// The tensors of one [`Self::bind`], in the order in which they are checked.
    ///
    /// # Errors
    ///
    /// Whatever [`Self::bind`] refuses about a shape.
    pub fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        let options = &self.options;
        check::elements(self.op, "q", shape)?;
        options.check_shape(self.op, shape)?;
        let Size { height, width } = options.output(shape.size());
        let y = Nchw { height, width, ..shape };
        let mut specs = Vec::from(["q", "k", "v"].map(|name| TensorSpec::input(name, shape, self.inner)));
        specs.extend(options.table_specs(self.element));
        specs.push(TensorSpec::output("y", y, self.element));
        let log_sum_exp = Nchw { channels: options.heads, ..y };
        specs.push(TensorSpec::output("log_sum_exp", log_sum_exp, Element::F32).optional());
        Ok(specs)
    }

    /// The tensors of one [`Self::bind_weights`] of `queries` queries, in the order in which they are checked.
    ///
    /// # Errors
    ///
    /// Whatever [`Self::bind_weights`] refuses about a shape.
    pub fn weights_tensors(&self, shape: Nchw, queries: u32) -> Result<Vec<TensorSpec>, Error> {
        self.weights.tensors(shape, queries)
    }

    /// Checks the buffers against the shape of `q`, `k` and `v`, and binds them.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidShape`]: the channels are not `heads * d`.
    /// - [`Error::InvalidParameter`]: [`Border::Shift`] with a window, times its dilation, larger than the image; tables of another
    ///   relative term.
    /// - [`Error::LimitExceeded`]: one head of one image exceeds a binding of the device.
    /// - What [every operator refuses](crate#what-is-refused) about its buffers.
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        buffers: WindowAttentionBuffers<'_>,
    ) -> Result<Recording, Error> {
        let options = &self.options;
        let specs = self.tensors(shape)?;
        let tables = options.table_slices(self.op, buffers.tables)?;
        if shape.is_empty() {
            return Ok(Recording::default());
        }
        let out = options.output(shape.size());
        let head_dim = u64::from(options.head_dim);
        let (unit, out_unit) = (head_dim * shape.size().pixels(), head_dim * out.pixels());
        let bytes = self.inner.bytes();
        let [row, column] = options.table_tensors(tables, self.element);
        let tensors = [
            Tensor::divided(buffers.q, unit, bytes),
            Tensor::divided(buffers.k, unit, bytes),
            Tensor::divided(buffers.v, unit, bytes),
            row,
            column,
            Tensor::divided(buffers.y, out_unit, self.element.bytes()),
            Tensor::divided(buffers.log_sum_exp, out.pixels(), Element::F32.bytes()),
        ];
        let planes = check::to_u32(self.op, "heads of a batch", u64::from(shape.batch) * u64::from(options.heads))?;
        let mut given = vec![
            ("q", Some(buffers.q)),
            ("k", Some(buffers.k)),
            ("v", Some(buffers.v)),
            ("y", Some(buffers.y)),
            ("log_sum_exp", buffers.log_sum_exp),
        ];
        given.extend(tables);
        check::slices(self.op, device, &specs, &given)?;
        check::to_u32(self.op, "elements of a head", unit)?;
        let classes = options.classes().min(out.height);
        let tiles = out.height.div_ceil(classes).div_ceil(QUERIES);
        let rows = check::to_u32(self.op, "rows of invocations", u64::from(classes) * u64::from(tiles))?;
        let WindowTile { length, split, .. } = self.tile;
        let invocations = check::to_u32(self.op, "invocations of a head", u64::from(rows) * u64::from(out.width))?;
        let groups = [invocations.div_ceil(GROUP / split), options.head_dim.div_ceil(length * split)];
        let dispatches = self.kernel.bind(device, planes, groups, &tensors, None, |part| Params {
            with_log_sum_exp: u32::from(buffers.log_sum_exp.is_some()),
            plane: part.units.start,
            heads: options.heads,
            head_dim: options.head_dim,
            height: signed(shape.height),
            width: signed(shape.width),
            out_height: out.height,
            out_width: out.width,
            window_height: signed(options.window.height),
            window_width: signed(options.window.width),
            union_height: signed(options.rows()),
            dilation_height: signed(options.dilation.height),
            dilation_width: signed(options.dilation.width),
            stride_height: signed(options.stride.height),
            stride_width: signed(options.stride.width),
            classes,
            tiles,
            border: options.border.code(),
            whole_channel: options.whole_channel().into(),
            scale: options.scale,
            relative_scale: options.relative_scale(),
            shrink: shrink(options.window),
            ..Zeroable::zeroed()
        })?;
        Ok(Recording::new(dispatches))
    }

    /// Binds the computation of the attention weights of chosen queries, for inspection. Each row of `weights` sums to 1. Entry
    /// `a * kw + b` belongs to the key in row `a` and column `b` of the window, and is 0 if that key takes no part. A query
    /// without keys has zeros, one with a NaN or +infinite logit has NaN.
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
        shape: Nchw,
        queries: &[QueryPosition],
        buffers: WindowWeightsBuffers<'_>,
    ) -> Result<Recording, Error> {
        self.weights.bind(device, shape, queries, buffers)
    }

    /// What one run moves and computes, for `q`, `k` and `v` of this shape. Parameters are the tables.
    #[must_use]
    pub fn cost(&self, shape: Nchw) -> Cost {
        self.options.cost(shape, self.element, self.inner)
    }
}

/// The largest power of two up to the weight of each key if all weights are equal.
pub(super) fn shrink(window: Size) -> f32 {
    1.0 / window.pixels().next_power_of_two() as f32
}
