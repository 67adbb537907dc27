// Expects: shared/head_norm.wgsl, the binding `y_gradient`, and the members of `params` that are read here.

// The gradient of a channel before it was turned: the pair of channels turned back. `first` is where the head has the position.
fn turned_back(first: u32, channel: u32, position: u32) -> f32 {
    let at = params.y_gradient_base + first;
    let own = f32(y_gradient[at + channel * params.positions]);
    if channel >= 2u * (params.frame_pairs + params.row_pairs + params.column_pairs) {
        return own;
    }
    let other = f32(y_gradient[at + (channel ^ 1u) * params.positions]);
    let by = turn(channel / 2u, position);
    return own * by.x + other * select(by.y, -by.y, channel % 2u == 1u);
}
