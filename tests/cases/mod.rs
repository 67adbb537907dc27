//! Golden cases: what public implementations computed, run through the operators and through the references.
//! Shared by `tests/golden.rs` and `examples/check_cases.rs`. The format is that of the files under `tests/golden`: a
//! `.safetensors` file with `op` and `attrs` in its metadata, inputs `in.*`, expected outputs `out.*`.

mod attention;
mod by_name;
mod gates;
mod parts;
mod windows;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use half::f16;
use num_traits::Float;
use safetensors::{Dtype, SafeTensors};
use visual_attention::host::Gpu;
use visual_attention::{Element, Error, Nchw, Nhw, Recording, wgpu};

/// Outputs that are not floats.
const INTEGER_OUTPUTS: [&str; 3] = ["bbox", "component", "mask"];

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

/// What an operator or a reference computed, by output name.
pub(crate) type Outputs = Vec<(&'static str, Vec<f64>)>;

/// Runs a case: what the GPU computed, where there is one, and what the reference did, each widened to f64.
type Run = fn(Option<&Gpu>, &Case) -> Result<(Option<Outputs>, Outputs), Problem>;

/// The largest errors over the outputs of a case.
#[derive(Debug)]
pub(crate) struct Report {
    /// Largest absolute error of the GPU; `None` where it did not run.
    pub(crate) gpu: Option<f64>,
    /// Largest absolute error of the f64 reference.
    pub(crate) reference: f64,
    /// Largest absolute error of the reference run in f32.
    pub(crate) baseline: f64,
    /// The tightest tolerance of the outputs that are not integers, in absolute terms; 0 where every output is.
    pub(crate) gate: f64,
    /// Outputs that are beyond their gate, with the figures.
    pub(crate) failures: Vec<String>,
    /// Gradients in the file: there is no backward pass yet, so they are not checked.
    pub(crate) gradients: usize,
}

/// What runs the cases of an operator, with its reference in `T`, and the attributes that it reads.
fn operator<T: Float>(op: &str) -> Option<(Run, &'static [&'static str])> {
    Some(match op {
        "attended_region" => (
            attention::attended_region::<T>,
            &[
                "align_corners",
                "connectivity",
                "crop_end",
                "image_size",
                "quantize",
                "reduce",
                "threshold",
                "threshold_u8",
            ],
        ),
        "attention_map" => (attention::attention_map::<T>, &["reduce"]),
        "bisenet_arm" => (gates::bisenet::<T>, &["bn_eps", "scope"]),
        "bisenet_ffm" => (gates::bisenet::<T>, &["bn_eps", "form", "scope"]),
        "cbam" => (gates::cbam::<T>, &["activation", "bn_eps", "gate", "gate_slope", "kernel", "slope"]),
        "cbam_channel" => (gates::cbam_channel::<T>, &["activation", "gate", "gate_slope", "slope"]),
        "cbam_spatial" => (gates::cbam_spatial::<T>, &["bn_eps", "kernel"]),
        "crop_resize" => (parts::crop_resize::<T>, &["align_corners", "crop_end", "size"]),
        "dense" => (parts::dense::<T>, &["activation", "norm_eps", "slope"]),
        "eca" => (parts::eca::<T>, &["taps"]),
        "global_pool" => {
            (|gpu, case| by_name::by_name::<T>(gpu, case, "global_pool", &[("features", "x")]), &["squeeze"])
        }
        "head_norm_rotary" => (windows::head_norm_rotary::<T>, &["base", "eps", "heads", "norm", "scale", "split"]),
        "largest_component" => (attention::largest_component, &["connectivity"]),
        "merge_attention" => (
            |gpu, case| {
                let sums = [("log_sum_exp1", "lse1"), ("log_sum_exp2", "lse2"), ("log_sum_exp", "lse")];
                by_name::by_name::<T>(gpu, case, "merge_attention", &sums)
            },
            &["heads"],
        ),
        "normalize" => (|gpu, case| by_name::by_name::<T>(gpu, case, "normalize", &[]), &["normalization"]),
        "pointwise_conv" => (parts::pointwise_conv::<T>, &["groups", "stack"]),
        "resize" => (parts::resize::<T>, &["align_corners", "size"]),
        "scse" => (parts::scse::<T>, &["combine"]),
        "window_pool" => (|gpu, case| by_name::by_name::<T>(gpu, case, "window_pool", &[]), &["pooling", "window"]),
        "se_residual" => {
            (gates::se_residual::<T>, &["activation", "gate", "gate_slope", "gate_source", "slope", "squeeze"])
        }
        "squeeze_excite" => {
            (gates::squeeze_excite::<T>, &["activation", "form", "gate", "gate_slope", "slope", "squeeze"])
        }
        "sasa_layer" => (
            windows::sasa_layer::<T>,
            &["border", "dilation", "heads", "kernel", "proj_groups", "rel", "scale", "stride"],
        ),
        "sasa_stem" => (windows::sasa_stem::<T>, &["heads", "kernel", "mixtures", "padding", "scale", "stride"]),
        "window_attention" => {
            (windows::window_attention::<T>, &["border", "dilation", "heads", "kernel", "rel", "scale", "stride"])
        }
        "window_attention_nd" => {
            (windows::window_attention_nd::<T>, &["axes", "heads", "rel", "scale", "scale_relative"])
        }
        _ => return None,
    })
}

