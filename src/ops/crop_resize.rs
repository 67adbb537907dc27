//! Crops of images to boxes that are on the GPU, resized.
//!
//! ```text
//! crops[n] = resize of images[n][.., ymin ..= ymax, xmin ..= xmax] to [oh, ow]      CropEnd::Inclusive
//!            resize of images[n][.., ymin .. ymax, xmin .. xmax] to [oh, ow]        CropEnd::Exclusive
//! ```
//!
//! `(xmin, ymin, xmax, ymax)` is `boxes[n]`, clamped to the image. An exclusive crop of a box that is one pixel high or wide
//! keeps that pixel. The resampling is bilinear, at the positions of [`resize`](super::resize).
//!
//! Source: AG-CNN (Guan et al. 2018, arXiv:1801.09927), Sec. III-B.
//!
//! # Example
//!
//! ```no_run
//! use visual_attention::host::Gpu;
//! use visual_attention::{CropEnd, CropResize, CropResizeBuffers, CropResizeShape, Element, Nchw, Sampling, Size};
//!
//! let gpu = Gpu::open()?;
//! let shape = CropResizeShape { images: Nchw::new(1, 3, 480, 640), crop: Size::new(224, 224) };
//! let images = gpu.upload("images", &vec![0.5f32; 3 * 480 * 640])?;
//! let boxes = gpu.upload("boxes", &[100i32, 50, 299, 349])?;
//! let crops = gpu.buffer("crops", 3 * 224 * 224 * 4)?;
//!
//! let operator = CropResize::new(&gpu.device, CropEnd::Inclusive, Sampling::HalfPixel, Element::F32)?;
//! let buffers = CropResizeBuffers { images: images.slice(..), boxes: boxes.slice(..), crops: crops.slice(..) };
//! let recording = operator.bind(&gpu.device, shape, buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok::<(), visual_attention::Error>(())
//! ```
//!
//! Images and crops are both f32 or both f16. The boxes are read when the GPU runs, so another operator may write them in the
//! same pass. [`CropResize::bind`] lists the errors, [`CropResize::cost`] counts bytes and operations. There is no scratch.
//!
//! Kernel: [`crop_resize`](crate::shaders::CROP_RESIZE). Reference: [`reference::crop_resize`](crate::reference::crop_resize).

use bytemuck::Zeroable;

use crate::cost::count;
use crate::kernel::resample::Sampling;
use crate::kernel::shader::{ELEMENTS, NO_OR_YES, Shader, Variant, group, params, shader};
use crate::kernel::{Build, Compiler, Dispatch, Kernel, Tensor, check, resample};
use crate::names::names;
use crate::{Cost, DType, Element, Error, Nchw, Recording, Size, TensorSpec};

const OP: &str = "crop_resize";

params!(Params {
    origin_x: u32,
    origin_y: u32,
    images_base: u32,
    crops_base: u32,
    first_plane: u32,
    channels: u32,
    planes_in: u32,
    planes_out: u32,
    tiles_high: u32,
    input_height: u32,
    input_width: u32,
    height: u32,
    width: u32,
});

pub(crate) const CROP_RESIZE: Shader = shader!(
    "crop_resize",
    Params,
    ELEMENTS,
    &[group(&["END"], NO_OR_YES), group(&["ALIGN_CORNERS"], NO_OR_YES)],
    [images: Read, boxes: Read, crops: Write],
    ["bilinear", "crop"],
);

/// Whether a crop holds the last row and column of its box.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CropEnd {
    /// Rows `ymin..=ymax`, columns `xmin..=xmax`.
    #[default]
    Inclusive,
    /// Rows `ymin..ymax`, columns `xmin..xmax`, but at least one of each. Slices of a box are often written so.
    Exclusive,
}

names!(CropEnd, "end of a crop", Inclusive = "inclusive", Exclusive = "exclusive");

/// Crops `images [n, c, h, w]` to `boxes [n, 4]` and resizes them. The [page of the module](self) has the formula and an example.
#[doc(alias = "crop_and_resize")]
#[doc(alias = "RoI")]
#[derive(Clone, Debug)]
pub struct CropResize {
    end: CropEnd,
    sampling: Sampling,
    element: Element,
    kernel: Kernel,
}

/// Extents of a [`CropResize`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CropResizeShape {
    /// `[n, c, h, w]`.
    pub images: Nchw,
    /// `[oh, ow]`.
    pub crop: Size,
}

/// Tensors of a [`CropResize`]; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct CropResizeBuffers<'a> {
    /// In: `[n, c, h, w]`, the operator's element type.
    pub images: wgpu::BufferSlice<'a>,
    /// In: `[n, 4]` i32, `(xmin, ymin, xmax, ymax)`, inclusive.
    pub boxes: wgpu::BufferSlice<'a>,
    /// Out: `[n, c, oh, ow]`, the operator's element type.
    pub crops: wgpu::BufferSlice<'a>,
}

