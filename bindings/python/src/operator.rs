//! An operator that is opened by name, and keeps what it is bound to.

use std::sync::{Arc, Mutex, PoisonError};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use visual_attention::operators::{self, Options, Shapes, Slices};
use visual_attention::{Compiler, Error, Recording, TensorSpec};

use crate::buffer::Buffer;
use crate::device::{Device, Shared};
use crate::error::raised;

/// Recordings that an operator keeps.
const MOST_RECORDINGS: usize = 8;

/// Shapes of tensors by name.
pub(crate) type NamedShapes = Vec<(String, Vec<u32>)>;
/// Options by name.
pub(crate) type Texts = Vec<(String, String)>;
/// Name, shape, element type, role, whether it is optional, and the input whose place it may take.
pub(crate) type Row = (&'static str, Vec<u32>, String, &'static str, bool, Option<&'static str>);

/// What a recording was bound to.
#[derive(Debug, PartialEq, Eq)]
struct Bound {
    shapes: NamedShapes,
    buffers: Vec<(String, u64)>,
}

/// An operator with its options. It keeps its pipelines, and its recordings for the buffers that it ran on last.
#[pyclass(frozen, module = "visual_attention._native")]
#[derive(Debug)]
pub(crate) struct Operator {
    device: Arc<Shared>,
    operator: Box<dyn operators::Operator>,
    /// The last one was used last.
    recordings: Mutex<Vec<(Bound, Arc<Recording>)>>,
}

pub(crate) fn entry(name: &str) -> PyResult<&'static operators::Entry> {
    operators::find(name).ok_or_else(|| PyValueError::new_err(format!("there is no operator `{name}`")))
}

pub(crate) fn rows(specs: Vec<TensorSpec>) -> Vec<Row> {
    let role = |spec: &TensorSpec| match spec.role {
        visual_attention::Role::Input => "input",
        visual_attention::Role::InPlace => "in_place",
        _ => "output",
    };
    let row = |spec: TensorSpec| {
        let role = role(&spec);
        (spec.name, spec.shape, spec.dtype.to_string(), role, spec.optional, spec.in_place_of)
    };
    specs.into_iter().map(row).collect()
}

impl Operator {
    fn kept(&self, bound: &Bound) -> Option<Arc<Recording>> {
        let mut recordings = self.recordings.lock().unwrap_or_else(PoisonError::into_inner);
        let at = recordings.iter().position(|(with, _)| with == bound)?;
        let found = recordings.remove(at);
        let recording = found.1.clone();
        recordings.push(found);
        Some(recording)
    }

    fn keep(&self, bound: Bound, recording: Arc<Recording>) {
        let mut recordings = self.recordings.lock().unwrap_or_else(PoisonError::into_inner);
        recordings.push((bound, recording));
        if recordings.len() > MOST_RECORDINGS {
            recordings.remove(0);
        }
    }
}

#[pymethods]
impl Operator {
    /// Opens the operator of this name.
    #[new]
    fn new(py: Python<'_>, device: &Device, name: &str, options: Texts) -> PyResult<Self> {
        device.shared.check()?;
        let (entry, options) = (entry(name)?, Options::new(options));
        let Shared { gpu, pipelines, .. } = &*device.shared;
        // Compiled by the first `bind`: the one that finds out the element type opens operators that never run.
        let open = || {
            gpu.build(|device| entry.open(Compiler::from(device).with_pipelines(pipelines).at_first_use(), &options))
        };
        let operator = py.detach(open).map_err(raised)?;
        Ok(Self { device: device.shared.clone(), operator, recordings: Mutex::default() })
    }

    /// The device.
    #[getter]
    fn device(&self) -> Device {
        Device { shared: self.device.clone() }
    }

    /// Every tensor for inputs of these shapes.
    fn tensors(&self, shapes: NamedShapes) -> PyResult<Vec<Row>> {
        self.operator.tensors(&Shapes::new(shapes)).map(rows).map_err(raised)
    }

    /// Floating-point operations and bytes of one run.
    fn cost(&self, shapes: NamedShapes) -> PyResult<(u64, u64)> {
        self.operator.cost(&Shapes::new(shapes)).map(|cost| (cost.flops, cost.bytes)).map_err(raised)
    }

    /// Runs it on these tensors, without waiting.
    fn run(&self, py: Python<'_>, shapes: NamedShapes, tensors: Vec<(String, PyRef<'_, Buffer>)>) -> PyResult<()> {
        self.device.check()?;
        let mut buffers = Vec::with_capacity(tensors.len());
        for (name, tensor) in &tensors {
            if !Arc::ptr_eq(&tensor.device, &self.device) {
                let (op, given, needed) =
                    (self.operator.name(), tensor.device.gpu.describe(), self.device.gpu.describe());
                let text = format!("{op}: `{name}` is on another device: {given}, needs the operator's: {needed}");
                return Err(PyValueError::new_err(text));
            }
            buffers.push((name.clone(), tensor.numbered()?));
        }
        let ids = buffers.iter().map(|(name, numbered)| (name.clone(), numbered.id)).collect();
        let bound = Bound { shapes, buffers: ids };
        let recording = match self.kept(&bound) {
            Some(recording) => recording,
            None => {
                let recording = py.detach(|| -> Result<_, Error> {
                    let slices = buffers.iter().map(|(name, numbered)| (name.clone(), numbered.buffer.slice(..)));
                    let (shapes, slices) = (Shapes::new(bound.shapes.iter().cloned()), Slices::new(slices));
                    self.device.gpu.build(|device| self.operator.bind(device, &shapes, &slices))
                });
                let recording = Arc::new(recording.map_err(raised)?);
                self.keep(bound, recording.clone());
                recording
            }
        };
        self.device.run(py, &recording)
    }

    /// Forgets what it was bound to, and so frees scratch buffers.
    fn clear(&self) {
        self.recordings.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
