//! Bounding boxes of masks.

use crate::pipeline::{self, Access, Build, Compiler, Kernel, Tensor};
use crate::shaders::{self, Variant, params};
use crate::{Cost, Error, Nhw, Recording};

const OP: &str = "bounding_box";
const GROUP: u32 = 64;
/// Rows for each share of the first pass, and the most shares.
const SHARE_ROWS: u32 = 16;
const MAX_SHARES: u32 = 64;

params!(ShareParams { origin: u32, mask_base: u32, shares_base: u32, height: u32, width: u32, count: u32 });
params!(Params { shares_base: u32, boxes_base: u32, height: u32, width: u32, count: u32 });

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
                &Build {
                    op: OP,
                    shader,
                    variant: Variant::F32,
                    constants,
                    workgroup: [group, 1, 1],
                    workgroup_bytes,
                    storage: &[Access::Read, Access::Write],
                    texture: false,
                },
            )
        };
        Ok(Self {
            share: kernel(&shaders::BOUNDING_BOX_SHARE, &[("WORKGROUP_SIZE", f64::from(GROUP))], GROUP, GROUP * 16)?,
            join: kernel(&shaders::BOUNDING_BOX, &[], 1, 0)?,
        })
    }

    /// Checks the buffers against the shape and binds them.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidShape`] for images without pixels, or with an axis beyond `i32`; [`Error::LimitExceeded`] where one
    /// image exceeds a binding of the device; and what every operator refuses of its buffers: too small, wrong usage,
    /// misaligned, output overlapping input.
    pub fn bind(&self, device: &wgpu::Device, shape: Nhw, buffers: BoundingBoxBuffers<'_>) -> Result<Recording, Error> {
        pipeline::check_plane(OP, "mask", shape)?;
        let tensors =
            [Tensor::read("mask", buffers.mask, shape.size().pixels(), 4), Tensor::write("boxes", buffers.boxes, 4, 4)];
        pipeline::check(OP, device, shape.batch, &tensors)?;
        if shape.batch == 0 {
            return Ok(Recording::default());
        }
        pipeline::check_source(OP, "mask", shape.size())?;
        let [mask, boxes] = tensors;
        let Nhw { height, width, .. } = shape;
        let count = height.div_ceil(SHARE_ROWS).clamp(1, MAX_SHARES);
        pipeline::check_rounds(OP, pipeline::nested(height.div_ceil(count), width.div_ceil(GROUP)))?;
        let unit = u64::from(count) * 4;
        let scratch = pipeline::scratch(OP, device, "shares", u64::from(shape.batch) * unit * 4)?;
        let shares = Tensor::write("shares", scratch.slice(..), unit, 4);
        let mut dispatches =
            self.share.bind(device, shape.batch, [count, 1], &[mask, shares], None, |part, bases| ShareParams {
                origin: part.origin[0],
                mask_base: bases[0],
                shares_base: bases[1],
                height,
                width,
                count,
            })?;
        let shares = Tensor::read("shares", scratch.slice(..), unit, 4);
        dispatches.extend(self.join.bind(device, shape.batch, [1, 1], &[shares, boxes], None, |_, bases| Params {
            shares_base: bases[0],
            boxes_base: bases[1],
            height,
            width,
            count,
        })?);
        Ok(Recording::new(dispatches))
    }

    /// What one run moves: the mask, once.
    #[must_use]
    pub fn cost(&self, shape: Nhw) -> Cost {
        Cost { bytes: shape.elements().unwrap_or(u64::MAX).saturating_mul(4), ..Cost::default() }
    }
}
