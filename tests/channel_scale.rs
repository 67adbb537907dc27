use visual_attention::{ChannelScale, ChannelScaleBuffers, Element, Form, Nchw, reference};

use crate::common::{self, Random, TestGpu, assert_exact, assert_within_gate, rounded, wide};
use crate::compiler;

const SHAPES: [Nchw; 8] = [
    Nchw::new(1, 1, 1, 1),
    Nchw::new(2, 3, 7, 9),
    Nchw::new(1, 17, 8, 8),
    Nchw::new(3, 5, 1, 257),
    Nchw::new(2, 2048, 7, 7),
    Nchw::new(1, 5, 31, 37),
    Nchw::new(2, 3, 131, 137),
    Nchw::new(1, 2, 260, 512),
];
const FORMS: [Form; 3] = [Form::Scale, Form::Residual, Form::ScaleAdd];

struct Numbers {
    features: Vec<f32>,
    gate: Vec<f32>,
    identity: Vec<f32>,
}

impl Numbers {
    fn new(seed: u64, shape: Nchw, element: Element) -> Self {
        let mut random = Random::new(seed);
        let len = shape.elements().unwrap() as usize;
        Self {
            features: rounded(&random.normal(len), element),
            gate: (0..shape.batch * shape.channels).map(|_| random.unit()).collect(),
            identity: rounded(&random.normal(len), element),
        }
    }

    fn run(&self, gpu: &TestGpu, shape: Nchw, form: Form, element: Element, in_place: bool) -> Vec<f32> {
        let [features, identity] = [&self.features, &self.identity].map(|values| gpu.input(values, element));
        let gate = gpu.input(&self.gate, Element::F32);
        let output = match in_place {
            true => gpu.filled(&self.features, element),
            false => gpu.output(self.features.len(), element.bytes()),
        };
        let operator = ChannelScale::new(compiler::of(&gpu.device), form, element).unwrap();
        let buffers = ChannelScaleBuffers {
            features: if in_place { output.slice() } else { features.slice(..) },
            gate: gate.slice(..),
            identity: (form == Form::Residual).then(|| identity.slice(..)),
            output: output.slice(),
        };
        gpu.dispatch(&operator.bind(&gpu.device, shape, buffers).unwrap());
        gpu.floats(&output, element)
    }
}

#[test]
fn matches_reference_and_works_in_place() {
    let Some(gpu) = common::gpu() else { return };
    for element in gpu.elements() {
        for (seed, shape) in (0..).zip(SHAPES) {
            let numbers = Numbers::new(seed, shape, element);
            let Numbers { features, gate, identity } = &numbers;
            for form in FORMS {
                let actual = numbers.run(gpu, shape, form, element, false);
                let baseline = reference::channel_scale(shape, form, features, gate, Some(identity));
                let exact = reference::channel_scale(shape, form, &wide(features), &wide(gate), Some(&wide(identity)));
                let what = format!("{form:?} {element:?} {shape}");
                assert_within_gate(&actual, &exact, &baseline, element.into(), &what);
                assert_exact(&numbers.run(gpu, shape, form, element, true), &actual, format!("{what} in place"));
            }
        }
    }
}

#[test]
fn a_gate_of_one_is_the_identity() {
    let Some(gpu) = common::gpu() else { return };
    for element in gpu.elements() {
        for shape in SHAPES {
            let mut numbers = Numbers::new(7, shape, element);
            numbers.gate.fill(1.0);
            assert_exact(&numbers.run(gpu, shape, Form::Scale, element, false), &numbers.features, shape);
        }
    }
}

#[test]
fn nan_stays_where_it_is() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nchw::new(1, 2, 4, 5);
    let mut numbers = Numbers::new(7, shape, Element::F32);
    numbers.features[3] = f32::NAN;
    for form in FORMS {
        let actual = numbers.run(gpu, shape, form, Element::F32, false);
        let nan: Vec<_> =
            actual.iter().enumerate().filter(|(_, value)| value.is_nan()).map(|(index, _)| index).collect();
        assert_eq!(nan, [3], "{form:?}");
    }
}

#[test]
fn the_same_bits_however_the_work_is_divided() {
    let Some(gpu) = common::gpu() else { return };
    for (shape, bytes) in [(Nchw::new(5, 3, 33, 31), 16384), (Nchw::new(3, 5, 100, 100), 40_448)] {
        let Some(limited) = common::gpu_with_bindings_of(bytes) else { return };
        for element in gpu.elements() {
            let numbers = Numbers::new(8, shape, element);
            for form in FORMS {
                let whole = numbers.run(gpu, shape, form, element, false);
                for in_place in [false, true] {
                    assert_eq!(whole, numbers.run(&limited, shape, form, element, in_place), "{form:?} {shape}");
                }
            }
        }
    }
}

#[test]
fn refusals_name_both_sides() {
    let Some(gpu) = common::gpu() else { return };
    let refused = |form, element| {
        ChannelScale::new(compiler::of(&gpu.device), form, element).map(|_| ()).unwrap_err().to_string()
    };
    assert_eq!(
        refused(Form::GateOnly, Element::F32),
        "channel_scale: `form` is GateOnly, needs a form with an output: the gate is given"
    );
    let shape = Nchw::new(1, 2, 4, 8);
    let both = gpu.input(&[0.0; 192], Element::F32);
    let gate = gpu.input(&[0.0; 2], Element::F32);
    let bind = |form, output: std::ops::Range<u64>, identity: Option<std::ops::Range<u64>>| {
        let operator = ChannelScale::new(compiler::of(&gpu.device), form, Element::F32).unwrap();
        let buffers = ChannelScaleBuffers {
            features: both.slice(0..256),
            gate: gate.slice(..),
            identity: identity.map(|range| both.slice(range)),
            output: both.slice(output),
        };
        operator.bind(&gpu.device, shape, buffers).map(|dispatch| dispatch.steps().len())
    };
    assert_eq!(bind(Form::Scale, 0..256, None), Ok(1));
    assert_eq!(bind(Form::Scale, 256..512, None), Ok(1));
    assert_eq!(bind(Form::Residual, 0..256, Some(256..512)), Ok(1));
    let refusal = |result: Result<usize, visual_attention::Error>| result.unwrap_err().to_string();
    assert_eq!(
        refusal(bind(Form::Residual, 256..512, Some(256..512))),
        "channel_scale: output `output` overlaps `identity` in the same buffer; give each its own range"
    );
    assert_eq!(
        refusal(bind(Form::Residual, 0..256, Some(0..256))),
        "channel_scale: output `output` overlaps `identity` in the same buffer; give each its own range"
    );
    assert_eq!(
        refusal(bind(Form::Residual, 0..256, None)),
        "channel_scale: `identity` is none, needs a slice (Form::Residual)"
    );
    assert_eq!(
        refusal(bind(Form::ScaleAdd, 0..256, Some(256..512))),
        "channel_scale: `identity` is a slice, needs none (Form::ScaleAdd)"
    );
    assert_eq!(refusal(bind(Form::Scale, 512..640, None)), "channel_scale: `output` holds 128 bytes, needs 256");
}
