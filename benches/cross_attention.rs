use visual_attention::{
    CrossAttention, CrossAttentionBuffers, CrossAttentionOptions, CrossAttentionShape, Element, Ncthw, reference,
};

use crate::common::unfused::Unfused;
use crate::common::{Bench, noise};
use crate::window_attention::attend;

/// Attention to registers and to the tokens of a text, and the composition of keys and values repeated for every position.
pub(crate) fn bench(bench: &mut Bench) {
    for (keys, side) in [(8, 56), (77, 28)] {
        let options = CrossAttentionOptions::new(4, 32);
        let shape = CrossAttentionShape { queries: Ncthw::new(1, options.channels(), 1, side, side), keys };
        let len = shape.queries.elements().expect("small");
        let q = noise(len);
        let [k, v] = [0, 1].map(|_| noise(u64::from(options.channels() * keys)));
        let [q_buffer, k_buffer, v_buffer] =
            [&q, &k, &v].map(|values| bench.gpu.upload("input", values).expect("input"));
        let y = bench.gpu.buffer("y", len * 4).expect("y");
        let operator = CrossAttention::new(&bench.gpu.device, options, Element::F32).expect("operator");
        let buffers = CrossAttentionBuffers {
            q: q_buffer.slice(..),
            k: k_buffer.slice(..),
            v: v_buffer.slice(..),
            y: y.slice(..),
            log_sum_exp: None,
        };
        let recording = operator.bind(&bench.gpu.device, shape, buffers).expect("bind");
        bench.gpu.run(|pass| recording.record(pass)).expect("run");
        let what = format!("4x32 {keys} keys {}", shape.queries);
        let expected = reference::cross_attention(shape, &options, &q, &k, &v).y;
        bench.check(&what, Element::F32, &y, &expected);
        let cost = operator.cost(shape);
        bench.measure("cross_attention", &what, "fused", cost, |pass| recording.record(pass));

        let mut unfused = Unfused::new(&bench.gpu);
        let positions = shape.queries.positions() as u32;
        let scaled = unfused.each(&format!("a[i] * {}f", options.scale), &[&q_buffer], len);
        let repeated = [&k_buffer, &v_buffer].map(|tensor| {
            let count = u64::from(options.channels() * keys) * u64::from(positions);
            unfused.each(&format!("a[i / #{positions}]"), &[tensor], count)
        });
        let result = unfused.tensor(len);
        let tensors = [&scaled, &repeated[0], &repeated[1], &result];
        attend(&mut unfused, tensors, 0..options.heads, options.head_dim, keys, positions, None);
        bench.measure_unfused("cross_attention", &what, cost, &unfused, &[(&result, &expected)]);
    }
}
