//! Windowed attention: every query attends to the keys around it.

use bytemuck::Zeroable;

use crate::kernel::shader::{INNER, Shader, THREE_CODES, Variant, group, params, shader};
use crate::kernel::tuning::WindowTile;
use crate::kernel::{Build, Compiler, Kernel, Tensor, check, tensor, tuning};
use crate::names::names;
use crate::{Cost, Element, Error, Nchw, Recording, Size, TensorSpec};

const OP: &str = "window_attention";
/// Invocations of a workgroup.
const GROUP: u32 = 64;
/// Queries of one invocation, in a column.
const QUERIES: u32 = 4;
const MAX_DEPTH: u32 = 128;
/// The kernels compute positions in 32-bit integers with a sign.
const MAX_EXTENT: u64 = 1 << 30;

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

params!(WeightsParams {
    origin: u32,
    weights_base: u32,
    queries_base: u32,
    heads: u32,
    head_dim: u32,
    height: i32,
    width: i32,
    window_height: i32,
    window_width: i32,
    dilation_height: i32,
    dilation_width: i32,
    border: u32,
    whole_channel: u32,
    scale: f32,
    relative_scale: f32,
});

/// As [`INNER`], for every length of the private array.
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

pub(crate) const WINDOW_ATTENTION_WEIGHTS: Shader = shader!(
    "window_attention_weights",
    WeightsParams,
    INNER,
    &[group(&["RELATIVE"], THREE_CODES)],
    [q: Read, k: Read, row_table: Read, column_table: Read, queries: Read, weights: Write],
    ["window"],
);

/// What a window does at the border of the image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Border {
    /// Keys and values outside the image are zero vectors that take part in the softmax, as padding makes them.
    #[default]
    Zero,
    /// Keys outside the image are left out.
    Mask,
    /// The window moves to stay inside (NATTEN), among the pixels that its dilation reaches. Needs stride 1 and
    /// `window * dilation` no larger than the image.
    Shift,
}

names!(Border, "border", Zero = "zero", Mask = "mask", Shift = "shift");

impl Border {
    const fn code(self) -> u32 {
        match self {
            Self::Zero => 0,
            Self::Mask => 1,
            Self::Shift => 2,
        }
    }
}

/// The term of a logit that depends on where the key is, seen from the query.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RelativePosition {
    /// There is none.
    #[default]
    None,
    /// `q . E`, E being a row embedding for the first half of each head's channels and a column embedding for the second, the
    /// same for all heads (arXiv:1906.05909, Eq. 3). Needs an even head_dim.
    PerHead,
    /// `q . E` with a row embedding for the first half of all channels and a column embedding for the second: public
    /// implementations of the same paper. Needs an even number of channels.
    WholeChannel,
    /// A bias for each head and offset in window steps.
    Bias,
}

names!(
    RelativePosition,
    "relative position",
    None = "none",
    PerHead = "per_head",
    WholeChannel = "whole_channel",
    Bias = "bias"
);

/// The tensors of a [`RelativePosition`] term: buffers for the operator, slices of numbers for the reference. Entry 0 of a window is
/// its first row or column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PositionTables<T> {
    /// Of [`RelativePosition::None`].
    None,
    /// Of [`RelativePosition::PerHead`] and [`RelativePosition::WholeChannel`].
    Factorised {
        /// `[d/2, kh]`, or `[heads*d/2, kh]` for the whole channel.
        row: T,
        /// `[d/2, kw]`, or `[heads*d/2, kw]` for the whole channel.
        column: T,
    },
    /// Of [`RelativePosition::Bias`]: `[heads, 2kh-1, 2kw-1]`, its middle being the bias of the query's own pixel.
    Bias(T),
}

