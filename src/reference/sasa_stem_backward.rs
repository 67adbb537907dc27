use num_traits::Float;

use super::attention_map::maximum;
use super::{pointwise_conv, pointwise_conv_backward, real, sum};
use crate::{Nchw, SasaStemOptions};

/// What [`sasa_stem_backward`] computes.
#[derive(Clone, Debug, PartialEq)]
pub struct SasaStemGradients<T> {
    /// `[n, inputs, h, w]`.
    pub x: Vec<T>,
    /// `[2+m, heads*d, inputs]`.
    pub projections: Vec<T>,
    /// `[e, kh]`.
    pub row: Vec<T>,
    /// `[e, kw]`.
    pub column: Vec<T>,
    /// `[m, e]`.
    pub mix: Vec<T>,
}

/// The gradients of [`sasa_stem`](super::sasa_stem): the formulas of [its page](crate::ops::sasa_stem_backward).
///
/// `x [n, inputs, h, w]`, `projections [2+m, heads*d, inputs]`, the tables `row [e, kh]`, `column [e, kw]` and `mix [m, e]`, and
/// `y_gradient [n, heads*d, h, w]`. A query whose logits are all -infinite takes no part.
#[must_use]
pub fn sasa_stem_backward<T: Float>(
    shape: Nchw,
    options: &SasaStemOptions,
    x: &[T],
    projections: &[T],
    [row, column, mix]: [&[T]; 3],
    y_gradient: &[T],
) -> SasaStemGradients<T> {
    let (heads, head_dim, mixtures) = (options.heads as usize, options.head_dim as usize, options.mixtures as usize);
    let (window_h, window_w) = (options.window.height as usize, options.window.width as usize);
    let (height, width, batch) = (shape.height as usize, shape.width as usize, shape.batch as usize);
    let (channels, pixels, embeddings) = (heads * head_dim, height * width, options.embeddings as usize);
    let scale = real::<T>(f64::from(options.scale));
    let projected = &pointwise_conv(shape, &options.projections(), x, projections, None)[0];
    let at = |image: usize, tensor: usize, channel: usize, pixel: usize| {
        ((image * (2 + mixtures) + tensor) * channels + channel) * pixels + pixel
    };
    let softmax = |scores: &[T]| -> Vec<T> {
        let largest = scores.iter().copied().fold(T::neg_infinity(), maximum);
        let exponentials: Vec<T> = scores.iter().map(|&score| (score - largest).exp()).collect();
        let total = exponentials.iter().fold(T::zero(), |sum, &term| sum + term);
        exponentials.into_iter().map(|term| term / total).collect()
    };
    let entries: Vec<(usize, usize)> = (0..window_h).flat_map(|a| (0..window_w).map(move |b| (a, b))).collect();
    // The mixture of each entry.
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

    let mut projected_gradient = vec![T::zero(); projected.len()];
    // For each mixture and entry, what each query adds to its gradient.
    let mut of_mixture = vec![Vec::new(); mixtures * entries.len()];
    for (image, head) in (0..batch).flat_map(|image| (0..heads).map(move |head| (image, head))) {
        for query in 0..pixels {
            let inside = |position: usize, entry: usize, padding: u32, extent: usize| {
                (position + entry).checked_sub(padding as usize).filter(|&key| key < extent)
            };
            let keys: Vec<Option<usize>> = entries
                .iter()
                .map(|&(a, b)| {
                    let key_row = inside(query / width, a, options.padding.height, height)?;
                    Some(key_row * width + inside(query % width, b, options.padding.width, width)?)
                })
                .collect();
            let of_head = head * head_dim..(head + 1) * head_dim;
            let upstream = |channel: usize| y_gradient[(image * channels + channel) * pixels + query];
            let score = |key: &Option<usize>| {
                let dot = key.map_or(T::zero(), |key| {
                    of_head.clone().fold(T::zero(), |sum, channel| {
                        sum + projected[at(image, 0, channel, query)] * projected[at(image, 1, channel, key)]
                    })
                });
                scale * dot
            };
            let scores: Vec<T> = keys.iter().map(score).collect();
            if scores.iter().all(|&score| score == T::neg_infinity()) {
                continue;
            }
            let weights = softmax(&scores);
            let weight_gradient = |entry: usize, key: usize| {
                of_head.clone().fold(T::zero(), |sum, channel| {
                    let value = (0..mixtures).fold(T::zero(), |value, m| {
                        value + mixture[entry][m] * projected[at(image, 2 + m, channel, key)]
                    });
                    sum + upstream(channel) * value
                })
            };
            // Values outside the image are zeros, and so are the gradients of their weights.
            let gradients: Vec<Option<T>> =
                keys.iter().enumerate().map(|(entry, key)| key.map(|key| weight_gradient(entry, key))).collect();
            let mean = weights.iter().zip(&gradients).fold(T::zero(), |mean, (&weight, gradient)| {
                gradient.map_or(mean, |gradient| mean + weight * gradient)
            });
            for (entry, (key, gradient)) in keys.iter().zip(&gradients).enumerate() {
                let (Some(key), Some(gradient), weight) = (*key, *gradient, weights[entry]) else { continue };
                let change = scale * (weight * (gradient - mean));
                let mut add = |at: usize, value: T| projected_gradient[at] = projected_gradient[at] + value;
                for channel in of_head.clone() {
                    let (of_query, of_key) = (at(image, 0, channel, query), at(image, 1, channel, key));
                    add(of_query, change * projected[of_key]);
                    add(of_key, change * projected[of_query]);
                    for (m, &share) in mixture[entry].iter().enumerate() {
                        add(at(image, 2 + m, channel, key), share * (weight * upstream(channel)));
                    }
                }
                for m in 0..mixtures {
                    let dot = of_head.clone().fold(T::zero(), |sum, channel| {
                        sum + upstream(channel) * projected[at(image, 2 + m, channel, key)]
                    });
                    of_mixture[m * entries.len() + entry].push(weight * dot);
                }
            }
        }
    }

    let mixture_gradient: Vec<T> = of_mixture.iter().map(|terms| sum(terms.len(), |index| terms[index])).collect();
    let mixture_gradient = |m: usize, entry: usize| mixture_gradient[m * entries.len() + entry];
    // Of the logits of the mixture.
    let logit_gradient = |m: usize, a: usize, b: usize| {
        let entry = a * window_w + b;
        let mean = (0..mixtures).fold(T::zero(), |sum, i| sum + mixture[entry][i] * mixture_gradient(i, entry));
        mixture[entry][m] * (mixture_gradient(m, entry) - mean)
    };
    let over_mixtures = |e: usize, term: &dyn Fn(usize) -> T| {
        (0..mixtures).fold(T::zero(), |sum, m| sum + mix[m * embeddings + e] * term(m))
    };
    let tables = (0..embeddings).flat_map(|e| (0..window_h).map(move |a| (e, a)));
    let of_rows = tables.map(|(e, a)| over_mixtures(e, &|m| sum(window_w, |b| logit_gradient(m, a, b)))).collect();
    let tables = (0..embeddings).flat_map(|e| (0..window_w).map(move |b| (e, b)));
    let of_columns = tables.map(|(e, b)| over_mixtures(e, &|m| sum(window_h, |a| logit_gradient(m, a, b)))).collect();
    let of_mixes = (0..mixtures).flat_map(|m| (0..embeddings).map(move |e| (m, e))).map(|(m, e)| {
        sum(entries.len(), |entry| {
            let (a, b) = entries[entry];
            (row[e * window_h + a] + column[e * window_w + b]) * logit_gradient(m, a, b)
        })
    });
    let of_mixes = of_mixes.collect();
    let conv = pointwise_conv_backward(shape, &options.projections(), x, projections, &[&projected_gradient]);
    SasaStemGradients { x: conv.x, projections: conv.weights, row: of_rows, column: of_columns, mix: of_mixes }
}
