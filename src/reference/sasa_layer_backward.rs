use num_traits::Float;

use super::{
    WindowAttentionSaved, pointwise_conv, pointwise_conv_backward, window_attention, window_attention_backward,
};
use crate::{Nchw, PositionTables, SasaLayerOptions};

/// What [`sasa_layer`](super::sasa_layer()) read, what it computed, and the gradient of `y`.
#[derive(Clone, Copy, Debug)]
pub struct SasaLayerSaved<'a, T> {
    /// `[n, inputs, h, w]`.
    pub x: &'a [T],
    /// `[3, heads*d, inputs/groups]`.
    pub projections: &'a [T],
    /// The tables of the relative term.
    pub tables: PositionTables<&'a [T]>,
    /// `[n, heads*d, ho, wo]`. Not needed.
    pub y: Option<&'a [T]>,
    /// `[n, heads, ho, wo]`. Computed again if absent.
    pub log_sum_exp: Option<&'a [T]>,
    /// `[n, heads*d, ho, wo]`.
    pub y_gradient: &'a [T],
}

/// What [`sasa_layer_backward`] computes.
#[derive(Clone, Debug, PartialEq)]
pub struct SasaLayerGradients<T> {
    /// `[n, inputs, h, w]`.
    pub x: Vec<T>,
    /// `[3, heads*d, inputs/groups]`.
    pub projections: Vec<T>,
    /// As the tables.
    pub tables: PositionTables<Vec<T>>,
}

/// The gradients of [`sasa_layer`](super::sasa_layer()): those of the attention, then those of the three projections
/// (arXiv:1906.05909, Sec. 3.1). Queries, keys and values are computed again.
#[must_use]
pub fn sasa_layer_backward<T: Float>(
    shape: Nchw,
    options: &SasaLayerOptions,
    saved: SasaLayerSaved<'_, T>,
) -> SasaLayerGradients<T> {
    let SasaLayerSaved { x, projections, tables, y, log_sum_exp, y_gradient } = saved;
    let projected = pointwise_conv(shape, &options.projections(), x, projections, None);
    let [q, k, v] = [0, 1, 2].map(|index: usize| projected[index].as_slice());
    let channels = Nchw { channels: options.attention.channels(), ..shape };
    let again = log_sum_exp.is_none().then(|| window_attention(channels, &options.attention, q, k, v, tables));
    let log_sum_exp = log_sum_exp.or(again.as_ref().map(|found| found.log_sum_exp.as_slice())).unwrap_or_default();
    let saved = WindowAttentionSaved { q, k, v, tables, y, log_sum_exp, y_gradient, log_sum_exp_gradient: None };
    let attention = window_attention_backward(channels, &options.attention, saved);
    let upstream = [attention.q.as_slice(), attention.k.as_slice(), attention.v.as_slice()];
    let layer = pointwise_conv_backward(shape, &options.projections(), x, projections, &upstream);
    SasaLayerGradients { x: layer.x, projections: layer.weights, tables: attention.tables }
}
