use num_traits::Float;

use super::attention_map::maximum;
use super::real;
use crate::{Border, Nchw, PositionTables, RelativePosition, WindowAttentionOptions};

/// What [`window_attention`] computes.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowAttentionResult<T> {
    /// `[n, heads*d, ho, wo]`.
    pub y: Vec<T>,
    /// `[n, heads, ho, wo]`: the logarithm of the sum of the exponentials of a query's logits; -infinity for a query without keys.
    pub log_sum_exp: Vec<T>,
    /// `[n, heads, ho, wo, kh*kw]`: the softmax; 0 for entries that take no part.
    pub weights: Vec<T>,
}

/// For entry `(a, b)` of the window of the query at `(i, j)` of the output, head `g`:
///
/// `score = scale * q . k(a, b) + r * q . E(a, b)` or `score = scale * q . k(a, b) + r * B[g, dr, dc]`,
/// `y = sum over (a, b) of softmax(score)(a, b) * v(a, b)`
///
/// (Ramachandran et al. 2019, arXiv:1906.05909, Eqs. 2 and 3), where `r` is `scale` or 1, and E and B are the
/// [`RelativePosition`] terms. `q, k, v [n, heads*d, h, w]`; the tables as in [`PositionTables`]. A NaN or +infinite logit
/// gives NaN. A query without keys gives zeros.
#[must_use]
pub fn window_attention<T: Float>(
    shape: Nchw,
    options: &WindowAttentionOptions,
    q: &[T],
    k: &[T],
    v: &[T],
    tables: PositionTables<&[T]>,
) -> WindowAttentionResult<T> {
    let (heads, head_dim) = (options.heads as usize, options.head_dim as usize);
    let (window_h, window_w) = (options.window.height as usize, options.window.width as usize);
    let (height, width) = (shape.height as usize, shape.width as usize);
    let out = options.output(shape.size());
    let scale = real::<T>(f64::from(options.scale));
    let relative_scale = if options.scale_relative { scale } else { T::one() };
    let at = |tensor: &[T], image: usize, channel: usize, (row, column): (usize, usize)| {
        tensor[((image * heads * head_dim + channel) * height + row) * width + column]
    };
    let relative = |image: usize, head: usize, query: (usize, usize), a: (usize, usize), d: (usize, usize)| match tables
    {
        PositionTables::None => T::zero(),
        PositionTables::Bias(bias) => bias[(head * (2 * window_h - 1) + d.0) * (2 * window_w - 1) + d.1],
        PositionTables::Factorised { row, column } => (0..head_dim).fold(T::zero(), |sum, m| {
            let (index, half) = match options.relative {
                RelativePosition::WholeChannel => (head * head_dim + m, heads * head_dim / 2),
                _ => (m, head_dim / 2),
            };
            let entry =
                if index < half { row[index * window_h + a.0] } else { column[(index - half) * window_w + a.1] };
            sum + at(q, image, head * head_dim + m, query) * entry
        }),
    };

    let pixels = out.height as usize * out.width as usize;
    let mut y = vec![T::zero(); shape.batch as usize * heads * head_dim * pixels];
    let mut log_sum_exp = Vec::with_capacity(shape.batch as usize * heads * pixels);
    let mut weights = Vec::with_capacity(log_sum_exp.capacity() * window_h * window_w);
    for (image, head) in (0..shape.batch as usize).flat_map(|image| (0..heads).map(move |head| (image, head))) {
        for i in 0..out.height {
            let rows = axis(
                i * options.stride.height,
                shape.height,
                options.window.height,
                options.dilation.height,
                options.border,
            );
            for j in 0..out.width {
                let columns = axis(
                    j * options.stride.width,
                    shape.width,
                    options.window.width,
                    options.dilation.width,
                    options.border,
                );
                let query = ((i * options.stride.height) as usize, (j * options.stride.width) as usize);
                // The key of each entry, if it is inside the image, and the entry's logit, -infinity if it is left out of the softmax.
                let mut keys = Vec::with_capacity(window_h * window_w);
                let mut scores = Vec::with_capacity(window_h * window_w);
                for (a, &(row, dr)) in rows.iter().enumerate() {
                    for (b, &(column, dc)) in columns.iter().enumerate() {
                        let key = row.zip(column);
                        let dot = key.map_or(T::zero(), |key| {
                            (0..head_dim).fold(T::zero(), |sum, m| {
                                let channel = head * head_dim + m;
                                sum + at(q, image, channel, query) * at(k, image, channel, key)
                            })
                        });
                        let left_out = options.border == Border::Mask && key.is_none();
                        let term = relative(image, head, query, (a, b), (dr, dc));
                        keys.push(key);
                        scores.push(if left_out {
                            T::neg_infinity()
                        } else if options.relative == RelativePosition::None {
                            scale * dot
                        } else {
                            scale * dot + relative_scale * term
                        });
                    }
                }
                let largest = scores.iter().copied().fold(T::neg_infinity(), maximum);
                let empty = largest == T::neg_infinity();
                let exponentials: Vec<T> =
                    scores.iter().map(|&score| if empty { T::zero() } else { (score - largest).exp() }).collect();
                let total = exponentials.iter().fold(T::zero(), |sum, &term| sum + term);
                let softmax: Vec<T> =
                    exponentials.iter().map(|&term| if empty { T::zero() } else { term / total }).collect();
                for m in 0..head_dim {
                    let channel = head * head_dim + m;
                    let mixed = softmax.iter().zip(&keys).fold(T::zero(), |sum, (&weight, key)| {
                        key.map_or(sum, |key| sum + weight * at(v, image, channel, key))
                    });
                    let plane = image * heads * head_dim + channel;
                    y[plane * pixels + (i * out.width + j) as usize] = mixed;
                }
                log_sum_exp.push(if empty {
                    T::neg_infinity()
                } else if total.is_nan() {
                    T::nan()
                } else {
                    largest + total.ln()
                });
                weights.extend(softmax);
            }
        }
    }
    WindowAttentionResult { y, log_sum_exp, weights }
}

/// For each entry of the window of the query at `position`: where its key is, if inside the image, and its row or column in a bias table.
fn axis(position: u32, extent: u32, window: u32, dilation: u32, border: Border) -> Vec<(Option<usize>, usize)> {
    let [position, extent, window, dilation] = [position, extent, window, dilation].map(i64::from);
    let reach = (window - 1) / 2;
    (0..window)
        .map(|a| {
            let (key, offset) = if border == Border::Shift {
                let (index, remainder) = (position / dilation, position % dilation);
                let count = (extent - remainder + dilation - 1) / dilation;
                let start = (index - reach).max(0).min(count - window);
                (remainder + dilation * (start + a), start + a - index)
            } else {
                (position + dilation * (a - reach), a - reach)
            };
            ((0..extent).contains(&key).then_some(key as usize), (offset + window - 1) as usize)
        })
        .collect()
}
