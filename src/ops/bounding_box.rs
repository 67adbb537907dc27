//! Bounding boxes of the set pixels of masks.
//!
//! ```text
//! box = (min x, min y, max x, max y) over the pixels with mask[n, y, x] != 0
//! box = (0, 0, w - 1, h - 1)         for a mask without a set pixel
//! ```
//!
//! `x` are columns and `y` rows; all four are inclusive.
//!
//! Source: AG-CNN (Guan et al. 2018, arXiv:1801.09927), Sec. III-B.
//!
//! # Example
//!
//! ```no_run
//! use visual_attention::host::Gpu;
//! use visual_attention::{BoundingBox, BoundingBoxBuffers, Nhw};
//!
//! let gpu = Gpu::open()?;
//! let mask = gpu.upload("mask", &vec![1u32; 224 * 224])?;
//! let boxes = gpu.buffer("boxes", 4 * 4)?;
//!
//! let operator = BoundingBox::new(&gpu.device)?;
//! let buffers = BoundingBoxBuffers { mask: mask.slice(..), boxes: boxes.slice(..) };
//! let recording = operator.bind(&gpu.device, Nhw::new(1, 224, 224), buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! let boxes: Vec<i32> = gpu.read(boxes.slice(..))?; // xmin, ymin, xmax, ymax
//! # Ok::<(), visual_attention::Error>(())
//! ```
//!
//! There are no options. Scratch takes at most 1 KiB for each image. [`BoundingBox::bind`] lists the errors,
//! [`BoundingBox::cost`] counts bytes.
//!
//! Kernels: [`bounding_box_share`](crate::shaders::BOUNDING_BOX_SHARE), then [`bounding_box`](crate::shaders::BOUNDING_BOX).
//! Reference: [`reference::bounding_box`](crate::reference::bounding_box).

use bytemuck::Zeroable;

use crate::cost::count;
use crate::kernel::shader::{PLAIN, Shader, Variant, group, params, shader};
use crate::kernel::{Build, Compiler, Kernel, Tensor, check, rounds, tensor};
use crate::{Cost, DType, Error, Nhw, Recording, TensorSpec};

const OP: &str = "bounding_box";
const GROUP: u32 = 64;
/// Rows of an image for each workgroup of the first pass, and the most workgroups.
const SHARE_ROWS: u32 = 16;
const MAX_SHARES: u32 = 64;

params!(ShareParams { origin: u32, mask_base: u32, shares_base: u32, height: u32, width: u32, count: u32 });
params!(Params { shares_base: u32, boxes_base: u32, height: u32, width: u32, count: u32 });

pub(crate) const BOUNDING_BOX: Shader = shader!(
    "bounding_box",
    Params,
    PLAIN,
    &[],
    [shares: Read, boxes: Write],
    [],
);

pub(crate) const BOUNDING_BOX_SHARE: Shader = shader!(
    "bounding_box_share",
    ShareParams,
    PLAIN,
    &[group(&["WORKGROUP_SIZE"], &[&[64.0]])],
    [mask: Read, shares: Write],
    [],
);

/// Bounding boxes of masks, `mask [n, h, w] -> boxes [n, 4]`. The [page of the module](self) has the formula and an example.
#[doc(alias = "AABB")]
#[derive(Clone, Debug)]
pub struct BoundingBox {
    share: Kernel,
    join: Kernel,
}

/// Tensors of a [`BoundingBox`]; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct BoundingBoxBuffers<'a> {
    /// In: `[n, h, w]` u32, set where not 0.
    pub mask: wgpu::BufferSlice<'a>,
    /// Out: `[n, 4]` i32, `(xmin, ymin, xmax, ymax)`.
    pub boxes: wgpu::BufferSlice<'a>,
}

impl BoundingBox {
    /// Compiles the kernels.
    ///
    /// # Errors
    ///
    /// [`Error::LimitExceeded`] if the device's workgroups hold fewer than 64 invocations.
    pub fn new<'a>(compiler: impl Into<Compiler<'a>>) -> Result<Self, Error> {
        let compiler = compiler.into();
        let kernel = |shader, constants, group, workgroup_bytes| {
            Kernel::new(
                compiler,
                &Build { op: OP, shader, variant: Variant::F32, constants, workgroup: [group, 1, 1], workgroup_bytes },
            )
        };
        Ok(Self {
            share: kernel(&BOUNDING_BOX_SHARE, &[("WORKGROUP_SIZE", f64::from(GROUP))], GROUP, GROUP * 16)?,
            join: kernel(&BOUNDING_BOX, &[], 1, 0)?,
        })
    }

    /// The tensors for this shape, in the order in which `bind` checks them.
    ///
    /// # Errors
    ///
    /// What [`Self::bind`] refuses about the shape.
    pub fn tensors(&self, shape: Nhw) -> Result<Vec<TensorSpec>, Error> {
        check::plane(OP, "mask", shape)?;
        let boxes = [shape.batch, 4];
        Ok(vec![TensorSpec::input("mask", shape, DType::U32), TensorSpec::output("boxes", boxes, DType::I32)])
    }

    /// Checks the buffers against the shape and binds them.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidShape`] for images without pixels, or with more than 2^31 - 1 rows or columns.
    /// - [`Error::LimitExceeded`] if one image exceeds a binding of the device, or the loops of one invocation.
    /// - [What every operator refuses](crate#what-is-refused).
    pub fn bind(&self, device: &wgpu::Device, shape: Nhw, buffers: BoundingBoxBuffers<'_>) -> Result<Recording, Error> {
        let specs = self.tensors(shape)?;
        let tensors = [Tensor::divided(buffers.mask, shape.size().pixels(), 4), Tensor::divided(buffers.boxes, 4, 4)];
        check::slices(OP, device, &specs, &[("mask", Some(buffers.mask)), ("boxes", Some(buffers.boxes))])?;
        if shape.batch == 0 {
            return Ok(Recording::default());
        }
        check::source(OP, "mask", shape.size())?;
        let [mask, boxes] = tensors;
        let Nhw { height, width, .. } = shape;
        let count = height.div_ceil(SHARE_ROWS).clamp(1, MAX_SHARES);
        rounds::check(OP, rounds::nested(height.div_ceil(count), width.div_ceil(GROUP)))?;
        let unit = u64::from(count) * 4;
        let scratch = tensor::scratch(OP, device, "shares", u64::from(shape.batch) * unit * 4)?;
        let shares = Tensor::divided(scratch.slice(..), unit, 4);
        let mut dispatches = self.share.bind(device, shape.batch, [count, 1], &[mask, shares], None, |_| {
            ShareParams { height, width, count, ..Zeroable::zeroed() }
        })?;
        let shares = Tensor::divided(scratch.slice(..), unit, 4);
        dispatches.extend(self.join.bind(device, shape.batch, [1, 1], &[shares, boxes], None, |_| Params {
            height,
            width,
            count,
            ..Zeroable::zeroed()
        })?);
        Ok(Recording::new(dispatches))
    }

    /// What one run moves. The mask is read once.
    #[must_use]
    pub fn cost(&self, shape: Nhw) -> Cost {
        Cost::new(count(shape.elements()) * count(4), count(0), count(0))
    }
}
