use num_traits::Float;

use super::attention_map::maximum;
use super::real;
use crate::{Border, Ncthw, PositionTables, RelativePosition, WindowAttentionOptions, WindowAxis};

/// What [`window_attention`] computes.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowAttentionResult<T> {
    /// `[n, heads*dv, to, ho, wo]`.
    pub y: Vec<T>,
    /// `[n, heads, to, ho, wo]`: the logarithm of the sum of the exponentials of a query's logits; -infinity for a query without keys.
    pub log_sum_exp: Vec<T>,
    /// `[n, heads, to, ho, wo, kt*kh*kw]`: the softmax; 0 for entries that take no part.
    pub weights: Vec<T>,
}

/// For entry `e = (f, a, b)` of the window of a query of head `g`:
///
/// `score(e) = scale * q . k(e) + r * q . E(e)` or `score(e) = scale * q . k(e) + r * B[g, df, da, db]`,
/// `y = sum over e of softmax(score)(e) * v(e)`
///
/// (Ramachandran et al. 2019, arXiv:1906.05909, Eqs. 2 and 3), where `r` is `scale` or 1, and E and B are the
/// [`RelativePosition`] terms. [`WindowAxis`] has the windows. `q, k [n, heads*d, t, h, w]`, `v [n, heads*dv, t, h, w]`; the tables as in
/// [`PositionTables`]. An image has one frame. A NaN or +infinite logit gives NaN. A query without keys gives zeros.
#[must_use]
pub fn window_attention<T: Float>(
    shape: impl Into<Ncthw>,
    options: &WindowAttentionOptions,
    q: &[T],
    k: &[T],
    v: &[T],
    tables: PositionTables<&[T]>,
) -> WindowAttentionResult<T> {
    let shape = shape.into();
    let (heads, head_dim, value_dim) = (options.heads as usize, options.head_dim as usize, options.value_dim as usize);
    let extents = [shape.frames, shape.height, shape.width];
    let scale = real::<T>(f64::from(options.scale));
    let relative_scale = if options.scale_relative { scale } else { T::one() };
    let positions = shape.positions() as usize;
    let place = |at: [usize; 3]| (at[0] * extents[1] as usize + at[1]) * extents[2] as usize + at[2];

    // The windows of every query, axis by axis.
    let windows = [0, 1, 2].map(|axis| {
        let WindowAxis { stride, .. } = options.axes[axis];
        let queries = (0..extents[axis]).step_by(stride as usize);
        queries
            .map(|position| (position as usize, window_entries(position, extents[axis], options.axes[axis])))
            .collect::<Vec<_>>()
    });
    let queries = windows.iter().map(Vec::len).product::<usize>();
    let mut y = vec![T::zero(); shape.batch as usize * heads * value_dim * queries];
    let mut log_sum_exp = Vec::with_capacity(shape.batch as usize * heads * queries);
    let mut weights = Vec::new();
    for (image, head) in (0..shape.batch as usize).flat_map(|image| (0..heads).map(move |head| (image, head))) {
        let mut query = 0;
        for (frame, frames) in &windows[0] {
            for (row, rows) in &windows[1] {
                for (column, columns) in &windows[2] {
                    let of = |m: usize| {
                        q[(image * heads * head_dim + head * head_dim + m) * positions + place([*frame, *row, *column])]
                    };
                    // The key of each entry, if it is inside, and the entry's logit, -infinity if it is left out of the softmax.
                    let mut keys = Vec::with_capacity(frames.len() * rows.len() * columns.len());
                    let mut scores = Vec::with_capacity(keys.capacity());
                    for f in frames {
                        for a in rows {
                            for b in columns {
                                let entries = [f, a, b];
                                let key = f.key.zip(a.key).zip(b.key).map(|((f, a), b)| place([f, a, b]));
                                if entries.iter().any(|entry| entry.left_out) {
                                    // Not even 0 * NaN of such a key reaches the sum.
                                    keys.push(None);
                                    scores.push(T::neg_infinity());
                                    continue;
                                }
                                keys.push(key);
                                let dot = key.map_or(T::zero(), |key| {
                                    (0..head_dim).fold(T::zero(), |sum, m| {
                                        let channel = image * heads * head_dim + head * head_dim + m;
                                        sum + of(m) * k[channel * positions + key]
                                    })
                                });
                                let term = relative(options, &tables, head, &of, entries);
                                scores.push(term.map_or(scale * dot, |term| scale * dot + relative_scale * term));
                            }
                        }
                    }
                    let largest = scores.iter().copied().fold(T::neg_infinity(), maximum);
                    let empty = largest == T::neg_infinity();
                    let exponentials: Vec<T> =
                        scores.iter().map(|&score| if empty { T::zero() } else { (score - largest).exp() }).collect();
                    let total = exponentials.iter().fold(T::zero(), |sum, &term| sum + term);
                    let softmax: Vec<T> =
                        exponentials.iter().map(|&term| if empty { T::zero() } else { term / total }).collect();
                    for m in 0..value_dim {
                        let channel = image * heads * value_dim + head * value_dim + m;
                        let mixed = softmax.iter().zip(&keys).fold(T::zero(), |sum, (&weight, key)| {
                            key.map_or(sum, |key| sum + weight * v[channel * positions + key])
                        });
                        y[channel * queries + query] = mixed;
                    }
                    log_sum_exp.push(if empty {
                        T::neg_infinity()
                    } else if total.is_nan() {
                        T::nan()
                    } else {
                        largest + total.ln()
                    });
                    weights.extend(softmax);
                    query += 1;
                }
            }
        }
    }
    WindowAttentionResult { y, log_sum_exp, weights }
}

