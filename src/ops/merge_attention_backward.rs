//! The gradients of two merged results of attention.
//!
//! ```text
//! w1, w2 = exp(l1 - L), exp(l2 - L)          L = log(exp(l1) + exp(l2))
//! dy1    = w1 * g                            dl1 = w1 * (gL + w2 * S)
//! dy2    = w2 * g                            dl2 = w2 * (gL - w1 * S)          S = sum of g * (y1 - y2) over the channels of a head
//!
//! g = y_gradient, gL = log_sum_exp_gradient, or 0 without it
//! ```
//!
//! Source: the chain rule of Sec. 3.1 of Milakov and Gimelshein 2018, arXiv:1805.02867. As `y1 - y = w2 * (y1 - y2)`, the merged result is
//! not needed.
//!
//! # Example
//!
//! ```no_run
//! use visual_attention::host::Gpu;
//! use visual_attention::{Element, MergeAttentionBackward, MergeAttentionBackwardBuffers, Nchw};
//!
//! let gpu = Gpu::open()?;
//! let (near, far) = (gpu.upload("near", &vec![0.5f32; 64 * 28 * 28])?, gpu.upload("far", &vec![0.25f32; 64 * 28 * 28])?);
//! let log_sum_exp = gpu.upload("log-sum-exp", &vec![1f32; 4 * 28 * 28])?;
//! let y_gradient = gpu.upload("gradient of y", &vec![1f32; 64 * 28 * 28])?;
//! let near_gradient = gpu.buffer("gradient of near", 64 * 28 * 28 * 4)?;
//!
//! let operator = MergeAttentionBackward::new(&gpu.device, 4, Element::F32)?;
//! let buffers = MergeAttentionBackwardBuffers {
//!     y1: near.slice(..),
//!     log_sum_exp1: log_sum_exp.slice(..),
//!     y2: far.slice(..),
//!     log_sum_exp2: log_sum_exp.slice(..),
//!     y_gradient: y_gradient.slice(..),
//!     log_sum_exp_gradient: None,
//!     y1_gradient: Some(near_gradient.slice(..)),
//!     log_sum_exp1_gradient: None,
//!     y2_gradient: None,
//!     log_sum_exp2_gradient: None,
//! };
//! let recording = operator.bind(&gpu.device, Nchw::new(1, 64, 28, 28), buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok::<(), visual_attention::Error>(())
//! ```
//!
//! # Options and tensors
//!
//! [`MergeAttentionBackward::new`] takes the number of heads, `g`. `y1, y2, y_gradient` and the gradients of `y1` and `y2` are
//! `[n, g*d, t, h, w]`. All log-sum-exps and their gradients are `[n, g, t, h, w]` in f32. [`MergeAttentionBackward::tensors`] lists the
//! tensors. There is no scratch, and nothing but the inputs of the forward operator is saved.
//!
//! A log-sum-exp of minus infinity belongs to a query without keys: that result has the gradient 0, and the other one has the whole upstream
//! gradient. With NaN or +infinity the gradients are NaN.
//!
//! # Errors and cost
//!
//! Each query is computed by itself, so the bits depend on nothing else. Work is divided over the heads of all images, so one head of one
//! image must fit a binding of the device. [`MergeAttentionBackward::bind`] lists the errors. [`MergeAttentionBackward::cost`] counts five
//! operations for each element of `y1`.
//!
//! Kernels [`MERGE_ATTENTION_BACKWARD`](crate::shaders::MERGE_ATTENTION_BACKWARD) for the results and
//! [`MERGE_ATTENTION_BACKWARD_SHARES`](crate::shaders::MERGE_ATTENTION_BACKWARD_SHARES) for their log-sum-exps; reference
//! [`reference::merge_attention_backward`](crate::reference::merge_attention_backward).

use bytemuck::Zeroable;

use crate::cost::count;
use crate::kernel::shader::{ELEMENTS, Shader, Variant, params, shader};
use crate::kernel::{Build, Compiler, Kernel, Tensor, check, rounds};
use crate::{Cost, Element, Error, Ncthw, Recording, TensorSpec};

const OP: &str = "merge_attention_backward";
/// Pixels of a workgroup.
const GROUP: u32 = 64;
/// Channels of an invocation of the first kernel.
const CHANNELS: u32 = 8;

params!(Params {
    origin_x: u32,
    origin_y: u32,
    log_sum_exp1_base: u32,
    log_sum_exp2_base: u32,
    y_gradient_base: u32,
    y1_gradient_base: u32,
    y2_gradient_base: u32,
    with_y1_gradient: u32,
    with_y2_gradient: u32,
    head_dim: u32,
    pixels: u32,
});

params!(SharesParams {
    origin: u32,
    y1_base: u32,
    log_sum_exp1_base: u32,
    y2_base: u32,
    log_sum_exp2_base: u32,
    y_gradient_base: u32,
    log_sum_exp_gradient_base: u32,
    log_sum_exp1_gradient_base: u32,
    log_sum_exp2_gradient_base: u32,
    with_log_sum_exp_gradient: u32,
    with_log_sum_exp1_gradient: u32,
    with_log_sum_exp2_gradient: u32,
    head_dim: u32,
    pixels: u32,
});

