//! Runs the operator of a case and then its gradient on the references, and as data on a GPU.

use num_traits::Float;
use safetensors::Dtype;
use visual_attention::operators::{self, Arrays, Entry, Operator, Options, Shapes};
use visual_attention::{DType, Element, Error, Role, TensorSpec};

use super::call::{Call, Texts};
use super::{Case, Computed, Problem, Values};
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
    options: Texts,
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
        let operator = entry.open(describing(), &Options::new(options.clone()))?;
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
        let operator = entry.open(describing(), &Options::new(options.clone()))?;
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

    fn step<'a>(&'a self, tensors: Vec<(&'a TensorSpec, Contents<'a>)>) -> Step<'a> {
        Step { entry: self.entry, options: &self.options, shapes: &self.shapes, tensors }
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

/// What a buffer holds before the operator runs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Contents<'a> {
    Given(&'a [f32]),
    /// An output's buffer, which the operator writes.
    Output,
    /// The buffer of the same name, as the step before left it.
    Kept,
}

/// One operator of a case as data, for a GPU that runs it. A gradient is the step after its forward operator.
#[derive(Debug)]
pub(crate) struct Step<'a> {
    pub(crate) entry: &'static Entry,
    pub(crate) options: &'a Texts,
    pub(crate) shapes: &'a Shapes,
    /// Every tensor that the case has or asks for.
    pub(crate) tensors: Vec<(&'a TensorSpec, Contents<'a>)>,
}

/// A GPU that runs the steps of a case.
pub(crate) trait Runner {
    /// What each step wrote, by the operator's names.
    fn run(&self, steps: &[Step<'_>]) -> Result<Vec<Arrays<f64>>, Problem>;
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

/// A case that is understood: its operator, the gradient where the case has one, and the upstream gradients.
pub(crate) struct Ready {
    forward: Prepared,
    backward: Option<Prepared>,
    upstream: Numbers,
    /// What the gradients lack.
    failures: Vec<String>,
}

impl Ready {
    pub(crate) fn new(case: &Case, call: &Call<'_>) -> Result<Self, Problem> {
        let forward = Prepared::forward(case, call)?;
        let backward = if case.gradients().next().is_some() { forward.backward()? } else { None };
        let mut failures = Vec::new();
        let upstream = match &backward {
            Some(backward) => upstream(case, call, &forward, backward, &mut failures)?,
            None => Numbers::new(),
        };
        Ok(Self { forward, backward, upstream, failures })
    }

    /// What a GPU has to run. The gradient reads the buffers that the forward operator wrote.
    pub(crate) fn steps<'a>(&'a self, call: &'a Call<'_>) -> Vec<Step<'a>> {
        let given = |name: &str| call.inputs.iter().find(|(input, _)| *input == name).map(|(_, values)| values);
        let tensor = |spec: &'a TensorSpec| match given(spec.name) {
            Some(values) => Some((spec, Contents::Given(&values.numbers))),
            None if spec.role == Role::Input => None,
            None => Some((spec, Contents::Output)),
        };
        let mut steps = vec![self.forward.step(self.forward.specs.iter().filter_map(tensor).collect())];
        if let Some(backward) = &self.backward {
            let has = |name: &str| steps[0].tensors.iter().any(|(spec, _)| spec.name == name);
            // Gradients of what the case does not have are not asked for.
            let asked = |spec: &TensorSpec| {
                !spec.optional || spec.name.strip_suffix("_gradient").is_some_and(|name| given(name).is_some())
            };
            let tensor = |spec: &'a TensorSpec| match self.upstream.iter().find(|(name, _)| name == spec.name) {
                Some((_, numbers)) => Some((spec, Contents::Given(numbers))),
                None if spec.role == Role::Output && asked(spec) => Some((spec, Contents::Output)),
                None => has(spec.name).then_some((spec, Contents::Kept)),
            };
            let tensors = backward.specs.iter().filter_map(tensor).collect();
            steps.push(backward.step(tensors));
        }
        steps
    }
}

/// Runs the case, on the GPU too if there is one.
pub(super) fn run(gpu: Option<&dyn Runner>, case: &Case, call: &Call<'_>) -> Result<Runs, Problem> {
    let ready = Ready::new(case, call)?;
    let (forward, backward, upstream) = (&ready.forward, ready.backward.as_ref(), &ready.upstream);
    let (reference, reference_gradients) = on_reference::<f64>(forward, backward, call, upstream)?;
    let (baseline, baseline_gradients) = on_reference::<f32>(forward, backward, call, upstream)?;
    let on_gpu = gpu.map(|gpu| gpu.run(&ready.steps(call))).transpose()?;
    let mut on_gpu = on_gpu.map(Vec::into_iter);
    let mut next = || on_gpu.as_mut().map(|steps| steps.next().unwrap_or_default());
    let (on_gpu, gpu_gradients) = (next(), next());

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
            halves: halves(forward, ""),
        },
        gradients: backward.map(|backward| Computed {
            gpu: gpu_gradients.map(|computed| gradients(Some(computed))),
            reference: gradients(reference_gradients),
            baseline: gradients(baseline_gradients),
            halves: halves(backward, "_gradient"),
        }),
        failures: ready.failures,
    })
}
