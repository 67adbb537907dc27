use num_traits::Float;

use super::attention_map::maximum;
use crate::Ncthw;

/// What [`merge_attention`] computes.
#[derive(Clone, Debug, PartialEq)]
pub struct MergedAttention<T> {
    /// `[n, heads*d, t, h, w]`.
    pub y: Vec<T>,
    /// `[n, heads, t, h, w]`.
    pub log_sum_exp: Vec<T>,
}

/// `L = log(exp(l1) + exp(l2))`, `y = exp(l1 - L) * y1 + exp(l2 - L) * y2` for each query and head (arXiv:1805.02867, Sec. 3.1).
///
/// `shape` is that of `y1` and `y2`, `[n, heads*d, t, h, w]`; `log_sum_exp1, log_sum_exp2 [n, heads, t, h, w]`. Minus infinity leaves a
/// result out, whatever it holds. Two results left out give zeros. NaN or +infinity gives NaN.
#[must_use]
pub fn merge_attention<T: Float>(
    shape: impl Into<Ncthw>,
    heads: u32,
    y1: &[T],
    log_sum_exp1: &[T],
    y2: &[T],
    log_sum_exp2: &[T],
) -> MergedAttention<T> {
    let shape = shape.into();
    let pixels = shape.positions() as usize;
    let head_dim = (shape.channels / heads) as usize;
    let mut merged =
        MergedAttention { y: vec![T::zero(); y1.len()], log_sum_exp: Vec::with_capacity(log_sum_exp1.len()) };
    for (query, (&first, &second)) in log_sum_exp1.iter().zip(log_sum_exp2).enumerate() {
        let (head, pixel) = (query / pixels, query % pixels);
        let largest = maximum(first, second);
        let empty = |l: T| l == T::neg_infinity();
        let exponential = |l: T| if empty(l) { T::zero() } else { (l - largest).exp() };
        let sum = exponential(first) + exponential(second);
        // A result without keys takes no part, even if it is NaN.
        let part = |l: T, y: T| if empty(l) { T::zero() } else { exponential(l) / sum * y };
        for channel in 0..head_dim {
            let at = (head * head_dim + channel) * pixels + pixel;
            merged.y[at] = part(first, y1[at]) + part(second, y2[at]);
        }
        merged.log_sum_exp.push(if empty(largest) { largest } else { largest + sum.ln() });
    }
    merged
}
