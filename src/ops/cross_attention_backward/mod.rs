//! The gradients of cross-attention with respect to queries, keys and values.
//!
//! For each head, with `L` the log-sum-exp of the query's logits:
//!
//! ```text
//! P(i, j)  = exp(scale * q(i) . k(j) - L(i))
//! dP(i, j) = g(i) . v(j)                                    g = y_gradient
//! D(i)     = sum over j of P(i, j) * dP(i, j) - gL(i)       gL = log_sum_exp_gradient, or 0 without it
//! dS(i, j) = P(i, j) * (dP(i, j) - D(i))
//! dq(i)    = scale * sum over j of dS(i, j) * k(j)
//! dk(j)    = scale * sum over i of dS(i, j) * q(i)
//! dv(j)    = sum over i of P(i, j) * g(i)
//! ```
//!
//! Source: the chain rule of Eq. 1 of Vaswani et al. 2017, arXiv:1706.03762. `D` is summed from the weights, and not from the output: an
//! output of 16-bit floats would be too coarse.
//!
//! # Example
//!
//! ```no_run
//! use visual_attention::host::Gpu;
//! use visual_attention::{
//!     CrossAttentionBackward, CrossAttentionBackwardBuffers, CrossAttentionOptions, CrossAttentionShape, Element, Ncthw,
//! };
//!
//! let gpu = Gpu::open()?;
//! let attention = CrossAttentionBackward::new(&gpu.device, CrossAttentionOptions::new(4, 16), Element::F32)?;
//!
//! // An image of 28 x 28 pixels, and 77 tokens. The log-sum-exps are those that the forward operator wrote.
//! let shape = CrossAttentionShape { queries: Ncthw::new(1, 64, 1, 28, 28), keys: 77 };
//! let [q, y_gradient] = [gpu.upload("q", &vec![0.5f32; 64 * 784])?, gpu.upload("gradient", &vec![1f32; 64 * 784])?];
//! let [k, v] = [gpu.upload("k", &vec![0.5f32; 64 * 77])?, gpu.upload("v", &vec![0.5f32; 64 * 77])?];
//! let log_sum_exp = gpu.upload("log-sum-exp", &vec![5f32; 4 * 784])?;
//! let [k_gradient, v_gradient] = [gpu.buffer("k", 64 * 77 * 4)?, gpu.buffer("v", 64 * 77 * 4)?];
//! let buffers = CrossAttentionBackwardBuffers {
//!     q: q.slice(..),
//!     k: k.slice(..),
//!     v: v.slice(..),
//!     log_sum_exp: log_sum_exp.slice(..),
//!     y_gradient: y_gradient.slice(..),
//!     log_sum_exp_gradient: None,
//!     q_gradient: None,
//!     k_gradient: Some(k_gradient.slice(..)),
//!     v_gradient: Some(v_gradient.slice(..)),
//! };
//! let recording = attention.bind(&gpu.device, shape, buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok::<(), visual_attention::Error>(())
//! ```
//!
//! # Options and tensors
//!
//! `q [n, heads*d, t, h, w], k [n, heads*d, m], v [n, heads*dv, m], y_gradient [n, heads*dv, t, h, w]`, and in f32 `log_sum_exp` and the
//! optional `log_sum_exp_gradient`, `[n, heads, t, h, w]`. Each gradient has the shape and the type of its input.
//! [`CrossAttentionBackward::tensors`] lists the tensors. A query whose log-sum-exp is -infinity takes no part: its gradient is 0.
//!
//! Scratch is 4 bytes for each query of each head, and for keys and values `4*(d+dv)*m` bytes for each head and each tile of 256 queries.
//! A tile has fewer queries if heads are deeper than 250 channels.
//!
//! # Errors and cost
//!
//! Nothing is added atomically. A query sums over its keys. A key sums over the queries of a tile, and then over the tiles in order. Tiles
//! depend on the depth of heads alone, so the bits do not depend on how work is divided.
//!
//! Work is divided over the heads of all images, so one head of one image must fit a binding of the device, and so must its scratch. Every
//! chunk of channels computes the logits anew, as in the forward operator. On a software adapter `bind` refuses keys that take more loop
//! iterations than one invocation may run there: 950 keys at head dimension 64 fit. [`CrossAttentionBackward::cost`] counts the seven
//! products of the two walks.
//!
//! Kernels [`CROSS_ATTENTION_BACKWARD_MEANS`](crate::shaders::CROSS_ATTENTION_BACKWARD_MEANS) for `D`,
//! [`CROSS_ATTENTION_BACKWARD`](crate::shaders::CROSS_ATTENTION_BACKWARD) for the queries,
//! [`CROSS_ATTENTION_BACKWARD_KEYS`](crate::shaders::CROSS_ATTENTION_BACKWARD_KEYS) and
//! [`CROSS_ATTENTION_BACKWARD_SUM`](crate::shaders::CROSS_ATTENTION_BACKWARD_SUM) for keys and values; reference
//! [`reference::cross_attention_backward`](crate::reference::cross_attention_backward).

