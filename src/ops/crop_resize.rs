//! Crop to a box that is on the GPU, and resize.

use bytemuck::Zeroable;

use crate::kernel::resample::Sampling;
use crate::kernel::shader::{ELEMENTS, NO_OR_YES, Shader, Variant, group, params, shader};
use crate::kernel::{Build, Compiler, Kernel, Tensor, check, resample};
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
    ["bilinear"],
);

/// Whether a crop holds the last row and column of its box. Boxes themselves are always inclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CropEnd {
    /// Rows `ymin..=ymax`, columns `xmin..=xmax`.
    #[default]
    Inclusive,
    /// Rows `ymin..ymax`, columns `xmin..xmax`, as slices of a box are often written; a box of one pixel keeps that pixel.
    Exclusive,
}

names!(CropEnd, "end of a crop", Inclusive = "inclusive", Exclusive = "exclusive");

/// Crops `images [n, c, h, w]` to `boxes [n, 4]` and resamples to `crops [n, c, oh, ow]`, bilinear (AG-CNN, Guan et al. 2018,
/// arXiv:1801.09927, Sec. III-B).
///
/// The boxes are read on the GPU: `(xmin, ymin, xmax, ymax)` i32, inclusive, cut to the image where they leave it.
///
/// Kernel `shaders/crop_resize.wgsl`; reference [`reference::crop_resize`](crate::reference::crop_resize).
#[derive(Clone, Debug)]
pub struct CropResize {
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
    /// In: `[n, 4]` i32.
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
        Ok(Self { element, kernel })
    }

    pub(crate) const fn element(&self) -> Element {
        self.element
    }

    /// The tensors of one `bind`, in the order in which they are checked.
    ///
    /// # Errors
    ///
    /// What [`Self::bind`] refuses of a shape, before any buffer.
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

    /// Checks the buffers against the shapes and binds them. `shape` is the images', `size` the crops' `[oh, ow]`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidShape`] for empty images; [`Error::LimitExceeded`] where one plane exceeds a binding of the device, or
    /// `2 * input * output` or `8 * output` of an axis exceeds 32 bits; and what every operator refuses of its buffers: too small, wrong
    /// usage, misaligned, output overlapping input.
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: CropResizeShape,
        buffers: CropResizeBuffers<'_>,
    ) -> Result<Recording, Error> {
        let specs = self.tensors(shape)?;
        let CropResizeShape { images: shape, crop: size } = shape;
        let planes = check::to_u32(OP, "planes", u64::from(shape.batch) * u64::from(shape.channels))?;
        let bytes = self.element.bytes();
        let tensors = [
            Tensor::divided(buffers.images, shape.size().pixels(), bytes),
            Tensor::whole(buffers.boxes, u64::from(shape.batch) * 4, 4),
            Tensor::divided(buffers.crops, size.pixels(), bytes),
        ];
        let CropResizeBuffers { images, boxes, crops } = buffers;
        let given = [("images", Some(images)), ("boxes", Some(boxes)), ("crops", Some(crops))];
        check::slices(OP, device, &specs, &given)?;
        if planes == 0 || size.is_empty() {
            return Ok(Recording::default());
        }
        check::source(OP, "images", shape.size())?;
        // Boxes are known to the GPU alone, so the ratio is not in lowest terms there.
        for (input, output) in [(shape.height, size.height), (shape.width, size.width)] {
            let largest = 2 * u64::from(output) * u64::from(input);
            check::to_u32(OP, "2 * input * output of an axis", largest)?;
            // `quotient` in the shader takes denominators below 2^30.
            check::to_u32(OP, "8 * output of an axis", 8 * u64::from(output))?;
            check::to_u32(OP, "2 * input of an axis", 2 * u64::from(input))?;
        }
        let dispatches = self.kernel.bind(device, planes, resample::tiles(size), &tensors, None, |part| Params {
            first_plane: part.units.start,
            channels: shape.channels,
            input_height: shape.height,
            input_width: shape.width,
            height: size.height,
            width: size.width,
            ..Zeroable::zeroed()
        })?;
        Ok(Recording::new(dispatches))
    }

    /// What one run moves and computes when every box is the whole image: the images read once, the crops written once, nine
    /// operations for each output.
    #[must_use]
    pub fn cost(&self, shape: CropResizeShape) -> Cost {
        let CropResizeShape { images: shape, crop: size } = shape;
        let input = shape.elements().unwrap_or(u64::MAX);
        let output = Nchw { height: size.height, width: size.width, ..shape }.elements().unwrap_or(u64::MAX);
        Cost {
            bytes: input.saturating_add(output).saturating_mul(self.element.bytes()),
            flops: output.saturating_mul(9),
            parameters: 0,
        }
    }
}
