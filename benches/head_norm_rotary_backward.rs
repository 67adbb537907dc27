use visual_attention::{
    Element, HeadNorm, HeadNormRotaryBackward, HeadNormRotaryBackwardBuffers, HeadNormRotaryOptions, Ncthw, reference,
};

use crate::common::{Bench, noise};

pub(crate) fn bench(bench: &mut Bench) {
    for (heads, shape) in [(4, Ncthw::new(1, 256, 1, 56, 56)), (4, Ncthw::new(1, 256, 8, 28, 28))] {
        let options = HeadNormRotaryOptions::new(heads)
            .with_norm(HeadNorm::Rms)
            .with_split(if shape.frames > 1 { [16, 24, 24] } else { [0, 32, 32] })
            .with_scale(0.125);
        let len = shape.elements().expect("small");
        let head_dim = u64::from(shape.channels / heads);
        let numbers = noise(2 * len);
        let ((x, y_gradient), weight) = (numbers.split_at(len as usize), noise(head_dim));
        let inputs = [x, &weight, y_gradient].map(|values| bench.gpu.upload("input", values).expect("input"));
        let outputs = [len, head_dim].map(|len| bench.gpu.buffer("gradient", len * 4).expect("gradient"));
        let operator = HeadNormRotaryBackward::new(&bench.gpu.device, options, Element::F32).expect("operator");
        let buffers = HeadNormRotaryBackwardBuffers {
            x: inputs[0].slice(..),
            weight: Some(inputs[1].slice(..)),
            y_gradient: inputs[2].slice(..),
            x_gradient: Some(outputs[0].slice(..)),
            weight_gradient: Some(outputs[1].slice(..)),
        };
        let recording = operator.bind(&bench.gpu.device, shape, buffers).expect("bind");
        bench.gpu.run(|pass| recording.record(pass)).expect("run");
        let what = format!("{heads} heads rms {shape}");
        let expected = reference::head_norm_rotary_backward(shape, &options, x, Some(&weight), y_gradient);
        bench.check(&what, Element::F32, &outputs[0], &expected.x);
        bench.check(&what, Element::F32, &outputs[1], &expected.weight);
        let cost = operator.cost(shape);
        bench.measure("head_norm_rotary_backward", &what, "fused", cost, |pass| recording.record(pass));
    }
}