/// What a [`WindowAttention`] computes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WindowAttentionOptions {
    /// Heads; channels `g*d .. (g+1)*d` belong to head `g`.
    pub heads: u32,
    /// Channels of a head, `d`: 1 to 128.
    pub head_dim: u32,
    /// Keys of a window, `kh` x `kw`, both odd.
    pub window: Size,
    /// Pixels from one key of a window to the next.
    pub dilation: Size,
    /// Pixels from one query to the next: query `(i, j)` is at pixel `(i * stride.height, j * stride.width)`.
    pub stride: Size,
    /// What happens where a window leaves the image.
    pub border: Border,
    /// The term for the relative position.
    pub relative: RelativePosition,
    /// What the product of query and key is multiplied by: 1 in arXiv:1906.05909, `1/sqrt(d)` elsewhere.
    pub scale: f32,
    /// Whether `scale` multiplies the relative term as well.
    pub scale_relative: bool,
}

impl WindowAttentionOptions {
    /// Square windows of `k` x `k` keys as in arXiv:1906.05909: zero padding, row and column embeddings, scale 1.
    #[must_use]
    pub const fn new(heads: u32, head_dim: u32, k: u32) -> Self {
        Self {
            heads,
            head_dim,
            window: Size::new(k, k),
            dilation: Size::new(1, 1),
            stride: Size::new(1, 1),
            border: Border::Zero,
            relative: RelativePosition::PerHead,
            scale: 1.0,
            scale_relative: true,
        }
    }

    /// Extent of the output for an input of this extent: `ho x wo`, one for each query.
    #[must_use]
    pub const fn output(&self, input: Size) -> Size {
        const fn queries(extent: u32, stride: u32) -> u32 {
            if stride == 0 { 0 } else { extent.div_ceil(stride) }
        }
        Size::new(queries(input.height, self.stride.height), queries(input.width, self.stride.width))
    }

    /// Channels of queries, keys, values and output: `heads * d`.
    #[must_use]
    pub const fn channels(&self) -> u32 {
        self.heads.saturating_mul(self.head_dim)
    }

    /// The tables of the relative term.
    pub(crate) fn table_specs(&self, element: Element) -> Vec<TensorSpec> {
        let Size { height, width } = self.window;
        let half = match self.relative {
            RelativePosition::None => return Vec::new(),
            RelativePosition::Bias => {
                let side = |k: u32| k.saturating_mul(2).saturating_sub(1);
                return vec![TensorSpec::input("tables.bias", [self.heads, side(height), side(width)], element)];
            }
            RelativePosition::PerHead => self.head_dim / 2,
            RelativePosition::WholeChannel => self.channels() / 2,
        };
        vec![
            TensorSpec::input("tables.row", [half, height], element),
            TensorSpec::input("tables.column", [half, width], element),
        ]
    }

    /// Elements of the relative term's tables: rows and columns, or the bias table alone.
    fn tables(&self) -> [u64; 2] {
        let half = match self.relative {
            RelativePosition::PerHead => self.head_dim / 2,
            RelativePosition::WholeChannel => self.channels() / 2,
            RelativePosition::None => 0,
            RelativePosition::Bias => {
                let side = |k: u32| (2 * u64::from(k)).saturating_sub(1);
                let entries = side(self.window.height).saturating_mul(side(self.window.width));
                return [entries.saturating_mul(self.heads.into()), 0];
            }
        };
        [self.window.height, self.window.width].map(|k| u64::from(half) * u64::from(k))
    }

    /// Checks the options, and that they fit queries, keys and values of this shape, as [`WindowAttention::new`] and
    /// [`WindowAttention::bind`] do: for a machine without a device, since the reference takes them as they are.
    ///
    /// # Errors
    ///
    /// Those of both.
    pub fn check(&self, shape: Nchw) -> Result<(), Error> {
        self.check_options(OP)?;
        self.check_shape(OP, shape)
    }

