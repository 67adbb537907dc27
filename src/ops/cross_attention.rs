//! Cross-attention: every position attends to a few keys that all positions see, such as the tokens of a text or registers.
//!
//! ```text
//! y = sum over j of softmax(scale * q . k(j)) * v(j)      for each head, j = 1 .. m
//! ```
//!
//! Source: Vaswani et al. 2017, arXiv:1706.03762, Eq. 1; queries of one tensor and keys of another are those of Sec. 3.2.3. With
//! [`MergeAttention`](crate::MergeAttention) the keys join those of a [`WindowAttention`](crate::WindowAttention): the result is
//! attention over both at once. NATTEN calls such keys `additional_keys`.
//!
//! ```no_run
//! use visual_attention::{
//!     CrossAttention, CrossAttentionBuffers, CrossAttentionOptions, CrossAttentionShape, Element, Ncthw,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let gpu = visual_attention::host::Gpu::open()?;
//! let attention = CrossAttention::new(&gpu.device, CrossAttentionOptions::new(4, 16), Element::F32)?;
//!
//! // An image of 28 x 28 pixels, and 77 tokens.
//! let shape = CrossAttentionShape { queries: Ncthw::new(1, 64, 1, 28, 28), keys: 77 };
//! let q = gpu.upload("q", &vec![0.5f32; 64 * 28 * 28])?;
//! let [k, v] = [gpu.upload("k", &vec![0.5f32; 64 * 77])?, gpu.upload("v", &vec![0.5f32; 64 * 77])?];
//! let y = gpu.buffer("y", 64 * 28 * 28 * 4)?;
//! let buffers =
//!     CrossAttentionBuffers { q: q.slice(..), k: k.slice(..), v: v.slice(..), y: y.slice(..), log_sum_exp: None };
//! let recording = attention.bind(&gpu.device, shape, buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok(())
//! # }
//! ```
//!
//! # Options and tensors
//!
//! `q [n, heads*d, t, h, w], k [n, heads*d, m], v [n, heads*dv, m] -> y [n, heads*dv, t, h, w]`, and the optional
//! `log_sum_exp [n, heads, t, h, w]` in f32. An image has one frame. [`CrossAttention::tensors`] lists the tensors.
//!
//! The softmax runs in f32. A NaN or +infinite logit gives NaN. A query whose logits are all -infinity gives zeros.
//!
//! # Errors and cost
//!
//! Work is divided over the heads of all images, so one head of one image must fit a binding of the device. Every chunk of the values'
//! channels computes the logits anew, 16 channels on a GPU, so the operator is for few keys or shallow heads. On a software adapter `bind` refuses keys that take
//! more loop iterations than one invocation may run there: 1,700 keys at head dimension 64 fit. [`CrossAttention::cost`] counts the
//! products of queries and keys, and of weights and values.
//!
//! Kernel [`CROSS_ATTENTION`](crate::shaders::CROSS_ATTENTION); reference
//! [`reference::cross_attention`](crate::reference::cross_attention).

use bytemuck::Zeroable;

use super::window_attention::shrink;
use crate::cost::count;
use crate::kernel::shader::{Shader, Variant, params, shader};
use crate::kernel::{Build, Compiler, Kernel, Tensor, check, tuning};
use crate::{Cost, Element, Error, Ncthw, Recording, TensorSpec};

const OP: &str = "cross_attention";
/// Positions of a workgroup.
const GROUP: u32 = 64;
/// Fewest channels that an invocation sums up.
pub(crate) const FEWEST: u32 = tuning::WINDOW_LENGTHS[0];
/// Both element types, for every number of channels that an invocation sums up.
pub(crate) const LENGTHS: &[Variant] = &{
    let mut variants = [Variant::F32; 8];
    let mut index = 0;
    while index < variants.len() {
        let element = if index % 2 == 0 { Variant::F32 } else { Variant::F16 };
        variants[index] = Variant { length: tuning::WINDOW_LENGTHS[index / 2], ..element };
        index += 1;
    }
    variants
};

params!(Params {
    origin_x: u32,
    origin_y: u32,
    q_base: u32,
    k_base: u32,
    v_base: u32,
    y_base: u32,
    log_sum_exp_base: u32,
    with_log_sum_exp: u32,
    head_dim: u32,
    value_dim: u32,
    keys: u32,
    positions: u32,
    scale: f32,
    shrink: f32,
});

pub(crate) const CROSS_ATTENTION: Shader = shader!(
    "cross_attention",
    Params,
    LENGTHS,
    &[],
    [q: Read, k: Read, v: Read, y: Write, log_sum_exp: Write],
    [],
);

/// Options of a [`CrossAttention`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct CrossAttentionOptions {
    /// Heads; channels `g*d .. (g+1)*d` of queries and keys belong to head `g`.
    pub heads: u32,
    /// Channels of a head of queries and keys, `d`: 1 to 1024.
    pub head_dim: u32,
    /// Channels of a head of values and output, `dv`: 1 to 1024.
    pub value_dim: u32,
    /// Factor of the product of query and key.
    pub scale: f32,
}

