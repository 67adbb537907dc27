//! Runs the operator of a case and then its gradient, on the GPU and on the references.

use num_traits::Float;
use safetensors::Dtype;
use visual_attention::host::Gpu;
use visual_attention::operators::{self, Arrays, Entry, Operator, Options, Shapes, Slices};
use visual_attention::{DType, Element, Error, Role, TensorSpec, wgpu};

use super::call::Call;
use super::{Case, Computed, Problem, Values};
use crate::compiler;
use crate::describing::describing;

/// More elements than any case has: an attribute that asks for such a tensor is wrong, and no reference should try.
const MOST_ELEMENTS: u64 = 1 << 26;

/// What the runs of a case computed.
pub(super) struct Runs {
    pub(super) outputs: Computed,
    /// `None` if the case has no gradients, or the operator none yet.
    pub(super) gradients: Option<Computed>,
    /// What the gradients lack.
    pub(super) failures: Vec<String>,
}

/// An operator that compiled nothing, and its tensors for one case.
struct Prepared {
    entry: &'static Entry,
    options: Options,
    operator: Box<dyn Operator>,
    shapes: Shapes,
    specs: Vec<TensorSpec>,
}

/// Numbers on the host, by an operator's names.
type Numbers = Vec<(String, Vec<f32>)>;

impl Prepared {
    fn forward(case: &Case, call: &Call<'_>) -> Result<Self, Problem> {
        let name = call.operator;
        let entry =
            operators::find(name).ok_or_else(|| Problem::Unsupported(format!("there is no operator `{name}`")))?;
        // An attribute that the operator does not take, or not with this value, is named as such.
        let named = |error| match error {
            Error::InvalidParameter { parameter, .. } if !case.attrs[parameter].is_null() => case.unknown(parameter),
            error => Problem::Refused(error),
        };
        let mut options = call.options.clone();
        let asked = entry.options(describing(), &Options::new(options.clone())).map_err(named)?;
        if asked.iter().any(|option| option.name == "element") && options.iter().all(|(name, _)| name != "element") {
            let element = if case.needs_f16() { Element::F16 } else { Element::F32 };
            options.push(("element".into(), element.to_string()));
        }
        let options = Options::new(options);
        let operator = entry.open(describing(), &options)?;
        let extents =
            |values: &Values| values.shape.iter().map(|&extent| u32::try_from(extent).unwrap_or(u32::MAX)).collect();
        let shapes: Shapes = Shapes::new(call.inputs.iter().map(|(name, values)| (*name, extents(values))));
        let specs = operator.tensors(&shapes)?;
        if let Some(spec) = specs.iter().find(|spec| spec.elements().is_none_or(|elements| elements > MOST_ELEMENTS)) {
            return Err(Problem::Malformed(format!("`{}` of `{name}` would be {:?}", spec.name, spec.shape)));
        }
        for spec in &specs {
            let given = call.inputs.iter().find(|(name, _)| *name == spec.name).map(|(_, values)| values.dtype);
            if spec.role == Role::Output && given.is_some() {
                return Err(Problem::Malformed(format!("`in.{}` is an output", call.theirs(spec.name))));
            }
            let fits = given.map_or(spec.optional || spec.role == Role::Output, |dtype| match spec.dtype {
                DType::I32 => dtype == Dtype::I32,
                DType::U32 => matches!(dtype, Dtype::U8 | Dtype::I32),
                _ => matches!(dtype, Dtype::F16 | Dtype::F32),
            });
            if !fits {
                let (theirs, given) = (call.theirs(spec.name), given.map_or("not there".into(), |d| format!("{d:?}")));
                return Err(Problem::Malformed(format!("`in.{theirs}` is {given}, needs {}", spec.dtype)));
            }
        }
        Ok(Self { entry, options, operator, shapes, specs })
    }

    /// The operator of the gradient, with the same options and the shapes of those inputs that it has.
    fn backward(&self) -> Result<Option<Self>, Problem> {
        let Some(entry) = operators::find(&format!("{}_backward", self.entry.name)) else { return Ok(None) };
        let (options, mut shapes) = (self.options.clone(), self.shapes.clone());
        let operator = entry.open(describing(), &options)?;
        let specs = loop {
            match operator.tensors(&shapes) {
                // A bias does not matter for its gradient.
                Err(Error::InvalidParameter { parameter: "tensors", given, .. }) if shapes.get(&given).is_some() => {
                    let kept = shapes.iter().filter(|(name, _)| *name != given);
                    shapes = Shapes::new(kept.map(|(name, shape)| (name, shape.clone())));
                }
                specs => break specs?,
            }
        };
        Ok(Some(Self { entry, options, operator, shapes, specs }))
    }

    fn read(&self) -> impl Iterator<Item = &TensorSpec> {
        self.specs.iter().filter(|spec| spec.role != Role::Output)
    }

    fn written(&self) -> impl Iterator<Item = &TensorSpec> {
        self.specs.iter().filter(|spec| spec.role != Role::Input)
    }
}