    /// Everything that can be said without an image.
    pub(crate) fn check_options(&self, op: &'static str) -> Result<(), Error> {
        let refuse =
            |parameter, given: String, needed: String| Err(Error::InvalidParameter { op, parameter, given, needed });
        if self.heads == 0 {
            return refuse("heads", "0".into(), "at least 1".into());
        }
        if self.head_dim == 0 || self.head_dim > MAX_DEPTH {
            return refuse("head_dim", self.head_dim.to_string(), format!("1 to {MAX_DEPTH}"));
        }
        if self.heads.checked_mul(self.head_dim).is_none() {
            return refuse(
                "heads",
                self.heads.to_string(),
                format!("at most {} heads of head_dim {}", u32::MAX / self.head_dim, self.head_dim),
            );
        }
        for (parameter, k) in [("window.height", self.window.height), ("window.width", self.window.width)] {
            if k % 2 == 0 {
                return refuse(parameter, k.to_string(), "an odd number".into());
            }
        }
        for (parameter, value) in [
            ("dilation.height", self.dilation.height),
            ("dilation.width", self.dilation.width),
            ("stride.height", self.stride.height),
            ("stride.width", self.stride.width),
        ] {
            if value == 0 {
                return refuse(parameter, "0".into(), "at least 1".into());
            }
        }
        if self.border == Border::Shift && self.stride != Size::new(1, 1) {
            return refuse("stride", self.stride.to_string(), "[1, 1] with Border::Shift".into());
        }
        match self.relative {
            RelativePosition::PerHead if self.head_dim % 2 == 1 => {
                return refuse(
                    "head_dim",
                    self.head_dim.to_string(),
                    "an even number for RelativePosition::PerHead".into(),
                );
            }
            RelativePosition::WholeChannel if self.channels() % 2 == 1 => {
                let given = format!("{} x {}", self.heads, self.head_dim);
                return refuse(
                    "heads x head_dim",
                    given,
                    "an even number of channels for RelativePosition::WholeChannel".into(),
                );
            }
            _ => {}
        }
        check::finite(op, "scale", self.scale)?;
        Ok(())
    }

    /// Everything that depends on the image too.
    pub(crate) fn check_shape(&self, op: &'static str, shape: Nchw) -> Result<(), Error> {
        if shape.channels != self.channels() {
            return Err(Error::InvalidShape {
                op,
                binding: "q",
                given: shape.to_string(),
                needed: format!("{} channels: {} heads of head_dim {}", self.channels(), self.heads, self.head_dim),
            });
        }
        for (parameter, window, dilation, extent) in [
            ("window.height * dilation.height", self.window.height, self.dilation.height, shape.height),
            ("window.width * dilation.width", self.window.width, self.dilation.width, shape.width),
        ] {
            let span = u64::from(window) * u64::from(dilation);
            if self.border == Border::Shift && span > u64::from(extent) {
                return Err(Error::InvalidParameter {
                    op,
                    parameter,
                    given: span.to_string(),
                    needed: format!("at most {extent}, the image's extent, with Border::Shift"),
                });
            }
            let needed = u64::from(extent) + (u64::from(self.rows().max(window)) + 12) * u64::from(dilation);
            if needed > MAX_EXTENT {
                return Err(Error::LimitExceeded { op, limit: parameter, needed, given: MAX_EXTENT });
            }
        }
        Ok(())
    }

    /// Rows of keys from one query of an invocation to the next, in steps of the dilation; `None` where the windows have no row
    /// in common, so that an invocation has one query alone.
    fn step(&self) -> Option<u32> {
        let step = self.stride.height / gcd(self.dilation.height, self.stride.height);
        (step < self.window.height).then_some(step)
    }

    /// Distance of queries whose windows have rows of keys in common, in rows of the output.
    fn classes(&self) -> u32 {
        self.step().map_or(u32::MAX, |_| self.dilation.height / gcd(self.dilation.height, self.stride.height))
    }

    /// Rows of keys that the queries of one invocation look at, together.
    fn rows(&self) -> u32 {
        self.window.height.saturating_add((QUERIES - 1).saturating_mul(self.step().unwrap_or(0)))
    }

