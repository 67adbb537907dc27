//! Golden cases: what public implementations computed, run through the operators and through the references.
//! Shared by `tests/golden.rs`, `examples/check_cases.rs` and `bindings/web`. The format is that of the files under `tests/golden`: a
//! `.safetensors` file with `op` and `attrs` in its metadata, inputs `in.*`, expected outputs `out.*`, upstream gradients `grad_out.*`,
//! expected gradients `grad.*`.

mod call;
mod convolution;
mod gates;
mod operations;
pub(crate) mod run;
pub(crate) mod stored;
#[cfg(test)]
mod tests;
mod windows;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use half::f16;
use num_traits::Float;
use safetensors::{Dtype, SafeTensors};
use visual_attention::{Element, Error, Nchw};

use call::Call;
use run::Runner;

/// Outputs that are not floats.
const INTEGER_OUTPUTS: [&str; 6] = ["area", "bbox", "component", "count", "labels", "mask"];

/// Why a case could not be run, as opposed to being run and found wrong.
#[derive(Debug)]
pub(crate) enum Problem {
    /// The crate has no such operator, or the operator no such attribute or value.
    Unsupported(String),
    /// The file does not describe a case.
    Malformed(String),
    /// The operator or the device refused.
    Refused(Error),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported(what) => write!(f, "unsupported: {what}"),
            Self::Malformed(reason) => write!(f, "not a case: {reason}"),
            Self::Refused(error) => write!(f, "refused: {error}"),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

/// The numbers of a tensor, widened.
#[derive(Clone, Debug)]
pub(crate) struct Values {
    pub(crate) shape: Vec<usize>,
    pub(crate) dtype: Dtype,
    pub(crate) numbers: Vec<f32>,
}

/// One file.
pub(crate) struct Case {
    pub(crate) op: String,
    pub(crate) attrs: serde_json::Value,
    tensors: BTreeMap<String, Values>,
}

/// What an operator or a reference computed, by the case's names.
type Outputs = BTreeMap<String, Vec<f64>>;

/// What the runs of a case computed, each widened to f64.
struct Computed {
    /// `None` if there is no GPU.
    gpu: Option<Outputs>,
    /// The reference in f64, and in f32.
    reference: Outputs,
    baseline: Outputs,
    /// Names of what is stored in 16 bits.
    halves: BTreeSet<String>,
}

/// The largest errors over several tensors.
#[derive(Debug)]
pub(crate) struct Errors {
    /// Largest absolute error of the GPU; `None` if it did not run.
    pub(crate) gpu: Option<f64>,
    /// Largest absolute error of the f64 reference.
    pub(crate) reference: f64,
    /// Largest absolute error of the reference run in f32.
    pub(crate) baseline: f64,
    /// The tightest tolerance of the tensors that are not integers, in absolute terms; 0 if there is none.
    pub(crate) gate: f64,
}

/// What a case shows.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) outputs: Errors,
    pub(crate) gradients: Errors,
    /// Outputs and gradients that are beyond their gate, with the figures.
    pub(crate) failures: Vec<String>,
    /// Gradients that were compared.
    pub(crate) checked: usize,
    /// Gradients in the file that no operator computes yet.
    pub(crate) unchecked: usize,
}

impl Case {
    pub(crate) fn load(path: &Path) -> Result<Self, Problem> {
        let bytes = std::fs::read(path).map_err(|error| Problem::Malformed(error.to_string()))?;
        Self::read(&bytes)
    }

