//! What an operator that computes gradients reads beside the inputs of its forward operator: the outputs of the forward pass.

use visual_attention::operators::{self, Arrays, Operator, Options, Shapes, Slices};
use visual_attention::{Element, Role, wgpu};

use super::catalogue::{self, Contents, Input, Kind, float};
use super::describing::describing;
use super::fixture::{Fixture, decoded, read};
use super::problems::{self, Problem};
use super::{EXP_ROOM, Precision, TestGpu, check_gradient, compiler, rounded, softmax_room, wide};

/// An operator that compiles nothing, with the shapes of its problem.
pub(crate) fn described(problem: &Problem, element: Element) -> Box<dyn Operator> {
    let options = Options::new(problems::options(problem, element));
    operators::find(problem.operator).unwrap().open(describing(), &options).unwrap()
}

/// What the forward operator of `problem` computes in f64 from those of `inputs` that it reads.
pub(crate) fn forward(problem: &Problem, element: Element, shapes: &Shapes, inputs: &Arrays<f64>) -> Arrays<f64> {
    let operator = described(problem, element);
    let read = operator.tensors(shapes).unwrap().into_iter().filter(|spec| spec.role != Role::Output);
    let given = read.filter_map(|spec| Some((spec.name, inputs.get(spec.name)?.clone())));
    operator.reference_f64(shapes, &Arrays::new(given)).unwrap()
}

/// Puts the forward operator's outputs in place of inputs that have their names, if `problem` computes gradients.
pub(crate) fn save(problem: &Problem, element: Element, shapes: &Shapes, inputs: &mut [Input]) {
    let Some(forward_problem) = problem.forward() else { return };
    let numbers = |input: &Input| match &input.contents {
        Contents::Floats(_, numbers) => wide(numbers),
        Contents::Words(words) => words.iter().map(|&word| f64::from(word as i32)).collect(),
    };
    let given = Arrays::new(inputs.iter().map(|input| (input.name, numbers(input))));
    let saved = forward(&forward_problem, element, shapes, &given);
    for input in inputs {
        let Some(values) = saved.get(input.name) else { continue };
        match &mut input.contents {
            Contents::Floats(element, numbers) => {
                *numbers = rounded(&values.iter().map(|&value| value as f32).collect::<Vec<_>>(), *element);
            }
            Contents::Words(words) => *words = values.iter().map(|&value| value as u32).collect(),
        }
    }
}

/// The tensors of floats that a forward operator reads and that have no gradient: statistics of a batch norm are constants.
pub(crate) fn is_constant(name: &str) -> bool {
    name.ends_with("norm.mean") || name.ends_with("norm.variance")
}

/// Whether the tensor holds floats.
pub(crate) fn is_float(spec: &visual_attention::TensorSpec) -> bool {
    float(spec.dtype).is_some()
}

