use visual_attention::{ChannelScale, ChannelScaleBuffers, Element, Epilogue, Nchw, reference};

use crate::common::unfused::{RELU, Unfused};
use crate::common::{Bench, noise, of};

const OPERATOR: &str = "channel_scale";

pub(crate) fn bench(bench: &mut Bench) {
    case(bench, Nchw::new(1, 256, 56, 56), Element::F32);
    case(bench, Nchw::new(8, 2048, 7, 7), Element::F32);
    for (element, shape) in bench.large(Nchw::new(64, 256, 64, 64)) {
        case(bench, shape, element);
    }
}

fn case(bench: &mut Bench, shape: Nchw, element: Element) {
    let (len, planes) = (shape.elements().expect("small"), u64::from(shape.batch * shape.channels));
    let (mut values, gates) = (noise(len), noise(planes));
    let features = bench.upload(element, &mut values);
    let identity = bench.upload(element, &mut values);
    let gate = bench.gpu.upload("gate", &gates).expect("gate");
    let output = bench.gpu.buffer("output", features.size()).expect("output");
    for epilogue in [Epilogue::Scale, Epilogue::Residual] {
        let operator = ChannelScale::new(&bench.gpu.device, epilogue, element).expect("operator");
        let buffers = ChannelScaleBuffers {
            features: features.slice(..),
            gate: gate.slice(..),
            identity: (epilogue == Epilogue::Residual).then(|| identity.slice(..)),
            output: output.slice(..),
        };
        let recording = operator.bind(&bench.gpu.device, shape, buffers).expect("bind");
        bench.gpu.run(|pass| recording.record(pass)).expect("run");
        let what = of(element, &format!("{epilogue:?} {shape}"));
        let expected = reference::channel_scale(shape, epilogue, &values, &gates, Some(&values));
        bench.check(&what, element, &output, &expected);
        let cost = operator.cost(shape);
        bench.measure(OPERATOR, &what, "fused", cost, |pass| recording.record(pass));
        if element != Element::F32 {
            continue;
        }
        let mut unfused = Unfused::new(&bench.gpu);
        let mut output = unfused.scale(&features, &gate, shape);
        if epilogue == Epilogue::Residual {
            output = unfused.each("a[i] + b[i]", &[&output, &identity], len);
            output = unfused.each(RELU, &[&output], len);
        }
        bench.measure_unfused(OPERATOR, &what, cost, &unfused, &[(&output, &expected)]);
    }
}
