//! What the host lays out for each kernel.

use crate::kernel::shader::{ELEMENTS, Shader, params, shader};
use crate::ops::cross_attention::LENGTHS;

params!(MeansParams {
    origin: u32,
    q_base: u32,
    k_base: u32,
    v_base: u32,
    log_sum_exp_base: u32,
    y_gradient_base: u32,
    log_sum_exp_gradient_base: u32,
    means_base: u32,
    with_log_sum_exp_gradient: u32,
    head_dim: u32,
    value_dim: u32,
    keys: u32,
    positions: u32,
    scale: f32,
});

pub(crate) const CROSS_ATTENTION_BACKWARD_MEANS: Shader = shader!(
    "cross_attention_backward_means",
    MeansParams,
    ELEMENTS,
    &[],
    [q: Read, k: Read, v: Read, log_sum_exp: Read, y_gradient: Read, log_sum_exp_gradient: Read, means: Write],
    ["cross_attention_walk", "softmax_weights"],
);

params!(Params {
    origin_x: u32,
    origin_y: u32,
    q_base: u32,
    k_base: u32,
    v_base: u32,
    log_sum_exp_base: u32,
    y_gradient_base: u32,
    means_base: u32,
    q_gradient_base: u32,
    head_dim: u32,
    value_dim: u32,
    keys: u32,
    positions: u32,
    scale: f32,
});

pub(crate) const CROSS_ATTENTION_BACKWARD: Shader = shader!(
    "cross_attention_backward",
    Params,
    LENGTHS,
    &[],
    [q: Read, k: Read, v: Read, log_sum_exp: Read, y_gradient: Read, means: Read, q_gradient: Write],
    ["cross_attention_walk", "softmax_weights"],
);

params!(KeysParams {
    origin_x: u32,
    origin_y: u32,
    q_base: u32,
    k_base: u32,
    v_base: u32,
    log_sum_exp_base: u32,
    y_gradient_base: u32,
    means_base: u32,
    parts_base: u32,
    head_dim: u32,
    value_dim: u32,
    keys: u32,
    positions: u32,
    tile: u32,
    key_chunks: u32,
    chunks: u32,
    key_rows: u32,
    rows: u32,
    tiles: u32,
    scale: f32,
});

pub(crate) const CROSS_ATTENTION_BACKWARD_KEYS: Shader = shader!(
    "cross_attention_backward_keys",
    KeysParams,
    LENGTHS,
    &[],
    [q: Read, k: Read, v: Read, log_sum_exp: Read, y_gradient: Read, means: Read, parts: Write],
    ["softmax_weights"],
);

params!(SumParams { origin: u32, parts_base: u32, total_base: u32, tiles: u32, part: u32, first: u32, elements: u32 });

pub(crate) const CROSS_ATTENTION_BACKWARD_SUM: Shader = shader!(
    "cross_attention_backward_sum",
    SumParams,
    ELEMENTS,
    &[],
    [parts: Read, total: Write],
    ["blocked_sum"],
);