/// An entry of a window on one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowEntry {
    /// Index in the window.
    pub index: usize,
    /// Position of the key, if it is inside.
    pub key: Option<usize>,
    /// Index in a table by offset. An entry that is left out may lie outside the table.
    pub offset: i64,
    /// Whether the border leaves the key out of the softmax.
    pub left_out: bool,
}

/// The window of the query at `position` of an axis of this extent: [`WindowAxis`] has the formulas.
#[must_use]
pub fn window_entries(position: u32, extent: u32, axis: WindowAxis) -> Vec<WindowEntry> {
    let [position, extent, keys, dilation, group, origin] =
        [position, extent, axis.keys, axis.dilation, axis.group, axis.origin].map(i64::from);
    let (index, remainder) = (position / dilation, position % dilation);
    let count = (extent - remainder + dilation - 1) / dilation;
    let base = origin + (index - origin).div_euclid(group) * group;
    let start = match axis.border {
        Border::Zero | Border::Mask => base + group / 2 - keys / 2,
        Border::Shift => ((base + group / 2).min(count - 1) - keys / 2).max(0).min(count - keys),
        Border::Causal => (base + group - 1).min(count - 1) - (keys - 1),
    };
    (0..keys)
        .map(|a| {
            let at = start + a;
            let inside = (0..count).contains(&at);
            WindowEntry {
                index: a as usize,
                key: inside.then_some((remainder + dilation * at) as usize),
                offset: at - index + keys - 1,
                left_out: (!inside && axis.border != Border::Zero) || (axis.border == Border::Causal && at > index),
            }
        })
        .collect()
}

/// `q . E` or the bias, for the query `of` and the entries of the axes.
fn relative<T: Float>(
    options: &WindowAttentionOptions,
    tables: &PositionTables<&[T]>,
    head: usize,
    of: &impl Fn(usize) -> T,
    entries: [&WindowEntry; 3],
) -> Option<T> {
    let head_dim = options.head_dim as usize;
    let keys = options.axes.map(|axis| axis.keys as usize);
    match *tables {
        PositionTables::None => None,
        PositionTables::Bias(bias) => {
            let at = (0..3).fold(head, |at, axis| at * (2 * keys[axis] - 1) + entries[axis].offset as usize);
            Some(bias[at])
        }
        PositionTables::Axes { frames, rows, columns } => {
            let with_tables: Vec<_> = [frames, rows, columns]
                .into_iter()
                .enumerate()
                .filter_map(|(axis, table)| Some((axis, table?)))
                .collect();
            let whole = options.relative == RelativePosition::WholeChannel;
            let channels = if whole { options.channels() as usize } else { head_dim };
            let piece = channels / with_tables.len().max(1);
            Some((0..head_dim).fold(T::zero(), |sum, m| {
                let index = if whole { head * head_dim + m } else { m };
                if options.relative == RelativePosition::Sum {
                    return with_tables.iter().fold(sum, |sum, &(axis, table)| {
                        sum + of(m) * table[index * (2 * keys[axis] - 1) + entries[axis].offset as usize]
                    });
                }
                let embedding = if let Some(&(axis, table)) = with_tables.get(index / piece) {
                    table[(index - index / piece * piece) * keys[axis] + entries[axis].index]
                } else {
                    T::zero()
                };
                sum + of(m) * embedding
            }))
        }
    }
}
