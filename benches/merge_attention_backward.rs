use visual_attention::{Element, MergeAttentionBackward, MergeAttentionBackwardBuffers, Nchw, reference};

use crate::common::{Bench, noise};

pub(crate) fn bench(bench: &mut Bench) {
    for (heads, shape) in [(4, Nchw::new(1, 256, 56, 56)), (8, Nchw::new(1, 512, 28, 28))] {
        let queries = u64::from(heads) * shape.size().pixels();
        let len = shape.elements().expect("small");
        let (results, sums) = (noise(3 * len), noise(3 * queries));
        let [y1, y2, y_gradient] = [0, 1, 2].map(|part| &results[part * len as usize..][..len as usize]);
        let [first, second, sum_gradient] = [0, 1, 2].map(|part| &sums[part * queries as usize..][..queries as usize]);
        let inputs = [y1, first, y2, second, y_gradient, sum_gradient]
            .map(|values| bench.gpu.upload("input", values).expect("input"));
        let outputs = [len, queries, len, queries].map(|len| bench.gpu.buffer("gradient", len * 4).expect("gradient"));
        let operator = MergeAttentionBackward::new(&bench.gpu.device, heads, Element::F32).expect("operator");
        let buffers = MergeAttentionBackwardBuffers {
            y1: inputs[0].slice(..),
            log_sum_exp1: inputs[1].slice(..),
            y2: inputs[2].slice(..),
            log_sum_exp2: inputs[3].slice(..),
            y_gradient: inputs[4].slice(..),
            log_sum_exp_gradient: Some(inputs[5].slice(..)),
            y1_gradient: Some(outputs[0].slice(..)),
            log_sum_exp1_gradient: Some(outputs[1].slice(..)),
            y2_gradient: Some(outputs[2].slice(..)),
            log_sum_exp2_gradient: Some(outputs[3].slice(..)),
        };
        let recording = operator.bind(&bench.gpu.device, shape, buffers).expect("bind");
        bench.gpu.run(|pass| recording.record(pass)).expect("run");
        let what = format!("{heads} heads {shape}");
        let parts = [(y1, first), (y2, second)];
        let expected = reference::merge_attention_backward(shape, heads, parts, y_gradient, Some(sum_gradient));
        let expected = [expected.y1, expected.log_sum_exp1, expected.y2, expected.log_sum_exp2];
        for (output, expected) in outputs.iter().zip(&expected) {
            bench.check(&what, Element::F32, output, expected);
        }
        let cost = operator.cost(shape);
        bench.measure("merge_attention_backward", &what, "fused", cost, |pass| recording.record(pass));
    }
}
