use visual_attention::{
    CrossAttentionBackward, CrossAttentionBackwardBuffers, CrossAttentionOptions, CrossAttentionShape, Element, Ncthw,
    reference,
};

use crate::common::unfused::Unfused;
use crate::common::unfused::attention::Matrix;
use crate::common::{Bench, noise};

/// Attention to registers and to the tokens of a text.
pub(crate) fn bench(bench: &mut Bench) {
    for (keys, side) in [(8, 56), (77, 28)] {
        let options = CrossAttentionOptions::new(4, 32);
        let shape = CrossAttentionShape { queries: Ncthw::new(1, options.channels(), 1, side, side), keys };
        let len = shape.queries.elements().expect("small");
        let numbers = noise(2 * len);
        let (q, y_gradient) = numbers.split_at(len as usize);
        let of_keys = u64::from(options.channels() * keys);
        let numbers = noise(2 * of_keys);
        let (k, v) = numbers.split_at(of_keys as usize);
        let saved = reference::cross_attention(shape, &options, q, k, v).log_sum_exp;
        let inputs = [q, k, v, &saved, y_gradient].map(|values| bench.gpu.upload("input", values).expect("input"));
        let outputs = [len, of_keys, of_keys].map(|len| bench.gpu.buffer("gradient", len * 4).expect("gradient"));
        let operator = CrossAttentionBackward::new(&bench.gpu.device, options, Element::F32).expect("operator");
        let buffers = CrossAttentionBackwardBuffers {
            q: inputs[0].slice(..),
            k: inputs[1].slice(..),
            v: inputs[2].slice(..),
            log_sum_exp: inputs[3].slice(..),
            y_gradient: inputs[4].slice(..),
            log_sum_exp_gradient: None,
            q_gradient: Some(outputs[0].slice(..)),
            k_gradient: Some(outputs[1].slice(..)),
            v_gradient: Some(outputs[2].slice(..)),
        };
        let recording = operator.bind(&bench.gpu.device, shape, buffers).expect("bind");
        bench.gpu.run(|pass| recording.record(pass)).expect("run");
        let what = format!("4x32 {keys} keys {}", shape.queries);
        let expected = reference::cross_attention_backward(shape, &options, [q, k, v], &saved, y_gradient, None);
        for (output, expected) in outputs.iter().zip([&expected.q, &expected.k, &expected.v]) {
            bench.check(&what, Element::F32, output, expected);
        }
        let cost = operator.cost(shape);
        bench.measure("cross_attention_backward", &what, "fused", cost, |pass| recording.record(pass));

        // Products of matrices; the forward pass keeps the scaled queries and the weights.
        let (heads, depth, positions) = (options.heads, options.head_dim, shape.queries.positions() as u32);
        let [q, k, v, _, y_gradient] = inputs.each_ref();
        let mut forward = Unfused::new(&bench.gpu);
        let q = forward.each(&format!("a[i] * {}f", options.scale), &[q], len);
        let over_channels = [keys, depth, positions];
        let weights = forward.product(Matrix::Transposed(k), Matrix::Plain(&q), heads, over_channels);
        forward.softmax(&weights, keys, positions);
        bench.gpu.run(|pass| forward.record(pass)).expect("run");

        let mut unfused = Unfused::new(&bench.gpu);
        let of_weights = unfused.product(Matrix::Transposed(v), Matrix::Plain(y_gradient), heads, over_channels);
        let of_scores = unfused.softmax_backward(&weights, &of_weights, keys, positions);
        let of_q = unfused.product(Matrix::Plain(k), Matrix::Plain(&of_scores), heads, [depth, keys, positions]);
        let of_q = unfused.each(&format!("a[i] * {}f", options.scale), &[&of_q], len);
        let over_queries = [depth, positions, keys];
        let of_k = unfused.product(Matrix::Plain(&q), Matrix::Transposed(&of_scores), heads, over_queries);
        let of_v = unfused.product(Matrix::Plain(y_gradient), Matrix::Transposed(&weights), heads, over_queries);
        let ends: [(_, &[f32]); 3] = [(&of_q, &expected.q), (&of_k, &expected.k), (&of_v, &expected.v)];
        bench.measure_unfused("cross_attention_backward", &what, cost, &unfused, &ends);
    }
}
