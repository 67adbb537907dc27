// Expects: nothing.
// Batch norm in evaluation mode.
fn batch_norm(t: f32, weight: f32, bias: f32, mean: f32, variance: f32, epsilon: f32) -> f32 {
    return (t - mean) / sqrt(variance + epsilon) * weight + bias;
}