impl CropResize {
    /// Compiles the kernel for images of type `element`.
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
        let compiler = compiler.into();
        let constants = [
            ("END", f64::from(u8::from(end == CropEnd::Inclusive))),
            ("ALIGN_CORNERS", f64::from(u8::from(sampling == Sampling::AlignedCorners))),
        ];
        let kernel = Kernel::new(
            compiler,
            &Build {
                op: OP,
                shader: &CROP_RESIZE,
                variant: Variant::new(element, 1),
                constants: &constants,
                workgroup: resample::TILE,
                workgroup_bytes: 0,
            },
        )?;
        Ok(Self { end, sampling, element, kernel })
    }

    /// The end of a crop that the operator was built with.
    #[must_use]
    pub const fn end(&self) -> CropEnd {
        self.end
    }

    /// The positions that the operator was built with.
    #[must_use]
    pub const fn sampling(&self) -> Sampling {
        self.sampling
    }

    pub(crate) const fn element(&self) -> Element {
        self.element
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
            TensorSpec::input("images", images, self.element),
            TensorSpec::input("boxes", [images.batch, 4], DType::I32),
            TensorSpec::output("crops", crops, self.element),
        ])
    }

    /// Checks the buffers against the shapes and binds them.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidShape`] for images without pixels.
    /// - [`Error::LimitExceeded`] if one plane exceeds a binding of the device, or if `2 * input * output` or `8 * output` of an axis
    ///   exceeds 32 bits.
    /// - [What every operator refuses](crate#what-is-refused).
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: CropResizeShape,
        buffers: CropResizeBuffers<'_>,
    ) -> Result<Recording, Error> {
        let specs = self.tensors(shape)?;
        let CropResizeBuffers { images, boxes, crops } = buffers;
        let given = [("images", Some(images)), ("boxes", Some(boxes)), ("crops", Some(crops))];
        check::slices(OP, device, &specs, &given)?;
        self.bind_regions(device, shape, 1, buffers).map(Recording::new)
    }

    /// Crops every image to `regions` boxes. The caller has checked the slices.
    pub(crate) fn bind_regions(
        &self,
        device: &wgpu::Device,
        CropResizeShape { images, crop }: CropResizeShape,
        regions: u32,
        buffers: CropResizeBuffers<'_>,
    ) -> Result<Vec<Dispatch>, Error> {
        let channels = u64::from(images.channels);
        let planes = u64::from(images.batch) * channels;
        let all = check::to_u32(OP, "planes", planes.saturating_mul(regions.into()))?;
        if all == 0 || crop.is_empty() {
            return Ok(Vec::new());
        }
        check::source(OP, "images", images.size())?;
        check_axes(OP, images.size(), crop)?;
        // Several crops read one plane: then an image is a unit. At most all planes, whose number fits.
        let (units, planes_in, planes_out) = match regions {
            1 => (all, 1, 1),
            _ => (images.batch, images.channels, images.channels * regions),
        };
        let bytes = self.element.bytes();
        let tensors = [
            Tensor::divided(buffers.images, images.size().pixels() * u64::from(planes_in), bytes),
            Tensor::whole(buffers.boxes, u64::from(images.batch) * u64::from(regions) * 4, 4),
            Tensor::divided(buffers.crops, crop.pixels() * u64::from(planes_out), bytes),
        ];
        let [tiles_wide, tiles_high] = resample::tiles(crop);
        let rows = check::to_u32(OP, "workgroups of an image", u64::from(tiles_high) * u64::from(planes_out))?;
        self.kernel.bind(device, units, [tiles_wide, rows], &tensors, None, |part| Params {
            first_plane: part.units.start * planes_out,
            channels: images.channels,
            planes_in,
            planes_out,
            tiles_high,
            input_height: images.height,
            input_width: images.width,
            height: crop.height,
            width: crop.width,
            ..Zeroable::zeroed()
        })
    }

    /// What one run moves and computes if every box is the whole image. The images are read once, the crops are written once, and
    /// each output takes nine operations.
    #[must_use]
    pub fn cost(&self, shape: CropResizeShape) -> Cost {
        let CropResizeShape { images, crop: Size { height, width } } = shape;
        let output = count(Nchw { height, width, ..images }.elements());
        Cost::new((count(images.elements()) + output) * count(self.element.bytes()), output * count(9), count(0))
    }
}

/// Refuses sizes whose ratios a kernel that reads boxes cannot compute in 32 bits.
pub(crate) fn check_axes(op: &'static str, input: Size, output: Size) -> Result<(), Error> {
    // Only the GPU knows the boxes, so it does not reduce the ratio to lowest terms.
    for (input, output) in [(input.height, output.height), (input.width, output.width)] {
        let largest = 2 * u64::from(output) * u64::from(input);
        check::to_u32(op, "2 * input * output of an axis", largest)?;
        // `quotient` in the shader takes denominators below 2^30.
        check::to_u32(op, "8 * output of an axis", 8 * u64::from(output))?;
        check::to_u32(op, "2 * input of an axis", 2 * u64::from(input))?;
    }
    Ok(())
}
