use num_traits::Float;

use super::real;
use super::window_attention::{WindowEntry, window_entries};
use crate::{Ncthw, PositionTables, RelativePosition, WindowAttentionOptions};

/// What [`window_attention`](super::window_attention()) read, what it computed, and the gradients of what it computed.
#[derive(Clone, Copy, Debug)]
pub struct WindowAttentionSaved<'a, T> {
    /// `[n, heads*d, t, h, w]`.
    pub q: &'a [T],
    /// `[n, heads*d, t, h, w]`.
    pub k: &'a [T],
    /// `[n, heads*dv, t, h, w]`.
    pub v: &'a [T],
    /// The tables of the relative term.
    pub tables: PositionTables<&'a [T]>,
    /// `[n, heads*dv, to, ho, wo]`. Without it `D` is the sum of weights times their gradients, which is the same number.
    pub y: Option<&'a [T]>,
    /// `[n, heads, to, ho, wo]`.
    pub log_sum_exp: &'a [T],
    /// `[n, heads*dv, to, ho, wo]`.
    pub y_gradient: &'a [T],
    /// `[n, heads, to, ho, wo]`, zeros if absent.
    pub log_sum_exp_gradient: Option<&'a [T]>,
}

/// What [`window_attention_backward`] computes.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowAttentionGradients<T> {
    /// `[n, heads*d, t, h, w]`.
    pub q: Vec<T>,
    /// `[n, heads*d, t, h, w]`.
    pub k: Vec<T>,
    /// `[n, heads*dv, t, h, w]`.
    pub v: Vec<T>,
    /// As the tables.
    pub tables: PositionTables<Vec<T>>,
}

/// The gradients of [`window_attention`](super::window_attention()). For entry `e` of the window of a query:
///
/// ```text
/// P(e)  = exp(score(e) - log_sum_exp)
/// D     = y_gradient . y - log_sum_exp_gradient = sum over e of P(e) * (y_gradient . v(e)) - log_sum_exp_gradient
/// dS(e) = P(e) * (y_gradient . v(e) - D)
/// dq    = sum over e of dS(e) * (scale * k(e) + r * E(e))
/// dk(e) gathers scale * dS(e) * q, dv(e) gathers P(e) * y_gradient, E(e) gathers r * dS(e) * q, B(e) gathers r * dS(e)
/// ```
///
/// the chain rule of Ramachandran et al. 2019, arXiv:1906.05909, Eqs. 2 and 3. Key and value of an entry outside the tensor are zero. A
/// query whose log-sum-exp is -infinity has no keys, and adds nothing.
#[must_use]
pub fn window_attention_backward<T: Float>(
    shape: impl Into<Ncthw>,
    options: &WindowAttentionOptions,
    saved: WindowAttentionSaved<'_, T>,
) -> WindowAttentionGradients<T> {
    let shape = shape.into();
    let (heads, head_dim, value_dim) = (options.heads as usize, options.head_dim as usize, options.value_dim as usize);
    let extents = [shape.frames, shape.height, shape.width];
    let scale = real::<T>(f64::from(options.scale));
    let relative_scale = if options.scale_relative { scale } else { T::one() };
    let positions = shape.positions() as usize;
    let place = |at: [usize; 3]| (at[0] * extents[1] as usize + at[1]) * extents[2] as usize + at[2];
    let windows = [0, 1, 2].map(|axis| {
        let queries = (0..extents[axis]).step_by(options.axes[axis].stride as usize);
        queries
            .map(|position| (position as usize, window_entries(position, extents[axis], options.axes[axis])))
            .collect::<Vec<_>>()
    });
    let queries = windows.iter().map(Vec::len).product::<usize>();
    let WindowAttentionSaved { q, k, v, tables, .. } = saved;
    let embeddings = axes(&tables);
    let mut found = WindowAttentionGradients {
        q: vec![T::zero(); q.len()],
        k: vec![T::zero(); k.len()],
        v: vec![T::zero(); v.len()],
        tables: zeros(&tables),
    };
    for (image, head) in (0..shape.batch as usize).flat_map(|image| (0..heads).map(move |head| (image, head))) {
        let (first, first_value) = ((image * heads + head) * head_dim, (image * heads + head) * value_dim);
        let mut query = 0;
        for (frame, frames) in &windows[0] {
            for (row, rows) in &windows[1] {
                for (column, columns) in &windows[2] {
                    let (at, statistic) = (query, (image * heads + head) * queries + query);
                    query += 1;
                    let log_sum_exp = saved.log_sum_exp[statistic];
                    if log_sum_exp == T::neg_infinity() {
                        continue;
                    }
                    let here = place([*frame, *row, *column]);
                    let of = |m: usize| q[(first + m) * positions + here];
                    let upstream = |m: usize| saved.y_gradient[(first_value + m) * queries + at];
                    let dot = |n: usize, a: &dyn Fn(usize) -> T, b: &dyn Fn(usize) -> T| {
                        (0..n).fold(T::zero(), |sum, m| sum + a(m) * b(m))
                    };
                    // Of each entry that takes part: its key, if it is inside, weight, gradient of the weight, and entries of the tables.
                    let mut terms = Vec::new();
                    for f in frames {
                        for a in rows {
                            for b in columns {
                                let entries = [f, a, b];
                                if entries.iter().any(|entry| entry.left_out) {
                                    continue;
                                }
                                let key = f.key.zip(a.key).zip(b.key).map(|((f, a), b)| place([f, a, b]));
                                let product = key
                                    .map_or(T::zero(), |key| dot(head_dim, &of, &|m| k[(first + m) * positions + key]));
                                let weight_gradient = key.map_or(T::zero(), |key| {
                                    dot(value_dim, &upstream, &|m| v[(first_value + m) * positions + key])
                                });
                                let used = used(options, head, entries);
                                let score = match &tables {
                                    PositionTables::None => scale * product,
                                    PositionTables::Bias(bias) => scale * product + relative_scale * bias[used.bias],
                                    PositionTables::Axes { .. } => {
                                        let term = used.embeddings.iter().fold(T::zero(), |sum, &(m, table, index)| {
                                            sum + of(m) * embeddings[table][index]
                                        });
                                        scale * product + relative_scale * term
                                    }
                                };
                                terms.push((key, (score - log_sum_exp).exp(), weight_gradient, used));
                            }
                        }
                    }
                    let mut delta = match saved.y {
                        Some(y) => dot(value_dim, &upstream, &|m| y[(first_value + m) * queries + at]),
                        None => terms.iter().fold(T::zero(), |sum, (_, weight, gradient, _)| sum + *weight * *gradient),
                    };
                    if let Some(gradient) = saved.log_sum_exp_gradient {
                        delta = delta - gradient[statistic];
                    }
                    for (key, weight, gradient, used) in terms {
                        let score_gradient = weight * (gradient - delta);
                        if let Some(key) = key {
                            for m in 0..head_dim {
                                let channel = (first + m) * positions;
                                found.q[channel + here] =
                                    found.q[channel + here] + score_gradient * scale * k[channel + key];
                                found.k[channel + key] = found.k[channel + key] + score_gradient * scale * of(m);
                            }
                            for m in 0..value_dim {
                                let at = (first_value + m) * positions + key;
                                found.v[at] = found.v[at] + weight * upstream(m);
                            }
                        }
                        let scaled = relative_scale * score_gradient;
                        match &mut found.tables {
                            PositionTables::Bias(bias) => bias[used.bias] = bias[used.bias] + scaled,
                            PositionTables::Axes { frames, rows, columns } => {
                                let mut gradients = [frames, rows, columns].map(Option::as_mut);
                                for (m, table, index) in used.embeddings {
                                    let channel = (first + m) * positions + here;
                                    found.q[channel] = found.q[channel] + scaled * embeddings[table][index];
                                    if let Some(table) = &mut gradients[table] {
                                        table[index] = table[index] + scaled * of(m);
                                    }
                                }
                            }
                            PositionTables::None => {}
                        }
                    }
                }
            }
        }
    }
    found
}

