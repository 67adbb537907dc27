// Expects: shared/softmax_weights.wgsl, the bindings `q`, `k`, `v`, `y_gradient`, and the members of `params` that are read here.
// What the walk over the keys of a query needs.

fn four_keys(at: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(f32(k[at.x]), f32(k[at.y]), f32(k[at.z]), f32(k[at.w]));
}

fn four_values(at: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(f32(v[at.x]), f32(v[at.y]), f32(v[at.z]), f32(v[at.w]));
}

// The products of a query with four keys. `first_query` and `first_key` are the first channels of the head.
fn query_by_keys(first_query: u32, first_key: u32, keys: vec4<u32>) -> vec4<f32> {
    var sum = vec4<f32>(0.0);
    for (var c = 0u; c < params.head_dim; c += 1u) {
        sum += f32(q[first_query + c * params.positions]) * four_keys(first_key + c * params.keys + keys);
    }
    return sum;
}

// The gradients of a query's weights: the products of the output's gradient with four values.
fn gradient_by_values(first_gradient: u32, first_value: u32, keys: vec4<u32>) -> vec4<f32> {
    var sum = vec4<f32>(0.0);
    for (var c = 0u; c < params.value_dim; c += 1u) {
        sum += f32(y_gradient[first_gradient + c * params.positions]) * four_values(first_value + c * params.keys + keys);
    }
    return sum;
}
