use visual_attention::{ChannelScale, ChannelScaleBuffers, Element, Epilogue, Nchw, reference};

use crate::common::{self, Random, TestGpu, assert_exact, assert_within_tolerance, rounded, wide};
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
const FORMS: [Epilogue; 3] = [Epilogue::Scale, Epilogue::Residual, Epilogue::ScaleAdd];

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

    fn run(&self, gpu: &TestGpu, shape: Nchw, epilogue: Epilogue, element: Element, in_place: bool) -> Vec<f32> {
        let [features, identity] = [&self.features, &self.identity].map(|values| gpu.input(values, element));
        let gate = gpu.input(&self.gate, Element::F32);
        let output = match in_place {
            true => gpu.filled(&self.features, element),
            false => gpu.output(self.features.len(), element.bytes()),
        };
        let operator = ChannelScale::new(compiler::of(&gpu.device), epilogue, element).unwrap();
        let buffers = ChannelScaleBuffers {
            features: if in_place { output.slice() } else { features.slice(..) },
            gate: gate.slice(..),
            identity: (epilogue == Epilogue::Residual).then(|| identity.slice(..)),
            output: output.slice(),
        };
        gpu.recording(&operator.bind(&gpu.device, shape, buffers).unwrap());
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
            for epilogue in FORMS {
                let actual = numbers.run(gpu, shape, epilogue, element, false);
                let baseline = reference::channel_scale(shape, epilogue, features, gate, Some(identity));
                let exact =
                    reference::channel_scale(shape, epilogue, &wide(features), &wide(gate), Some(&wide(identity)));
                let what = format!("{epilogue:?} {element:?} {shape}");
                assert_within_tolerance(&actual, &exact, &baseline, element.into(), &what);
                assert_exact(&numbers.run(gpu, shape, epilogue, element, true), &actual, format!("{what} in place"));
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
            assert_exact(&numbers.run(gpu, shape, Epilogue::Scale, element, false), &numbers.features, shape);
        }
    }
}

#[test]
fn nan_stays_where_it_is() {
    let Some(gpu) = common::gpu() else { return };
    let shape = Nchw::new(1, 2, 4, 5);
    let mut numbers = Numbers::new(7, shape, Element::F32);
    numbers.features[3] = f32::NAN;
    for epilogue in FORMS {
        let actual = numbers.run(gpu, shape, epilogue, Element::F32, false);
        let nan: Vec<_> =
            actual.iter().enumerate().filter(|(_, value)| value.is_nan()).map(|(index, _)| index).collect();
        assert_eq!(nan, [3], "{epilogue:?}");
    }
}

#[test]
fn the_same_bits_however_the_work_is_divided() {
    let Some(gpu) = common::gpu() else { return };
    for (shape, bytes) in [(Nchw::new(5, 3, 33, 31), 16384), (Nchw::new(3, 5, 100, 100), 40_448)] {
        let Some(limited) = common::gpu_with_bindings_of(bytes) else { return };
        for element in gpu.elements() {
            let numbers = Numbers::new(8, shape, element);
            for epilogue in FORMS {
                let whole = numbers.run(gpu, shape, epilogue, element, false);
                for in_place in [false, true] {
                    assert_eq!(
                        whole,
                        numbers.run(&limited, shape, epilogue, element, in_place),
                        "{epilogue:?} {shape}"
                    );
                }
            }
        }
    }
}

#[test]
fn refusals_name_both_sides() {
    let Some(gpu) = common::gpu() else { return };
    let refused = |epilogue, element| {
        ChannelScale::new(compiler::of(&gpu.device), epilogue, element).map(|_| ()).unwrap_err().to_string()
    };
    assert_eq!(
        refused(Epilogue::GateOnly, Element::F32),
        "channel_scale: `epilogue` is GateOnly, needs an epilogue with an output: the gate is given"
    );
    let shape = Nchw::new(1, 2, 4, 8);
    let both = gpu.input(&[0.0; 192], Element::F32);
    let gate = gpu.input(&[0.0; 2], Element::F32);
    let bind = |epilogue, output: std::ops::Range<u64>, identity: Option<std::ops::Range<u64>>| {
        let operator = ChannelScale::new(compiler::of(&gpu.device), epilogue, Element::F32).unwrap();
        let buffers = ChannelScaleBuffers {
            features: both.slice(0..256),
            gate: gate.slice(..),
            identity: identity.map(|range| both.slice(range)),
            output: both.slice(output),
        };
        operator.bind(&gpu.device, shape, buffers).map(|recording| recording.dispatches().len())
    };
    assert_eq!(bind(Epilogue::Scale, 0..256, None), Ok(1));
    assert_eq!(bind(Epilogue::Scale, 256..512, None), Ok(1));
    assert_eq!(bind(Epilogue::Residual, 0..256, Some(256..512)), Ok(1));
    let refusal = |result: Result<usize, visual_attention::Error>| result.unwrap_err().to_string();
    assert_eq!(
        refusal(bind(Epilogue::Residual, 256..512, Some(256..512))),
        "channel_scale: output `output` overlaps `identity` in the same buffer; give each its own range"
    );
    assert_eq!(
        refusal(bind(Epilogue::Residual, 0..256, Some(0..256))),
        "channel_scale: output `output` overlaps `identity` in the same buffer; give each its own range"
    );
    assert_eq!(
        refusal(bind(Epilogue::Residual, 0..256, None)),
        "channel_scale: `identity` is none, needs a slice (Epilogue::Residual)"
    );
    assert_eq!(
        refusal(bind(Epilogue::ScaleAdd, 0..256, Some(256..512))),
        "channel_scale: `identity` is a slice, needs none (Epilogue::ScaleAdd)"
    );
    assert_eq!(refusal(bind(Epilogue::Scale, 512..640, None)), "channel_scale: `output` holds 128 bytes, needs 256");
}