fn axes<'a, T>(tables: &PositionTables<&'a [T]>) -> [&'a [T]; 3] {
    match *tables {
        PositionTables::Axes { frames, rows, columns } => [frames, rows, columns].map(Option::unwrap_or_default),
        _ => [&[]; 3],
    }
}

fn zeros<T: Float>(tables: &PositionTables<&[T]>) -> PositionTables<Vec<T>> {
    let zeros = |table: &[T]| vec![T::zero(); table.len()];
    match *tables {
        PositionTables::None => PositionTables::None,
        PositionTables::Bias(bias) => PositionTables::Bias(zeros(bias)),
        PositionTables::Axes { frames, rows, columns } => {
            PositionTables::Axes { frames: frames.map(zeros), rows: rows.map(zeros), columns: columns.map(zeros) }
        }
    }
}

/// Which numbers of the tables an entry uses.
struct Used {
    /// Index in the bias table.
    bias: usize,
    /// Channels of the head that meet an embedding: the channel, the axis of the table, and the index in it.
    embeddings: Vec<(usize, usize, usize)>,
}

fn used(options: &WindowAttentionOptions, head: usize, entries: [&WindowEntry; 3]) -> Used {
    let keys = options.axes.map(|axis| axis.keys as usize);
    let with_tables: Vec<usize> = (0..3).filter(|&axis| keys[axis] > 1).collect();
    let head_dim = options.head_dim as usize;
    let mut used = Used { bias: 0, embeddings: Vec::new() };
    match options.relative {
        RelativePosition::None => {}
        RelativePosition::Bias => {
            used.bias = (0..3).fold(head, |at, axis| at * (2 * keys[axis] - 1) + entries[axis].offset as usize);
        }
        RelativePosition::Sum => {
            used.embeddings = (0..head_dim)
                .flat_map(|m| with_tables.iter().map(move |&axis| (m, axis)))
                .map(|(m, axis)| (m, axis, m * (2 * keys[axis] - 1) + entries[axis].offset as usize))
                .collect();
        }
        RelativePosition::PerHead | RelativePosition::WholeChannel => {
            let whole = options.relative == RelativePosition::WholeChannel;
            let piece = if whole { options.channels() as usize } else { head_dim } / with_tables.len().max(1);
            used.embeddings = (0..head_dim)
                .filter_map(|m| {
                    let channel = if whole { head * head_dim + m } else { m };
                    let &axis = with_tables.get(channel / piece)?;
                    Some((m, axis, channel % piece * keys[axis] + entries[axis].index))
                })
                .collect();
        }
    }
    used
}
