//! Gradients of every operator against central differences: the f64 reference of `<op>_backward` against that of `<op>`.
//!
//! The upstream gradients g are random, and the loss is the sum of g times output over all outputs that have one.

use visual_attention::operators::{self, Arrays, Shapes};
use visual_attention::{Element, Nchw, Role, TensorSpec, wgpu};

use crate::common::backward::{self, described, forward, is_constant, is_float};
use crate::common::catalogue::{Contents, Entry, Input, Kind, entry_of};
use crate::common::fixture::{Fixture, decoded, read};
use crate::common::problems::{Problem, problems};
use crate::common::{self, Random, TestGpu, check_gradient, wide};

/// The step of a difference. Its square is what the difference is off by, and a rounding of f64 over it what it cannot see.
const STEP: f64 = 1e-6;
/// Operators without gradient: their outputs are integers, or pictures to look at, or measures. Cropping by an attended region is
/// differentiated by `crop_resize`.
const NOT_DIFFERENTIABLE: [&str; 7] = [
    "attended_region",
    "bounding_box",
    "component_labels",
    "heat_overlay",
    "largest_component",
    "region_measures",
    "threshold",
];
/// Most numbers of one tensor that are moved.
const MOST: usize = 48;

/// Ordinary numbers for an input: a variance is positive.
fn numbers(spec: &TensorSpec, random: &mut Random) -> Vec<f64> {
    let len = spec.elements().unwrap() as usize;
    let normal = wide(&random.normal(len));
    match spec.name {
        _ if !is_float(spec) => [1.0, 0.0, 4.0, 3.0].repeat(len.div_ceil(4))[..len].to_vec(),
        name if name.ends_with("norm.variance") => normal.iter().map(|number| number.abs() + 0.5).collect(),
        _ => normal,
    }
}

/// Inputs of the forward operator, and then upstream gradients and saved outputs that the backward one reads.
struct Drawn {
    inputs: Arrays<f64>,
    all: Arrays<f64>,
}

fn draw(problem: &Problem, forward_problem: &Problem, shapes: &Shapes, random: &mut Random) -> Drawn {
    let kept = |specs: Vec<TensorSpec>| -> Vec<_> {
        specs.into_iter().filter(|spec| spec.role != Role::Output && !problem.lacks(spec.name)).collect()
    };
    let read = kept(described(forward_problem, Element::F32).tensors(shapes).unwrap());
    let inputs = Arrays::new(read.iter().map(|spec| (spec.name, numbers(spec, random))));
    let saved = forward(forward_problem, Element::F32, shapes, &inputs);
    let all = kept(described(problem, Element::F32).tensors(shapes).unwrap()).into_iter().map(|spec| {
        let known = saved.get(spec.name).or(inputs.get(spec.name)).cloned();
        (spec.name, known.unwrap_or_else(|| numbers(&spec, random)))
    });
    Drawn { all: Arrays::new(all.collect::<Vec<_>>()), inputs }
}

fn loss(problem: &Problem, shapes: &Shapes, inputs: &Arrays<f64>, upstream: &Arrays<f64>) -> f64 {
    let outputs = forward(problem, Element::F32, shapes, inputs);
    let product = |(name, values): (&str, &Vec<f64>)| {
        let gradient = upstream.get(&format!("{name}_gradient"))?;
        Some(values.iter().zip(gradient).map(|(value, gradient)| value * gradient).sum::<f64>())
    };
    outputs.iter().filter_map(product).sum()
}

/// The inputs with one number moved.
fn moved(inputs: &Arrays<f64>, name: &str, at: usize, by: f64) -> Arrays<f64> {
    Arrays::new(inputs.iter().map(|(other, values)| {
        let mut values = values.clone();
        if other == name {
            values[at] += by;
        }
        (other.to_owned(), values)
    }))
}

