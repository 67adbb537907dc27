//! Gradients of attention, operation by operation. What a window gathers is written out, as unfolded keys and values.

use visual_attention::wgpu;

use super::{Unfused, groups};

/// What the forward pass of attention to gathered keys keeps.
pub(crate) struct Attended {
    /// `[heads, depth, pixels]`, with the scale.
    pub(crate) q: wgpu::Buffer,
    /// `[heads, depth, entries, pixels]`.
    pub(crate) keys: wgpu::Buffer,
    pub(crate) values: wgpu::Buffer,
    /// The softmax, `[heads, entries, pixels]`.
    pub(crate) weights: wgpu::Buffer,
    pub(crate) heads: u32,
    pub(crate) depth: u32,
    pub(crate) entries: u32,
    pub(crate) pixels: u32,
}

/// Their gradients, and that of the scores, which is of the shape of the weights.
pub(crate) struct AttendedGradients {
    pub(crate) q: wgpu::Buffer,
    pub(crate) keys: wgpu::Buffer,
    pub(crate) values: wgpu::Buffer,
    pub(crate) scores: wgpu::Buffer,
}

/// A matrix `[batch, rows, columns]`, or with its axes exchanged.
#[derive(Clone, Copy)]
pub(crate) enum Matrix<'a> {
    Plain(&'a wgpu::Buffer),
    Transposed(&'a wgpu::Buffer),
}

impl Unfused {
    /// Products of matrices: `[batch, rows, inner]` times `[batch, inner, columns]`.
    pub(crate) fn product(
        &mut self,
        a: Matrix<'_>,
        b: Matrix<'_>,
        batch: u32,
        [rows, inner, columns]: [u32; 3],
    ) -> wgpu::Buffer {
        let strides = |matrix, rows, columns| match matrix {
            Matrix::Plain(tensor) => (tensor, [columns, 1]),
            Matrix::Transposed(tensor) => (tensor, [1, rows]),
        };
        let ((a, [a_row, a_inner]), (b, [b_inner, b_column])) = (strides(a, rows, inner), strides(b, inner, columns));
        let len = u64::from(batch * rows * columns);
        let y = self.tensor(len);
        let words = [rows, columns, inner, a_row, a_inner, b_inner, b_column];
        self.kernel(include_str!("../../baseline/product.wgsl"), &words, &[a, b, &y], groups(len));
        y
    }

    /// The products of queries with gathered keys: `[heads, entries, pixels]`.
    pub(crate) fn scores(
        &mut self,
        q: &wgpu::Buffer,
        keys: &wgpu::Buffer,
        heads: u32,
        [depth, entries, pixels]: [u32; 3],
    ) -> wgpu::Buffer {
        let scores = self.tensor(u64::from(heads * entries) * u64::from(pixels));
        let words = [depth, entries, pixels, 0];
        let groups = [pixels.div_ceil(64), entries, heads];
        self.kernel(include_str!("../../baseline/scores.wgsl"), &words, &[q, keys, &scores], groups);
        scores
    }

    /// The gradient of [`Self::softmax`].
    pub(crate) fn softmax_backward(
        &mut self,
        weights: &wgpu::Buffer,
        upstream: &wgpu::Buffer,
        entries: u32,
        pixels: u32,
    ) -> wgpu::Buffer {
        let images = (weights.size() / 4) as u32 / entries / pixels;
        let y = self.tensor(weights.size() / 4);
        let source = include_str!("../../baseline/softmax_backward.wgsl");
        self.kernel(source, &[entries, pixels], &[weights, upstream, &y], [pixels.div_ceil(64), 1, images]);
        y
    }

    /// The gradients of queries, gathered keys and gathered values.
    pub(crate) fn attend_backward(&mut self, kept: &Attended, upstream: &wgpu::Buffer) -> AttendedGradients {
        let Attended { heads, depth, entries, pixels, .. } = *kept;
        let of_weights = self.scores(upstream, &kept.values, heads, [depth, entries, pixels]);
        let scores = self.softmax_backward(&kept.weights, &of_weights, entries, pixels);
        let q = self.tensor(u64::from(heads * depth * pixels));
        let groups = [pixels.div_ceil(64), 1, heads * depth];
        let words = [depth, entries, pixels, 0];
        self.kernel(include_str!("../../baseline/mix.wgsl"), &words, &[&scores, &kept.keys, &q], groups);
        let keys = self.spread_product(&scores, &kept.q, kept);
        let values = self.spread_product(&kept.weights, upstream, kept);
        AttendedGradients { q, keys, values, scores }
    }

    /// Each of `a [heads, entries, pixels]` times each of `b [heads, depth, pixels]`: `[heads, depth, entries, pixels]`.
    fn spread_product(&mut self, a: &wgpu::Buffer, b: &wgpu::Buffer, kept: &Attended) -> wgpu::Buffer {
        let Attended { depth, entries, pixels, .. } = *kept;
        let window = entries * pixels;
        let product = format!(
            "a[i / #{} * #{window} + i % #{window}] * b[i / #{window} * #{pixels} + i % #{pixels}]",
            depth * window
        );
        self.each(&product, &[a, b], kept.keys.size() / 4)
    }
}
