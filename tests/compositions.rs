//! Three operators in a row, forward and then backward on the GPU, against central differences of the f64 references of all three.
//!
//! Each backward operator reads what the forward operators wrote, and takes the gradient that the next one computed.

use visual_attention::operators::{Arrays, Shapes};
use visual_attention::{Element, Nchw, Role, TensorSpec};

use crate::common::backward::{described, forward, is_float, run_for};
use crate::common::problems::{Problem, problems};
use crate::common::{self, Random, TestGpu, wide};

/// Operators from a tensor `[n, c, h, w]` to another, with the names of both.
const STEPS: &[(&str, &str, &str)] = &[
    ("bisenet", "features", "output"),
    ("cbam", "features", "output"),
    ("channel_scale", "features", "output"),
    ("eca", "features", "output"),
    ("pointwise_conv", "x", "y[0]"),
    ("resize", "input", "output"),
    //SASA ("sasa_layer", "x", "y"),
    ("scse", "features", "output"),
    ("spatial_gate", "features", "output"),
    ("squeeze_excite", "features", "output"),
];
const COMPOSITIONS: u64 = 24;
/// Numbers of the input that are moved.
const MOVED: usize = 12;
const STEP: f64 = 1e-5;

/// One operator, and everything that it reads but the tensor that comes from the step before.
struct Step {
    problem: Problem,
    shapes: Shapes,
    input: &'static str,
    output: &'static str,
    others: Vec<(&'static str, Vec<f64>)>,
    specs: Vec<TensorSpec>,
}

impl Step {
    /// A random operator over `shape`.
    fn new(shape: Nchw, random: &mut Random) -> Self {
        let (operator, input, output) = STEPS[random.below(STEPS.len() as u32) as usize];
        let of_operator: Vec<_> = problems(shape).into_iter().filter(|problem| problem.operator == operator).collect();
        let problem = of_operator[random.below(of_operator.len() as u32) as usize].clone();
        let shapes = Shapes::new(problem.shapes.iter().cloned());
        let mut specs = described(&problem, Element::F32).tensors(&shapes).unwrap();
        specs.retain(|spec| !problem.without.contains(&spec.name));
        let read = specs.iter().filter(|spec| spec.role != Role::Output && spec.name != input);
        let numbers = |spec: &TensorSpec, random: &mut Random| {
            assert!(is_float(spec), "{operator}: {}", spec.name);
            let numbers = wide(&random.normal(spec.elements().unwrap() as usize));
            let positive = spec.name.ends_with("norm.variance");
            numbers.into_iter().map(|number| if positive { number.abs() + 0.5 } else { 0.5 * number }).collect()
        };
        let others = read.map(|spec| (spec.name, numbers(spec, random))).collect();
        Self { problem, shapes, input, output, others, specs }
    }

    fn output_shape(&self) -> Nchw {
        let output = self.specs.iter().find(|spec| spec.name == self.output).unwrap();
        Nchw::new(output.shape[0], output.shape[1], output.shape[2], output.shape[3])
    }

    fn reference(&self, x: &[f64]) -> Vec<f64> {
        let inputs = self.others.iter().cloned().chain([(self.input, x.to_vec())]);
        let outputs = forward(&self.problem, Element::F32, &self.shapes, &Arrays::new(inputs));
        outputs.get(self.output).unwrap().clone()
    }

    /// The operator of this name on the GPU, with these tensors beside its own.
    fn on_gpu(&self, gpu: &TestGpu, name: &str, more: &[(&'static str, &[f32])], wanted: &str) -> Arrays<f32> {
        let options: Vec<_> = self.problem.options.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let shapes: Vec<_> = self.shapes.iter().map(|(name, shape)| (name, shape.as_slice())).collect();
        let others: Vec<_> = self
            .others
            .iter()
            .map(|(name, numbers)| (*name, numbers.iter().map(|&number| number as f32).collect::<Vec<_>>()))
            .collect();
        let all = others.iter().map(|(name, numbers)| (*name, numbers.as_slice()));
        let all: Vec<_> = all.chain(more.iter().copied()).collect();
        // A forward operator's other outputs may be needed again.
        run_for(gpu, name, &options, &shapes, &all, |output| !name.ends_with("_backward") || output == wanted)
    }

    /// The gradient of the input, from that of the output and from what the forward operator read and wrote.
    fn backward(&self, gpu: &TestGpu, x: &[f32], wrote: &Arrays<f32>, upstream: &[f32]) -> Vec<f32> {
        let name = format!("{}_backward", self.problem.operator);
        let backward = Problem { operator: Box::leak(name.into_boxed_str()), ..self.problem.clone() };
        let specs = described(&backward, Element::F32).tensors(&self.shapes).unwrap();
        let output = format!("{}_gradient", self.output);
        let zeros = specs.iter().map(|spec| vec![0f32; spec.elements().unwrap() as usize]).collect::<Vec<_>>();
        let tensors =
            specs.iter().zip(&zeros).filter(|(spec, _)| spec.role == Role::Input).filter_map(|(spec, zeros)| {
                let required = (!spec.optional).then_some(zeros.as_slice());
                let numbers = match spec.name {
                    name if name == output => Some(upstream),
                    name if name == self.input => Some(x),
                    name if self.others.iter().any(|(other, _)| *other == name) => None,
                    name => wrote.get(name).map(Vec::as_slice).or(required),
                };
                Some((spec.name, numbers?))
            });
        let wanted = format!("{}_gradient", self.input);
        let found = self.on_gpu(gpu, backward.operator, &tensors.collect::<Vec<_>>(), &wanted);
        found.get(&wanted).unwrap().clone()
    }
}

#[test]
fn gradients_of_three_operators_in_a_row_are_the_limit_of_differences() {
    let Some(gpu) = common::gpu() else { return };
    for seed in 0..COMPOSITIONS {
        let mut random = Random::new(seed);
        let mut shape = Nchw::new(1, 4, 13, 14);
        let steps: Vec<_> = (0..3)
            .map(|_| {
                let step = Step::new(shape, &mut random);
                shape = step.output_shape();
                step
            })
            .collect();
        let what = steps.iter().map(|step| step.problem.label.as_str()).collect::<Vec<_>>().join(", ");
        if shape.is_empty() {
            continue;
        }
        let x = random.normal(4 * 13 * 14);
        let upstream = random.normal(shape.elements().unwrap() as usize);

        let mut tensors = vec![x.clone()];
        let mut wrote = Vec::new();
        for step in &steps {
            let x = (step.input, tensors.last().unwrap().as_slice());
            let found = step.on_gpu(gpu, step.problem.operator, &[x], step.output);
            tensors.push(found.get(step.output).unwrap().clone());
            wrote.push(found);
        }
        let mut gradient = upstream.clone();
        for (index, step) in steps.iter().enumerate().rev() {
            gradient = step.backward(gpu, &tensors[index], &wrote[index], &gradient);
        }

        let loss = |x: Vec<f64>| -> f64 {
            let output = steps.iter().fold(x, |x, step| step.reference(&x));
            output.iter().zip(&upstream).map(|(value, &gradient)| value * f64::from(gradient)).sum()
        };
        let largest = common::largest(&gradient).max(1.0);
        for _ in 0..MOVED {
            let at = random.below(x.len() as u32) as usize;
            let moved = |by: f64| {
                let mut x = wide(&x);
                x[at] += by;
                loss(x)
            };
            let difference = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
            let error = (f64::from(gradient[at]) - difference).abs();
            // Six operators in f32.
            assert!(error <= 1e-4 * largest, "{seed}: {what}: {at} has {}, expected {difference}", gradient[at]);
        }
    }
}