/// Holds every gradient of one problem to differences: how many numbers were moved.
fn differ(problem: &Problem, random: &mut Random, failures: &mut Vec<String>) -> usize {
    let forward_problem = problem.forward().unwrap();
    let shapes = Shapes::new(problem.shapes.iter().cloned());
    let Drawn { inputs, all } = draw(problem, &forward_problem, &shapes, random);
    let computed = described(problem, Element::F32).reference_f64(&shapes, &all).unwrap();
    let mut count = 0;
    for spec in described(&forward_problem, Element::F32).tensors(&shapes).unwrap() {
        let name = spec.name;
        let Some(values) = inputs.get(name).filter(|_| is_float(&spec) && !is_constant(name)) else { continue };
        let Some(gradient) = computed.get(&format!("{name}_gradient")) else {
            failures.push(format!("{}: `{name}` has no gradient", problem.label));
            continue;
        };
        assert_eq!(gradient.len(), values.len(), "{}: {name}", problem.label);
        let step = (values.len() / MOST).max(1);
        for at in (random.below(step as u32) as usize..values.len()).step_by(step) {
            let [above, below] =
                [STEP, -STEP].map(|by| loss(&forward_problem, &shapes, &moved(&inputs, name, at, by), &all));
            let difference = (above - below) / (2.0 * STEP);
            // What f64 rounds of the loss, and the third derivative's share.
            let room = 1e-7 * (1.0 + above.abs() + gradient[at].abs());
            if (difference - gradient[at]).abs() > room || gradient[at].is_nan() {
                let what = format!("{name}[{at}] has the gradient {}, difference {difference}", gradient[at]);
                failures.push(format!("{}: {what}", problem.label));
            }
            count += 1;
        }
    }
    count
}

#[test]
fn every_gradient_is_the_limit_of_differences() {
    let mut failures = Vec::new();
    let mut counts = (0, 0);
    for (seed, shape) in (0..).zip([Nchw::new(2, 4, 3, 4), Nchw::new(1, 4, 5, 2), Nchw::new(1, 8, 1, 3)]) {
        let mut random = Random::new(seed);
        // A shifted window larger than the image is refused.
        let takes = |problem: &Problem| {
            let shapes = Shapes::new(problem.shapes.iter().cloned());
            described(problem, Element::F32).tensors(&shapes).is_ok()
        };
        for problem in problems(shape).into_iter().filter(|problem| problem.forward().is_some() && takes(problem)) {
            counts.0 += 1;
            counts.1 += differ(&problem, &mut random, &mut failures);
        }
    }
    eprintln!("{} problems, {} numbers", counts.0, counts.1);
    let shown = failures.iter().take(40).fold(String::new(), |text, failure| text + "\n" + failure);
    assert!(failures.is_empty(), "{} of {} differences are off:{shown}", failures.len(), counts.1);
}

/// What an operator is differentiated for. The others have integers or pictures for outputs, or none that training needs.
#[test]
fn every_differentiable_operator_has_a_gradient() {
    let names = || operators::all().iter().map(|entry| entry.name);
    let missing: Vec<_> = names()
        .filter(|name| !name.ends_with("_backward") && !NOT_DIFFERENTIABLE.contains(name))
        .filter(|name| operators::find(&format!("{name}_backward")).is_none())
        .collect();
    assert!(missing.is_empty(), "without gradients: {missing:?}");
}

/// One pixel, odd tails, more and fewer pixels than a workgroup, both vector widths, many channels.
const SHAPES: [Nchw; 5] = [
    Nchw::new(1, 4, 1, 1),
    Nchw::new(2, 4, 7, 9),
    Nchw::new(3, 8, 1, 65),
    Nchw::new(1, 12, 16, 16),
    Nchw::new(2, 36, 5, 13),
];

/// What one run wrote, for each output.
fn run(gpu: &TestGpu, entry: &Entry) -> Vec<Vec<u8>> {
    let fixture = Fixture::new(&gpu.device, entry).unwrap_or_else(|error| panic!("{}: {error}", entry.name));
    let archive = fixture.archive(&gpu.device, 1);
    let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    fixture.record(&mut encoder, &archive, 0);
    gpu.queue.submit([encoder.finish()]);
    let bytes = read(&gpu.device, &gpu.queue, &archive);
    fixture.outputs(&bytes, &entry.name).into_iter().map(<[u8]>::to_vec).collect()
}

/// The numbers of the inputs; integers are known to the references.
fn floats(entry: &Entry) -> Vec<Vec<f32>> {
    let numbers = |input: &Input| match &input.contents {
        Contents::Floats(_, numbers) => numbers.clone(),
        Contents::Words(_) => Vec::new(),
    };
    entry.inputs.iter().map(numbers).collect()
}

