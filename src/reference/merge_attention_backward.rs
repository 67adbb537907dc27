use num_traits::Float;

use super::sum;
use crate::Ncthw;

/// What [`merge_attention_backward`] computes.
#[derive(Clone, Debug, PartialEq)]
pub struct MergeAttentionGradients<T> {
    /// `[n, heads*d, t, h, w]`.
    pub y1: Vec<T>,
    /// `[n, heads, t, h, w]`.
    pub log_sum_exp1: Vec<T>,
    /// `[n, heads*d, t, h, w]`.
    pub y2: Vec<T>,
    /// `[n, heads, t, h, w]`.
    pub log_sum_exp2: Vec<T>,
}

/// The gradients of [`merge_attention`](super::merge_attention): the formulas of [its page](crate::ops::merge_attention_backward).
///
/// `parts` are `y1` and `y2`, `[n, heads*d, t, h, w]`, each with its log-sum-exps, `[n, heads, t, h, w]`. `y_gradient` has the shape of
/// `y1`. Without `log_sum_exp_gradient`, which has the shape of a log-sum-exp, the merged log-sum-exp has the gradient 0.
#[must_use]
pub fn merge_attention_backward<T: Float>(
    shape: impl Into<Ncthw>,
    heads: u32,
    parts: [(&[T], &[T]); 2],
    y_gradient: &[T],
    log_sum_exp_gradient: Option<&[T]>,
) -> MergeAttentionGradients<T> {
    let shape = shape.into();
    let pixels = shape.positions() as usize;
    let head_dim = (shape.channels / heads) as usize;
    let mut y = [0, 1].map(|_| vec![T::zero(); y_gradient.len()]);
    let mut log_sum_exp = [0, 1].map(|_| Vec::with_capacity(parts[0].1.len()));
    for query in 0..parts[0].1.len() {
        let (head, pixel) = (query / pixels, query % pixels);
        let at = |channel: usize| (head * head_dim + channel) * pixels + pixel;
        let sums = parts.map(|(_, sums)| sums[query]);
        let empty = sums.map(|l| l == T::neg_infinity());
        let poisoned = sums.iter().any(|l| l.is_nan() || *l == T::infinity());
        let largest = sums[0].max(sums[1]);
        let exponentials = sums.map(|l| if l == T::neg_infinity() { T::zero() } else { (l - largest).exp() });
        let total = exponentials[0] + exponentials[1];
        let weights = [0, 1].map(|part| match () {
            () if empty[part] => T::zero(),
            () if poisoned => T::nan(),
            () => exponentials[part] / total,
        });
        // A result without keys takes no part, even if it is NaN.
        let difference = match empty {
            [false, false] => sum(head_dim, |c| y_gradient[at(c)] * (parts[0].0[at(c)] - parts[1].0[at(c)])),
            _ => T::zero(),
        };
        let upstream = log_sum_exp_gradient.map_or(T::zero(), |gradient| gradient[query]);
        let changes =
            if empty == [false, false] { [weights[1] * difference, -weights[0] * difference] } else { [T::zero(); 2] };
        for part in 0..2 {
            let weighted = |value: T| if empty[part] { T::zero() } else { weights[part] * value };
            log_sum_exp[part].push(weighted(upstream + changes[part]));
            for channel in 0..head_dim {
                y[part][at(channel)] = weighted(y_gradient[at(channel)]);
            }
        }
    }
    let ([y1, y2], [log_sum_exp1, log_sum_exp2]) = (y, log_sum_exp);
    MergeAttentionGradients { y1, log_sum_exp1, y2, log_sum_exp2 }
}
