//! Operators as data: every one opened by its name, bound by the names of its tensors, and held to its reference.

use std::collections::BTreeSet;
use std::path::Path;

use visual_attention::operators::{self, Arrays, Operator, Options, Shapes, Slices};
use visual_attention::{DType, Element, Error, Nchw, RelativePosition, Role, TensorSpec};

use crate::common::backward;
use crate::common::catalogue::{catalogue, float};
use crate::common::describing::describing;
use crate::common::problems::{self, Problem, problems};
use crate::common::{self, Precision, Random, TestGpu, check_gradient, check_tolerance, rounded, wide};
use crate::compiler;

const SHAPE: Nchw = Nchw::new(2, 4, 6, 7);

/// The first problem of an operator.
fn problem(name: &str) -> Problem {
    problems(SHAPE).into_iter().find(|problem| problem.operator == name).unwrap()
}

fn open(gpu: &TestGpu, problem: &Problem, element: Element) -> (Box<dyn Operator>, Shapes) {
    let options = Options::new(problems::options(problem, element));
    let operator = operators::find(problem.operator).unwrap().open(compiler::of(&gpu.device), &options).unwrap();
    (operator, Shapes::new(problem.shapes.iter().cloned()))
}

/// Numbers that an input of this name may hold: a variance is positive, a mask 0 or 1, a box within its image.
fn numbers(spec: &TensorSpec, random: &mut Random) -> Vec<f32> {
    let len = spec.elements().unwrap() as usize;
    let normal = random.normal(len);
    match (spec.name, float(spec.dtype)) {
        (_, Some(element)) if spec.name.ends_with("variance") => {
            rounded(&normal.iter().map(|number| number.abs() + 0.5).collect::<Vec<_>>(), element)
        }
        ("map" | "pictures", Some(element)) => {
            rounded(&normal.iter().map(|number| number.abs().fract()).collect::<Vec<_>>(), element)
        }
        (_, Some(element)) => rounded(&normal, element),
        ("boxes", None) => [1.0, 0.0, 4.0, 3.0].repeat(len / 4),
        (_, None) => normal.iter().map(|&number| f32::from(u8::from(number > 0.0))).collect(),
    }
}

#[test]
fn every_operator_gives_what_its_reference_gives() {
    let Some(gpu) = common::gpu() else { return };
    for (seed, (entry, element_type)) in
        (0..).zip(operators::all().iter().flat_map(|entry| gpu.elements().into_iter().map(move |e| (entry, e))))
    {
        let problem = problem(entry.name);
        let (operator, shapes) = open(gpu, &problem, element_type);
        assert_eq!(operator.name(), entry.name);
        let mut specs = operator.tensors(&shapes).unwrap();
        specs.retain(|spec| !problem.lacks(spec.name));
        let mut random = Random::new(seed);
        let mut inputs: Vec<_> = specs
            .iter()
            .filter(|spec| spec.role != Role::Output)
            .map(|spec| (spec.name, numbers(spec, &mut random)))
            .collect();
        // A gradient reads what the forward operator wrote.
        if let Some(forward) = problem.forward() {
            let given = Arrays::new(inputs.iter().map(|(name, numbers)| (*name, wide(numbers))));
            let saved = backward::forward(&forward, element_type, &shapes, &given);
            for (name, numbers) in &mut inputs {
                let stored = specs.iter().find(|spec| spec.name == *name).and_then(|spec| float(spec.dtype));
                if let (Some(values), Some(element)) = (saved.get(name), stored) {
                    *numbers = rounded(&values.iter().map(|&value| value as f32).collect::<Vec<_>>(), element);
                }
            }
        }
        let input = |name: &str| inputs.iter().find(|(given, _)| *given == name).map(|(_, numbers)| numbers);
        let stored: Vec<_> = specs
            .iter()
            .filter(|spec| spec.role == Role::Input)
            .filter_map(|spec| {
                let numbers = input(spec.name)?;
                let words = || numbers.iter().map(|&number| number as u32).collect::<Vec<_>>();
                let buffer = match float(spec.dtype) {
                    Some(element) => gpu.input(numbers, element),
                    None => gpu.upload(spec.name, &words()).unwrap(),
                };
                Some((spec.name, buffer))
            })
            .collect();
        let outputs: Vec<_> = specs
            .iter()
            .filter(|spec| spec.role != Role::Input)
            .map(|spec| {
                let len = spec.elements().unwrap() as usize;
                let empty = || gpu.output(len, spec.dtype.bytes());
                let filled = input(spec.name).zip(float(spec.dtype));
                (spec.name, filled.map_or_else(empty, |(numbers, element)| gpu.filled(numbers, element)))
            })
            .collect();
        let slices = stored.iter().map(|(name, buffer)| (*name, buffer.slice(..)));
        let slices = slices.chain(outputs.iter().map(|(name, output)| (*name, output.slice())));
        let recording = operator.bind(&gpu.device, &shapes, &Slices::new(slices)).unwrap();
        gpu.recording(&recording);
        assert!(operator.cost(&shapes).unwrap().bytes > 0, "{}", entry.name);

        let exact = Arrays::new(inputs.iter().map(|(name, numbers)| (*name, wide(numbers))));
        let exact = operator.reference_f64(&shapes, &exact).unwrap();
        let baseline = operator.reference_f32(&shapes, &Arrays::new(inputs.clone())).unwrap();
        let computed: BTreeSet<_> = exact.iter().map(|(name, _)| name.to_owned()).collect();
        for spec in specs.iter().filter(|spec| spec.role != Role::Input) {
            assert!(computed.contains(spec.name), "{}: no reference for {}", entry.name, spec.name);
            let what = format!("{} {}, {element_type}", entry.name, spec.name);
            let (exact, baseline) = (exact.get(spec.name).unwrap(), baseline.get(spec.name).unwrap());
            let (_, output) = outputs.iter().find(|(name, _)| *name == spec.name).unwrap();
            match float(spec.dtype) {
                Some(element) => {
                    let actual = gpu.floats(output, element);
                    let precision = Precision::from(element);
                    let outcome = if entry.name.ends_with("_backward") {
                        // A tensor of one number does not show the error that the formula brings elsewhere.
                        let size = exact.iter().fold(1.0f64, |most, value| most.max(value.abs()));
                        check_gradient(
                            &actual,
                            exact,
                            baseline,
                            precision,
                            backward::room(entry.name, size, exact.len()),
                        )
                    } else {
                        check_tolerance(&actual, exact, baseline, precision)
                    };
                    assert!(outcome.is_ok(), "{what}: {outcome:?}");
                }
                None if entry.name == "heat_overlay" => {
                    // A byte may be rounded the other way.
                    let bytes: Vec<u8> = gpu.words(output);
                    let near = |(&byte, number): (&u8, &f64)| (f64::from(byte) - 255.0 * number).abs() < 0.51;
                    assert!(bytes.iter().zip(exact).all(near), "{what}");
                }
                None => {
                    let words: Vec<u32> = gpu.words(output);
                    let signed = spec.dtype == DType::I32;
                    let number = |word: u32| if signed { f64::from(word as i32) } else { f64::from(word) };
                    let words: Vec<f64> = words.into_iter().map(number).collect();
                    assert_eq!(&words, exact, "{what}");
                }
            }
        }
    }
}