    /// How the kernel goes about it.
    fn tile(&self, software: bool) -> WindowTile {
        let tables = matches!(self.relative, RelativePosition::PerHead | RelativePosition::WholeChannel);
        tuning::window_tile(software, self.head_dim, self.rows(), self.window.width, tables)
    }

    /// See [`WindowAttention::cost`].
    pub(crate) fn cost(&self, shape: Nchw, element: Element, inner: Element) -> Cost {
        let out = self.output(shape.size()).pixels();
        let queries = u64::from(shape.batch).saturating_mul(self.heads.into()).saturating_mul(out);
        let entries = self.window.pixels();
        let products = match self.relative {
            RelativePosition::PerHead | RelativePosition::WholeChannel => 3,
            RelativePosition::None | RelativePosition::Bias => 2,
        };
        let head_dim = u64::from(self.head_dim);
        let [rows, columns] = self.tables();
        let parameters = rows.saturating_add(columns);
        let inputs =
            2u64.saturating_mul(shape.elements().unwrap_or(u64::MAX)).saturating_add(queries.saturating_mul(head_dim));
        Cost {
            bytes: inputs.saturating_mul(inner.bytes()).saturating_add(
                queries.saturating_mul(head_dim).saturating_add(parameters).saturating_mul(element.bytes()),
            ),
            flops: queries.saturating_mul(entries).saturating_mul(2 * products * head_dim),
            parameters,
        }
    }
}

const fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Windowed attention `q, k, v [n, heads*d, h, w] -> y [n, heads*d, ho, wo]`: the softmax of a query's products with the keys of
/// its window weights the values there (Stand-Alone Self-Attention, Ramachandran et al. 2019, arXiv:1906.05909, Eqs. 2 and 3).
/// [`WindowAttentionOptions`] holds the formula's variants. No neighbourhood is ever unfolded: memory is inputs and outputs.
///
/// The windows are those of SASA and, with [`Border::Shift`], of NATTEN: one around each query. `HaloNet`'s attention is covered
/// for blocks of one pixel; larger blocks share one window among their queries, and Swin's windows don't move with the query
/// at all: neither is a stride of this operator, and neither is covered.
///
/// Kernels `shaders/window_attention.wgsl` and `shaders/window_attention_weights.wgsl`; reference
/// [`reference::window_attention`](crate::reference::window_attention).
#[derive(Clone, Debug)]
pub struct WindowAttention {
    options: WindowAttentionOptions,
    element: Element,
    inner: Element,
    tile: WindowTile,
    kernel: Kernel,
    weights: Kernel,
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
    /// Out, if wanted: `[n, heads, ho, wo]` f32, the logarithm of the sum of the exponentials of a query's logits. It is
    /// -infinity for a query without keys.
    pub log_sum_exp: Option<wgpu::BufferSlice<'a>>,
}

/// Tensors of [`WindowAttention::bind_weights`]; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct WindowWeightsBuffers<'a> {
    /// In: queries `[n, heads*d, h, w]`.
    pub q: wgpu::BufferSlice<'a>,
    /// In: keys `[n, heads*d, h, w]`.
    pub k: wgpu::BufferSlice<'a>,
    /// In: the tables of the options' relative term.
    pub tables: PositionTables<wgpu::BufferSlice<'a>>,
    /// Out: `[queries, heads, kh*kw]` f32.
    pub weights: wgpu::BufferSlice<'a>,
}

/// A query: an element of the output's planes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct QueryPosition {
    /// Which image, below `n`.
    pub image: u32,
    /// Row of the output, below `ho`.
    pub row: u32,
    /// Column of the output, below `wo`.
    pub column: u32,
}