    /// A file's contents.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Problem> {
        let malformed = |reason: String| Problem::Malformed(reason);
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| malformed(error.to_string()))?;
        let file = SafeTensors::deserialize(bytes).map_err(|error| malformed(error.to_string()))?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let entry = |key: &str| metadata.get(key).ok_or_else(|| malformed(format!("no `{key}` in its metadata")));
        let attrs = serde_json::from_str(entry("attrs")?).map_err(|error| malformed(format!("`attrs`: {error}")))?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.iter() {
            let data = view.data();
            let numbers = match view.dtype() {
                Dtype::F32 => bytemuck::pod_collect_to_vec(data),
                Dtype::F16 => {
                    data.chunks_exact(2).map(|bytes| f16::from_le_bytes([bytes[0], bytes[1]]).to_f32()).collect()
                }
                Dtype::U8 => data.iter().map(|&byte| f32::from(byte)).collect(),
                Dtype::I32 => {
                    bytemuck::pod_collect_to_vec::<_, i32>(data).into_iter().map(|word| word as f32).collect()
                }
                other => return Err(malformed(format!("`{name}` is {other:?}; f32, f16, u8 and i32 are read"))),
            };
            tensors.insert(name.to_owned(), Values { shape: view.shape().to_vec(), dtype: view.dtype(), numbers });
        }
        Ok(Self { op: entry("op")?.clone(), attrs, tensors })
    }

    /// Whether an input is stored in 16 bits.
    pub(crate) fn needs_f16(&self) -> bool {
        self.tensors.iter().any(|(name, values)| name.starts_with("in.") && values.dtype == Dtype::F16)
    }

    /// An input that must be there.
    pub(crate) fn input(&self, name: &str) -> Result<&Values, Problem> {
        self.optional(name).ok_or_else(|| Problem::Malformed(format!("no tensor `in.{name}`")))
    }

    /// Every input, by name.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = (&str, &Values)> {
        self.tensors.iter().filter_map(|(name, values)| Some((name.strip_prefix("in.")?, values)))
    }

    /// An input that may be absent.
    pub(crate) fn optional(&self, name: &str) -> Option<&Values> {
        self.tensors.get(&format!("in.{name}"))
    }

    /// An input that must be there and of this shape.
    pub(crate) fn shaped(&self, name: &str, shape: &[u32]) -> Result<&Values, Problem> {
        let values = self.input(name)?;
        values.expect(name, shape)?;
        Ok(values)
    }

    /// An upstream gradient for each of some outputs, by name.
    fn upstream(&self) -> impl Iterator<Item = (&str, &Values)> {
        self.tensors.iter().filter_map(|(name, values)| Some((name.strip_prefix("grad_out.")?, values)))
    }

    /// Every expected output, by name.
    fn expected(&self) -> impl Iterator<Item = (&str, &Values)> {
        self.tensors.iter().filter_map(|(name, values)| Some((name.strip_prefix("out.")?, values)))
    }

    /// Every expected gradient, by the input's name.
    fn gradients(&self) -> impl Iterator<Item = (&str, &Values)> {
        self.tensors.iter().filter_map(|(name, values)| Some((name.strip_prefix("grad.")?, values)))
    }

    /// A text attribute that is one of these.
    fn one_of(&self, name: &str, known: &[&str]) -> Result<String, Problem> {
        let text = self.attrs[name].as_str();
        let text = text.ok_or_else(|| Problem::Malformed(format!("no text attribute `{name}`")))?;
        if known.contains(&text) { Ok(text.to_owned()) } else { Err(self.unknown(name)) }
    }

    pub(crate) fn number(&self, name: &str) -> Result<f64, Problem> {
        self.attrs[name].as_f64().ok_or_else(|| Problem::Malformed(format!("no number attribute `{name}`")))
    }

    pub(crate) fn integer(&self, name: &str) -> Result<u32, Problem> {
        let value = self.attrs[name].as_u64().and_then(|value| u32::try_from(value).ok());
        value.ok_or_else(|| Problem::Malformed(format!("no whole-number attribute `{name}`")))
    }

    pub(crate) fn flag(&self, name: &str) -> Result<bool, Problem> {
        self.attrs[name].as_bool().ok_or_else(|| Problem::Malformed(format!("no true-or-false attribute `{name}`")))
    }

    /// An attribute that is none of the values that the operator knows.
    pub(crate) fn unknown(&self, name: &str) -> Problem {
        Problem::Unsupported(format!("attribute `{name}` is {}", self.attrs[name]))
    }

    /// What holds for the inputs of every operator.
    fn check_inputs(&self) -> Result<(), Problem> {
        let inputs = || self.tensors.iter().filter(|(name, _)| name.starts_with("in."));
        if let Some((name, values)) = inputs().find(|(_, values)| values.shape.contains(&0)) {
            return Err(Problem::Malformed(format!("`{name}` is {:?}, needs at least one element", values.shape)));
        }
        // An operator has one element type; only the attended region has another one for its images.
        let floats = || inputs().filter(|(_, values)| matches!(values.dtype, Dtype::F16 | Dtype::F32));
        let half = self.needs_f16();
        if let Some((name, values)) = floats().find(|(_, values)| (values.dtype == Dtype::F16) != half)
            && self.op != "attended_region"
        {
            return Err(Problem::Malformed(format!("`{name}` is {:?}, other inputs are not", values.dtype)));
        }
        Ok(())
    }

    /// The case in the words of its operator.
    pub(crate) fn call(&self) -> Result<Call<'_>, Problem> {
        let known = operations::operation(&self.op);
        let (describe, attributes) =
            known.ok_or_else(|| Problem::Unsupported(format!("there is no operator `{}`", self.op)))?;
        let Some(attrs) = self.attrs.as_object() else {
            return Err(Problem::Malformed(format!("`attrs` is {}, needs an object", self.attrs)));
        };
        if let Some(name) = attrs.keys().find(|name| !attributes.contains(&name.as_str())) {
            let value = &attrs[name];
            return Err(Problem::Unsupported(format!("`{}` has no attribute `{name}`, here {value}", self.op)));
        }
        self.check_inputs()?;
        if self.expected().next().is_none() {
            return Err(Problem::Malformed("it expects no output".into()));
        }
        if self.gradients().next().is_some() != self.upstream().next().is_some() {
            return Err(Problem::Malformed("gradients need upstream gradients, and these expected ones".into()));
        }
        for (name, values) in self.expected().chain(self.upstream()).chain(self.gradients()) {
            let integer = matches!(values.dtype, Dtype::U8 | Dtype::I32);
            if integer != INTEGER_OUTPUTS.contains(&name) {
                let needed = if integer { "floats" } else { "u8 or i32" };
                return Err(Problem::Malformed(format!("`{name}` is {:?}, needs {needed}", values.dtype)));
            }
        }
        describe(self)
    }

    /// Runs the case and compares.
    pub(crate) fn check(&self, gpu: Option<&dyn Runner>) -> Result<Report, Problem> {
        let run::Runs { mut outputs, gradients, mut failures } = run::run(gpu, self, &self.call()?)?;
        // What hangs on another mask or box says nothing of rounding.
        if INTEGER_OUTPUTS.iter().any(|&name| outputs.baseline.get(name) != outputs.reference.get(name)) {
            outputs.baseline.clear();
        }
        let expected = self.expected().map(|(name, values)| (name, format!("`{name}`"), values));
        let of_outputs = outputs.compare(expected, &mut failures);
        let expected = self.gradients().map(|(name, values)| (name, format!("gradient of `{name}`"), values));
        let count = self.gradients().count();
        let (of_gradients, checked) = match gradients {
            Some(gradients) => (gradients.compare(expected, &mut failures), count),
            None => (Errors::new(gpu.is_some()), 0),
        };
        Ok(Report { outputs: of_outputs, gradients: of_gradients, failures, checked, unchecked: count - checked })
    }
}

