use num_traits::Float;

use super::attention_map::maximum;
use super::{pointwise_conv, real};
use crate::{Nchw, SasaStemOptions};

/// Attention to values mixed by position (arXiv:1906.05909, Sec. 3.2). Entry `(a, b)` of the query at `(i, j)` is the pixel
/// `(i - padding + a, j - padding + b)`. With zeros for keys and values outside the image:
///
/// `p[m, a, b] = softmax over m of sum over e of mix[m, e] * (row[e, a] + column[e, b])`,
/// `y = sum over (a, b) of softmax(scale * q . k(a, b)) * sum over m of p[m, a, b] * v_m(a, b)`
///
/// As for [`window_attention`](super::window_attention), `y` is zero where every logit is -infinite.
///
/// `x [n, inputs, h, w]`, `projections [2+m, heads*d, inputs]` in the order q, k and the m values, `row [e, kh]`,
/// `column [e, kw]`, `mix [m, e]`; returns `[n, heads*d, h, w]`.
#[must_use]
pub fn sasa_stem<T: Float>(
    shape: Nchw,
    options: &SasaStemOptions,
    x: &[T],
    projections: &[T],
    row: &[T],
    column: &[T],
    mix: &[T],
) -> Vec<T> {
    let (heads, head_dim, mixtures) = (options.heads as usize, options.head_dim as usize, options.mixtures as usize);
    let (window_h, window_w) = (options.window.height as usize, options.window.width as usize);
    let (height, width) = (shape.height as usize, shape.width as usize);
    let channels = heads * head_dim;
    let projected = &pointwise_conv(shape, &options.projections(), x, projections, None)[0];
    let at = |image: usize, tensor: usize, channel: usize, (row, column): (usize, usize)| {
        projected[(((image * (2 + mixtures) + tensor) * channels + channel) * height + row) * width + column]
    };
    let softmax = |scores: &[T]| -> Vec<T> {
        let largest = scores.iter().copied().fold(T::neg_infinity(), maximum);
        let exponentials: Vec<T> = scores.iter().map(|&score| (score - largest).exp()).collect();
        let total = exponentials.iter().fold(T::zero(), |sum, &term| sum + term);
        exponentials.into_iter().map(|term| term / total).collect()
    };
    let entries: Vec<(usize, usize)> = (0..window_h).flat_map(|a| (0..window_w).map(move |b| (a, b))).collect();
    let embeddings = options.embeddings as usize;
    let mixture: Vec<Vec<T>> = entries
        .iter()
        .map(|&(a, b)| {
            let score = |m: usize| {
                (0..embeddings).fold(T::zero(), |sum, e| {
                    sum + mix[m * embeddings + e] * (row[e * window_h + a] + column[e * window_w + b])
                })
            };
            softmax(&(0..mixtures).map(score).collect::<Vec<T>>())
        })
        .collect();

    let mut y = vec![T::zero(); shape.batch as usize * channels * height * width];
    for (image, head) in (0..shape.batch as usize).flat_map(|image| (0..heads).map(move |head| (image, head))) {
        for (i, j) in (0..height).flat_map(|i| (0..width).map(move |j| (i, j))) {
            let inside = |position: usize, entry: usize, padding: u32, extent: usize| {
                (position + entry).checked_sub(padding as usize).filter(|&key| key < extent)
            };
            let keys: Vec<Option<(usize, usize)>> = entries
                .iter()
                .map(|&(a, b)| {
                    inside(i, a, options.padding.height, height).zip(inside(j, b, options.padding.width, width))
                })
                .collect();
            let scores: Vec<T> = keys
                .iter()
                .map(|key| {
                    let dot = key.map_or(T::zero(), |key| {
                        (head * head_dim..(head + 1) * head_dim).fold(T::zero(), |sum, channel| {
                            sum + at(image, 0, channel, (i, j)) * at(image, 1, channel, key)
                        })
                    });
                    real::<T>(f64::from(options.scale)) * dot
                })
                .collect();
            let empty = scores.iter().all(|&score| score == T::neg_infinity());
            let weights = softmax(&scores);
            for channel in head * head_dim..(head + 1) * head_dim {
                let mut sum = T::zero();
                for ((&weight, key), mixture) in weights.iter().zip(&keys).zip(&mixture) {
                    if let Some(key) = *key {
                        let value = (0..mixtures)
                            .fold(T::zero(), |value, m| value + mixture[m] * at(image, 2 + m, channel, key));
                        sum = sum + weight * value;
                    }
                }
                y[((image * channels + channel) * height + i) * width + j] = if empty { T::zero() } else { sum };
            }
        }
    }
    y
}