impl WindowAttention {
    /// Compiles the kernels for tensors of type `element`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for options without a meaning: even windows, a head_dim above 128 or, with row and column
    /// tables, one that can't be halved, a stride with [`Border::Shift`], a scale that is not finite.
    /// [`Error::TooManyRounds`] on a software adapter, for windows of more keys than one invocation may loop over there:
    /// 31 x 31 at head_dim 128 fits. GPUs take any window.
    /// [`Error::MissingFeature`] for f16 on a device without it.
    pub fn new<'a>(
        compiler: impl Into<Compiler<'a>>,
        options: WindowAttentionOptions,
        element: Element,
    ) -> Result<Self, Error> {
        Self::new_within(OP, compiler.into(), options, element, element)
    }

    /// As [`Self::new`], with queries, keys and values of type `inner`: those of a layer are f32 even where its ends are not.
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
        let constants = [("RELATIVE", relative), ("BLOCKS", f64::from(blocks)), ("SPLIT", f64::from(split))];
        let kernel = Kernel::new(
            compiler,
            &Build {
                op,
                shader: &WINDOW_ATTENTION,
                variant: Variant { inner, length, ..Variant::new(element, 1) },
                constants: &constants,
                workgroup: [GROUP / split, 1, split],
                workgroup_bytes: if split > 1 { 2 * 4 * GROUP * 16 } else { 2 * 16 },
            },
        )?;
        let weights = Kernel::new(
            compiler.at_first_use(),
            &Build {
                op,
                shader: &WINDOW_ATTENTION_WEIGHTS,
                variant: Variant { inner, ..Variant::new(element, 1) },
                constants: &constants[..1],
                workgroup: [64, 1, 1],
                workgroup_bytes: 64 * 4,
            },
        )?;
        Ok(Self { options, element, inner, tile, kernel, weights })
    }

    /// The options it was compiled with.
    #[must_use]
    pub fn options(&self) -> &WindowAttentionOptions {
        &self.options
    }

    /// The tables as the kernels bind them.
    fn table_tensors<'a>(&self, tables: [(&'static str, Option<wgpu::BufferSlice<'a>>); 2]) -> [Tensor<'a>; 2] {
        let [(_, row), (_, column)] = tables;
        let [first, second] = self.options.tables();
        let bytes = self.element.bytes();
        [Tensor::whole(row, first, bytes), Tensor::whole(column, second, bytes)]
    }

    /// The relative term's tables as they are bound.
    pub(crate) fn tables<'a>(
        &self,
        tables: PositionTables<wgpu::BufferSlice<'a>>,
    ) -> Result<[(&'static str, Option<wgpu::BufferSlice<'a>>); 2], Error> {
        let (names, slices) = match (self.options.relative, tables) {
            (RelativePosition::None, PositionTables::None) => (["tables", "tables"], [None, None]),
            (
                RelativePosition::PerHead | RelativePosition::WholeChannel,
                PositionTables::Factorised { row, column },
            ) => (["tables.row", "tables.column"], [Some(row), Some(column)]),
            (RelativePosition::Bias, PositionTables::Bias(bias)) => (["tables.bias", "tables"], [Some(bias), None]),
            (relative, given) => {
                let given = match given {
                    PositionTables::None => "PositionTables::None",
                    PositionTables::Factorised { .. } => "PositionTables::Factorised",
                    PositionTables::Bias(_) => "PositionTables::Bias",
                };
                return Err(Error::InvalidParameter {
                    op: OP,
                    parameter: "tables",
                    given: given.into(),
                    needed: format!("those of RelativePosition::{relative:?}"),
                });
            }
        };
        Ok([(names[0], slices[0]), (names[1], slices[1])])
    }

    /// The tensors of one `bind`, in the order in which they are checked.
    ///
    /// # Errors
    ///
    /// What [`Self::bind`] refuses of a shape, before any buffer.
    pub fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        let options = &self.options;
        check::elements(OP, "q", shape)?;
        options.check_shape(OP, shape)?;
        let Size { height, width } = options.output(shape.size());
        let y = Nchw { height, width, ..shape };
        let mut specs = Vec::from(["q", "k", "v"].map(|name| TensorSpec::input(name, shape, self.inner)));
        specs.extend(options.table_specs(self.element));
        specs.push(TensorSpec::output("y", y, self.element));
        let log_sum_exp = Nchw { channels: options.heads, ..y };
        specs.push(TensorSpec::output("log_sum_exp", log_sum_exp, Element::F32).optional());
        Ok(specs)
    }

    /// The tensors of one [`Self::bind_weights`] of so many queries, in the order in which they are checked.
    ///
    /// # Errors
    ///
    /// What [`Self::bind_weights`] refuses of a shape, before any buffer.
    pub fn weights_tensors(&self, shape: Nchw, queries: u32) -> Result<Vec<TensorSpec>, Error> {
        let options = &self.options;
        check::elements(OP, "q", shape)?;
        options.check_shape(OP, shape)?;
        let entries = check::to_u32(OP, "keys of a window", options.window.pixels())?;
        let mut specs = Vec::from(["q", "k"].map(|name| TensorSpec::input(name, shape, self.inner)));
        specs.extend(options.table_specs(self.element));
        specs.push(TensorSpec::output("weights", [queries, options.heads, entries], Element::F32));
        Ok(specs)
    }

    /// Checks the buffers against the shape of `q`, `k` and `v`, and binds them.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidShape`] where the channels are not `heads * d`; [`Error::InvalidParameter`] for [`Border::Shift`] with
    /// a window, times its dilation, larger than the image, and for tables of another relative term;
    /// [`Error::LimitExceeded`] where one head of one image exceeds a binding of the device; and what every operator refuses
    /// of its buffers: too small, wrong usage, misaligned, output overlapping input.
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        buffers: WindowAttentionBuffers<'_>,
    ) -> Result<Recording, Error> {
        let options = &self.options;
        let specs = self.tensors(shape)?;
        let tables = self.tables(buffers.tables)?;
        if shape.is_empty() {
            return Ok(Recording::default());
        }
        let out = options.output(shape.size());
        let head_dim = u64::from(options.head_dim);
        let (unit, out_unit) = (head_dim * shape.size().pixels(), head_dim * out.pixels());
        let bytes = self.inner.bytes();
        let [row, column] = self.table_tensors(tables);
        let tensors = [
            Tensor::divided(buffers.q, unit, bytes),
            Tensor::divided(buffers.k, unit, bytes),
            Tensor::divided(buffers.v, unit, bytes),
            row,
            column,
            Tensor::divided(buffers.y, out_unit, self.element.bytes()),
            Tensor::divided(buffers.log_sum_exp, out.pixels(), Element::F32.bytes()),
        ];
        let planes = check::to_u32(OP, "heads of a batch", u64::from(shape.batch) * u64::from(options.heads))?;
        let mut given = vec![
            ("q", Some(buffers.q)),
            ("k", Some(buffers.k)),
            ("v", Some(buffers.v)),
            ("y", Some(buffers.y)),
            ("log_sum_exp", buffers.log_sum_exp),
        ];
        given.extend(tables);
        check::slices(OP, device, &specs, &given)?;
        check::to_u32(OP, "elements of a head", unit)?;
        let classes = options.classes().min(out.height);
        let tiles = out.height.div_ceil(classes).div_ceil(QUERIES);
        let rows = check::to_u32(OP, "rows of invocations", u64::from(classes) * u64::from(tiles))?;
        let WindowTile { length, split, .. } = self.tile;
        let invocations = check::to_u32(OP, "invocations of a head", u64::from(rows) * u64::from(out.width))?;
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
            whole_channel: u32::from(options.relative == RelativePosition::WholeChannel),
            scale: options.scale,
            relative_scale: self.relative_scale(),
            shrink: shrink(options.window),
            ..Zeroable::zeroed()
        })?;
        Ok(Recording::new(dispatches))
    }

    /// Binds the computation of the attention weights of chosen queries, for looking at them: each row of `weights` sums to 1,
    /// entry `a * kw + b` being the key of the window's row `a` and column `b`. Entries that take no part are 0; a query
    /// without keys has zeros, one with a NaN or +infinite logit NaN.
    ///
    /// # Errors
    ///
    /// As [`Self::bind`]; [`Error::InvalidParameter`] for a query outside the output; [`Error::LimitExceeded`] where the
    /// whole of `q` or `k` exceeds a binding of the device.
    pub fn bind_weights(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        queries: &[QueryPosition],
        buffers: WindowWeightsBuffers<'_>,
    ) -> Result<Recording, Error> {
        let options = &self.options;
        let count = check::to_u32(OP, "queries", queries.len() as u64)?;
        let specs = self.weights_tensors(shape, count)?;
        let tables = self.tables(buffers.tables)?;
        let out = options.output(shape.size());
        for (parameter, given, end) in queries.iter().flat_map(|query| {
            [
                ("query.image", query.image, shape.batch),
                ("query.row", query.row, out.height),
                ("query.column", query.column, out.width),
            ]
        }) {
            if given >= end {
                let needed = format!("below {end}");
                return Err(Error::InvalidParameter { op: OP, parameter, given: given.to_string(), needed });
            }
        }
        if queries.is_empty() {
            return Ok(Recording::default());
        }
        let elements = shape.elements().unwrap_or(u64::MAX);
        let unit = u64::from(options.heads) * options.window.pixels();
        let [row, column] = self.table_tensors(tables);
        let mut tensors = vec![
            Tensor::whole(buffers.q, elements, self.inner.bytes()),
            Tensor::whole(buffers.k, elements, self.inner.bytes()),
            row,
            column,
            Tensor::divided(buffers.weights, unit, Element::F32.bytes()),
        ];
        let mut given = vec![("q", Some(buffers.q)), ("k", Some(buffers.k)), ("weights", Some(buffers.weights))];
        given.extend(tables);
        check::slices(OP, device, &specs, &given)?;
        check::to_u32(OP, "elements of q", elements)?;
        // Pixels are within `MAX_EXTENT`, so strides don't overflow.
        let positions: Vec<[u32; 3]> = queries
            .iter()
            .map(|query| [query.image, query.row * options.stride.height, query.column * options.stride.width])
            .collect();
        let positions = tensor::filled(
            OP,
            device,
            "window_attention_weights queries",
            bytemuck::cast_slice(&positions),
            wgpu::BufferUsages::STORAGE,
        )?;
        tensors.insert(4, Tensor::divided(positions.slice(..), 3, 4));
        let groups = [options.heads, 1];
        let dispatches = self.weights.bind(device, count, groups, &tensors, None, |_| WeightsParams {
            heads: options.heads,
            head_dim: options.head_dim,
            height: signed(shape.height),
            width: signed(shape.width),
            window_height: signed(options.window.height),
            window_width: signed(options.window.width),
            dilation_height: signed(options.dilation.height),
            dilation_width: signed(options.dilation.width),
            border: options.border.code(),
            whole_channel: u32::from(options.relative == RelativePosition::WholeChannel),
            scale: options.scale,
            relative_scale: self.relative_scale(),
            ..Zeroable::zeroed()
        })?;
        Ok(Recording::new(dispatches))
    }

    fn relative_scale(&self) -> f32 {
        if self.options.scale_relative { self.options.scale } else { 1.0 }
    }

    /// What one run moves and computes, for `q`, `k` and `v` of this shape: the products of queries and keys, of weights and
    /// values and, with row and column tables, of queries and embeddings, as a product of its own; not the softmax, which
    /// the paper does not count either. Parameters are the tables.
    #[must_use]
    pub fn cost(&self, shape: Nchw) -> Cost {
        self.options.cost(shape, self.element, self.inner)
    }
}

/// The largest power of two that is at most the weight of each key where all weigh the same.
pub(super) fn shrink(window: Size) -> f32 {
    1.0 / window.pixels().next_power_of_two() as f32
}

/// Below `MAX_EXTENT`, as checked.
fn signed(value: u32) -> i32 {
    value as i32
}
