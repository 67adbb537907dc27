use visual_attention::{Eca, EcaBuffers, EcaShape, Element, Epilogue, Nchw, reference};

use crate::common::{
    self, Precision, Random, TestGpu, assert_exact, assert_within_tolerance_of_exp, largest, rounded, wide,
};
use crate::compiler;
use crate::squeeze_excite::Numbers;

fn weight(taps: u32, element: Element) -> Vec<f32> {
    rounded(&Random::new(u64::from(taps)).normal(taps as usize), element)
}

fn run(gpu: &TestGpu, numbers: &Numbers, epilogue: Epilogue, taps: u32, in_place: bool) -> (Vec<f32>, Vec<f32>) {
    let Numbers { shape, element, .. } = *numbers;
    let weight = weight(taps, element);
    let [features, identity, weight] =
        [&numbers.features, &numbers.identity, &weight].map(|values| gpu.input(values, element));
    let gate = gpu.output((shape.batch * shape.channels) as usize, 4);
    let output = match in_place {
        true => gpu.filled(&numbers.features, element),
        false => gpu.output(numbers.features.len(), element.bytes()),
    };
    let with_output = epilogue != Epilogue::GateOnly;
    let buffers = EcaBuffers {
        features: if in_place { output.slice() } else { features.slice(..) },
        weight: weight.slice(..),
        identity: (epilogue == Epilogue::Residual).then(|| identity.slice(..)),
        gate: Some(gate.slice()),
        output: with_output.then(|| output.slice()),
    };
    let operator = Eca::new(compiler::of(&gpu.device), epilogue, element).unwrap();
    gpu.recording(&operator.bind(&gpu.device, EcaShape { features: shape, taps }, buffers).unwrap());
    (gpu.words(&gate), if with_output { gpu.floats(&output, element) } else { Vec::new() })
}

#[test]
fn matches_reference_and_works_in_place() {
    let Some(gpu) = common::gpu() else { return };
    let shapes = [
        (Nchw::new(1, 1, 1, 1), 3),
        (Nchw::new(2, 3, 7, 9), 5),
        (Nchw::new(3, 40, 6, 6), 1),
        (Nchw::new(2, 2048, 7, 7), 7),
        (Nchw::new(1, 17, 31, 37), 3),
        (Nchw::new(1, 3, 260, 512), 33),
    ];
    for element in gpu.elements() {
        for (seed, (shape, taps)) in (0..).zip(shapes) {
            let numbers = Numbers::new(seed, shape, 1, element, false);
            let epilogue = Epilogue::ALL[seed as usize % 4];
            let (gate, output) = run(gpu, &numbers, epilogue, taps, false);
            let weight = weight(taps, element);
            let (features, identity) = (wide(&numbers.features), wide(&numbers.identity));
            let (exact_gate, exact) = reference::eca(shape, epilogue, &features, &wide(&weight), Some(&identity));
            let (baseline_gate, baseline) =
                reference::eca(shape, epilogue, &numbers.features, &weight, Some(&numbers.identity));
            let what = format!("{epilogue:?} {element:?} {shape} taps {taps}");
            assert_within_tolerance_of_exp(
                &gate,
                (&exact_gate, &baseline_gate),
                Precision::F32,
                1.0,
                format!("gate of {what}"),
            );
            assert_within_tolerance_of_exp(
                &output,
                (&exact, &baseline),
                element.into(),
                largest(&numbers.features),
                &what,
            );
            if epilogue != Epilogue::GateOnly {
                assert_exact(&run(gpu, &numbers, epilogue, taps, true).1, &output, format!("{what} in place"));
            }
        }
    }
}

#[test]
fn the_same_bits_however_the_work_is_divided() {
    let Some(gpu) = common::gpu() else { return };
    for (shape, bytes) in [(Nchw::new(5, 8, 20, 21), 16384), (Nchw::new(3, 5, 300, 300), 400_128)] {
        let Some(limited) = common::gpu_with_bindings_of(bytes) else { return };
        let numbers = Numbers::new(8, shape, 1, Element::F32, false);
        let whole = run(gpu, &numbers, Epilogue::Scale, 3, false);
        assert_eq!(whole, run(&limited, &numbers, Epilogue::Scale, 3, false), "{shape}");
    }
}

#[test]
fn refusals_name_both_sides() {
    let Some(gpu) = common::gpu() else { return };
    let tensor = |len: usize| gpu.input(&vec![0.0; len], Element::F32);
    let (features, weight, output) = (tensor(64), tensor(3), tensor(64));
    let operator = Eca::new(compiler::of(&gpu.device), Epilogue::Scale, Element::F32).unwrap();
    let refusal = |taps| {
        let buffers = EcaBuffers {
            features: features.slice(..),
            weight: weight.slice(..),
            identity: None,
            gate: None,
            output: Some(output.slice(..)),
        };
        let shape = Nchw::new(1, 8, 2, 4);
        operator
            .bind(&gpu.device, EcaShape { features: shape, taps }, buffers)
            .map(|_| ())
            .err()
            .map(|error| error.to_string())
    };
    assert_eq!(refusal(3), None);
    assert_eq!(refusal(4).unwrap(), "eca: `taps` is 4, needs an odd number");
    assert_eq!(refusal(0).unwrap(), "eca: `taps` is 0, needs an odd number");
    assert_eq!(refusal(5).unwrap(), "eca: `weight` holds 12 bytes, needs 20");
}
