//! The caller's buffers.

use crate::ops::window_attention::PositionTables;

/// Tensors of a [`WindowAttentionBackward`](super::WindowAttentionBackward); each needs `BufferUsages::STORAGE`. Tensors have the operator's element type, unless another
/// type is named.
#[derive(Clone, Copy, Debug)]
pub struct WindowAttentionBackwardBuffers<'a> {
    /// In: queries `[n, heads*d, t, h, w]`.
    pub q: wgpu::BufferSlice<'a>,
    /// In: keys `[n, heads*d, t, h, w]`.
    pub k: wgpu::BufferSlice<'a>,
    /// In: values `[n, heads*dv, t, h, w]`.
    pub v: wgpu::BufferSlice<'a>,
    /// In: the tables of the options' relative term.
    pub tables: PositionTables<wgpu::BufferSlice<'a>>,
    /// In: the output of the forward operator, `[n, heads*dv, to, ho, wo]`, needed in f32 and not taken in f16.
    pub y: Option<wgpu::BufferSlice<'a>>,
    /// In: the log-sum-exp of the forward operator, `[n, heads, to, ho, wo]` f32.
    pub log_sum_exp: wgpu::BufferSlice<'a>,
    /// In: the gradient of `y`, `[n, heads*dv, to, ho, wo]`.
    pub y_gradient: wgpu::BufferSlice<'a>,
    /// In, optional: the gradient of `log_sum_exp`, `[n, heads, to, ho, wo]` f32. Zeros if absent.
    pub log_sum_exp_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out, optional: `[n, heads*d, t, h, w]`, zeros where the stride leaves out a query.
    pub q_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out, optional: `[n, heads*d, t, h, w]`.
    pub k_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out, optional: `[n, heads*dv, t, h, w]`.
    pub v_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out, optional: the gradients of the tables in f32. [`PositionTables::None`] if none is wanted.
    pub tables_gradient: PositionTables<wgpu::BufferSlice<'a>>,
}

/// Slices of three tables by name, in the order of the axes.
pub(crate) type Tables<'a> = [(&'static str, Option<wgpu::BufferSlice<'a>>); 3];

/// Tables and their gradients by name.
pub(super) const TABLES: [(&str, &str); 4] = [
    ("tables.bias", "tables.bias_gradient"),
    ("tables.frames", "tables.frames_gradient"),
    ("tables.rows", "tables.rows_gradient"),
    ("tables.columns", "tables.columns_gradient"),
];
