//! The tensors of one `bind`.

/// Tensors of a [`ScSeBackward`](super::ScSeBackward); each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct ScSeBackwardBuffers<'a> {
    /// In: `[n, c, h, w]`, the operator's element type.
    pub features: wgpu::BufferSlice<'a>,
    /// In: `[r, c]`, the operator's element type.
    pub reduce_weight: wgpu::BufferSlice<'a>,
    /// In: `[r]`, the operator's element type.
    pub reduce_bias: Option<wgpu::BufferSlice<'a>>,
    /// In: `[c, r]`, the operator's element type.
    pub expand_weight: wgpu::BufferSlice<'a>,
    /// In: `[c]`, the operator's element type.
    pub expand_bias: Option<wgpu::BufferSlice<'a>>,
    /// In: `[c]`, the operator's element type.
    pub spatial_weight: wgpu::BufferSlice<'a>,
    /// In: `[1]`, the operator's element type.
    pub spatial_bias: Option<wgpu::BufferSlice<'a>>,
    /// In: `[n, c, h, w]`, the operator's element type, as the forward operator wrote it. Only [`Epilogue::Residual`](crate::Epilogue::Residual) reads it.
    pub output: Option<wgpu::BufferSlice<'a>>,
    /// In: `[n, c, h, w]`, the operator's element type, the gradient of the loss with respect to the output.
    pub output_gradient: wgpu::BufferSlice<'a>,
    /// Out: `[n, c, h, w]`, the operator's element type.
    pub features_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out, only for [`Epilogue::Residual`](crate::Epilogue::Residual): `[n, c, h, w]`, the operator's element type.
    pub identity_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[r, c]` f32.
    pub reduce_weight_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out, only with this bias: `[r]` f32.
    pub reduce_bias_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[c, r]` f32.
    pub expand_weight_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out, only with this bias: `[c]` f32.
    pub expand_bias_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[c]` f32.
    pub spatial_weight_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out, only with this bias: `[1]` f32.
    pub spatial_bias_gradient: Option<wgpu::BufferSlice<'a>>,
}