/// A float type with a reference.
trait Reference: Float {
    fn run(operator: &dyn Operator, shapes: &Shapes, inputs: &Arrays<Self>) -> Result<Arrays<Self>, Error>;
}

impl Reference for f32 {
    fn run(operator: &dyn Operator, shapes: &Shapes, inputs: &Arrays<Self>) -> Result<Arrays<Self>, Error> {
        operator.reference_f32(shapes, inputs)
    }
}

impl Reference for f64 {
    fn run(operator: &dyn Operator, shapes: &Shapes, inputs: &Arrays<Self>) -> Result<Arrays<Self>, Error> {
        operator.reference_f64(shapes, inputs)
    }
}

fn wide<T: Float>(arrays: &Arrays<T>) -> Arrays<f64> {
    let number = |value: &T| value.to_f64().unwrap_or(f64::NAN);
    Arrays::new(arrays.iter().map(|(name, values)| (name, values.iter().map(number).collect())))
}

/// Outputs, and then gradients from what the forward operator computed in the same type.
fn on_reference<T: Reference>(
    forward: &Prepared,
    backward: Option<&Prepared>,
    call: &Call<'_>,
    upstream: &Numbers,
) -> Result<(Arrays<f64>, Option<Arrays<f64>>), Problem> {
    let inputs = Arrays::new(call.inputs.iter().map(|(name, values)| (*name, values.cast())));
    let outputs = T::run(&*forward.operator, &forward.shapes, &inputs)?;
    let Some(backward) = backward else { return Ok((wide(&outputs), None)) };
    let cast = |numbers: &Vec<f32>| numbers.iter().map(|&number| T::from(number).unwrap_or_else(T::nan)).collect();
    let given = backward.read().filter_map(|spec| {
        let upstream = upstream.iter().find(|(name, _)| name == spec.name).map(|(_, numbers)| cast(numbers));
        let values = upstream.or_else(|| outputs.get(spec.name).or(inputs.get(spec.name)).cloned());
        Some((spec.name, values?))
    });
    let gradients = T::run(&*backward.operator, &backward.shapes, &Arrays::new(given.collect::<Vec<_>>()))?;
    Ok((wide(&outputs), Some(wide(&gradients))))
}