pub(crate) const MERGE_ATTENTION_BACKWARD: Shader = shader!(
    "merge_attention_backward",
    Params,
    ELEMENTS,
    &[],
    [log_sum_exp1: Read, log_sum_exp2: Read, y_gradient: Read, y1_gradient: Write, y2_gradient: Write],
    ["merge_shares"],
);

pub(crate) const MERGE_ATTENTION_BACKWARD_SHARES: Shader = shader!(
    "merge_attention_backward_shares",
    SharesParams,
    ELEMENTS,
    &[],
    [
        y1: Read,
        log_sum_exp1: Read,
        y2: Read,
        log_sum_exp2: Read,
        y_gradient: Read,
        log_sum_exp_gradient: Read,
        log_sum_exp1_gradient: Write,
        log_sum_exp2_gradient: Write,
    ],
    ["merge_shares", "blocked_sum"],
);

/// The gradients of [`MergeAttention`](crate::MergeAttention); the [page](self) has formulas and example.
#[derive(Clone, Debug)]
pub struct MergeAttentionBackward {
    heads: u32,
    element: Element,
    results: Kernel,
    shares: Kernel,
}

/// Tensors of a [`MergeAttentionBackward`]; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct MergeAttentionBackwardBuffers<'a> {
    /// In: the first result, `[n, heads*d, t, h, w]`.
    pub y1: wgpu::BufferSlice<'a>,
    /// In: its log-sum-exps, `[n, heads, t, h, w]` in f32.
    pub log_sum_exp1: wgpu::BufferSlice<'a>,
    /// In: the second result, `[n, heads*d, t, h, w]`.
    pub y2: wgpu::BufferSlice<'a>,
    /// In: its log-sum-exps, `[n, heads, t, h, w]` in f32.
    pub log_sum_exp2: wgpu::BufferSlice<'a>,
    /// In: the gradient of the merged result, `[n, heads*d, t, h, w]`.
    pub y_gradient: wgpu::BufferSlice<'a>,
    /// In, optional: the gradient of the merged log-sum-exps, `[n, heads, t, h, w]` in f32; 0 without it.
    pub log_sum_exp_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, heads*d, t, h, w]`.
    pub y1_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, heads, t, h, w]` in f32.
    pub log_sum_exp1_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, heads*d, t, h, w]`.
    pub y2_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, heads, t, h, w]` in f32.
    pub log_sum_exp2_gradient: Option<wgpu::BufferSlice<'a>>,
}

