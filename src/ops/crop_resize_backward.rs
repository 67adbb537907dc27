//! The gradient of cropping and resampling with respect to the images.
//!
//! ```text
//! dx(i) = sum over the outputs o that read i of w(o, i) * dy(o)      along each axis of the box; 0 outside the box
//! ```
//!
//! Source: the transpose of [`CropResize`](crate::CropResize), which is linear in the images. The boxes are integers and have no gradient,
//! as in AG-CNN (Guan et al. 2018, arXiv:1801.09927), whose training takes the box as a constant.
//!
//! # Example
//!
//! ```no_run
//! use visual_attention::host::Gpu;
//! use visual_attention::{
//!     CropEnd, CropResizeBackward, CropResizeBackwardBuffers, CropResizeShape, Element, Nchw, Sampling, Size,
//! };
//!
//! let gpu = Gpu::open()?;
//! let shape = CropResizeShape { images: Nchw::new(1, 3, 256, 256), crop: Size::new(224, 224) };
//! let boxes = gpu.upload("boxes", &[[20i32, 30, 120, 180]])?;
//! let crops_gradient = gpu.upload("gradient of the crops", &vec![1.0f32; 3 * 224 * 224])?;
//! let images_gradient = gpu.buffer("gradient of the images", 3 * 256 * 256 * 4)?;
//!
//! let operator = CropResizeBackward::new(&gpu.device, CropEnd::Inclusive, Sampling::HalfPixel, Element::F32)?;
//! let buffers = CropResizeBackwardBuffers {
//!     boxes: boxes.slice(..),
//!     crops_gradient: crops_gradient.slice(..),
//!     images_gradient: Some(images_gradient.slice(..)),
//! };
//! let recording = operator.bind(&gpu.device, shape, buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok::<(), visual_attention::Error>(())
//! ```
//!
//! The two dispatches are those of [`ResizeBackward`](crate::ResizeBackward), which read the box of each image on the GPU. Scratch holds
//! `[n, c, h, ow]` f32 between them. [`CropResizeBackward::bind`] lists the errors, [`CropResizeBackward::cost`] counts bytes and
//! operations.
//!
//! Kernels: [`resize_backward_rows`](crate::shaders::RESIZE_BACKWARD_ROWS),
//! [`resize_backward_columns`](crate::shaders::RESIZE_BACKWARD_COLUMNS). Reference:
//! [`reference::crop_resize_backward`](crate::reference::crop_resize_backward).

use crate::kernel::resample::Sampling;
use crate::kernel::rounds::{self, summed};
use crate::kernel::{Compiler, check};
use crate::ops::crop_resize::{CropEnd, CropResizeShape, check_axes};
use crate::ops::resize_backward::{self, Passes, Source};
use crate::{Cost, DType, Element, Error, Nchw, Recording, Size, TensorSpec};

const OP: &str = "crop_resize_backward";

/// The gradient of a [`CropResize`](crate::CropResize), `crops_gradient [n, c, oh, ow] -> images_gradient [n, c, h, w]`. The
/// [page of the module](self) has the formula and an example.
#[derive(Clone, Debug)]
pub struct CropResizeBackward {
    element: Element,
    passes: Passes,
}

/// Tensors of a [`CropResizeBackward`]; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct CropResizeBackwardBuffers<'a> {
    /// In: `[n, 4]` i32, `(xmin, ymin, xmax, ymax)`, as the forward operator read them.
    pub boxes: wgpu::BufferSlice<'a>,
    /// In: `[n, c, oh, ow]`, the operator's element type.
    pub crops_gradient: wgpu::BufferSlice<'a>,
    /// Out: `[n, c, h, w]`, the operator's element type, every element written.
    pub images_gradient: Option<wgpu::BufferSlice<'a>>,
}

impl CropResizeBackward {
    /// Compiles the kernels for images of type `element`.
    ///
    /// # Errors
    ///
    /// [`Error::MissingFeature`] for f16 on a device without it.
    pub fn new<'a>(
        compiler: impl Into<Compiler<'a>>,
        end: CropEnd,
        sampling: Sampling,
        element: Element,
    ) -> Result<Self, Error> {
        Ok(Self { element, passes: Passes::new(OP, compiler.into(), Some(end), sampling, element)? })
    }

    /// The tensors for this shape, in the order in which `bind` checks them.
    ///
    /// # Errors
    ///
    /// What [`Self::bind`] refuses about the shape.
    pub fn tensors(&self, shape: CropResizeShape) -> Result<Vec<TensorSpec>, Error> {
        let CropResizeShape { images, crop: Size { height, width } } = shape;
        let crops = Nchw { height, width, ..images };
        check::elements(OP, "images", images)?;
        check::elements(OP, "crops", crops)?;
        Ok(vec![
            TensorSpec::input("boxes", [images.batch, 4], DType::I32),
            TensorSpec::input("crops_gradient", crops, self.element),
            TensorSpec::output("images_gradient", images, self.element).optional(),
        ])
    }

    /// Checks the buffers against the shapes and binds them. Without `images_gradient` there is nothing to compute.
    ///
    /// # Errors
    ///
    /// - [`Error::LimitExceeded`] if one plane exceeds a binding of the device, if `2 * input * output` or `8 * output` of an axis
    ///   exceeds 32 bits, or if a crop has more than 31,774 rows or columns.
    /// - [What every operator refuses](crate#what-is-refused).
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: CropResizeShape,
        buffers: CropResizeBackwardBuffers<'_>,
    ) -> Result<Recording, Error> {
        let specs = self.tensors(shape)?;
        let CropResizeBackwardBuffers { boxes, crops_gradient, images_gradient } = buffers;
        let given =
            [("boxes", Some(boxes)), ("crops_gradient", Some(crops_gradient)), ("images_gradient", images_gradient)];
        check::slices(OP, device, &specs, &given)?;
        let CropResizeShape { images, crop } = shape;
        let Some(images_gradient) = images_gradient.filter(|_| !images.is_empty()) else {
            return Ok(Recording::default());
        };
        check::source(OP, "images", images.size())?;
        check_axes(OP, images.size(), crop)?;
        // A box may have a single pixel, which every output reads.
        rounds::check(OP, summed(crop.height.max(crop.width).into()))?;
        let source = Source::Boxes(boxes);
        let dispatches = self.passes.dispatches(device, images, crop, source, crops_gradient, images_gradient)?;
        Ok(Recording::new(dispatches))
    }

    /// What one run moves and computes if every box is the whole image: as [`ResizeBackward::cost`](crate::ResizeBackward::cost).
    #[must_use]
    pub fn cost(&self, shape: CropResizeShape) -> Cost {
        resize_backward::cost(shape.images, shape.crop, self.element)
    }
}
