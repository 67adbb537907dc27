// Expects: the binding `projected` of f32, and the members of `params` that are read here.
// Logits and weights of the attention stem, as its gradients compute them again.

// The logit of a query and a key, which are pixels inside the image. `first_query` is the first channel of the head's queries.
fn score_of(first_query: u32, query: u32, key: u32) -> f32 {
    let pixels = u32(params.height * params.width);
    let first_key = first_query + params.heads * params.head_dim * pixels;
    var dot = 0.0;
    for (var c = 0u; c < params.head_dim; c += 1u) {
        dot += projected[first_query + c * pixels + query] * projected[first_key + c * pixels + key];
    }
    return params.scale * dot;
}

// The weight of a logit among those whose largest is `largest`. `total` is the sum of their exponentials, or NaN.
fn weight_of(score: f32, largest: f32, total: f32) -> f32 {
    let is_nan = (bitcast<u32>(total) & 0x7fffffffu) > 0x7f800000u;
    return select(exp(score - largest) / total, total, is_nan);
}