impl MergeAttentionBackward {
    /// Compiles for results of `heads` heads and of type `element`.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidParameter`]: no heads.
    /// - [`Error::MissingFeature`]: f16 on a device without it.
    pub fn new<'a>(compiler: impl Into<Compiler<'a>>, heads: u32, element: Element) -> Result<Self, Error> {
        if heads == 0 {
            let needed = "at least 1".into();
            return Err(Error::InvalidParameter { op: OP, parameter: "heads", given: "0".into(), needed });
        }
        let compiler = compiler.into();
        let kernel = |shader| {
            let variant = Variant::new(element, 1);
            let workgroup = [GROUP, 1, 1];
            Kernel::new(compiler, &Build { op: OP, shader, variant, constants: &[], workgroup, workgroup_bytes: 0 })
        };
        let (results, shares) = (kernel(&MERGE_ATTENTION_BACKWARD)?, kernel(&MERGE_ATTENTION_BACKWARD_SHARES)?);
        Ok(Self { heads, element, results, shares })
    }

    /// The tensors of one [`Self::bind`], in the order in which they are checked. `shape` is that of `y1`.
    ///
    /// # Errors
    ///
    /// Whatever [`Self::bind`] refuses about a shape.
    pub fn tensors(&self, shape: impl Into<Ncthw>) -> Result<Vec<TensorSpec>, Error> {
        let shape = shape.into();
        if !shape.channels.is_multiple_of(self.heads) {
            return Err(Error::InvalidShape {
                op: OP,
                binding: "y1",
                given: shape.to_string(),
                needed: format!("a multiple of {} channels, one share for each head", self.heads),
            });
        }
        check::elements(OP, "y1", shape)?;
        let sums = Ncthw { channels: self.heads, ..shape };
        check::elements(OP, "log_sum_exp1", sums)?;
        let (element, real) = (self.element, Element::F32);
        Ok(vec![
            TensorSpec::input("y1", shape, element),
            TensorSpec::input("log_sum_exp1", sums, real),
            TensorSpec::input("y2", shape, element),
            TensorSpec::input("log_sum_exp2", sums, real),
            TensorSpec::input("y_gradient", shape, element),
            TensorSpec::input("log_sum_exp_gradient", sums, real).optional(),
            TensorSpec::output("y1_gradient", shape, element).optional(),
            TensorSpec::output("log_sum_exp1_gradient", sums, real).optional(),
            TensorSpec::output("y2_gradient", shape, element).optional(),
            TensorSpec::output("log_sum_exp2_gradient", sums, real).optional(),
        ])
    }

    /// Checks the buffers against the shape of `y1` and binds them. Gradients that are not given are not computed.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidShape`]: channels that the heads do not divide.
    /// - [`Error::LimitExceeded`]: one head of one image exceeds a binding of the device; the gradients of log-sum-exps of a head of more
    ///   than 31,774 channels.
    /// - What [every operator refuses](crate#what-is-refused) about its buffers.
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: impl Into<Ncthw>,
        buffers: MergeAttentionBackwardBuffers<'_>,
    ) -> Result<Recording, Error> {
        let shape = shape.into();
        let specs = self.tensors(shape)?;
        if shape.is_empty() {
            return Ok(Recording::default());
        }
        let given = [
            ("y1", Some(buffers.y1)),
            ("log_sum_exp1", Some(buffers.log_sum_exp1)),
            ("y2", Some(buffers.y2)),
            ("log_sum_exp2", Some(buffers.log_sum_exp2)),
            ("y_gradient", Some(buffers.y_gradient)),
            ("log_sum_exp_gradient", buffers.log_sum_exp_gradient),
            ("y1_gradient", buffers.y1_gradient),
            ("log_sum_exp1_gradient", buffers.log_sum_exp1_gradient),
            ("y2_gradient", buffers.y2_gradient),
            ("log_sum_exp2_gradient", buffers.log_sum_exp2_gradient),
        ];
        check::slices(OP, device, &specs, &given)?;
        let head_dim = shape.channels / self.heads;
        let with_sums = buffers.log_sum_exp1_gradient.is_some() || buffers.log_sum_exp2_gradient.is_some();
        if with_sums {
            rounds::check(OP, rounds::summed(head_dim.into()))?;
        }
        let pixels = check::to_u32(OP, "positions of a head", shape.positions())?;
        let units = check::to_u32(OP, "heads of all images", u64::from(shape.batch) * u64::from(self.heads))?;
        let head = shape.positions().saturating_mul(head_dim.into());
        let result = |slice: Option<_>| Tensor::divided(slice, head, self.element.bytes());
        let sums = |slice: Option<_>| Tensor::divided(slice, pixels.into(), Element::F32.bytes());
        let [first, second] = [buffers.log_sum_exp1, buffers.log_sum_exp2].map(|slice| sums(Some(slice)));
        let upstream = result(Some(buffers.y_gradient));

        let mut recording = Recording::default();
        if buffers.y1_gradient.is_some() || buffers.y2_gradient.is_some() {
            let tensors = [first, second, upstream, result(buffers.y1_gradient), result(buffers.y2_gradient)];
            let groups = [pixels.div_ceil(GROUP), head_dim.div_ceil(CHANNELS)];
            let dispatches = self.results.bind(device, units, groups, &tensors, None, |_| Params {
                with_y1_gradient: buffers.y1_gradient.is_some().into(),
                with_y2_gradient: buffers.y2_gradient.is_some().into(),
                head_dim,
                pixels,
                ..Zeroable::zeroed()
            })?;
            recording.extend(Recording::new(dispatches));
        }
        if with_sums {
            let (y1, y2) = (result(Some(buffers.y1)), result(Some(buffers.y2)));
            let sums_upstream = sums(buffers.log_sum_exp_gradient);
            let [out1, out2] = [buffers.log_sum_exp1_gradient, buffers.log_sum_exp2_gradient].map(sums);
            let tensors = [y1, first, y2, second, upstream, sums_upstream, out1, out2];
            let groups = [pixels.div_ceil(GROUP), 1];
            let dispatches = self.shares.bind(device, units, groups, &tensors, None, |_| SharesParams {
                with_log_sum_exp_gradient: buffers.log_sum_exp_gradient.is_some().into(),
                with_log_sum_exp1_gradient: buffers.log_sum_exp1_gradient.is_some().into(),
                with_log_sum_exp2_gradient: buffers.log_sum_exp2_gradient.is_some().into(),
                head_dim,
                pixels,
                ..Zeroable::zeroed()
            })?;
            recording.extend(Recording::new(dispatches));
        }
        Ok(recording)
    }

    /// What one run moves and computes, with all gradients.
    #[must_use]
    pub fn cost(&self, shape: impl Into<Ncthw>) -> Cost {
        let shape = shape.into();
        let queries = count(u64::from(shape.batch)) * count(u64::from(self.heads)) * count(shape.positions());
        let elements = queries * count(u64::from(shape.channels / self.heads));
        let bytes = count(5) * (elements * count(self.element.bytes()) + queries * count(4));
        Cost::new(bytes, count(5) * elements, count(0))
    }
}
