//! A small problem of each operator, from which a binding or a document learns the names of the axes.

/// Name and extent of an axis.
pub type Axis = (&'static str, u32);

/// A small problem of an operator: enough to open it and to list its tensors. Axes of different names have different extents, and so do the
/// numbers of the options. An extent of any tensor therefore shows which axes and options it comes from. An axis whose extent is fixed has that
/// number as its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Example {
    /// The options that have no default, and those whose default would not show in a shape.
    pub options: &'static [(&'static str, &'static str)],
    /// The inputs whose shapes decide all others, each with its axes, slowest first.
    pub inputs: &'static [(&'static str, &'static [Axis])],
    /// Names of inputs that may be left out.
    pub optional: &'static [&'static str],
}

impl Example {
    /// Of inputs alone.
    pub(super) const fn new(inputs: &'static [(&'static str, &'static [Axis])]) -> Self {
        Self { options: &[], inputs, optional: &[] }
    }

    pub(super) const fn with(self, options: &'static [(&'static str, &'static str)]) -> Self {
        Self { options, ..self }
    }

    pub(super) const fn or_without(self, optional: &'static [&'static str]) -> Self {
        Self { optional, ..self }
    }
}

pub(super) const N: Axis = ("n", 101);
pub(super) const C: Axis = ("c", 144);
pub(super) const H: Axis = ("h", 211);
pub(super) const W: Axis = ("w", 223);
/// The width between the layers of an excitation.
pub(super) const R: Axis = ("r", 29);
/// The side of a convolution.
pub(super) const K: Axis = ("k", 11);

pub(super) const FEATURES: &[Axis] = &[N, C, H, W];
pub(super) const PLANE: &[Axis] = &[N, H, W];
/// Features at another size than [`FEATURES`].
pub(super) const IMAGES: &[Axis] = &[N, ("channels", 3), ("height", 307), ("width", 311)];
pub(super) const REDUCE: (&str, &[Axis]) = ("reduce_weight", &[R, C]);
/// A height and a width.
pub(super) const SIZE: &str = "401,409";