mod kernels;

use bytemuck::Zeroable;

pub(crate) use self::kernels::{
    CROSS_ATTENTION_BACKWARD, CROSS_ATTENTION_BACKWARD_KEYS, CROSS_ATTENTION_BACKWARD_MEANS,
    CROSS_ATTENTION_BACKWARD_SUM,
};
use self::kernels::{KeysParams, MeansParams, Params, SumParams};

use crate::cost::count;
use crate::kernel::rounds::{self, MAX_ROUNDS};
use crate::kernel::shader::Variant;
use crate::kernel::{Build, Compiler, Dispatch, Kernel, Tensor, check, tensor};
use crate::ops::cross_attention::{CrossAttentionOptions, CrossAttentionShape, FEWEST, InChunks};
use crate::{Cost, Element, Error, Ncthw, Recording, TensorSpec};

const OP: &str = "cross_attention_backward";
/// Positions or keys of a workgroup.
const GROUP: u32 = 64;
/// Most queries of a tile.
const TILE: u32 = 256;

/// The gradients of [`CrossAttention`](crate::CrossAttention); the [page](self) has formulas and example.
#[derive(Clone, Debug)]
pub struct CrossAttentionBackward {
    options: CrossAttentionOptions,
    element: Element,
    most_rounds: u64,
    means: Kernel,
    queries: InChunks,
    keys: InChunks,
    sum: Kernel,
}

