use num_traits::Float;

use super::real;
use crate::{CrossAttentionOptions, CrossAttentionShape};

/// What [`cross_attention_backward`] computes.
#[derive(Clone, Debug, PartialEq)]
pub struct CrossAttentionGradients<T> {
    /// `[n, heads*d, t, h, w]`.
    pub q: Vec<T>,
    /// `[n, heads*d, m]`.
    pub k: Vec<T>,
    /// `[n, heads*dv, m]`.
    pub v: Vec<T>,
}

/// The gradients of [`cross_attention`](super::cross_attention): the formulas of [its page](crate::ops::cross_attention_backward).
///
/// `q [n, heads*d, t, h, w]`, `k [n, heads*d, m]`, `v [n, heads*dv, m]`, `log_sum_exp [n, heads, t, h, w]` as the forward pass gives it,
/// `y_gradient [n, heads*dv, t, h, w]`. Without `log_sum_exp_gradient` the log-sum-exps have the gradient 0. A query whose log-sum-exp is
/// -infinity takes no part.
#[must_use]
pub fn cross_attention_backward<T: Float>(
    shape: CrossAttentionShape,
    options: &CrossAttentionOptions,
    [q, k, v]: [&[T]; 3],
    log_sum_exp: &[T],
    y_gradient: &[T],
    log_sum_exp_gradient: Option<&[T]>,
) -> CrossAttentionGradients<T> {
    let positions = shape.queries.positions() as usize;
    let (keys, heads) = (shape.keys as usize, (shape.queries.batch * options.heads) as usize);
    let (head_dim, value_dim) = (options.head_dim as usize, options.value_dim as usize);
    let scale = real::<T>(options.scale.into());
    let mut gradients = CrossAttentionGradients {
        q: vec![T::zero(); q.len()],
        k: vec![T::zero(); k.len()],
        v: vec![T::zero(); v.len()],
    };
    for (head, position) in (0..heads).flat_map(|head| (0..positions).map(move |position| (head, position))) {
        let query = head * positions + position;
        let total = log_sum_exp[query];
        if total == T::neg_infinity() {
            continue;
        }
        let of_query = |c: usize| (head * head_dim + c) * positions + position;
        let of_output = |c: usize| (head * value_dim + c) * positions + position;
        let of_key = |c: usize, key: usize| (head * head_dim + c) * keys + key;
        let of_value = |c: usize, key: usize| (head * value_dim + c) * keys + key;
        let weights: Vec<T> = (0..keys)
            .map(|key| {
                let dot = (0..head_dim).fold(T::zero(), |sum, c| sum + q[of_query(c)] * k[of_key(c, key)]);
                (scale * dot - total).exp()
            })
            .collect();
        let weight_gradients: Vec<T> = (0..keys)
            .map(|key| (0..value_dim).fold(T::zero(), |sum, c| sum + y_gradient[of_output(c)] * v[of_value(c, key)]))
            .collect();
        let upstream = log_sum_exp_gradient.map_or(T::zero(), |gradient| gradient[query]);
        let products = weights.iter().zip(&weight_gradients);
        let mean = products.fold(-upstream, |sum, (&weight, &gradient)| sum + weight * gradient);
        for key in 0..keys {
            let change = weights[key] * (weight_gradients[key] - mean);
            for c in 0..head_dim {
                let (query, key) = (of_query(c), of_key(c, key));
                gradients.q[query] = gradients.q[query] + scale * change * k[key];
                gradients.k[key] = gradients.k[key] + scale * change * q[query];
            }
            for c in 0..value_dim {
                let value = of_value(c, key);
                gradients.v[value] = gradients.v[value] + weights[key] * y_gradient[of_output(c)];
            }
        }
    }
    gradients
}
