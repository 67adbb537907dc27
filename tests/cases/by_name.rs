//! Cases whose attributes are options of an operator, and whose tensors are its tensors: no code for each operator.

use num_traits::Float;
use visual_attention::host::Gpu;
use visual_attention::operators::{self, Arrays, Options, Shapes, Slices};
use visual_attention::{DType, Element, Error, Role};

use super::gates::Both;
use super::{Case, Outputs, Problem, Values, floats, integers, run, wide};
use crate::compiler;
use crate::describing::describing;

/// An attribute as the text of an option: `[2, 3]` is `2,3`.
fn text(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(values) => values.iter().map(text).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

fn extents(shape: &[usize]) -> Vec<u32> {
    shape.iter().map(|&extent| u32::try_from(extent).unwrap_or(u32::MAX)).collect()
}

/// Tensors that a case calls by another name: the operator's name, then the case's.
pub(super) type Renamed = [(&'static str, &'static str)];

/// Runs the operator `name`, whose options are the attributes of the case.
pub(super) fn by_name<T: Float>(gpu: Option<&Gpu>, case: &Case, name: &str, renamed: &Renamed) -> Both {
    let attrs = case.attrs.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), text(value)));
    let ours = |name: &str| {
        renamed.iter().find(|(_, theirs)| *theirs == name).map_or(name.to_owned(), |(ours, _)| (*ours).into())
    };
    let inputs: Vec<_> = case.inputs().map(|(name, values)| (ours(name), values)).collect();
    with_options::<T>(gpu, case, name, attrs.collect(), &inputs, renamed)
}

/// Runs the operator `name` with these options and inputs, by the operator's names. The case knows its outputs as `renamed` says.
pub(super) fn with_options<T: Float>(
    gpu: Option<&Gpu>,
    case: &Case,
    name: &str,
    mut options: Vec<(String, String)>,
    inputs: &[(String, &Values)],
    renamed: &Renamed,
) -> Both {
    let theirs =
        |name: &'static str| renamed.iter().find(|(ours, _)| *ours == name).map_or(name, |&(_, theirs)| theirs);
    let entry = operators::find(name).ok_or_else(|| Problem::Unsupported(format!("there is no operator `{name}`")))?;
    let element = if case.needs_f16() { Element::F16 } else { Element::F32 };
    // An attribute that the operator does not take, or not with this value, is named as such.
    let asked = entry.options(describing(), &Options::new(options.clone())).map_err(|error| match error {
        Error::InvalidParameter { parameter, .. } if !case.attrs[parameter].is_null() => case.unknown(parameter),
        error => Problem::Refused(error),
    })?;
    if asked.iter().any(|option| option.name == "element") {
        options.push(("element".into(), element.to_string()));
    }
    let options = Options::new(options);
    let operator = entry.open(describing(), &options)?;

    let shapes = Shapes::new(inputs.iter().map(|(name, values)| (name.clone(), extents(&values.shape))));
    let specs = operator.tensors(&shapes)?;
    let outputs: Vec<_> = specs.iter().filter(|spec| spec.role != Role::Input).map(|spec| spec.name).collect();

    let mut numbers = Vec::new();
    for spec in specs.iter().filter(|spec| spec.role != Role::Output) {
        let given = inputs.iter().find(|(name, _)| name == spec.name).map(|(_, values)| *values);
        let missing = || Problem::Malformed(format!("no tensor `in.{}`", theirs(spec.name)));
        if !spec.optional || given.is_some() {
            numbers.push((spec.name, given.ok_or_else(missing)?));
        }
    }
    // The references are methods, which have no type parameter.
    let reference = if size_of::<T>() == size_of::<f32>() {
        let inputs = Arrays::new(numbers.iter().map(|(name, values)| (*name, values.cast())));
        computed(&operator.reference_f32(&shapes, &inputs)?, &outputs, theirs)
    } else {
        let inputs = Arrays::new(numbers.iter().map(|(name, values)| (*name, values.cast())));
        computed(&operator.reference_f64(&shapes, &inputs)?, &outputs, theirs)
    };

    let on_gpu = gpu.map(|gpu| -> Result<Outputs, Problem> {
        let operator = entry.open(compiler::of(&gpu.device), &options)?;
        let mut buffers = Vec::new();
        for spec in &specs {
            let values = numbers.iter().find(|(name, _)| *name == spec.name);
            let buffer = match values {
                Some((_, values)) if matches!(spec.dtype, DType::U32 | DType::I32) => values.integers(gpu)?,
                // A case in 16 bits has parameters that the operator takes in 32.
                Some((_, values)) if spec.dtype == DType::F32 => gpu.upload(spec.name, &values.numbers)?,
                Some((_, values)) => values.upload(gpu)?,
                None if spec.role == Role::Input => continue,
                None => gpu.buffer(spec.name, spec.bytes().unwrap_or(u64::MAX))?,
            };
            buffers.push((spec, buffer));
        }
        let slices = Slices::new(buffers.iter().map(|(spec, buffer)| (spec.name, buffer.slice(..))));
        run(gpu, &operator.bind(&gpu.device, &shapes, &slices)?)?;
        let written = buffers.iter().filter(|(spec, _)| spec.role != Role::Input);
        let read = written.map(|(spec, buffer)| {
            let len = spec.elements().unwrap_or(0) as usize;
            let values = match spec.dtype {
                DType::F32 => floats(gpu, buffer, Element::F32, len)?,
                DType::F16 => floats(gpu, buffer, Element::F16, len)?,
                _ => integers(gpu, buffer)?,
            };
            Ok((theirs(spec.name), values))
        });
        read.collect()
    });
    Ok((on_gpu.transpose()?, reference))
}

/// The outputs that a reference computed, by the case's names.
fn computed<T: Float>(
    found: &Arrays<T>,
    outputs: &[&'static str],
    theirs: impl Fn(&'static str) -> &'static str,
) -> Outputs {
    outputs.iter().filter_map(|&name| Some((theirs(name), wide(found.get(name)?.clone())))).collect()
}
