//! Two results of attention over different keys, merged into the result over all of these keys.
//!
//! ```text
//! L = log(exp(l1) + exp(l2))
//! y = exp(l1 - L) * y1 + exp(l2 - L) * y2
//! ```
//!
//! `l1` and `l2` are the log-sum-exps that [`WindowAttention`](crate::WindowAttention) writes beside `y1` and `y2`. The rule is that of
//! the online softmax (Milakov and Gimelshein 2018, arXiv:1805.02867, Sec. 3.1). It joins a window with keys that every query sees, or
//! the parts of a long sequence. A key that takes part in both results counts twice.
//!
//! ```no_run
//! use visual_attention::{Element, MergeAttention, MergeAttentionBuffers, Nchw};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let gpu = visual_attention::host::Gpu::open()?;
//! let merge = MergeAttention::new(&gpu.device, 4, Element::F32)?;
//!
//! let (near, far) = (gpu.upload("near", &vec![0.5f32; 64 * 28 * 28])?, gpu.upload("far", &vec![0.25f32; 64 * 28 * 28])?);
//! let log_sum_exp = gpu.upload("log-sum-exp", &vec![1f32; 4 * 28 * 28])?;
//! let y = gpu.buffer("y", 64 * 28 * 28 * 4)?;
//! let buffers = MergeAttentionBuffers {
//!     y1: near.slice(..),
//!     log_sum_exp1: log_sum_exp.slice(..),
//!     y2: far.slice(..),
//!     log_sum_exp2: log_sum_exp.slice(..),
//!     y: y.slice(..),
//!     log_sum_exp: None,
//! };
//! let recording = merge.bind(&gpu.device, Nchw::new(1, 64, 28, 28), buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok(())
//! # }
//! ```
//!
//! # Options and tensors
//!
//! [`MergeAttention::new`] takes the number of heads, `g`. `y1, y2 [n, g*d, t, h, w]`; `log_sum_exp1, log_sum_exp2 [n, g, t, h, w]` in f32.
//! [`MergeAttention::tensors`] lists the tensors. An image has one frame.
//!
//! A log-sum-exp of minus infinity belongs to a query without keys: that result is left out, and two of them give zeros. NaN or
//! +infinity gives NaN.
//!
//! # Errors and cost
//!
//! Work is divided over the heads of all images, so one head of one image must fit a binding of the device.
//! [`MergeAttention::cost`] counts three operations for each element of `y`.
//!
//! Kernel [`MERGE_ATTENTION`](crate::shaders::MERGE_ATTENTION); reference
//! [`reference::merge_attention`](crate::reference::merge_attention).

use bytemuck::Zeroable;

use crate::cost::count;
use crate::kernel::shader::{ELEMENTS, Shader, Variant, params, shader};
use crate::kernel::{Build, Compiler, Kernel, Tensor, check};
use crate::{Cost, Element, Error, Ncthw, Recording, TensorSpec};

const OP: &str = "merge_attention";
/// Pixels of a workgroup.
const GROUP: u32 = 64;
/// Channels of an invocation. Each of them computes the weights anew.
const CHANNELS: u32 = 8;

params!(Params {
    origin_x: u32,
    origin_y: u32,
    y1_base: u32,
    log_sum_exp1_base: u32,
    y2_base: u32,
    log_sum_exp2_base: u32,
    y_base: u32,
    log_sum_exp_base: u32,
    with_log_sum_exp: u32,
    head_dim: u32,
    pixels: u32,
});

pub(crate) const MERGE_ATTENTION: Shader = shader!(
    "merge_attention",
    Params,
    ELEMENTS,
    &[],
    [y1: Read, log_sum_exp1: Read, y2: Read, log_sum_exp2: Read, y: Write, log_sum_exp: Write],
    ["merge_shares"],
);

/// Two results of attention in one; the [page](self) has formula and example.
#[doc(alias = "online softmax")]
#[doc(alias = "logsumexp")]
#[derive(Clone, Debug)]
pub struct MergeAttention {
    heads: u32,
    element: Element,
    kernel: Kernel,
}

