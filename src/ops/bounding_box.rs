//! Bounding boxes of masks.

use bytemuck::Zeroable;

use crate::kernel::shader::{PLAIN, Shader, Variant, group, params, shader};
use crate::kernel::{Build, Compiler, Kernel, Tensor, check, rounds, tensor};
use crate::{Cost, DType, Error, Nhw, Recording, TensorSpec};

const OP: &str = "bounding_box";
const GROUP: u32 = 64;
/// Rows for each share of the first pass, and the most shares.
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

/// Bounding box of the set pixels of `mask [n, h, w] -> boxes [n, 4]`: `(xmin, ymin, xmax, ymax)`, columns and rows, all
/// inclusive (AG-CNN, Guan et al. 2018, arXiv:1801.09927, Sec. III-B). A mask without a set pixel gives the whole image.
///
/// Kernels `shaders/bounding_box_share.wgsl`, `shaders/bounding_box.wgsl`; reference
/// [`reference::bounding_box`](crate::reference::bounding_box). Scratch: at most 1 KiB for each image.
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
    /// Out: `[n, 4]` i32.
    pub boxes: wgpu::BufferSlice<'a>,
}

impl BoundingBox {
    /// Compiles the kernels.
    ///
    /// # Errors
    ///
    /// [`Error::LimitExceeded`] on a device whose workgroups hold fewer than 64 invocations.
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

    /// The tensors of one `bind`, in the order in which they are checked.
    ///
    /// # Errors
    ///
    /// What [`Self::bind`] refuses of a shape, before any buffer.
    pub fn tensors(&self, shape: Nhw) -> Result<Vec<TensorSpec>, Error> {
        check::plane(OP, "mask", shape)?;
        let boxes = [shape.batch, 4];
        Ok(vec![TensorSpec::input("mask", shape, DType::U32), TensorSpec::output("boxes", boxes, DType::I32)])
    }

    /// Checks the buffers against the shape and binds them.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidShape`] for images without pixels, or with an axis beyond `i32`; [`Error::LimitExceeded`] where one
    /// image exceeds a binding of the device; and what every operator refuses of its buffers: too small, wrong usage,
    /// misaligned, output overlapping input.
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

    /// What one run moves: the mask, once.
    #[must_use]
    pub fn cost(&self, shape: Nhw) -> Cost {
        Cost { bytes: shape.elements().unwrap_or(u64::MAX).saturating_mul(4), ..Cost::default() }
    }
}