/// Buffers by name.
type Buffers = Vec<(&'static str, wgpu::Buffer)>;

fn dispatch(gpu: &Gpu, prepared: &Prepared, buffers: &Buffers) -> Result<Arrays<f64>, Problem> {
    let operator = prepared.entry.open(compiler::of(&gpu.device), &prepared.options)?;
    let slices = Slices::new(buffers.iter().map(|(name, buffer)| (*name, buffer.slice(..))));
    let recording = operator.bind(&gpu.device, &prepared.shapes, &slices)?;
    gpu.run(|pass| recording.record(pass))?;
    let mut read = Vec::new();
    for spec in prepared.written() {
        let Some((_, buffer)) = buffers.iter().find(|(name, _)| *name == spec.name) else { continue };
        let len = spec.elements().unwrap_or(0) as usize;
        read.push((spec.name, download(gpu, buffer, spec.dtype, len)?));
    }
    Ok(Arrays::new(read))
}

/// The tensor on the GPU, stored as the operator takes it.
fn upload(gpu: &Gpu, numbers: &[f32], dtype: DType) -> Result<wgpu::Buffer, Error> {
    match dtype {
        DType::F16 => {
            let mut halves: Vec<_> = numbers.iter().map(|&number| half::f16::from_f32(number)).collect();
            halves.resize(halves.len().next_multiple_of(2), half::f16::ZERO);
            gpu.upload("input", &halves)
        }
        DType::U32 | DType::I32 => {
            gpu.upload("input", &numbers.iter().map(|&number| number as i32).collect::<Vec<_>>())
        }
        _ => gpu.upload("input", numbers),
    }
}

fn download(gpu: &Gpu, buffer: &wgpu::Buffer, dtype: DType, len: usize) -> Result<Vec<f64>, Error> {
    Ok(match dtype {
        DType::F32 => gpu.read::<f32>(buffer.slice(..))?.into_iter().map(f64::from).take(len).collect(),
        DType::F16 => gpu.read::<half::f16>(buffer.slice(..))?.into_iter().map(f64::from).take(len).collect(),
        _ => gpu.read::<i32>(buffer.slice(..))?.into_iter().map(f64::from).take(len).collect(),
    })
}

/// As [`on_reference`]. The gradient reads the buffers that the forward operator wrote.
fn on_gpu(
    gpu: &Gpu,
    forward: &Prepared,
    backward: Option<&Prepared>,
    call: &Call<'_>,
    upstream: &Numbers,
) -> Result<(Arrays<f64>, Option<Arrays<f64>>), Problem> {
    let output = |spec: &TensorSpec| gpu.buffer(spec.name, spec.bytes().unwrap_or(u64::MAX));
    let mut buffers = Buffers::new();
    for spec in &forward.specs {
        let given = call.inputs.iter().find(|(name, _)| *name == spec.name);
        buffers.push(match given {
            Some((_, values)) => (spec.name, upload(gpu, &values.numbers, spec.dtype)?),
            None if spec.role == Role::Input => continue,
            None => (spec.name, output(spec)?),
        });
    }
    let outputs = dispatch(gpu, forward, &buffers)?;
    let Some(backward) = backward else { return Ok((outputs, None)) };
    let mut of_gradients = Buffers::new();
    for spec in &backward.specs {
        let upstream = upstream.iter().find(|(name, _)| name == spec.name);
        let forward = || buffers.iter().find(|(name, _)| *name == spec.name);
        // Gradients of what the case does not have are not asked for.
        let given = |name| call.inputs.iter().any(|(input, _)| *input == name);
        let asked = || !spec.optional || spec.name.strip_suffix("_gradient").is_some_and(given);
        of_gradients.push(match upstream {
            Some((_, numbers)) => (spec.name, upload(gpu, numbers, spec.dtype)?),
            None if spec.role == Role::Output && asked() => (spec.name, output(spec)?),
            None => match forward() {
                Some((name, buffer)) => (*name, buffer.clone()),
                None => continue,
            },
        });
    }
    Ok((outputs, Some(dispatch(gpu, backward, &of_gradients)?)))
}

/// The upstream gradients by the names of the backward operator. One that is not in the case is zero.
fn upstream(
    case: &Case,
    call: &Call<'_>,
    forward: &Prepared,
    backward: &Prepared,
    failures: &mut Vec<String>,
) -> Result<Numbers, Problem> {
    let mut numbers = Numbers::new();
    for (theirs, values) in case.upstream() {
        let unknown = || Problem::Malformed(format!("`grad_out.{theirs}` is of no output"));
        let mut rest = values.numbers.as_slice();
        for ours in call.ours(theirs).ok_or_else(unknown)? {
            let Some(spec) = forward.written().find(|spec| spec.name == ours) else { continue };
            let elements = spec.elements().unwrap_or(0) as usize;
            let wrong = || Problem::Malformed(format!("`grad_out.{theirs}` is {:?}", values.shape));
            let (part, others) = rest.split_at_checked(elements).ok_or_else(wrong)?;
            rest = others;
            let name = format!("{ours}_gradient");
            if backward.read().all(|spec| spec.name != name) {
                failures.push(format!("`{}` takes no gradient of `{theirs}`", backward.entry.name));
            }
            numbers.push((name, part.to_vec()));
        }
        if !rest.is_empty() || !matches!(values.dtype, Dtype::F16 | Dtype::F32) {
            return Err(Problem::Malformed(format!("`grad_out.{theirs}` is {:?} {:?}", values.dtype, values.shape)));
        }
    }
    let outputs = forward.written().map(|spec| (format!("{}_gradient", spec.name), spec.elements().unwrap_or(0)));
    for (name, elements) in outputs {
        let required = backward.read().any(|spec| spec.name == name && !spec.optional);
        if required && numbers.iter().all(|(given, _)| *given != name) {
            numbers.push((name, vec![0.0; elements as usize]));
        }
    }
    Ok(numbers)
}

/// Runs the case, on the GPU too if there is one.
pub(super) fn run(gpu: Option<&Gpu>, case: &Case, call: &Call<'_>) -> Result<Runs, Problem> {
    let forward = Prepared::forward(case, call)?;
    let backward = if case.gradients().next().is_some() { forward.backward()? } else { None };
    let mut failures = Vec::new();
    let upstream = match &backward {
        Some(backward) => upstream(case, call, &forward, backward, &mut failures)?,
        None => Numbers::new(),
    };
    let backward = backward.as_ref();
    let (reference, reference_gradients) = on_reference::<f64>(&forward, backward, call, &upstream)?;
    let (baseline, baseline_gradients) = on_reference::<f32>(&forward, backward, call, &upstream)?;
    let on_gpu = gpu.map(|gpu| on_gpu(gpu, &forward, backward, call, &upstream)).transpose()?;
    let (on_gpu, gpu_gradients) = on_gpu.unzip();

    let halves = |prepared: &Prepared, suffix: &str| {
        let halves = prepared.written().filter(|spec| spec.dtype == DType::F16);
        halves.filter_map(|spec| spec.name.strip_suffix(suffix)).map(|name| call.theirs(name)).collect()
    };
    let outputs = |computed: &Arrays<f64>| call.outputs(case, computed, "");
    let gradients = |computed: Option<Arrays<f64>>| {
        let mut gradients = call.outputs(case, &computed.unwrap_or_default(), "_gradient");
        if let Some(before) = &call.before
            && let Some(of_features) = gradients.remove("f")
        {
            gradients.extend(before.gradients(&of_features));
        }
        gradients
    };
    Ok(Runs {
        outputs: Computed {
            gpu: on_gpu.as_ref().map(outputs),
            reference: outputs(&reference),
            baseline: outputs(&baseline),
            halves: halves(&forward, ""),
        },
        gradients: backward.map(|backward| Computed {
            gpu: gpu_gradients.map(gradients),
            reference: gradients(reference_gradients),
            baseline: gradients(baseline_gradients),
            halves: halves(backward, "_gradient"),
        }),
        failures,
    })
}
