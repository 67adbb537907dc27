//! Bytes on a device.

use std::sync::Arc;

use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use visual_attention::wgpu;

use crate::device::{Device, Numbered, Shared};
use crate::error::raised;

/// Bytes on a device. What `Tensor` gives a shape and an element type.
#[pyclass(frozen, module = "visual_attention._native")]
#[derive(Debug)]
pub(crate) struct Buffer {
    pub(crate) device: Arc<Shared>,
    /// There until the drop.
    numbered: Option<Numbered>,
    /// Bytes that were asked for.
    bytes: u64,
}

impl Buffer {
    pub(crate) fn numbered(&self) -> PyResult<&Numbered> {
        self.numbered.as_ref().ok_or_else(|| PyValueError::new_err("the buffer was dropped"))
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(numbered) = self.numbered.take() {
            self.device.give(numbered);
        }
    }
}

#[pymethods]
impl Buffer {
    /// A buffer of `bytes` bytes, with any contents.
    #[new]
    fn new(py: Python<'_>, device: &Device, bytes: u64) -> PyResult<Self> {
        device.shared.check()?;
        let numbered = py.detach(|| device.shared.buffer(bytes)).map_err(raised)?;
        Ok(Self { device: device.shared.clone(), numbered: Some(numbered), bytes })
    }

    /// A buffer of these bytes.
    #[staticmethod]
    fn upload(py: Python<'_>, device: &Device, contents: PyReadonlyArray1<'_, u8>) -> PyResult<Self> {
        device.shared.check()?;
        let contents = contents.as_slice()?;
        let numbered = py.detach(|| device.shared.upload(contents)).map_err(raised)?;
        Ok(Self { device: device.shared.clone(), numbered: Some(numbered), bytes: contents.len() as u64 })
    }

    /// The device.
    #[getter]
    fn device(&self) -> Device {
        Device { shared: self.device.clone() }
    }

    /// Replaces all bytes.
    fn write(&self, py: Python<'_>, contents: PyReadonlyArray1<'_, u8>) -> PyResult<()> {
        self.device.check()?;
        let (contents, numbered) = (contents.as_slice()?, self.numbered()?);
        if contents.len() as u64 != self.bytes {
            let (given, needed) = (contents.len(), self.bytes);
            return Err(PyValueError::new_err(format!("{given} bytes are given, the buffer has {needed}")));
        }
        py.detach(|| self.device.write(numbered, contents)).map_err(raised)
    }

    /// Copies all bytes to another buffer of the same size, on the device.
    fn copy_to(&self, py: Python<'_>, other: &Self) -> PyResult<()> {
        self.device.check()?;
        let (from, to) = (self.numbered()?, other.numbered()?);
        if !Arc::ptr_eq(&self.device, &other.device) || self.bytes != other.bytes {
            return Err(PyValueError::new_err("a copy needs two buffers of one size on one device"));
        }
        let copied = py.detach(|| {
            let copy = |encoder: &mut wgpu::CommandEncoder| {
                encoder.copy_buffer_to_buffer(&from.buffer, 0, &to.buffer, 0, from.bytes);
            };
            self.device.gpu.submit(copy)
        });
        copied.map_err(raised)
    }

    /// The bytes, after all submitted work, in words of four. The last word may be filled up.
    fn read<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<u32>>> {
        self.device.wait(py)?;
        let numbered = self.numbered()?;
        let words = py.detach(|| self.device.gpu.read::<u32>(numbered.buffer.slice(..))).map_err(raised)?;
        Ok(words.into_pyarray(py))
    }
}