/// Extents of a [`CrossAttention`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CrossAttentionShape {
    /// `[n, heads*d, t, h, w]`.
    pub queries: Ncthw,
    /// Keys of each image, `m`: at least one.
    pub keys: u32,
}

impl CrossAttentionOptions {
    /// Values as deep as keys, scale `1/sqrt(d)`.
    #[must_use]
    pub fn new(heads: u32, head_dim: u32) -> Self {
        let scale = 1.0 / f64::from(head_dim.max(1)).sqrt();
        Self { heads, head_dim, value_dim: head_dim, scale: scale as f32 }
    }

    /// With `value_dim` channels to a head of the values.
    #[must_use]
    pub const fn with_value_dim(self, value_dim: u32) -> Self {
        Self { value_dim, ..self }
    }

    /// With this factor of the product of query and key.
    #[must_use]
    pub const fn with_scale(self, scale: f32) -> Self {
        Self { scale, ..self }
    }

    /// Channels of queries and keys: `heads * d`.
    #[must_use]
    pub const fn channels(&self) -> u32 {
        self.heads.saturating_mul(self.head_dim)
    }

    /// Channels of values and output: `heads * dv`.
    #[must_use]
    pub const fn value_channels(&self) -> u32 {
        self.heads.saturating_mul(self.value_dim)
    }

    pub(crate) fn check(&self, op: &'static str) -> Result<(), Error> {
        check::heads(op, self.heads, self.head_dim, self.value_dim)?;
        check::finite(op, "scale", self.scale).map(|_| ())
    }

    /// Checks the extents: the shape of the output.
    pub(crate) fn check_shape(&self, op: &'static str, shape: CrossAttentionShape) -> Result<Ncthw, Error> {
        let CrossAttentionShape { queries, keys } = shape;
        let y = Ncthw { channels: self.value_channels(), ..queries };
        for (name, shape) in [("q", queries), ("y", y)] {
            check::elements(op, name, shape)?;
        }
        if queries.channels != self.channels() {
            let (channels, heads, head_dim) = (self.channels(), self.heads, self.head_dim);
            return Err(Error::InvalidShape {
                op,
                binding: "q",
                given: queries.to_string(),
                needed: format!("{channels} channels: {heads} heads of head_dim {head_dim}"),
            });
        }
        if keys == 0 {
            let given = format!("[{}, {}, 0]", queries.batch, queries.channels);
            return Err(Error::InvalidShape { op, binding: "k", given, needed: "at least one key".into() });
        }
        Ok(y)
    }
}

/// Attention of every position to the same keys; the [page](self) has formula and example.
#[doc(alias = "registers")]
#[doc(alias = "additional_keys")]
#[derive(Clone, Debug)]
pub struct CrossAttention {
    options: CrossAttentionOptions,
    element: Element,
    most_rounds: u64,
    kernel: InChunks,
}

/// A kernel that computes the logits anew for every chunk of channels. Long chunks compute them less often, the shortest take more keys within
/// the bound on the loops of an invocation.
#[derive(Clone, Debug)]
pub(crate) struct InChunks {
    lengths: [u32; 2],
    kernels: [Kernel; 2],
}

impl InChunks {
    /// Compiles `build`, whose variant has no length, for heads of `channels`.
    pub(crate) fn new(compiler: Compiler<'_>, build: &Build<'_>, channels: u32) -> Result<Self, Error> {
        let lengths = [tuning::sum_length(compiler.software, channels), FEWEST];
        let of =
            |compiler, length| Kernel::new(compiler, &Build { variant: Variant { length, ..build.variant }, ..*build });
        Ok(Self { lengths, kernels: [of(compiler, lengths[0])?, of(compiler.at_first_use(), lengths[1])?] })
    }

    /// The kernel and the length of its chunks. `rounds` are the loop rounds of an invocation with such chunks.
    pub(crate) fn choose(&self, most_rounds: u64, rounds: impl Fn(u64) -> u64) -> (&Kernel, u32) {
        let index = usize::from(rounds(self.lengths[0].into()) > most_rounds);
        (&self.kernels[index], self.lengths[index])
    }
}

/// Tensors of a [`CrossAttention`]; each needs `BufferUsages::STORAGE`. All but the log-sum-exps have the operator's element type.
#[derive(Clone, Copy, Debug)]
pub struct CrossAttentionBuffers<'a> {
    /// In: queries `[n, heads*d, t, h, w]`.
    pub q: wgpu::BufferSlice<'a>,
    /// In: keys `[n, heads*d, m]`.
    pub k: wgpu::BufferSlice<'a>,
    /// In: values `[n, heads*dv, m]`.
    pub v: wgpu::BufferSlice<'a>,
    /// Out: `[n, heads*dv, t, h, w]`.
    pub y: wgpu::BufferSlice<'a>,
    /// Out, optional: `[n, heads, t, h, w]` f32, the logarithm of the sum of the exponentials of a query's logits.
    pub log_sum_exp: Option<wgpu::BufferSlice<'a>>,
}

