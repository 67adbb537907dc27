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
use crate::kernel::{Build, Compiler, Dispatch, Kernel, Tensor, check, divide, resample};
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
    regions: u32,
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
        let all = |batch: u32| u64::from(batch) * u64::from(images.channels);
        let planes = check::to_u32(OP, "planes", all(images.batch).saturating_mul(regions.into()))?;
        if planes == 0 || crop.is_empty() {
            return Ok(Vec::new());
        }
        check::source(OP, "images", images.size())?;
        check_axes(OP, images.size(), crop)?;
        let bytes = self.element.bytes();
        let (source, output) = (images.size().pixels(), crop.pixels());
        let bind = |batch: u32, images_in: Tensor<'_>, boxes, crops| {
            // At most all planes, whose number fits.
            let planes = (all(batch) * u64::from(regions)) as u32;
            let boxes = Tensor::whole(boxes, u64::from(batch) * u64::from(regions) * 4, 4);
            let tensors = [images_in, boxes, Tensor::divided(crops, output, bytes)];
            self.kernel.bind(device, planes, resample::tiles(crop), &tensors, None, |part| Params {
                first_plane: part.units.start,
                channels: images.channels,
                regions,
                input_height: images.height,
                input_width: images.width,
                height: crop.height,
                width: crop.width,
                ..Zeroable::zeroed()
            })
        };
        let CropResizeBuffers { images: images_in, boxes, crops } = buffers;
        if regions == 1 {
            return bind(images.batch, Tensor::divided(images_in, source, bytes), boxes, crops);
        }
        // Several crops read one plane, so a dispatch binds whole images: as many together as a binding holds.
        let limits = device.limits();
        let image_bytes = all(1) * source * bytes;
        let together = limits.max_storage_buffer_binding_size / image_bytes.max(1);
        let unit_bytes = [image_bytes, u64::from(regions) * 16, all(regions) * output * bytes];
        let turns = divide::turns(
            images.batch,
            u32::try_from(together).unwrap_or(u32::MAX),
            &unit_bytes,
            limits.min_storage_buffer_offset_alignment,
        );
        let mut dispatches = Vec::new();
        for turn in turns {
            let batch = turn.end - turn.start;
            let [images_in, boxes, crops] =
                [(images_in, unit_bytes[0]), (boxes, unit_bytes[1]), (crops, unit_bytes[2])]
                    .map(|(slice, bytes): (wgpu::BufferSlice<'_>, u64)| slice.slice(u64::from(turn.start) * bytes..));
            let images_in = Tensor::whole(images_in, all(batch) * source, bytes);
            dispatches.extend(bind(batch, images_in, boxes, crops)?);
        }
        Ok(dispatches)
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