/// Tensors of a [`CrossAttentionBackward`]; each needs `BufferUsages::STORAGE`. All but the log-sum-exps and their gradients have the
/// operator's element type.
#[derive(Clone, Copy, Debug)]
pub struct CrossAttentionBackwardBuffers<'a> {
    /// In: queries `[n, heads*d, t, h, w]`.
    pub q: wgpu::BufferSlice<'a>,
    /// In: keys `[n, heads*d, m]`.
    pub k: wgpu::BufferSlice<'a>,
    /// In: values `[n, heads*dv, m]`.
    pub v: wgpu::BufferSlice<'a>,
    /// In: `[n, heads, t, h, w]` f32, as the forward operator wrote it.
    pub log_sum_exp: wgpu::BufferSlice<'a>,
    /// In: the gradient of the output, `[n, heads*dv, t, h, w]`.
    pub y_gradient: wgpu::BufferSlice<'a>,
    /// In, optional: the gradient of the log-sum-exps, `[n, heads, t, h, w]` f32; 0 without it.
    pub log_sum_exp_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, heads*d, t, h, w]`.
    pub q_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, heads*d, m]`.
    pub k_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, heads*dv, m]`.
    pub v_gradient: Option<wgpu::BufferSlice<'a>>,
}

/// What the kernels need to know of a shape.
#[derive(Clone, Copy)]
struct Work<'a> {
    positions: u32,
    keys: u32,
    units: u32,
    tile: u32,
    tiles: u32,
    means: Option<wgpu::BufferSlice<'a>>,
}

/// Loop rounds of the walk over the queries of a tile, in chunks of `length` channels.
fn keys_rounds(options: &CrossAttentionOptions, tile: u32, length: u64) -> u64 {
    u64::from(tile / 4) * (u64::from(options.head_dim + options.value_dim) + length + 1) + length
}

/// Queries of a tile: a power of two for which the loops over keys' and values' channels keep the bound on rounds.
fn tile(options: &CrossAttentionOptions) -> u32 {
    let fits = |tile: &u32| keys_rounds(options, *tile, FEWEST.into()) <= MAX_ROUNDS;
    // Heads have at most 1024 channels, of which tiles of 32 keep the bound.
    [TILE, TILE / 2, TILE / 4].into_iter().find(fits).unwrap_or(TILE / 8)
}

impl CrossAttentionBackward {
    /// Compiles for tensors of type `element`. The options are those of the forward operator.
    ///
    /// # Errors
    ///
    /// As [`CrossAttention::new`](crate::CrossAttention::new).
    pub fn new<'a>(
        compiler: impl Into<Compiler<'a>>,
        options: CrossAttentionOptions,
        element: Element,
    ) -> Result<Self, Error> {
        options.check(OP)?;
        let compiler = compiler.into();
        let build = |shader| {
            let (variant, workgroup) = (Variant::new(element, 1), [GROUP, 1, 1]);
            Build { op: OP, shader, variant, constants: &[], workgroup, workgroup_bytes: 0 }
        };
        let deepest = options.head_dim.max(options.value_dim);
        Ok(Self {
            options,
            element,
            most_rounds: compiler.most_rounds(),
            means: Kernel::new(compiler, &build(&CROSS_ATTENTION_BACKWARD_MEANS))?,
            queries: InChunks::new(compiler, &build(&CROSS_ATTENTION_BACKWARD), options.head_dim)?,
            keys: InChunks::new(compiler, &build(&CROSS_ATTENTION_BACKWARD_KEYS), deepest)?,
            sum: Kernel::new(compiler, &build(&CROSS_ATTENTION_BACKWARD_SUM))?,
        })
    }

    /// The options it was compiled with.
    #[must_use]
    pub fn options(&self) -> &CrossAttentionOptions {
        &self.options
    }

    /// The tensors of one [`Self::bind`], in the order in which they are checked.
    ///
    /// # Errors
    ///
    /// Whatever [`Self::bind`] refuses about a shape.
    pub fn tensors(&self, shape: CrossAttentionShape) -> Result<Vec<TensorSpec>, Error> {
        let (CrossAttentionShape { queries, keys }, options) = (shape, &self.options);
        let y = options.check_shape(OP, shape)?;
        let sums = Ncthw { channels: options.heads, ..y };
        let (element, real) = (self.element, Element::F32);
        let [k, v] = [queries.channels, y.channels].map(|channels| [queries.batch, channels, keys]);
        Ok(vec![
            TensorSpec::input("q", queries, element),
            TensorSpec::input("k", k, element),
            TensorSpec::input("v", v, element),
            TensorSpec::input("log_sum_exp", sums, real),
            TensorSpec::input("y_gradient", y, element),
            TensorSpec::input("log_sum_exp_gradient", sums, real).optional(),
            TensorSpec::output("q_gradient", queries, element).optional(),
            TensorSpec::output("k_gradient", k, element).optional(),
            TensorSpec::output("v_gradient", v, element).optional(),
        ])
    }

    /// Checks the buffers against the shape and binds them. Gradients that are not given are not computed. Without queries, the gradients
    /// of keys and values are 0.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidShape`]: channels that are not `heads * d`; no keys.
    /// - [`Error::TooManyRounds`]: too many keys for a software adapter.
    /// - [`Error::LimitExceeded`]: one head of one image, or its scratch, exceeds a binding of the device; more than 31,774 tiles of
    ///   queries.
    /// - What [every operator refuses](crate#what-is-refused) about its buffers.
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: CrossAttentionShape,
        buffers: CrossAttentionBackwardBuffers<'_>,
    ) -> Result<Recording, Error> {
        let specs = self.tensors(shape)?;
        let (CrossAttentionShape { queries, keys }, options) = (shape, &self.options);
        let given = [
            ("q", Some(buffers.q)),
            ("k", Some(buffers.k)),
            ("v", Some(buffers.v)),
            ("log_sum_exp", Some(buffers.log_sum_exp)),
            ("y_gradient", Some(buffers.y_gradient)),
            ("log_sum_exp_gradient", buffers.log_sum_exp_gradient),
            ("q_gradient", buffers.q_gradient),
            ("k_gradient", buffers.k_gradient),
            ("v_gradient", buffers.v_gradient),
        ];
        check::slices(OP, device, &specs, &given)?;
        let with_keys = buffers.k_gradient.is_some() || buffers.v_gradient.is_some();
        let with_means = buffers.q_gradient.is_some() || buffers.k_gradient.is_some();
        if queries.batch == 0 || !(with_keys || with_means) {
            return Ok(Recording::default());
        }
        let needed = self.query_rounds(keys, FEWEST.into());
        if with_means && needed > self.most_rounds {
            let remedy = "divide the keys, join the results with MergeAttention, and take the gradients of each";
            return Err(Error::TooManyRounds { op: OP, needed, given: self.most_rounds, remedy });
        }
        let positions = check::to_u32(OP, "positions of a head", queries.positions())?;
        let units = check::to_u32(OP, "heads of all images", u64::from(queries.batch) * u64::from(options.heads))?;
        let deepest = u64::from(options.head_dim.max(options.value_dim));
        for (quantity, extent) in [("elements of a head", positions), ("elements of a head's keys", keys)] {
            check::to_u32(OP, quantity, deepest * u64::from(extent))?;
        }
        let tile = tile(options);
        let tiles = positions.div_ceil(tile);
        if with_keys {
            rounds::check(OP, rounds::summed(tiles.into()))?;
        }
        let bytes = 4 * u64::from(units) * u64::from(positions);
        let with_means = with_means && positions > 0;
        let means = with_means.then(|| tensor::scratch(OP, device, "means", bytes)).transpose()?;
        let means = means.as_ref().map(|buffer| buffer.slice(..));
        let work = Work { positions, keys, units, tile, tiles, means };
        let mut dispatches = Vec::new();
        if with_means {
            dispatches.extend(self.bind_means(device, work, &buffers)?);
        }
        if buffers.q_gradient.is_some() && positions > 0 {
            dispatches.extend(self.bind_queries(device, work, &buffers)?);
        }
        if with_keys {
            dispatches.extend(self.bind_keys(device, work, &buffers)?);
        }
        Ok(Recording::new(dispatches))
    }

    /// Queries, keys, values, log-sum-exps and the gradient of the output, as three of the kernels read them.
    fn inputs<'a>(&self, work: Work<'_>, buffers: &CrossAttentionBackwardBuffers<'a>) -> [Tensor<'a>; 5] {
        let dims = [self.options.head_dim, self.options.value_dim];
        let head = |slice, dim: u32, extent: u32| {
            Tensor::divided(slice, u64::from(dim) * u64::from(extent), self.element.bytes())
        };
        [
            head(buffers.q, dims[0], work.positions),
            head(buffers.k, dims[0], work.keys),
            head(buffers.v, dims[1], work.keys),
            Tensor::divided(buffers.log_sum_exp, work.positions.into(), 4),
            head(buffers.y_gradient, dims[1], work.positions),
        ]
    }

    /// Loop rounds of the walk over the keys of a query, in chunks of `length` channels.
    fn query_rounds(&self, keys: u32, length: u64) -> u64 {
        let both = u64::from(self.options.head_dim + self.options.value_dim);
        u64::from(keys.div_ceil(4)) * (both + length + 1) + length
    }

    /// Operations of one head that takes `products` multiplications and additions for each query and key.
    fn flops(work: Work<'_>, products: u64) -> crate::cost::Count {
        count(2) * count(u64::from(work.positions)) * count(u64::from(work.keys)) * count(products)
    }

    fn bind_means(
        &self,
        device: &wgpu::Device,
        work: Work<'_>,
        buffers: &CrossAttentionBackwardBuffers<'_>,
    ) -> Result<Vec<Dispatch>, Error> {
        let (Work { positions, keys, units, .. }, options) = (work, &self.options);
        let [q, k, v, log_sum_exp, upstream] = self.inputs(work, buffers);
        let sums = |slice: Option<_>| Tensor::divided(slice, positions.into(), 4);
        let tensors = [q, k, v, log_sum_exp, upstream, sums(buffers.log_sum_exp_gradient), sums(work.means)];
        let flops = Self::flops(work, u64::from(options.head_dim + options.value_dim + 1));
        let groups = [positions.div_ceil(GROUP), 1];
        self.means.bind_costly(device, units, groups, flops, &tensors, None, |_| MeansParams {
            with_log_sum_exp_gradient: buffers.log_sum_exp_gradient.is_some().into(),
            head_dim: options.head_dim,
            value_dim: options.value_dim,
            keys,
            positions,
            scale: options.scale,
            ..Zeroable::zeroed()
        })
    }

    fn bind_queries(
        &self,
        device: &wgpu::Device,
        work: Work<'_>,
        buffers: &CrossAttentionBackwardBuffers<'_>,
    ) -> Result<Vec<Dispatch>, Error> {
        let (Work { positions, keys, units, .. }, options) = (work, &self.options);
        let [q, k, v, log_sum_exp, upstream] = self.inputs(work, buffers);
        let means = Tensor::divided(work.means, positions.into(), 4);
        let gradient = Tensor { slice: buffers.q_gradient, ..q };
        let tensors = [q, k, v, log_sum_exp, upstream, means, gradient];
        let (kernel, length) = self.queries.choose(self.most_rounds, |length| self.query_rounds(keys, length));
        let chunks = options.head_dim.div_ceil(length);
        let both = u64::from(options.head_dim + options.value_dim);
        let flops = Self::flops(work, u64::from(chunks) * both + u64::from(options.head_dim));
        let groups = [positions.div_ceil(GROUP), chunks];
        kernel.bind_costly(device, units, groups, flops, &tensors, None, |_| Params {
            head_dim: options.head_dim,
            value_dim: options.value_dim,
            keys,
            positions,
            scale: options.scale,
            ..Zeroable::zeroed()
        })
    }

    fn bind_keys(
        &self,
        device: &wgpu::Device,
        work: Work<'_>,
        buffers: &CrossAttentionBackwardBuffers<'_>,
    ) -> Result<Vec<Dispatch>, Error> {
        let (Work { positions, keys, units, tile, tiles, .. }, options) = (work, &self.options);
        let CrossAttentionBackwardBuffers { k_gradient, v_gradient, .. } = *buffers;
        let key_rows = if k_gradient.is_some() { options.head_dim } else { 0 };
        let value_rows = if v_gradient.is_some() { options.value_dim } else { 0 };
        let rows = key_rows + value_rows;
        // Channels of a head are at most 1024.
        let part = check::to_u32(OP, "sums of a tile", u64::from(rows) * u64::from(keys))?;
        let unit = u64::from(part) * u64::from(tiles);
        check::to_u32(OP, "sums of a head's tiles", unit)?;
        let parts = match tiles {
            0 => None,
            _ => Some(tensor::scratch(OP, device, "sums of tiles", (4 * u64::from(units)).saturating_mul(unit))?),
        };
        let parts = Tensor::divided(parts.as_ref().map(|buffer| buffer.slice(..)), unit, 4);
        let mut dispatches = Vec::new();
        if tiles > 0 {
            let [q, k, v, log_sum_exp, upstream] = self.inputs(work, buffers);
            let means = Tensor::divided(work.means, positions.into(), 4);
            let tensors = [q, k, v, log_sum_exp, upstream, means, parts];
            let (kernel, length) = self.keys.choose(MAX_ROUNDS, |length| keys_rounds(options, tile, length));
            let (key_chunks, value_chunks) = (key_rows.div_ceil(length), value_rows.div_ceil(length));
            let chunks = key_chunks + value_chunks;
            let of_keys = u64::from(key_chunks) * u64::from(options.head_dim + options.value_dim);
            let of_values = u64::from(value_chunks) * u64::from(options.head_dim);
            let flops = Self::flops(work, of_keys + of_values + u64::from(rows));
            let columns = check::to_u32(OP, "tiles and chunks", u64::from(tiles) * u64::from(chunks))?;
            let groups = [keys.div_ceil(GROUP), columns];
            let params = KeysParams {
                head_dim: options.head_dim,
                value_dim: options.value_dim,
                keys,
                positions,
                tile,
                key_chunks,
                chunks,
                key_rows,
                rows,
                tiles,
                scale: options.scale,
                ..Zeroable::zeroed()
            };
            dispatches.extend(kernel.bind_costly(device, units, groups, flops, &tensors, None, |_| params)?);
        }
        for (total, first_row, dim) in [(k_gradient, 0, options.head_dim), (v_gradient, key_rows, options.value_dim)] {
            let Some(total) = total else { continue };
            let elements = dim * keys;
            let tensors = [parts, Tensor::divided(total, elements.into(), self.element.bytes())];
            let groups = [elements.div_ceil(GROUP), 1];
            let first = first_row * keys;
            let params = SumParams { tiles, part, first, elements, ..Zeroable::zeroed() };
            dispatches.extend(self.sum.bind(device, units, groups, &tensors, None, |_| params)?);
        }
        Ok(dispatches)
    }

    /// What one run moves and computes, with all gradients: three products of queries and keys or gradients and values for each walk,
    /// and one more for the values.
    #[must_use]
    pub fn cost(&self, shape: CrossAttentionShape) -> Cost {
        let (CrossAttentionShape { queries, keys }, options) = (shape, &self.options);
        let heads = count(u64::from(queries.batch)) * count(u64::from(options.heads));
        let [head_dim, value_dim] = [options.head_dim, options.value_dim].map(|dim| count(u64::from(dim)));
        let (positions, keys) = (count(queries.positions()), count(u64::from(keys)));
        // Queries and their gradient, keys, values and their gradients, the gradient of the output, for each walk.
        let elements = heads * (positions * (count(3) * head_dim + count(2) * value_dim))
            + heads * (keys * (count(3) * head_dim + count(3) * value_dim));
        let products = count(2) * (count(4) * head_dim + count(3) * value_dim);
        Cost::new(elements * count(self.element.bytes()), heads * positions * keys * products, count(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_keep_the_bound_on_rounds() {
        for dim in 1..=1024 {
            let options = CrossAttentionOptions::new(1, dim);
            let tile = tile(&options);
            assert!(u64::from(tile / 4) * u64::from(2 * dim + 9) + 8 <= MAX_ROUNDS, "{dim}: {tile}");
            assert!(tile == TILE || dim > 250, "{dim}: {tile}");
        }
    }
}
