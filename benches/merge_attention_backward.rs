use visual_attention::{Element, MergeAttentionBackward, MergeAttentionBackwardBuffers, Nchw, reference};

use crate::common::unfused::Unfused;
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

        // The forward pass keeps the weights, which are also the gradients of the merged log-sum-exp.
        let [y1, first, y2, second, y_gradient, sum_gradient] = inputs.each_ref();
        let mut forward = Unfused::new(&bench.gpu);
        let sum = "max(a[i], b[i]) + log(1.0 + exp(-abs(a[i] - b[i])))";
        let sum = forward.each(sum, &[first, second], queries);
        let weights = [first, second].map(|part| forward.each("exp(a[i] - b[i])", &[part, &sum], queries));
        bench.gpu.run(|pass| forward.record(pass)).expect("run");

        let mut unfused = Unfused::new(&bench.gpu);
        let head = Nchw { batch: heads, channels: shape.channels / heads, ..shape };
        let parts = [y1, y2].into_iter().zip(&weights).map(|(y, weight)| {
            let [of_y, of_weight] = unfused.scale_pixels_backward(y, weight, y_gradient, head);
            (of_y, unfused.multiply(&of_weight, weight))
        });
        let [(of_y1, of_part1), (of_y2, of_part2)]: [_; 2] = parts.collect::<Vec<_>>().try_into().expect("two");
        let both = unfused.add(&of_part1, &of_part2);
        let of_sum = unfused.each("a[i] - b[i]", &[sum_gradient, &both], queries);
        let [of_first, of_second] = [(of_part1, &weights[0]), (of_part2, &weights[1])].map(|(of_part, weight)| {
            let more = unfused.multiply(&of_sum, weight);
            unfused.add(&of_part, &more)
        });
        let ends = [&of_y1, &of_first, &of_y2, &of_second];
        let ends: Vec<_> = ends.into_iter().zip(expected.iter().map(Vec::as_slice)).collect();
        bench.measure_unfused("merge_attention_backward", &what, cost, &unfused, &ends);
    }
}
