use visual_attention::{ChannelScale, ChannelScaleBuffers, Element, Form, Nchw, reference};

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
    for form in [Form::Scale, Form::Residual] {
        let operator = ChannelScale::new(&bench.gpu.device, form, element).expect("operator");
        let buffers = ChannelScaleBuffers {
            features: features.slice(..),
            gate: gate.slice(..),
            identity: (form == Form::Residual).then(|| identity.slice(..)),
            output: output.slice(..),
        };
        let dispatch = operator.bind(&bench.gpu.device, shape, buffers).expect("dispatch");
        bench.gpu.run(|pass| dispatch.record(pass)).expect("run");
        let what = of(element, &format!("{form:?} {shape}"));
        let expected = reference::channel_scale(shape, form, &values, &gates, Some(&values));
        bench.check(&what, element, &output, &expected);
        let cost = operator.cost(shape);
        bench.measure(OPERATOR, &what, "fused", cost, |pass| dispatch.record(pass));
        if element != Element::F32 {
            continue;
        }
        let mut unfused = Unfused::new(&bench.gpu);
        let mut output = unfused.scale(&features, &gate, shape);
        if form == Form::Residual {
            output = unfused.each("a[i] + b[i]", &[&output, &identity], len);
            output = unfused.each(RELU, &[&output], len);
        }
        bench.measure_unfused(OPERATOR, &what, cost, &unfused, &[(&output, &expected)]);
    }
}
