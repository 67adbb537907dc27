use num_traits::Float;

use super::attention_map::maximum;
use super::real;
use crate::{CrossAttentionOptions, CrossAttentionShape};

/// What [`cross_attention`] computes.
#[derive(Clone, Debug, PartialEq)]
pub struct CrossAttentionResult<T> {
    /// `[n, heads*dv, t, h, w]`.
    pub y: Vec<T>,
    /// `[n, heads, t, h, w]`: the logarithm of the sum of the exponentials of a query's logits.
    pub log_sum_exp: Vec<T>,
}

/// `y = sum over j of softmax(scale * q . k(j)) * v(j)` for each position and head (arXiv:1706.03762, Eq. 1).
///
/// `q [n, heads*d, t, h, w]`, `k [n, heads*d, m]`, `v [n, heads*dv, m]`. A NaN or +infinite logit gives NaN. A query whose logits are all
/// -infinity gives zeros.
#[must_use]
pub fn cross_attention<T: Float>(
    shape: CrossAttentionShape,
    options: &CrossAttentionOptions,
    q: &[T],
    k: &[T],
    v: &[T],
) -> CrossAttentionResult<T> {
    let positions = shape.queries.positions() as usize;
    let (keys, heads) = (shape.keys as usize, (shape.queries.batch * options.heads) as usize);
    let (head_dim, value_dim) = (options.head_dim as usize, options.value_dim as usize);
    let scale = real::<T>(options.scale.into());
    let mut result = CrossAttentionResult {
        y: vec![T::zero(); heads * value_dim * positions],
        log_sum_exp: Vec::with_capacity(heads * positions),
    };
    for (head, position) in (0..heads).flat_map(|head| (0..positions).map(move |position| (head, position))) {
        let logits: Vec<T> = (0..keys)
            .map(|key| {
                let dot = (0..head_dim).fold(T::zero(), |sum, c| {
                    let channel = head * head_dim + c;
                    sum + q[channel * positions + position] * k[channel * keys + key]
                });
                scale * dot
            })
            .collect();
        let largest = logits.iter().copied().fold(T::neg_infinity(), maximum);
        let empty = largest == T::neg_infinity();
        let exponential = |logit: T| if empty { T::zero() } else { (logit - largest).exp() };
        let total = logits.iter().fold(T::zero(), |sum, &logit| sum + exponential(logit));
        for c in 0..value_dim {
            let channel = head * value_dim + c;
            let mixed = logits.iter().enumerate().fold(T::zero(), |sum, (key, &logit)| {
                let weight = if empty { T::zero() } else { exponential(logit) / total };
                sum + weight * v[channel * keys + key]
            });
            result.y[channel * positions + position] = if empty { T::zero() } else { mixed };
        }
        result.log_sum_exp.push(match () {
            () if empty => T::neg_infinity(),
            () if total.is_nan() => T::nan(),
            () => largest + total.ln(),
        });
    }
    result
}
