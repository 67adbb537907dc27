//! Tensors of an operator as data: the name, shape, element type and role of each.

use std::fmt;

use crate::{Element, Nchw, Ncthw, Nhw};

/// How the numbers of a tensor are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DType {
    /// 32-bit IEEE 754.
    F32,
    /// 16-bit IEEE 754.
    F16,
    /// Unsigned 32-bit integers. In masks they are 0 or 1. In overlays each holds the four bytes of a pixel.
    U32,
    /// Signed 32-bit integers.
    I32,
}

impl DType {
    /// Bytes of one element.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        match self {
            Self::F16 => 2,
            Self::F32 | Self::U32 | Self::I32 => 4,
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::U32 => "u32",
            Self::I32 => "i32",
        })
    }
}

impl From<Element> for DType {
    fn from(element: Element) -> Self {
        match element {
            Element::F32 => Self::F32,
            Element::F16 => Self::F16,
        }
    }
}

/// How an operator uses a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// The operator reads it.
    Input,
    /// The operator writes every element.
    Output,
    /// The operator reads it, and then writes every element.
    InPlace,
}

/// One tensor of an operator for one shape. `tensors` of every operator returns them, and `bind` checks slices against them.
/// All tensors are dense and row-major, the last axis fastest.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct TensorSpec {
    /// The field of the operator's buffers; `norm.mean` for a nested field.
    pub name: &'static str,
    /// Extents, slowest first.
    pub shape: Vec<u32>,
    /// Element type.
    pub dtype: DType,
    /// Whether the operator reads or writes it.
    pub role: Role,
    /// Whether `bind` accepts buffers without it.
    pub optional: bool,
    /// The input that an output may replace: the same slice in both fields.
    pub in_place_of: Option<&'static str>,
}

impl TensorSpec {
    pub(crate) fn input(name: &'static str, shape: impl Into<Vec<u32>>, dtype: impl Into<DType>) -> Self {
        let (shape, dtype) = (shape.into(), dtype.into());
        Self { name, shape, dtype, role: Role::Input, optional: false, in_place_of: None }
    }

    pub(crate) fn output(name: &'static str, shape: impl Into<Vec<u32>>, dtype: impl Into<DType>) -> Self {
        Self { role: Role::Output, ..Self::input(name, shape, dtype) }
    }

    pub(crate) fn in_place(name: &'static str, shape: impl Into<Vec<u32>>, dtype: impl Into<DType>) -> Self {
        Self { role: Role::InPlace, ..Self::input(name, shape, dtype) }
    }

    pub(crate) fn optional(self) -> Self {
        Self { optional: true, ..self }
    }

    pub(crate) fn optional_if(self, optional: bool) -> Self {
        Self { optional, ..self }
    }

    /// Elements, or `None` beyond `u64`.
    #[must_use]
    pub fn elements(&self) -> Option<u64> {
        self.shape.iter().try_fold(1u64, |product, &extent| product.checked_mul(extent.into()))
    }

    /// Fewest bytes of a slice for this tensor: a multiple of 4, as storage bindings need. `None` if the count overflows `u64`.
    #[must_use]
    pub fn bytes(&self) -> Option<u64> {
        self.elements()?.checked_mul(self.dtype.bytes())?.checked_next_multiple_of(4)
    }
}

impl From<Nchw> for Vec<u32> {
    fn from(shape: Nchw) -> Self {
        vec![shape.batch, shape.channels, shape.height, shape.width]
    }
}

impl From<Ncthw> for Vec<u32> {
    fn from(shape: Ncthw) -> Self {
        vec![shape.batch, shape.channels, shape.frames, shape.height, shape.width]
    }
}

impl From<Nhw> for Vec<u32> {
    fn from(shape: Nhw) -> Self {
        vec![shape.batch, shape.height, shape.width]
    }
}