impl Errors {
    fn new(on_gpu: bool) -> Self {
        Self { gpu: on_gpu.then_some(0.0), reference: 0.0, baseline: 0.0, gate: 0.0 }
    }
}

impl Computed {
    /// Compares with what is expected: the name, what to call it, and the values.
    fn compare<'a>(
        &self,
        expected: impl Iterator<Item = (&'a str, String, &'a Values)>,
        failures: &mut Vec<String>,
    ) -> Errors {
        let mut errors = Errors::new(self.gpu.is_some());
        for (name, label, expected) in expected {
            // Of the reference itself: against what is expected a case with a wrong attribute would set its own tolerance.
            let of = |outputs: &Outputs| outputs.get(name).cloned().unwrap_or_default();
            let gate = Gate::new(expected, &of(&self.baseline), &of(&self.reference), self.halves.contains(name));
            errors.baseline = errors.baseline.max(gate.baseline);
            if gate.absolute > 0.0 {
                errors.gate = if errors.gate > 0.0 { errors.gate.min(gate.absolute) } else { gate.absolute };
            }
            let mut compare = |who: &str, outputs: &Outputs| -> f64 {
                let Some(computed) = outputs.get(name) else {
                    failures.push(format!("{who} {label}: not computed"));
                    return f64::INFINITY;
                };
                let (worst, failure) = gate.compare(computed, &expected.numbers);
                failures.extend(failure.map(|failure| format!("{who} {label}: {failure}")));
                worst
            };
            errors.reference = errors.reference.max(compare("reference", &self.reference));
            if let (Some(worst), Some(outputs)) = (&mut errors.gpu, &self.gpu) {
                *worst = worst.max(compare("gpu", outputs));
            }
        }
        errors
    }
}