impl CrossAttention {
    /// Compiles for tensors of type `element`.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidParameter`]: no heads, a `head_dim` or `value_dim` of 0 or above 1024, a scale that is not finite.
    /// - [`Error::MissingFeature`]: f16 on a device without it.
    pub fn new<'a>(
        compiler: impl Into<Compiler<'a>>,
        options: CrossAttentionOptions,
        element: Element,
    ) -> Result<Self, Error> {
        options.check(OP)?;
        let compiler = compiler.into();
        let build = Build {
            op: OP,
            shader: &CROSS_ATTENTION,
            variant: Variant::new(element, 1),
            constants: &[],
            workgroup: [GROUP, 1, 1],
            workgroup_bytes: 0,
        };
        let kernel = InChunks::new(compiler, &build, options.value_dim)?;
        Ok(Self { options, element, most_rounds: compiler.most_rounds(), kernel })
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
        let log_sum_exp = Ncthw { channels: options.heads, ..y };
        Ok(vec![
            TensorSpec::input("q", queries, self.element),
            TensorSpec::input("k", [queries.batch, queries.channels, keys], self.element),
            TensorSpec::input("v", [queries.batch, y.channels, keys], self.element),
            TensorSpec::output("y", y, self.element),
            TensorSpec::output("log_sum_exp", log_sum_exp, Element::F32).optional(),
        ])
    }

    /// Checks the buffers against the shape and binds them.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidShape`]: channels that are not `heads * d`; no keys.
    /// - [`Error::TooManyRounds`]: too many keys for a software adapter.
    /// - [`Error::LimitExceeded`]: one head of one image exceeds a binding of the device.
    /// - What [every operator refuses](crate#what-is-refused) about its buffers.
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: CrossAttentionShape,
        buffers: CrossAttentionBuffers<'_>,
    ) -> Result<Recording, Error> {
        let specs = self.tensors(shape)?;
        let (CrossAttentionShape { queries, keys }, options) = (shape, &self.options);
        if queries.is_empty() {
            return Ok(Recording::default());
        }
        let CrossAttentionBuffers { q, k, v, y, log_sum_exp } = buffers;
        let given = [("q", Some(q)), ("k", Some(k)), ("v", Some(v)), ("y", Some(y)), ("log_sum_exp", log_sum_exp)];
        check::slices(OP, device, &specs, &given)?;
        let blocks = u64::from(keys.div_ceil(4));
        let rounds = |length: u64| blocks * (u64::from(options.head_dim) + length + 1) + length;
        let needed = rounds(FEWEST.into());
        if needed > self.most_rounds {
            let remedy = "divide the keys, and join the results with MergeAttention";
            return Err(Error::TooManyRounds { op: OP, needed, given: self.most_rounds, remedy });
        }
        let positions = check::to_u32(OP, "positions of a head", queries.positions())?;
        let units = check::to_u32(OP, "heads of all images", u64::from(queries.batch) * u64::from(options.heads))?;
        let head = |dim: u32, extent: u32| u64::from(dim) * u64::from(extent);
        let dims = [options.head_dim, options.value_dim];
        for (quantity, extent) in [("elements of a head", positions), ("elements of a head's keys", keys)] {
            check::to_u32(OP, quantity, head(dims[0].max(dims[1]), extent))?;
        }
        let bytes = self.element.bytes();
        let tensors = [
            Tensor::divided(q, head(dims[0], positions), bytes),
            Tensor::divided(k, head(dims[0], keys), bytes),
            Tensor::divided(v, head(dims[1], keys), bytes),
            Tensor::divided(y, head(dims[1], positions), bytes),
            Tensor::divided(log_sum_exp, positions.into(), Element::F32.bytes()),
        ];
        let (kernel, length) = self.kernel.choose(self.most_rounds, rounds);
        let chunks = options.value_dim.div_ceil(length);
        let groups = [positions.div_ceil(GROUP), chunks];
        let products = head(dims[0], chunks) + u64::from(dims[1]);
        let flops = count(2 * head(positions, keys)) * count(products);
        let dispatches = kernel.bind_costly(device, units, groups, flops, &tensors, None, |_| Params {
            with_log_sum_exp: log_sum_exp.is_some().into(),
            head_dim: dims[0],
            value_dim: dims[1],
            keys,
            positions,
            scale: options.scale,
            shrink: shrink(keys.into()),
            ..Zeroable::zeroed()
        })?;
        Ok(Recording::new(dispatches))
    }

    /// What one run moves and computes.
    #[must_use]
    pub fn cost(&self, shape: CrossAttentionShape) -> Cost {
        let (CrossAttentionShape { queries, keys }, options) = (shape, &self.options);
        let heads = count(u64::from(queries.batch)) * count(u64::from(options.heads));
        let both = count(u64::from(options.head_dim) + u64::from(options.value_dim));
        let (positions, keys) = (count(queries.positions()), count(u64::from(keys)));
        let elements = heads * both * (positions + keys);
        Cost::new(elements * count(self.element.bytes()), heads * positions * keys * count(2) * both, count(0))
    }
}
