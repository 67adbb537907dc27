//! Element types of tensors.

use crate::names::names;

/// How the numbers of a tensor are stored. Arithmetic is always 32-bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Element {
    /// 32-bit IEEE 754.
    F32,
    /// 16-bit IEEE 754; needs `wgpu::Features::SHADER_F16`.
    F16,
}

names!(Element, "element type", F32 = "f32", F16 = "f16");

impl Element {
    /// Bytes of one element.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }

    /// The WGSL scalar.
    pub(crate) const fn wgsl(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
        }
    }
}
