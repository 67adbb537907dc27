//! Operators opened by name, with numbers for every tensor: for operators whose tensors are many.

use visual_attention::operators::{self, Arrays, Options, Shapes, Slices};
use visual_attention::{Cost, DType, Element, Role, wgpu};

use super::unfused::Unfused;
use super::{Bench, noise};

/// The box of every image.
pub(crate) const BOX: [f32; 4] = [20.0, 30.0, 180.0, 200.0];

/// An operator, its shapes, and the tensors that are left out.
pub(crate) struct ByName<'a> {
    pub(crate) operator: &'static str,
    pub(crate) options: &'a [(&'static str, String)],
    pub(crate) shapes: &'a [(&'static str, Vec<u32>)],
    pub(crate) without: &'a [&'static str],
}

/// The tensors of an operator that was measured.
pub(crate) struct Measured {
    operator: &'static str,
    case: String,
    /// What the reference gives for each output.
    pub(crate) expected: Arrays<f32>,
    pub(crate) cost: Cost,
    inputs: Vec<(&'static str, wgpu::Buffer)>,
}

/// The outputs of a composition, by the names of the operator's.
pub(crate) type Ends = Vec<(&'static str, wgpu::Buffer)>;

impl Measured {
    pub(crate) fn input(&self, name: &str) -> &wgpu::Buffer {
        let input = self.inputs.iter().find(|(given, _)| *given == name);
        &input.expect("an input").1
    }
}

impl Bench {
    /// Checks and times an operator with every output. All its tensors are of f32, but for boxes.
    pub(crate) fn measure_by_name(&mut self, case: &str, problem: &ByName<'_>) -> Measured {
        self.measure_with(case, problem, &Arrays::default())
    }

    /// The same with these numbers for some of the inputs.
    pub(crate) fn measure_with(&mut self, case: &str, problem: &ByName<'_>, given: &Arrays<f32>) -> Measured {
        let ByName { operator: name, options, shapes, without } = problem;
        let entry = operators::find(name).expect("an operator");
        let operator = entry.open(&self.gpu.device, &Options::new(options.iter().cloned())).expect("operator");
        let shapes = Shapes::new(shapes.iter().cloned());
        let mut specs = operator.tensors(&shapes).expect("shapes");
        specs.retain(|spec| {
            !without.iter().any(|name| spec.name.strip_suffix("_gradient").unwrap_or(spec.name) == *name)
        });
        assert!(specs.iter().all(|spec| matches!(spec.dtype, DType::F32 | DType::I32)), "{name}: floats and boxes");
        let (written, read): (Vec<_>, Vec<_>) = specs.into_iter().partition(|spec| spec.role == Role::Output);
        let numbers = Arrays::new(read.iter().map(|spec| {
            if spec.dtype == DType::I32 {
                return (spec.name, BOX.repeat(spec.shape[0] as usize));
            }
            if let Some(numbers) = given.get(spec.name) {
                return (spec.name, numbers.clone());
            }
            let mut numbers = noise(spec.elements().expect("small"));
            if spec.name.ends_with("norm.variance") {
                numbers.iter_mut().for_each(|number| *number = 1.0 + number.abs());
            }
            (spec.name, numbers)
        }));
        let upload = |name: &'static str, dtype: DType| {
            let numbers = numbers.get(name).expect("an input");
            let integers = || numbers.iter().map(|&number| number as i32).collect::<Vec<_>>();
            let tensor = match dtype {
                DType::I32 => self.gpu.upload(name, &integers()),
                _ => self.gpu.upload(name, numbers),
            };
            (name, tensor.expect("tensor"))
        };
        let inputs: Vec<_> = read.iter().map(|spec| upload(spec.name, spec.dtype)).collect();
        let output = |bytes: Option<u64>| self.gpu.buffer("output", bytes.expect("small")).expect("output");
        let outputs: Vec<_> = written.iter().map(|spec| (spec.name, output(spec.bytes()))).collect();
        let all = inputs.iter().chain(&outputs).map(|(name, buffer)| (*name, buffer.slice(..)));
        let recording = operator.bind(&self.gpu.device, &shapes, &Slices::new(all)).expect("bind");
        self.gpu.run(|pass| recording.record(pass)).expect("run");
        let expected = operator.reference_f32(&shapes, &numbers).expect("reference");
        // A tensor that is changed in place is an output, too.
        let changed = inputs.iter().zip(&read).filter(|(_, spec)| spec.role == Role::InPlace).map(|(input, _)| input);
        for (name, buffer) in outputs.iter().chain(changed) {
            self.check(&format!("{case}: {name}"), Element::F32, buffer, expected.get(name).expect("a reference"));
        }
        let cost = operator.cost(&shapes).expect("cost");
        self.measure(name, case, "fused", cost, |pass| recording.record(pass));
        Measured { operator: name, case: case.to_owned(), expected, cost, inputs }
    }

    /// Checks and times the composition of elementary operations that ends in these outputs.
    pub(crate) fn measure_composition(&mut self, measured: &Measured, unfused: &Unfused, ends: &Ends) {
        let expected = |name| measured.expected.get(name).expect("a reference").as_slice();
        let ends: Vec<_> = ends.iter().map(|(name, end)| (end, expected(name))).collect();
        self.measure_unfused(measured.operator, &measured.case, measured.cost, unfused, &ends);
    }
}
