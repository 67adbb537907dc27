// Expects: nothing of the kernel.

// The weights of four logits in softmaxes whose log-sum-exps are known: `exp(logit - log_sum_exp)`, NaN for NaN. Where `live` is false, 0.
fn softmax_weights(logits: vec4<f32>, log_sum_exps: vec4<f32>, live: vec4<bool>) -> vec4<f32> {
    let differences = logits - log_sum_exps;
    let magnitudes = bitcast<vec4<u32>>(differences) & vec4<u32>(0x7fffffffu);
    let weights = select(exp(differences), differences, magnitudes > vec4<u32>(0x7f800000u));
    return select(vec4<f32>(0.0), weights, live);
}
