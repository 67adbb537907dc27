//! What a windowed attention computes, whether that fits an image, and what it costs.

use crate::cost::{Count, count};
use crate::kernel::check::MAX_EXTENT;
use crate::kernel::resample::gcd;
use crate::kernel::tuning::WindowTile;
use crate::kernel::{Tensor, check, tuning};
use crate::names::names;
use crate::{Cost, Element, Error, Nchw, Size, TensorSpec};

pub(super) const OP: &str = "window_attention";
/// Queries of one invocation, in a column.
pub(super) const QUERIES: u32 = 4;
const MAX_HEAD_DIM: u32 = 128;

/// What a window does at the border of the image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Border {
    /// Keys and values outside the image are zero vectors. They take part in the softmax, as with zero padding.
    #[default]
    Zero,
    /// Keys outside the image are left out of the softmax.
    Mask,
    /// The window moves to stay inside the image, in steps of its dilation (NATTEN). Needs stride 1 and an image of at least
    /// `window * dilation` pixels on each axis.
    Shift,
}

names!(Border, "border", Zero = "zero", Mask = "mask", Shift = "shift");

impl Border {
    pub(super) const fn code(self) -> u32 {
        match self {
            Self::Zero => 0,
            Self::Mask => 1,
            Self::Shift => 2,
        }
    }
}

/// The term of a logit that depends on the position of the key relative to the query.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RelativePosition {
    /// No such term.
    #[default]
    None,
    /// `q . E` with the same tables for all heads (arXiv:1906.05909, Eq. 3). The first half of a head's channels meets a row
    /// embedding, the second half a column embedding. Needs an even `head_dim`.
    PerHead,
    /// `q . E` with tables over all channels, as in public implementations of the same paper. The first half of all channels
    /// meets a row embedding, the second half a column embedding. Needs an even number of channels.
    WholeChannel,
    /// A bias for each head and each offset in window steps.
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
    /// For [`RelativePosition::None`].
    None,
    /// For [`RelativePosition::PerHead`] and [`RelativePosition::WholeChannel`].
    Factorised {
        /// `[d/2, kh]`, or `[heads*d/2, kh]` for the whole channel.
        row: T,
        /// `[d/2, kw]`, or `[heads*d/2, kw]` for the whole channel.
        column: T,
    },
    /// For [`RelativePosition::Bias`]: `[heads, 2kh-1, 2kw-1]`. The middle entry is the bias of the query's own pixel.
    Bias(T),
}

/// Options of a [`WindowAttention`](super::WindowAttention).
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
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
    /// What a window does at the border of the image.
    pub border: Border,
    /// The term for the relative position.
    pub relative: RelativePosition,
    /// Factor of the product of query and key: 1 in arXiv:1906.05909, `1/sqrt(d)` elsewhere.
    pub scale: f32,
    /// Whether `scale` multiplies the relative term as well.
    pub scale_relative: bool,
}

impl WindowAttentionOptions {
    /// Windows of `k` x `k` keys as in arXiv:1906.05909: zero padding, row and column embeddings for each head, scale 1.
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

    /// With windows of this size.
    #[must_use]
    pub const fn with_window(self, window: Size) -> Self {
        Self { window, ..self }
    }

    /// With this distance between keys.
    #[must_use]
    pub const fn with_dilation(self, dilation: Size) -> Self {
        Self { dilation, ..self }
    }

    /// With this distance between queries.
    #[must_use]
    pub const fn with_stride(self, stride: Size) -> Self {
        Self { stride, ..self }
    }

    /// With this border.
    #[must_use]
    pub const fn with_border(self, border: Border) -> Self {
        Self { border, ..self }
    }

    /// With this relative term.
    #[must_use]
    pub const fn with_relative(self, relative: RelativePosition) -> Self {
        Self { relative, ..self }
    }

    /// With this factor of the product of query and key.
    #[must_use]
    pub const fn with_scale(self, scale: f32) -> Self {
        Self { scale, ..self }
    }

    /// With the relative term scaled, or not.
    #[must_use]
    pub const fn with_scale_relative(self, scale_relative: bool) -> Self {
        Self { scale_relative, ..self }
    }

    /// Size of the output for an input of this size: `ho x wo`, one pixel for each query.
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

    /// Whether the tables run over the channels of all heads.
    pub(super) fn whole_channel(&self) -> bool {
        self.relative == RelativePosition::WholeChannel
    }

    /// The factor of the relative term.
    pub(super) const fn relative_scale(&self) -> f32 {
        if self.scale_relative { self.scale } else { 1.0 }
    }

    /// The tables of the relative term, as tensors of the operator.
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