/// Runs an operator whose floats are f32 on these inputs; the numbers of each output.
pub(crate) fn run(
    gpu: &TestGpu,
    name: &str,
    options: &[(&str, &str)],
    shapes: &[(&str, &[u32])],
    inputs: &[(&'static str, &[f32])],
) -> Arrays<f32> {
    run_for(gpu, name, options, shapes, inputs, |_| true)
}

/// As [`run`], for the outputs that are wanted.
pub(crate) fn run_for(
    gpu: &TestGpu,
    name: &str,
    options: &[(&str, &str)],
    shapes: &[(&str, &[u32])],
    inputs: &[(&'static str, &[f32])],
    wanted: impl Fn(&str) -> bool,
) -> Arrays<f32> {
    let options = Options::new(options.iter().copied());
    let operator = operators::find(name).unwrap().open(compiler::of(&gpu.device), &options).unwrap();
    let shapes = Shapes::new(shapes.iter().map(|(name, shape)| (*name, shape.to_vec())));
    let specs = operator.tensors(&shapes).unwrap();
    let given = |name: &str| inputs.iter().find(|(given, _)| *given == name).map(|(_, numbers)| *numbers);
    let stored = specs.iter().filter(|spec| spec.role == Role::Input).filter_map(|spec| {
        let numbers = given(spec.name)?;
        let integers = || numbers.iter().map(|&number| number as i32).collect::<Vec<_>>();
        let float = is_float(spec).then(|| gpu.input(numbers, Element::F32));
        Some((spec.name, float.unwrap_or_else(|| gpu.upload(spec.name, &integers()).unwrap())))
    });
    let stored: Vec<_> = stored.collect();
    let written = specs.iter().filter(|spec| spec.role != Role::Input && wanted(spec.name));
    let outputs = written.map(|spec| {
        let empty = || gpu.output(spec.elements().unwrap() as usize, 4);
        (spec.name, given(spec.name).map_or_else(empty, |numbers| gpu.filled(numbers, Element::F32)))
    });
    let outputs: Vec<_> = outputs.collect();
    let slices = stored.iter().map(|(name, buffer)| (*name, buffer.slice(..)));
    let slices = slices.chain(outputs.iter().map(|(name, output)| (*name, output.slice())));
    gpu.recording(&operator.bind(&gpu.device, &shapes, &Slices::new(slices)).unwrap());
    Arrays::new(outputs.iter().map(|(name, output)| (*name, gpu.floats(output, Element::F32))))
}

/// Runs the operator of a problem on ordinary numbers, and holds every output to the reference. `room` is what WGSL leaves of its functions,
/// as a share of an output's largest number.
#[track_caller]
pub(crate) fn assert_matches(gpu: &TestGpu, problem: &Problem, element: Element, seed: u64, room: f64) {
    let entry = catalogue::entry_of(problem, element, seed).unwrap();
    let fixture = Fixture::new(&gpu.device, &entry).unwrap();
    let archive = fixture.archive(&gpu.device, 1);
    let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    fixture.record(&mut encoder, &archive, 0);
    gpu.queue.submit([encoder.finish()]);
    let bytes = read(&gpu.device, &gpu.queue, &archive);
    let inputs: Vec<_> = entry
        .inputs
        .iter()
        .map(|input| match &input.contents {
            Contents::Floats(_, numbers) => numbers.clone(),
            Contents::Words(_) => Vec::new(),
        })
        .collect();
    let baseline = (entry.baseline)(&inputs);
    let exact = (entry.exact)(&inputs.iter().map(|numbers| wide(numbers)).collect::<Vec<_>>());
    let shapes = &problem.shapes;
    for (index, bytes) in fixture.outputs(&bytes, &entry.name).into_iter().enumerate() {
        let (name, _, kind) = entry.outputs[index];
        let (Kind::Exact(element) | Kind::Near(element)) = kind else { continue };
        let actual: Vec<_> = decoded(bytes, kind).into_iter().map(|number| number as f32).collect();
        let largest = exact[index].iter().fold(0.0f64, |most, number| most.max(number.abs()));
        let what = format!("{} {shapes:?}: {name}", entry.name);
        let precision = Precision::from(element);
        let outcome = check_gradient(&actual, &exact[index], &baseline[index], precision, room * largest);
        assert!(outcome.is_ok(), "{what}: {outcome:?}");
    }
}

/// What WGSL's own allowance leaves of one of `len` gradients up to `size`: where a softmax has a gradient, that of the softmax in every term, and
/// elsewhere that of the activations that it passes. A parameter has few gradients, each a sum of many terms that may cancel out, and the
/// worst error of a few says little of the others: they have four times as much.
pub(crate) fn room(name: &str, size: f64, len: usize) -> f64 {
    let size = if len < 64 { 4.0 * size } else { size };
    if name.contains("attention_backward") || name.contains("sasa") && name.contains("backward") {
        return softmax_room(9, size);
    }
    // Through two layers, and through both of CBAM's gates.
    let activations = match name {
        _ if name.starts_with("cbam_backward") => 3.0,
        _ if name.starts_with("squeeze_excite_backward") || name.starts_with("scse_backward") => 2.0,
        _ => 1.0,
    };
    EXP_ROOM * activations * size
}
