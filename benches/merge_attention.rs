use visual_attention::{Element, MergeAttention, MergeAttentionBuffers, Nchw, reference};

use crate::common::unfused::Unfused;
use crate::common::{Bench, noise};

/// An eager framework takes eight operations: one for the sum, four for the weights, three for the mean of the results.
pub(crate) fn bench(bench: &mut Bench) {
    for (heads, shape) in [(4, Nchw::new(1, 256, 56, 56)), (8, Nchw::new(1, 512, 28, 28))] {
        let queries = u64::from(heads) * shape.size().pixels();
        let len = shape.elements().expect("small");
        let (results, sums) = (noise(2 * len), noise(2 * queries));
        let (y1, y2) = results.split_at(len as usize);
        let (first, second) = sums.split_at(queries as usize);
        let [y1_buffer, y2_buffer, first_buffer, second_buffer] =
            [y1, y2, first, second].map(|values| bench.gpu.upload("input", values).expect("input"));
        let y = bench.gpu.buffer("y", len * 4).expect("y");
        let log_sum_exp = bench.gpu.buffer("log_sum_exp", queries * 4).expect("log_sum_exp");
        let operator = MergeAttention::new(&bench.gpu.device, heads, Element::F32).expect("operator");
        let buffers = MergeAttentionBuffers {
            y1: y1_buffer.slice(..),
            log_sum_exp1: first_buffer.slice(..),
            y2: y2_buffer.slice(..),
            log_sum_exp2: second_buffer.slice(..),
            y: y.slice(..),
            log_sum_exp: Some(log_sum_exp.slice(..)),
        };
        let recording = operator.bind(&bench.gpu.device, shape, buffers).expect("bind");
        bench.gpu.run(|pass| recording.record(pass)).expect("run");
        let what = format!("{heads} heads {shape}");
        let expected = reference::merge_attention(shape, heads, y1, first, y2, second);
        bench.check(&what, Element::F32, &y, &expected.y);
        bench.check(&what, Element::F32, &log_sum_exp, &expected.log_sum_exp);
        let cost = operator.cost(shape);
        bench.measure("merge_attention", &what, "fused", cost, |pass| recording.record(pass));

        let mut unfused = Unfused::new(&bench.gpu);
        let sum = "max(a[i], b[i]) + log(1.0 + exp(-abs(a[i] - b[i])))";
        let sum = unfused.each(sum, &[&first_buffer, &second_buffer], queries);
        let pixels = shape.size().pixels();
        let head = u64::from(shape.channels / heads) * pixels;
        let product = format!("a[i] * b[i / #{head} * #{pixels} + i % #{pixels}]");
        let parts = [(&first_buffer, &y1_buffer), (&second_buffer, &y2_buffer)].map(|(part, result)| {
            let difference = unfused.each("a[i] - b[i]", &[part, &sum], queries);
            let weight = unfused.each("exp(a[i])", &[&difference], queries);
            unfused.each(&product, &[result, &weight], len)
        });
        let y = unfused.each("a[i] + b[i]", &[&parts[0], &parts[1]], len);
        bench.measure_unfused("merge_attention", &what, cost, &unfused, &[(&y, &expected.y)]);
    }
}
