//! A device of the process, its spare buffers, and waits that Ctrl-C ends.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use visual_attention::host::Gpu;
use visual_attention::{DispatchBound, Error, Pipelines, Recording, wgpu};

use crate::error::raised;

/// How long a wait takes no notice of signals.
const SLICE: Duration = Duration::from_millis(50);
/// Spare buffers hold no more than this.
const MOST_SPARE: u64 = 256 << 20;

/// A buffer with a number that no other buffer of the process has.
#[derive(Debug)]
pub(crate) struct Numbered {
    pub(crate) id: u64,
    pub(crate) bytes: u64,
    pub(crate) buffer: wgpu::Buffer,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) gpu: Gpu,
    /// Operators share them.
    pub(crate) pipelines: Pipelines,
    timeout: Duration,
    process: u32,
    /// The last one was returned last.
    spare: Mutex<Vec<Numbered>>,
}

impl Shared {
    /// Refuses a device of another process: a fork has no part in its parent's driver.
    pub(crate) fn check(&self) -> PyResult<()> {
        let process = std::process::id();
        if process == self.process {
            return Ok(());
        }
        Err(PyRuntimeError::new_err(format!(
            "the device was opened in process {}, this is process {process}: open a `Device` after the fork, or start processes by \"spawn\"",
            self.process
        )))
    }

    fn take(&self, bytes: u64) -> Option<Numbered> {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        let at = spare.iter().rposition(|numbered| numbered.bytes == bytes)?;
        Some(spare.remove(at))
    }

    /// Keeps a buffer for the next tensor of its size. Work that still uses it was submitted before.
    pub(crate) fn give(&self, numbered: Numbered) {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        spare.push(numbered);
        let mut total: u64 = spare.iter().map(|numbered| numbered.bytes).sum();
        while total > MOST_SPARE {
            total -= spare.remove(0).bytes;
        }
    }

    /// A buffer of this size with any contents.
    pub(crate) fn buffer(&self, bytes: u64) -> Result<Numbered, Error> {
        self.spared(bytes, || self.gpu.buffer("tensor", bytes))
    }

    /// A buffer of these contents.
    pub(crate) fn upload(&self, contents: &[u8]) -> Result<Numbered, Error> {
        let bytes = contents.len() as u64;
        if let Some(numbered) = self.take(rounded(bytes)) {
            self.write(&numbered, contents)?;
            return Ok(numbered);
        }
        self.spared(bytes, || self.gpu.upload("tensor", contents))
    }

    /// Replaces the contents, from the first byte on.
    pub(crate) fn write(&self, numbered: &Numbered, contents: &[u8]) -> Result<(), Error> {
        let whole = contents.len() / 4 * 4;
        if whole > 0 {
            self.gpu.write(&numbered.buffer, 0, &contents[..whole])?;
        }
        if whole < contents.len() {
            let mut last = [0; 4];
            last[..contents.len() - whole].copy_from_slice(&contents[whole..]);
            self.gpu.write(&numbered.buffer, whole as u64, &last)?;
        }
        Ok(())
    }

    fn spared(&self, bytes: u64, create: impl Fn() -> Result<wgpu::Buffer, Error>) -> Result<Numbered, Error> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let bytes = rounded(bytes);
        if let Some(numbered) = self.take(bytes) {
            return Ok(numbered);
        }
        let buffer = match create() {
            Err(Error::OutOfMemory { .. }) => {
                self.spare.lock().unwrap_or_else(PoisonError::into_inner).clear();
                create()
            }
            outcome => outcome,
        }?;
        Ok(Numbered { id: NEXT.fetch_add(1, Ordering::Relaxed), bytes, buffer })
    }

    /// Waits for all submitted work, in slices between which Python may raise `KeyboardInterrupt`.
    pub(crate) fn wait(&self, py: Python<'_>) -> PyResult<()> {
        self.check()?;
        let (start, slice) = (Instant::now(), SLICE.min(self.timeout));
        loop {
            match py.detach(|| self.gpu.wait_for(slice)) {
                Err(Error::Timeout { .. }) if start.elapsed() < self.timeout => py.check_signals()?,
                Err(Error::Timeout { .. }) => return Err(raised(Error::Timeout { waited: self.timeout })),
                outcome => return outcome.map_err(raised),
            }
        }
    }

    /// Submits a recording. Only work of several steps is waited for, so that Ctrl-C ends it after the current step.
    pub(crate) fn run(&self, py: Python<'_>, recording: &Recording) -> PyResult<()> {
        let bound = DispatchBound::of(self.gpu.adapter.device_type);
        let mut dispatches = recording.dispatches().peekable();
        while dispatches.peek().is_some() {
            py.detach(|| {
                self.gpu.run(|pass| {
                    let mut done = visual_attention::Cost::default();
                    while let Some(dispatch) = dispatches.next_if(|next| {
                        let with = done + next.cost();
                        done == visual_attention::Cost::default()
                            || with.flops <= bound.flops && with.bytes <= bound.bytes
                    }) {
                        dispatch.record(pass);
                        done += dispatch.cost();
                    }
                })
            })
            .map_err(raised)?;
            if dispatches.peek().is_some() {
                self.wait(py)?;
            }
        }
        Ok(())
    }
}

fn rounded(bytes: u64) -> u64 {
    bytes.max(4).next_multiple_of(4)
}

/// A GPU that is open.
///
/// `Device()` opens the adapter that wgpu prefers. The environment variables `WGPU_BACKEND` (`vulkan`, `gl`, `metal`, `dx12`) and
/// `WGPU_ADAPTER_NAME` (a part of the name) choose another. `timeout` is how many seconds a wait takes at most before `TimeoutError`.
#[pyclass(frozen, module = "visual_attention")]
#[derive(Clone, Debug)]
pub(crate) struct Device {
    pub(crate) shared: Arc<Shared>,
}

#[pymethods]
impl Device {
    #[new]
    #[pyo3(signature = (*, timeout = 3600.0))]
    fn new(py: Python<'_>, timeout: f64) -> PyResult<Self> {
        let limit = Duration::try_from_secs_f64(timeout).map_err(|_| {
            PyValueError::new_err(format!("`timeout` is {timeout}, needs a number of seconds from 0 on"))
        })?;
        let mut gpu = py.detach(Gpu::open_large).map_err(raised)?;
        gpu.timeout = limit;
        let pipelines = Pipelines::default();
        let shared = Shared { gpu, pipelines, timeout: limit, process: std::process::id(), spare: Mutex::default() };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The adapter, its driver and its backend, in one line.
    #[getter]
    fn name(&self) -> String {
        self.shared.gpu.describe()
    }

    /// Whether it takes float16.
    #[getter]
    fn has_float16(&self) -> bool {
        self.shared.gpu.has_f16()
    }

    /// Whether it is a software driver.
    #[getter]
    fn is_software(&self) -> bool {
        self.shared.gpu.adapter.device_type == wgpu::DeviceType::Cpu
    }

    /// Whether it was opened in this process, and not in one that this process is a fork of.
    #[getter]
    fn is_own(&self) -> bool {
        self.shared.check().is_ok()
    }

    /// Waits for all work.
    fn wait(&self, py: Python<'_>) -> PyResult<()> {
        self.shared.wait(py)
    }

    fn __repr__(&self) -> String {
        format!("<Device {}>", self.shared.gpu.describe())
    }

    fn __eq__(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    fn __hash__(&self) -> usize {
        Arc::as_ptr(&self.shared) as usize
    }
}
