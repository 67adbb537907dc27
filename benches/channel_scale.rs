use visual_attention::{ChannelScale, ChannelScaleBuffers, Element, Form, Nchw, reference};

use crate::common::{Bench, assert_close, noise};

pub(crate) fn bench(bench: &mut Bench) {
    for shape in [Nchw::new(1, 256, 56, 56), Nchw::new(8, 2048, 7, 7)] {
        let elements = shape.elements().expect("small");
        let (values, gates) = (noise(elements), noise(u64::from(shape.batch * shape.channels)));
        let upload = |values: &[f32]| bench.gpu.upload("tensor", values).expect("tensor");
        let (features, identity, gate) = (upload(&values), upload(&values), upload(&gates));
        let output = bench.gpu.buffer("output", elements * 4).expect("output");
        for form in [Form::Scale, Form::Residual] {
            let operator = ChannelScale::new(&bench.gpu.device, form, Element::F32).expect("operator");
            let buffers = ChannelScaleBuffers {
                features: features.slice(..),
                gate: gate.slice(..),
                identity: (form == Form::Residual).then(|| identity.slice(..)),
                output: output.slice(..),
            };
            let dispatch = operator.bind(&bench.gpu.device, shape, buffers).expect("dispatch");
            bench.gpu.run(|pass| dispatch.record(pass)).expect("run");
            let what = format!("{form:?} {shape}");
            let expected = reference::channel_scale(shape, form, &values, &gates, Some(&values));
            assert_close(&what, &bench.gpu.read::<f32>(output.slice(..)).expect("output"), &expected);
            bench.measure("channel_scale", &what, "fused", operator.cost(shape), |pass| dispatch.record(pass));
        }
    }
}
