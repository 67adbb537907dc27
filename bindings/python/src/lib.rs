//! The operators of `visual-attention` for Python, by their names: what the Python side of `visual_attention` is built on.
//!
//! There is no code for any single operator here. `Operator` opens one by its name, and describes and runs it by the names of its tensors.

mod buffer;
mod describe;
mod device;
mod error;
mod operator;

use pyo3::prelude::*;

#[pymodule]
mod _native {
    #[pymodule_export]
    use crate::buffer::Buffer;
    #[pymodule_export]
    use crate::describe::{describe, options, reference, tensors};
    #[pymodule_export]
    use crate::device::Device;
    #[pymodule_export]
    use crate::error::DeviceLostError;
    #[pymodule_export]
    use crate::operator::Operator;
}