#[test]
fn names_are_the_stems_of_the_hosts() {
    let names: BTreeSet<_> = operators::all().iter().map(|entry| entry.name).collect();
    assert_eq!(names.len(), operators::all().len());
    let hosts = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ops");
    for name in &names {
        assert!(hosts.join(format!("{name}.rs")).exists() || hosts.join(name).is_dir(), "{name}");
    }
    for host in std::fs::read_dir(hosts).unwrap() {
        let host = host.unwrap().path();
        let stem = host.file_stem().unwrap().to_str().unwrap();
        // A stream has a recording for each frame, where an operator of the list has one.
        let part =
            ["mod", "activation", "batch_norm", "color", "epilogue", "part_sum", "window_stream"].contains(&stem);
        // Entries of the list work on slices alone.
        let part = part || ["planes_to_texture", "texture_to_planes"].contains(&stem);
        assert!(part || names.contains(stem), "{stem} is an operator that `operators::all` lacks");
    }
}

/// A problem that is refused would be left out of the catalogue in silence.
#[test]
fn every_operator_has_problems_and_every_problem_a_shape() {
    let problems = problems(Nchw::new(2, 4, 3, 4));
    let tried: BTreeSet<_> = problems.iter().map(|problem| problem.operator).collect();
    let names: BTreeSet<_> = operators::all().iter().map(|entry| entry.name).collect();
    assert_eq!(tried, names);
    let untyped = problems.iter().filter(|problem| !problem.generic).count();
    let weights = RelativePosition::NAMES.len();
    for (element, expected) in [(Element::F32, problems.len()), (Element::F16, problems.len() - untyped)] {
        assert_eq!(catalogue(element, Nchw::new(2, 4, 3, 4), 1).len(), expected + weights, "{element}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    let Some(gpu) = common::gpu() else { return };
    let refused = |name: &str, options: &[(&str, &str)]| {
        let options = Options::new(options.iter().copied());
        let error = operators::find(name).unwrap().open(compiler::of(&gpu.device), &options).unwrap_err();
        error.to_string()
    };
    assert_eq!(
        refused("window_pool", &[("pooling", "mean"), ("windw", "2")]),
        "window_pool: `options` is windw, needs one of pooling, window, element"
    );
    assert_eq!(refused("window_pool", &[("pooling", "average")]), "window_pool: `pooling` is average, needs mean, max");
    assert_eq!(refused("window_pool", &[("window", "2,2,2")]), "window_pool: `window` is 2,2,2, needs height,width");
    assert_eq!(refused("resize", &[]), "resize: `size` is none, needs height,width");
    let unknown = Options::new([("windw", "2")]);
    let error = operators::find("window_pool").unwrap().options(compiler::of(&gpu.device), &unknown).unwrap_err();
    assert_eq!(error.to_string(), "window_pool: `options` is windw, needs one of pooling, window, element");
    let (operator, shapes) = open(gpu, &problem("window_pool"), Element::F32);
    let error = operator.tensors(&Shapes::default()).unwrap_err();
    assert!(matches!(error, Error::InvalidShape { op: "window_pool", binding: "x", .. }), "{error}");
    let error = operator.bind(&gpu.device, &shapes, &Slices::default()).unwrap_err();
    assert_eq!(error.to_string(), "window_pool: `x` is none, needs a slice");
    // A misspelt optional tensor must not be left out in silence, nor a shape that contradicts the others.
    let (operator, dense) = open(gpu, &problem("dense"), Element::F32);
    let buffer = gpu.upload("buffer", &[0f32; 64]).unwrap();
    let misspelt = Slices::new([("input", buffer.slice(..)), ("bais", buffer.slice(..))]);
    let error = operator.bind(&gpu.device, &dense, &misspelt).unwrap_err().to_string();
    assert!(error.starts_with("dense: `tensors` is bais, needs one of input, weight, bias"), "{error}");
    let contradicting = Shapes::new([("input", vec![2, 5]), ("weight", vec![3, 6])]);
    let error = operator.tensors(&contradicting).unwrap_err().to_string();
    assert_eq!(error, "dense: shape of `weight` is [3, 6], needs [3, 5]");
    let (operator, shapes) = open(gpu, &problem("window_pool"), Element::F32);
    let misspelt = Arrays::new([("z", vec![1.0f32; 3])]);
    let error = operator.reference_f32(&shapes, &misspelt).unwrap_err().to_string();
    assert_eq!(error, "window_pool: `tensors` is z, needs one of x, y");
    let error = operator.reference_f32(&shapes, &Arrays::new([("x", vec![1.0; 3])])).unwrap_err();
    assert!(matches!(error, Error::InvalidShape { op: "window_pool", binding: "x", .. }), "{error}");
}

#[test]
fn options_are_told_with_their_defaults() {
    let Some(gpu) = common::gpu() else { return };
    for entry in operators::all() {
        let options = problems::options(&problem(entry.name), Element::F32);
        let told = entry.options(compiler::of(&gpu.device), &Options::new(options.clone())).unwrap();
        let names: BTreeSet<_> = told.iter().map(|spec| spec.name).collect();
        assert_eq!(names.len(), told.len(), "{}", entry.name);
        assert!(options.iter().all(|(name, _)| names.contains(name.as_str())), "{}", entry.name);
        // A default that is written is read back as itself.
        let values = told.iter().map(|spec| {
            let given = options.iter().find(|(name, _)| name == spec.name).map(|(_, value)| value.clone());
            (spec.name, given.or(spec.default.clone()).unwrap_or_else(|| panic!("{} {}", entry.name, spec.name)))
        });
        let again = Options::new(values);
        let again = entry.options(compiler::of(&gpu.device), &again).unwrap();
        assert_eq!(again, told, "{}", entry.name);
    }
}

/// Bindings name the axes of every tensor by the example.
#[test]
fn every_example_opens_and_has_distinct_axes() {
    for entry in operators::all() {
        let operators::Example { options, inputs, optional, .. } = entry.example;
        let fixed = |&&(name, extent): &&(&str, u32)| name == extent.to_string();
        let axes: BTreeSet<_> = inputs.iter().flat_map(|(_, axes)| *axes).filter(|axis| !fixed(axis)).collect();
        let (names, extents): (BTreeSet<_>, BTreeSet<_>) = axes.iter().copied().copied().unzip();
        assert!(names.len() == axes.len() && extents.len() == axes.len(), "{}: {axes:?}", entry.name);
        let shapes = inputs.iter().map(|(name, axes)| (*name, axes.iter().map(|(_, extent)| *extent).collect()));
        let shapes = Shapes::new(shapes);
        let operator = entry.open(describing(), &Options::new(options.iter().copied())).unwrap();
        let tensors = operator.tensors(&shapes).unwrap_or_else(|error| panic!("{}: {error}", entry.name));
        for (name, _) in inputs {
            let input = tensors.iter().find(|spec| spec.name == *name).unwrap();
            assert!(input.role != Role::Output, "{}: {name}", entry.name);
        }
        assert!(optional.iter().all(|name| inputs.iter().any(|(input, _)| input == name)), "{}", entry.name);
    }
}
