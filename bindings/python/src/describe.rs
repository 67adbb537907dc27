//! What operators say of themselves, without a GPU.

use std::sync::OnceLock;

use numpy::{PyArray1, PyReadonlyArray1, ToPyArray};
use pyo3::prelude::*;
use visual_attention::operators::{self, Arrays, Options, Shapes};
use visual_attention::{Compiler, wgpu};

use crate::error::raised;
use crate::operator::{NamedShapes, Row, Texts, entry, rows};

/// The options of an example, its inputs with name and extent of each axis, and names of the inputs that may be left out.
type Example = (Texts, Vec<(&'static str, Vec<(&'static str, u32)>)>, Vec<&'static str>);

/// Compiles nothing: tensors and options depend on no device.
fn compiler() -> Compiler<'static> {
    static DEVICE: OnceLock<(wgpu::Device, wgpu::Queue)> = OnceLock::new();
    let features = wgpu::DeviceDescriptor { required_features: wgpu::Features::SHADER_F16, ..Default::default() };
    let (device, _) = DEVICE.get_or_init(|| wgpu::Device::noop(&features));
    Compiler::from(device).at_first_use()
}

/// Name, line and example of every operator.
#[pyfunction]
pub(crate) fn describe() -> Vec<(&'static str, &'static str, Example)> {
    let of = |entry: &operators::Entry| {
        let operators::Example { options, inputs, optional, .. } = entry.example;
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let inputs = inputs.iter().map(|(name, axes)| (*name, axes.to_vec())).collect();
        (entry.name, entry.about, (options, inputs, optional.to_vec()))
    };
    operators::all().iter().map(of).collect()
}

/// Name, values and default of every option of an operator. `given` has those without a default.
#[pyfunction]
pub(crate) fn options(name: &str, given: Texts) -> PyResult<Vec<(&'static str, String, Option<String>)>> {
    let specs = entry(name)?.options(compiler(), &Options::new(given)).map_err(raised)?;
    Ok(specs.into_iter().map(|spec| (spec.name, spec.values, spec.default)).collect())
}

/// Every tensor of an operator with these options, for inputs of these shapes.
#[pyfunction]
pub(crate) fn tensors(name: &str, given: Texts, shapes: NamedShapes) -> PyResult<Vec<Row>> {
    let operator = entry(name)?.open(compiler(), &Options::new(given)).map_err(raised)?;
    operator.tensors(&Shapes::new(shapes)).map(rows).map_err(raised)
}

/// What the plain CPU reference computes in float64: every output by name, flat.
#[pyfunction]
pub(crate) fn reference<'py>(
    py: Python<'py>,
    name: &str,
    given: Texts,
    shapes: NamedShapes,
    inputs: Vec<(String, PyReadonlyArray1<'py, f64>)>,
) -> PyResult<Vec<(String, Bound<'py, PyArray1<f64>>)>> {
    let operator = entry(name)?.open(compiler(), &Options::new(given)).map_err(raised)?;
    let read = |(name, numbers): &(String, PyReadonlyArray1<'_, f64>)| Ok((name.clone(), numbers.as_slice()?.to_vec()));
    let inputs = Arrays::new(inputs.iter().map(read).collect::<PyResult<Vec<_>>>()?);
    let computed = py.detach(|| operator.reference_f64(&Shapes::new(shapes), &inputs)).map_err(raised)?;
    Ok(computed.iter().map(|(name, numbers)| (name.to_owned(), numbers.to_pyarray(py))).collect())
}
