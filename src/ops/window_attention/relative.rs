//! The term of a logit that depends on where the key lies relative to the query.

use crate::names::names;

/// The term of a logit that depends on the position of the key relative to the query.
///
/// `x` is the number of axes whose windows have more than one key. Only these axes have tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RelativePosition {
    /// No such term.
    #[default]
    None,
    /// `q . E` with the same tables for all heads (arXiv:1906.05909, Eq. 3). The channels of a head are divided evenly among the axes.
    /// The first piece meets an embedding of the first axis, and so on: for images the first half a row embedding, the second
    /// half a column embedding. Needs a `head_dim` that divides by `x`, and windows without groups.
    PerHead,
    /// `q . E` with tables over all channels, as in public implementations of the same paper: all channels are divided among the axes.
    /// Their number must divide by `x`. Needs windows without groups.
    WholeChannel,
    /// `q . E`, where `E` is the sum of one embedding for each axis, by the offset of the key (`HaloNet`, arXiv:2103.12731; `BoTNet`,
    /// arXiv:2101.11605).
    Sum,
    /// A bias for each head and each offset of the key in window steps (Swin, arXiv:2103.14030, Eq. 4).
    Bias,
}

names!(
    RelativePosition,
    "relative position",
    None = "none",
    PerHead = "per_head",
    WholeChannel = "whole_channel",
    Sum = "sum",
    Bias = "bias"
);

/// The tensors of a [`RelativePosition`] term: buffers for the operator, slices of numbers for the reference. Entry 0 of a window is
/// its first frame, row or column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PositionTables<T> {
    /// For [`RelativePosition::None`].
    None,
    /// For the terms with one table for each axis. An axis whose windows have one key has no table.
    Axes {
        /// `[d/x, kt]`, or `[heads*d/x, kt]` for [`RelativePosition::WholeChannel`], or `[d, 2kt-1]` for [`RelativePosition::Sum`].
        frames: Option<T>,
        /// As `frames`, for `kh`.
        rows: Option<T>,
        /// As `frames`, for `kw`.
        columns: Option<T>,
    },
    /// For [`RelativePosition::Bias`]: `[heads, 2kt-1, 2kh-1, 2kw-1]`. The middle entry is the bias of the query's own position.
    Bias(T),
}

impl<T> PositionTables<T> {
    /// Tables of rows and columns.
    #[must_use]
    pub const fn rows_and_columns(rows: T, columns: T) -> Self {
        Self::Axes { frames: None, rows: Some(rows), columns: Some(columns) }
    }
}
