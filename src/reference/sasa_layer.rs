use num_traits::Float;

use super::{WindowAttentionResult, pointwise_conv, window_attention};
use crate::{Nchw, PositionTables, SasaLayerOptions};

/// Window attention after 1x1 projections: `q = wq x`, `k = wk x`, `v = wv x` (arXiv:1906.05909, Sec. 3.1). Keys and values
/// outside the image are zero with [`Border::Zero`](crate::Border::Zero). `x [n, inputs, h, w]`,
/// `projections [3, heads*d, inputs/groups]` in the order q, k, v, the tables as in [`PositionTables`]; returns
/// `y [n, heads*d, ho, wo]` and its log-sum-exp.
#[must_use]
pub fn sasa_layer<T: Float>(
    shape: Nchw,
    options: &SasaLayerOptions,
    x: &[T],
    projections: &[T],
    tables: PositionTables<&[T]>,
) -> WindowAttentionResult<T> {
    let projected = pointwise_conv(shape, &options.projections(), x, projections, None);
    let channels = Nchw { channels: options.attention.channels(), ..shape };
    window_attention(channels, &options.attention, &projected[0], &projected[1], &projected[2], tables)
}
