// What this crate leaves to its user: the loss, and what becomes of the gradients.

// The logistic loss, log(1 + exp(z)) - z * label. Its gradient with respect to the logit z is sigmoid(z) - label.
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<f32>;
@group(0) @binding(2) var<storage, read_write> logits_gradient: array<f32>;
@group(0) @binding(3) var<storage, read_write> losses: array<f32>; // how many there are, then that of each step
@compute @workgroup_size(1)
fn loss() {
    let count = arrayLength(&logits);
    var sum = 0.0;
    for (var i = 0u; i < count; i++) {
        let z = logits[i];
        sum += max(z, 0.0) + log(1.0 + exp(-abs(z))) - z * labels[i];
        logits_gradient[i] = (1.0 / (1.0 + exp(-z)) - labels[i]) / f32(count);
    }
    losses[0] += 1.0;
    losses[u32(losses[0])] = sum / f32(count);
}

// Plain gradient descent.
override rate: f32;
@group(0) @binding(0) var<storage, read> gradients: array<f32>;
@group(0) @binding(1) var<storage, read_write> weights: array<f32>;
@compute @workgroup_size(64)
fn descend(@builtin(global_invocation_id) at: vec3<u32>) {
    if at.x < arrayLength(&weights) { weights[at.x] -= rate * gradients[at.x]; }
}