fn check(gpu: &TestGpu, entry: &Entry, shape: Nchw) {
    let inputs = floats(entry);
    let wide: Vec<_> = inputs.iter().map(|numbers| wide(numbers)).collect();
    let (exact, baseline) = ((entry.exact)(&wide), (entry.baseline)(&inputs));
    for (index, bytes) in run(gpu, entry).iter().enumerate() {
        let (name, _, kind) = entry.outputs[index];
        let actual: Vec<f32> = decoded(bytes, kind).into_iter().map(|value| value as f32).collect();
        let Kind::Near(element) = kind else { panic!("{}: {name} is {kind:?}", entry.name) };
        let size = exact[index].iter().fold(1.0f64, |most, value| most.max(value.abs()));
        let what = format!("{} {shape}: {name}", entry.name);
        // Of an image with one row, the middle of the table of rows has no gradient but what rounding leaves of a sum over all queries.
        let cancels = entry.name.starts_with("sasa_layer_backward") && name.starts_with("tables.");
        let room = backward::room(&entry.name, size, actual.len()) * if cancels { 16.0 } else { 1.0 };
        let outcome = check_gradient(&actual, &exact[index], &baseline[index], element.into(), room);
        assert!(outcome.is_ok(), "{what}: {outcome:?}");
    }
}

/// Whether the operator has tests of its own over many shapes, and no maximum. Its kernels take long to compile.
fn is_attention(problem: &Problem) -> bool {
    problem.operator.contains("attention") || problem.operator.contains("sasa")
}

#[test]
fn every_gradient_kernel_matches_its_reference() {
    let Some(gpu) = common::gpu() else { return };
    for (seed, shape) in (0..).zip(SHAPES) {
        let few = shape.batch == 1;
        for problem in problems(shape).into_iter().filter(|problem| problem.forward().is_some()) {
            if few && is_attention(&problem) {
                continue;
            }
            for element in gpu.elements().into_iter().filter(|&element| problem.generic || element == Element::F32) {
                let Some(entry) = entry_of(&problem, element, seed) else { continue };
                check(gpu, &entry, shape);
            }
        }
    }
}

/// Equal numbers everywhere: the first of them takes the gradient of a maximum, in the kernels as in the references.
#[test]
fn ties_follow_the_references() {
    let Some(gpu) = common::gpu() else { return };
    for shape in SHAPES {
        let all = problems(shape).into_iter().filter(|problem| problem.forward().is_some());
        for problem in all.filter(|problem| !is_attention(problem)) {
            let Some(mut entry) = entry_of(&problem, Element::F32, 1) else { continue };
            // Means of whole numbers are rounded, and equal gates with them. Without means, the gates of a maximum are equal or far apart.
            let gates = entry.name.starts_with("scse_backward Max");
            for input in &mut entry.inputs {
                let Contents::Floats(_, numbers) = &mut input.contents else { continue };
                if gates && input.name == "reduce_weight" {
                    numbers.fill(0.0);
                } else if !input.name.ends_with("norm.variance") {
                    numbers.iter_mut().for_each(|number| *number = number.round().clamp(-1.0, 1.0));
                }
            }
            backward::save(&problem, Element::F32, &Shapes::new(problem.shapes.iter().cloned()), &mut entry.inputs);
            check(gpu, &entry, shape);
        }
    }
}

/// What is not asked for changes nothing.
#[test]
fn each_gradient_alone_has_the_bits_that_it_has_beside_the_others() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nchw::new(2, 8, 5, 7);
    for problem in problems(shape).into_iter().filter(|problem| problem.forward().is_some()) {
        let Some(entry) = entry_of(&problem, Element::F32, 3) else { continue };
        let all = run(gpu, &entry);
        let names: Vec<_> = entry.outputs.iter().map(|&(name, ..)| name).collect();
        for (index, name) in names.iter().enumerate().filter(|_| names.len() > 1) {
            let others: Vec<_> = names.iter().copied().filter(|other| other != name).collect();
            let alone = entry_of(&problem.clone().without(&others), Element::F32, 3).unwrap();
            assert_eq!(alone.outputs.len(), 1, "{}", entry.name);
            assert!(run(gpu, &alone)[0] == all[index], "{}: {name} alone has other bits", entry.name);
        }
    }
}

/// The gradient of a parameter is a sum over images: over none it is zero, and nothing else is left to write.
#[test]
fn parameters_have_no_gradient_without_images() {
    let Some(gpu) = common::gpu() else { return };
    let mut counts = (0, 0);
    let shape = Nchw::new(0, 4, 3, 4);
    for problem in problems(shape).into_iter().filter(|problem| problem.forward().is_some()) {
        let Some(entry) = entry_of(&problem, Element::F32, 1) else { continue };
        counts.0 += 1;
        for (bytes, (name, len, kind)) in run(gpu, &entry).iter().zip(&entry.outputs) {
            let zeros = decoded(bytes, *kind).iter().all(|&value| value == 0.0);
            assert!(zeros, "{}: {name}: {bytes:?}", entry.name);
            counts.1 += len;
        }
    }
    assert!(counts.0 > 40 && counts.1 > 400, "{counts:?}");
}