    /// The slices of the tables, by their names in the order of the kernels' bindings.
    pub(crate) fn table_slices<'a>(
        &self,
        op: &'static str,
        tables: PositionTables<wgpu::BufferSlice<'a>>,
    ) -> Result<[(&'static str, Option<wgpu::BufferSlice<'a>>); 2], Error> {
        let (names, slices) = match (self.relative, tables) {
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
                    op,
                    parameter: "tables",
                    given: given.into(),
                    needed: format!("those of RelativePosition::{relative:?}"),
                });
            }
        };
        Ok([(names[0], slices[0]), (names[1], slices[1])])
    }

    /// The slices of [`Self::table_slices`] as the kernels bind them.
    pub(super) fn table_tensors<'a>(
        &self,
        tables: [(&'static str, Option<wgpu::BufferSlice<'a>>); 2],
        element: Element,
    ) -> [Tensor<'a>; 2] {
        let [(_, row), (_, column)] = tables;
        let [first, second] = self.table_elements();
        let bytes = element.bytes();
        [Tensor::whole(row, first.0, bytes), Tensor::whole(column, second.0, bytes)]
    }

    /// Elements of the relative term's tables: rows and columns, or the bias table alone.
    fn table_elements(&self) -> [Count; 2] {
        // The number of elements does not depend on their type.
        let specs = self.table_specs(Element::F32);
        [0, 1].map(|table| specs.get(table).map_or(count(0), |spec| count(spec.elements())))
    }

    /// Checks the options, and that they fit queries, keys and values of this shape. It needs no device, and serves the
    /// reference, which checks nothing.
    ///
    /// # Errors
    ///
    /// As [`WindowAttention::new`](super::WindowAttention::new) and [`WindowAttention::bind`](super::WindowAttention::bind),
    /// without what depends on a device or a buffer.
    pub fn check(&self, shape: Nchw) -> Result<(), Error> {
        self.check_options(OP)?;
        self.check_shape(OP, shape)
    }

    /// Checks what does not depend on the image.
    pub(crate) fn check_options(&self, op: &'static str) -> Result<(), Error> {
        let refuse =
            |parameter, given: String, needed: String| Err(Error::InvalidParameter { op, parameter, given, needed });
        if self.heads == 0 {
            return refuse("heads", "0".into(), "at least 1".into());
        }
        if self.head_dim == 0 || self.head_dim > MAX_HEAD_DIM {
            return refuse("head_dim", self.head_dim.to_string(), format!("1 to {MAX_HEAD_DIM}"));
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

    /// Checks what depends on the image.
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

    /// Rows of keys from one query of an invocation to the next, in steps of the dilation. `None` if their windows would have no
    /// row in common: then an invocation computes a single query.
    fn step(&self) -> Option<u32> {
        let step = self.stride.height / gcd(self.dilation.height, self.stride.height);
        (step < self.window.height).then_some(step)
    }

    /// Rows of the output from one query of an invocation to the next. Queries at this distance have rows of keys in common.
    pub(super) fn classes(&self) -> u32 {
        self.step().map_or(u32::MAX, |_| self.dilation.height / gcd(self.dilation.height, self.stride.height))
    }

    /// Rows of keys that the windows of one invocation's queries cover together.
    pub(super) fn rows(&self) -> u32 {
        self.window.height.saturating_add((QUERIES - 1).saturating_mul(self.step().unwrap_or(0)))
    }

    /// The variant of the kernel.
    pub(super) fn tile(&self, software: bool) -> WindowTile {
        let tables = matches!(self.relative, RelativePosition::PerHead | RelativePosition::WholeChannel);
        tuning::window_tile(software, self.head_dim, self.rows(), self.window.width, tables)
    }

    /// As [`WindowAttention::cost`](super::WindowAttention::cost), without a device.
    pub(crate) fn cost(&self, shape: Nchw, element: Element, inner: Element) -> Cost {
        let out = count(self.output(shape.size()).pixels());
        let queries = count(u64::from(shape.batch)) * count(u64::from(self.heads)) * out;
        let products = match self.relative {
            RelativePosition::PerHead | RelativePosition::WholeChannel => 3,
            RelativePosition::None | RelativePosition::Bias => 2,
        };
        let head_dim = count(u64::from(self.head_dim));
        let [rows, columns] = self.table_elements();
        let parameters = rows + columns;
        let inputs = count(2) * count(shape.elements()) + queries * head_dim;
        Cost::new(
            inputs * count(inner.bytes()) + (queries * head_dim + parameters) * count(element.bytes()),
            queries * count(self.window.pixels()) * count(2 * products) * head_dim,
            parameters,
        )
    }
}