/// Tensors of a [`MergeAttention`]; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct MergeAttentionBuffers<'a> {
    /// In: the first result, `[n, heads*d, t, h, w]`.
    pub y1: wgpu::BufferSlice<'a>,
    /// In: its log-sum-exps, `[n, heads, t, h, w]` in f32.
    pub log_sum_exp1: wgpu::BufferSlice<'a>,
    /// In: the second result, `[n, heads*d, t, h, w]`.
    pub y2: wgpu::BufferSlice<'a>,
    /// In: its log-sum-exps, `[n, heads, t, h, w]` in f32.
    pub log_sum_exp2: wgpu::BufferSlice<'a>,
    /// Out: `[n, heads*d, t, h, w]`.
    pub y: wgpu::BufferSlice<'a>,
    /// Out: the log-sum-exps over all keys, `[n, heads, t, h, w]` in f32.
    pub log_sum_exp: Option<wgpu::BufferSlice<'a>>,
}

impl MergeAttention {
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
        let kernel = Kernel::new(
            compiler.into(),
            &Build {
                op: OP,
                shader: &MERGE_ATTENTION,
                variant: Variant::new(element, 1),
                constants: &[],
                workgroup: [GROUP, 1, 1],
                workgroup_bytes: 0,
            },
        )?;
        Ok(Self { heads, element, kernel })
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
        Ok(vec![
            TensorSpec::input("y1", shape, self.element),
            TensorSpec::input("log_sum_exp1", sums, Element::F32),
            TensorSpec::input("y2", shape, self.element),
            TensorSpec::input("log_sum_exp2", sums, Element::F32),
            TensorSpec::output("y", shape, self.element),
            TensorSpec::output("log_sum_exp", sums, Element::F32).optional(),
        ])
    }

    /// Checks the buffers against the shape of `y1` and binds them.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidShape`]: channels that the heads do not divide.
    /// - [`Error::LimitExceeded`]: one head of one image exceeds a binding of the device.
    /// - What [every operator refuses](crate#what-is-refused) about its buffers.
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: impl Into<Ncthw>,
        buffers: MergeAttentionBuffers<'_>,
    ) -> Result<Recording, Error> {
        let shape = shape.into();
        let specs = self.tensors(shape)?;
        if shape.is_empty() {
            return Ok(Recording::default());
        }
        let MergeAttentionBuffers { y1, log_sum_exp1, y2, log_sum_exp2, y, log_sum_exp } = buffers;
        check::slices(
            OP,
            device,
            &specs,
            &[
                ("y1", Some(y1)),
                ("log_sum_exp1", Some(log_sum_exp1)),
                ("y2", Some(y2)),
                ("log_sum_exp2", Some(log_sum_exp2)),
                ("y", Some(y)),
                ("log_sum_exp", log_sum_exp),
            ],
        )?;
        let head_dim = shape.channels / self.heads;
        let pixels = check::to_u32(OP, "positions of a head", shape.positions())?;
        let units = check::to_u32(OP, "heads of all images", u64::from(shape.batch) * u64::from(self.heads))?;
        let head = shape.positions().saturating_mul(head_dim.into());
        let result = |slice| Tensor::divided(slice, head, self.element.bytes());
        let sums = |slice: Option<_>| Tensor::divided(slice, pixels.into(), Element::F32.bytes());
        let tensors =
            [result(y1), sums(Some(log_sum_exp1)), result(y2), sums(Some(log_sum_exp2)), result(y), sums(log_sum_exp)];
        let groups = [pixels.div_ceil(GROUP), head_dim.div_ceil(CHANNELS)];
        let dispatches = self.kernel.bind(device, units, groups, &tensors, None, |_| Params {
            with_log_sum_exp: log_sum_exp.is_some().into(),
            head_dim,
            pixels,
            ..Zeroable::zeroed()
        })?;
        Ok(Recording::new(dispatches))
    }

    /// What one run moves and computes, with the log-sum-exps written.
    #[must_use]
    pub fn cost(&self, shape: impl Into<Ncthw>) -> Cost {
        let shape = shape.into();
        let queries = count(u64::from(shape.batch)) * count(u64::from(self.heads)) * count(shape.positions());
        let elements = queries * count(u64::from(shape.channels / self.heads));
        let bytes = count(3) * (elements * count(self.element.bytes()) + queries * count(4));
        Cost::new(bytes, count(3) * elements, count(0))
    }
}