impl Values {
    fn expect(&self, name: &str, shape: &[u32]) -> Result<(), Problem> {
        if self.shape.iter().map(|&axis| axis as u64).eq(shape.iter().map(|&axis| u64::from(axis))) {
            return Ok(());
        }
        Err(Problem::Malformed(format!("`in.{name}` is {:?}, needs {shape:?}", self.shape)))
    }

    pub(crate) fn axes<const N: usize>(&self, name: &str) -> Result<[u32; N], Problem> {
        let axes: Option<Vec<u32>> = self.shape.iter().map(|&axis| u32::try_from(axis).ok()).collect();
        let axes = axes.and_then(|axes| <[u32; N]>::try_from(axes).ok());
        axes.ok_or_else(|| Problem::Malformed(format!("`in.{name}` is {:?}, needs {N} axes", self.shape)))
    }

    pub(crate) fn nchw(&self, name: &str) -> Result<Nchw, Problem> {
        let [n, c, h, w] = self.axes(name)?;
        Ok(Nchw::new(n, c, h, w))
    }

    /// The numbers in the reference's type.
    pub(crate) fn cast<T: Float>(&self) -> Vec<T> {
        self.numbers.iter().map(|&number| T::from(number).unwrap_or_else(T::nan)).collect()
    }

    /// The element type that an operator should be built for.
    pub(crate) fn element(&self) -> Element {
        if self.dtype == Dtype::F16 { Element::F16 } else { Element::F32 }
    }
}

/// How far an output may be from what is expected: nothing for integers; else the larger of 4e-6 of the largest expected value, or of
/// 1, and twice what the reference run in f32 is off by, since no kernel of the same precision is better than that.
struct Gate {
    absolute: f64,
    /// Largest error of the reference in f32.
    baseline: f64,
    /// One rounding to f16, as a share of each value.
    relative: f64,
}

impl Gate {
    fn new(expected: &Values, in_f32: &[f64], in_f64: &[f64], half: bool) -> Self {
        if matches!(expected.dtype, Dtype::U8 | Dtype::I32) {
            return Self { absolute: 0.0, baseline: 0.0, relative: 0.0 };
        }
        let largest = expected.numbers.iter().fold(1.0f64, |largest, &value| largest.max(f64::from(value).abs()));
        let errors = in_f32.iter().zip(in_f64).map(|(p, r)| (p - r).abs());
        let baseline = errors.filter(|error| error.is_finite()).fold(0.0, f64::max);
        let relative = if half { 2.0f64.powi(-11) } else { 0.0 };
        Self { absolute: (4e-6 * largest).max(2.0 * baseline), baseline, relative }
    }

    /// The largest absolute error, and what to say when it is too large. NaN equals nothing.
    fn compare(&self, computed: &[f64], expected: &[f32]) -> (f64, Option<String>) {
        if computed.len() != expected.len() {
            return (f64::INFINITY, Some(format!("{} elements, expected {}", computed.len(), expected.len())));
        }
        let mut worst = 0.0f64;
        let mut wrong = 0usize;
        let mut first = None;
        for (index, (&y, &e)) in computed.iter().zip(expected).enumerate() {
            let e = f64::from(e);
            let error = if y.is_nan() || e.is_nan() { f64::INFINITY } else { (y - e).abs() };
            worst = worst.max(error);
            if error > self.absolute + self.relative * e.abs() {
                wrong += 1;
                first = first.or(Some((index, y, e)));
            }
        }
        let failure = first.map(|(index, y, e)| {
            format!(
                "{wrong} of {} beyond {:.1e}; element {index} is {y:e}, expected {e:e}",
                expected.len(),
                self.absolute
            )
        });
        (worst, failure)
    }
}
