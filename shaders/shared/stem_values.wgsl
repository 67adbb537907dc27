// Expects: the bindings `projected` of f32, `mixture` and `y_gradient`, and the members of `params` that are read here.

// The gradient of a weight of the attention stem: the product of the output's gradient with the mixed value at an entry of the window.
// `first_gradient` and `first_value` are the first channels of the head, and `query` and `key` are pixels.
fn gradient_by_value(first_gradient: u32, first_value: u32, query: u32, key: u32, entry: u32) -> f32 {
    let pixels = u32(params.height * params.width);
    let channels = params.heads * params.head_dim;
    let entries = u32(params.window_height * params.window_width);
    var sum = 0.0;
    for (var c = 0u; c < params.head_dim; c += 1u) {
        var value = 0.0;
        for (var m = 0u; m < params.mixtures; m += 1u) {
            value += mixture[m * entries + entry] * projected[first_value + (m * channels + c) * pixels + key];
        }
        sum += f32(y_gradient[first_gradient + c * pixels + query]) * value;
    }
    return sum;
}