impl Case {
    pub(crate) fn load(path: &Path) -> Result<Self, Problem> {
        let malformed = |reason: String| Problem::Malformed(reason);
        let bytes = std::fs::read(path).map_err(|error| malformed(error.to_string()))?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| malformed(error.to_string()))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| malformed(error.to_string()))?;
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

    /// An input that may be absent, but else is of this shape.
    pub(crate) fn shaped_optional(&self, name: &str, shape: &[u32]) -> Result<Option<&Values>, Problem> {
        self.optional(name).map(|values| values.expect(name, shape).map(|()| values)).transpose()
    }

    pub(crate) fn text(&self, name: &str) -> Result<&str, Problem> {
        self.attrs[name].as_str().ok_or_else(|| Problem::Malformed(format!("no text attribute `{name}`")))
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

    /// Runs the case and compares.
    pub(crate) fn check(&self, gpu: Option<&Gpu>) -> Result<Report, Problem> {
        let known = operator::<f64>(&self.op);
        let (run, attributes) =
            known.ok_or_else(|| Problem::Unsupported(format!("there is no operator `{}`", self.op)))?;
        let Some(attrs) = self.attrs.as_object() else {
            return Err(Problem::Malformed(format!("`attrs` is {}, needs an object", self.attrs)));
        };
        if let Some(name) = attrs.keys().find(|name| !attributes.contains(&name.as_str())) {
            let value = &attrs[name];
            return Err(Problem::Unsupported(format!("`{}` has no attribute `{name}`, here {value}", self.op)));
        }
        self.check_inputs()?;
        let (on_gpu, reference) = run(gpu, self)?;
        let (run_in_f32, _) = operator::<f32>(&self.op).ok_or_else(|| Problem::Unsupported(self.op.clone()))?;
        let (_, mut baseline) = run_in_f32(None, self)?;
        let expected: Vec<_> =
            self.tensors.iter().filter_map(|(name, values)| Some((name.strip_prefix("out.")?, values))).collect();
        if expected.is_empty() {
            return Err(Problem::Malformed("it expects no output".into()));
        }
        let half = self.needs_f16();
        // What hangs on another mask or box says nothing of rounding.
        let values = |outputs: &Outputs, name: &str| {
            outputs.iter().find(|(output, _)| *output == name).map(|(_, values)| values.clone()).unwrap_or_default()
        };
        if INTEGER_OUTPUTS.iter().any(|name| values(&baseline, name) != values(&reference, name)) {
            baseline.clear();
        }
        let mut report = Report {
            gpu: on_gpu.as_ref().map(|_| 0.0),
            reference: 0.0,
            baseline: 0.0,
            gate: f64::INFINITY,
            failures: Vec::new(),
            gradients: self.tensors.keys().filter(|name| name.starts_with("grad.")).count(),
        };
        for (name, expected) in expected {
            let integer = matches!(expected.dtype, Dtype::U8 | Dtype::I32);
            if integer != INTEGER_OUTPUTS.contains(&name) {
                let needed = if integer { "floats" } else { "u8 or i32" };
                return Err(Problem::Malformed(format!("`out.{name}` is {:?}, needs {needed}", expected.dtype)));
            }
            // Of the reference itself: against what is expected a case with a wrong attribute would set its own tolerance.
            let gate = Gate::new(name, expected, &values(&baseline, name), &values(&reference, name), half);
            report.baseline = report.baseline.max(gate.baseline);
            if gate.absolute > 0.0 {
                report.gate = report.gate.min(gate.absolute);
            }
            let mut compare = |who: &str, outputs: &Outputs| -> f64 {
                let computed = outputs.iter().find(|(output, _)| *output == name);
                let Some((_, computed)) = computed else {
                    report.failures.push(format!("{who} `{name}`: not computed"));
                    return f64::INFINITY;
                };
                let (worst, failure) = gate.compare(computed, &expected.numbers);
                report.failures.extend(failure.map(|failure| format!("{who} `{name}`: {failure}")));
                worst
            };
            let error = compare("reference", &reference);
            report.reference = report.reference.max(error);
            if let Some(outputs) = &on_gpu {
                let error = compare("gpu", outputs);
                report.gpu = report.gpu.map(|worst| worst.max(error));
            }
        }
        if report.gate.is_infinite() {
            report.gate = 0.0;
        }
        Ok(report)
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

    pub(crate) fn nhw(&self, name: &str) -> Result<Nhw, Problem> {
        let [n, h, w] = self.axes(name)?;
        Ok(Nhw::new(n, h, w))
    }

    /// The numbers in the reference's type.
    pub(crate) fn cast<T: Float>(&self) -> Vec<T> {
        self.numbers.iter().map(|&number| T::from(number).unwrap_or_else(T::nan)).collect()
    }

    /// The element type that an operator should be built for.
    pub(crate) fn element(&self) -> Element {
        if self.dtype == Dtype::F16 { Element::F16 } else { Element::F32 }
    }

    /// The tensor on the GPU, f16 where it is stored so, else f32.
    pub(crate) fn upload(&self, gpu: &Gpu) -> Result<wgpu::Buffer, Error> {
        if self.element() == Element::F32 {
            return gpu.upload("input", &self.numbers);
        }
        let mut halves: Vec<_> = self.numbers.iter().map(|&number| f16::from_f32(number)).collect();
        halves.resize(halves.len().next_multiple_of(2), f16::ZERO);
        gpu.upload("input", &halves)
    }

    /// A mask on the GPU, as u32.
    pub(crate) fn integers(&self, gpu: &Gpu) -> Result<wgpu::Buffer, Error> {
        gpu.upload("input", &self.numbers.iter().map(|&number| number as u32).collect::<Vec<_>>())
    }
}

/// What a reference computed, in f64.
fn wide<T: Float>(values: Vec<T>) -> Vec<f64> {
    values.into_iter().map(|value| value.to_f64().unwrap_or(f64::NAN)).collect()
}

/// Runs a dispatch alone.
pub(crate) fn run(gpu: &Gpu, recording: &Recording) -> Result<(), Error> {
    gpu.run(|pass| recording.record(pass))
}

/// An output read back as f64.
pub(crate) fn floats(gpu: &Gpu, buffer: &wgpu::Buffer, element: Element, len: usize) -> Result<Vec<f64>, Error> {
    Ok(match element {
        Element::F32 => gpu.read::<f32>(buffer.slice(..))?.into_iter().map(f64::from).take(len).collect(),
        _ => gpu.read::<f16>(buffer.slice(..))?.into_iter().map(f64::from).take(len).collect(),
    })
}

/// An integer output read back.
pub(crate) fn integers(gpu: &Gpu, buffer: &wgpu::Buffer) -> Result<Vec<f64>, Error> {
    Ok(gpu.read::<i32>(buffer.slice(..))?.into_iter().map(f64::from).collect())
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
    fn new(output: &str, expected: &Values, in_f32: &[f64], in_f64: &[f64], half: bool) -> Self {
        if matches!(expected.dtype, Dtype::U8 | Dtype::I32) {
            return Self { absolute: 0.0, baseline: 0.0, relative: 0.0 };
        }
        let largest = expected.numbers.iter().fold(1.0f64, |largest, &value| largest.max(f64::from(value).abs()));
        let errors = in_f32.iter().zip(in_f64).map(|(p, r)| (p - r).abs());
        let baseline = errors.filter(|error| error.is_finite()).fold(0.0, f64::max);
        // Maps and gates are f32 whatever the features are.
        let relative = if half && matches!(output, "y" | "crop") { 2.0f64.powi(-11) } else { 0.0 };
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

/// 4e-6 of the largest value, or twice the error of the f32 reference where that is more.
#[test]
fn tolerance_follows_the_f32_reference() {
    let expected = |dtype| Values { shape: vec![3], dtype, numbers: vec![0.5, -8.0, 1.0] };
    let tolerance = |in_f32: &[f64]| Gate::new("y", &expected(Dtype::F32), in_f32, &[0.5, -8.0, 1.0], false).absolute;
    assert_eq!(tolerance(&[]), 4e-6 * 8.0);
    assert_eq!(tolerance(&[0.5, -8.0, 1.0 + 1e-6]), 4e-6 * 8.0);
    assert!((tolerance(&[0.5, -8.0, 1.0 + 1e-4]) - 2e-4).abs() < 1e-12);
    assert_eq!(tolerance(&[f64::NAN, -8.0, f64::INFINITY]), 4e-6 * 8.0);
    assert_eq!(Gate::new("mask", &expected(Dtype::I32), &[9.0, 9.0, 9.0], &[0.5, -8.0, 1.0], false).absolute, 0.0);
}
