//! Errors of the crate as Python's exceptions.

use pyo3::create_exception;
use pyo3::exceptions::{PyMemoryError, PyRuntimeError, PyTimeoutError, PyValueError};
use pyo3::prelude::*;
use visual_attention::Error;

create_exception!(
    visual_attention,
    DeviceLostError,
    PyRuntimeError,
    "The GPU device is lost, and its tensors and operators with it. Open another `Device` and create them again."
);

pub(crate) fn raised(error: Error) -> PyErr {
    let text = error.to_string();
    match error {
        Error::DeviceLost { .. } | Error::DeviceUnavailable { .. } => DeviceLostError::new_err(text),
        Error::OutOfMemory { .. } => PyMemoryError::new_err(text),
        Error::Timeout { .. } => PyTimeoutError::new_err(text),
        Error::NoAdapter { .. } | Error::NoDevice { .. } => PyRuntimeError::new_err(format!(
            "{text}; install the driver of your GPU, or Mesa's software driver (package mesa-vulkan-drivers)"
        )),
        Error::Refused { .. } => PyRuntimeError::new_err(text),
        // What is wrong with the arguments.
        _ => PyValueError::new_err(text),
    }
}
