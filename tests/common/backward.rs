//! What an operator that computes gradients reads beside the inputs of its forward operator: the outputs of the forward pass.

use visual_attention::operators::{self, Arrays, Operator, Options, Shapes, Slices};
use visual_attention::{Element, Role};

use super::catalogue::{Contents, Input, float};
use super::describing::describing;
use super::problems::{self, Problem};
use super::{EXP_ROOM, TestGpu, compiler, rounded, softmax_room, wide};

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
    let outputs = specs.iter().filter(|spec| spec.role != Role::Input).map(|spec| {
        let empty = || gpu.output(spec.elements().unwrap() as usize, 4);
        (spec.name, given(spec.name).map_or_else(empty, |numbers| gpu.filled(numbers, Element::F32)))
    });
    let outputs: Vec<_> = outputs.collect();
    let slices = stored.iter().map(|(name, buffer)| (*name, buffer.slice(..)));
    let slices = slices.chain(outputs.iter().map(|(name, output)| (*name, output.slice())));
    gpu.recording(&operator.bind(&gpu.device, &shapes, &Slices::new(slices)).unwrap());
    Arrays::new(outputs.iter().map(|(name, output)| (*name, gpu.floats(output, Element::F32))))
}

/// What WGSL's own allowance leaves of a result up to `size`: where a softmax has a gradient, that of the softmax in every term, and
/// elsewhere that of an activation.
pub(crate) fn room(name: &str, size: f64) -> f64 {
    let softmax = name.contains("attention_backward") || name.contains("sasa") && name.contains("backward");
    if softmax { softmax_room(9, size) } else { EXP_ROOM * size }
}
