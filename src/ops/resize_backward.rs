//! The gradient of bilinear resampling with respect to the input.
//!
//! ```text
//! dx(i) = sum over the outputs o that read i of w(o, i) * dy(o)      along each axis
//!
//! w(o, i) = (1 - t) where i is the lower neighbour of o, t where i is the upper one: see Resize
//! ```
//!
//! Source: the transpose of [`Resize`](crate::Resize), which is linear. `PyTorch`'s `interpolate` has the same gradient.
//!
//! # Example
//!
//! ```no_run
//! use visual_attention::host::Gpu;
//! use visual_attention::{Element, Nchw, ResizeBackward, ResizeBackwardBuffers, ResizeShape, Sampling, Size};
//!
//! let gpu = Gpu::open()?;
//! let shape = ResizeShape { input: Nchw::new(1, 3, 28, 28), output: Size::new(224, 224) };
//! let output_gradient = gpu.upload("gradient of the output", &vec![1.0f32; 3 * 224 * 224])?;
//! let input_gradient = gpu.buffer("gradient of the input", 3 * 28 * 28 * 4)?;
//!
//! let operator = ResizeBackward::new(&gpu.device, Sampling::HalfPixel, Element::F32)?;
//! let buffers = ResizeBackwardBuffers {
//!     output_gradient: output_gradient.slice(..),
//!     input_gradient: Some(input_gradient.slice(..)),
//! };
//! let recording = operator.bind(&gpu.device, shape, buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok::<(), visual_attention::Error>(())
//! ```
//!
//! Two dispatches: along rows, then along columns. Every number of the gradient is a sum over the outputs that read it, in order. An
//! enlargement of one pixel to 224 x 224 then takes two sums of 224 terms rather than one of 50,176. Scratch holds `[n, c, h, ow]` f32
//! between the two. [`ResizeBackward::bind`] lists the errors, [`ResizeBackward::cost`] counts bytes and operations.
//!
//! Kernels: [`resize_backward_rows`](crate::shaders::RESIZE_BACKWARD_ROWS),
//! [`resize_backward_columns`](crate::shaders::RESIZE_BACKWARD_COLUMNS). Reference:
//! [`reference::resize_backward`](crate::reference::resize_backward).

use crate::cost::{Count, count};
use crate::kernel::resample::{Axis, Sampling};
use crate::kernel::rounds::{self, summed};
use crate::kernel::shader::{NO_OR_YES, Shader, Variant, group, params, shader};
use crate::kernel::{Build, Compiler, Dispatch, Kernel, Tensor, check, tensor};
use crate::ops::crop_resize::CropEnd;
use crate::ops::resize::ResizeShape;
use crate::{Cost, Element, Error, Nchw, Recording, Size, TensorSpec};

const OP: &str = "resize_backward";
/// Numbers of a workgroup.
const GROUP: u32 = 64;

params!(axes RowsParams {
    origin_x: u32,
    origin_y: u32,
    gradient_base: u32,
    middle_base: u32,
    height: u32,
    width: u32,
    first_plane: u32,
    channels: u32,
    input_height: u32,
    input_width: u32,
});

params!(axes ColumnsParams {
    origin_x: u32,
    origin_y: u32,
    middle_base: u32,
    input_gradient_base: u32,
    height: u32,
    width: u32,
    first_plane: u32,
    channels: u32,
    input_height: u32,
    input_width: u32,
});

/// Between the passes there are f32 numbers, whatever the element type.
const VARIANTS: &[Variant] = &[Variant::F32, Variant { inner: Element::F32, ..Variant::F16 }];

pub(crate) const RESIZE_BACKWARD_ROWS: Shader = shader!(
    "resize_backward_rows",
    RowsParams,
    VARIANTS,
    &[group(&["CROP", "END"], CROPS), group(&["ALIGN_CORNERS"], NO_OR_YES)],
    [gradient: Read, boxes: Read, middle: Write],
    ["bilinear", "bilinear_backward", "crop", "blocked_sum"],
);

pub(crate) const RESIZE_BACKWARD_COLUMNS: Shader = shader!(
    "resize_backward_columns",
    ColumnsParams,
    VARIANTS,
    &[group(&["CROP", "END"], CROPS), group(&["ALIGN_CORNERS"], NO_OR_YES)],
    [middle: Read, boxes: Read, input_gradient: Write],
    ["bilinear", "bilinear_backward", "crop", "blocked_sum"],
);

/// The whole image, and boxes with either end.
const CROPS: &[&[f64]] = &[&[0.0, 1.0], &[1.0, 0.0], &[1.0, 1.0]];

/// The gradient of a [`Resize`](crate::Resize), `output_gradient [n, c, oh, ow] -> input_gradient [n, c, h, w]`. The
/// [page of the module](self) has the formula and an example.
#[derive(Clone, Debug)]
pub struct ResizeBackward {
    sampling: Sampling,
    element: Element,
    passes: Passes,
}

/// Tensors of a [`ResizeBackward`]; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct ResizeBackwardBuffers<'a> {
    /// In: `[n, c, oh, ow]`, the operator's element type.
    pub output_gradient: wgpu::BufferSlice<'a>,
    /// Out: `[n, c, h, w]`, the operator's element type.
    pub input_gradient: Option<wgpu::BufferSlice<'a>>,
}

impl ResizeBackward {
    /// Compiles the kernels for tensors of type `element`.
    ///
    /// # Errors
    ///
    /// [`Error::MissingFeature`] for f16 on a device without it.
    pub fn new<'a>(compiler: impl Into<Compiler<'a>>, sampling: Sampling, element: Element) -> Result<Self, Error> {
        Ok(Self { sampling, element, passes: Passes::new(OP, compiler.into(), None, sampling, element)? })
    }

    /// The tensors for this shape, in the order in which `bind` checks them.
    ///
    /// # Errors
    ///
    /// What [`Self::bind`] refuses about the shape.
    pub fn tensors(&self, shape: ResizeShape) -> Result<Vec<TensorSpec>, Error> {
        let ResizeShape { input, output: Size { height, width } } = shape;
        let output = Nchw { height, width, ..input };
        check::elements(OP, "input", input)?;
        check::elements(OP, "output", output)?;
        Ok(vec![
            TensorSpec::input("output_gradient", output, self.element),
            TensorSpec::output("input_gradient", input, self.element).optional(),
        ])
    }

    /// Checks the buffers against the shapes and binds them. Without `input_gradient` there is nothing to compute.
    ///
    /// # Errors
    ///
    /// - [`Error::LimitExceeded`] if one plane exceeds a binding of the device, if `2 * input * output` of an axis, in lowest terms,
    ///   exceeds 32 bits, or if more than 31,774 outputs of an axis read one pixel.
    /// - [What every operator refuses](crate#what-is-refused).
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: ResizeShape,
        buffers: ResizeBackwardBuffers<'_>,
    ) -> Result<Recording, Error> {
        let specs = self.tensors(shape)?;
        let ResizeBackwardBuffers { output_gradient, input_gradient } = buffers;
        let given = [("output_gradient", Some(output_gradient)), ("input_gradient", input_gradient)];
        check::slices(OP, device, &specs, &given)?;
        let ResizeShape { input, output } = shape;
        let Some(input_gradient) = input_gradient.filter(|_| !input.is_empty()) else {
            return Ok(Recording::default());
        };
        check::source(OP, "input", input.size())?;
        // An empty output gives zeros, for which any axis will do.
        let some = Size::new(output.height.max(1), output.width.max(1));
        let axes = Axis::both(OP, input.size(), some, self.sampling)?;
        for (axis, count) in axes.iter().zip([output.height, output.width]) {
            rounds::check(OP, summed(axis.most_outputs(count).into()))?;
        }
        let dispatches =
            self.passes.dispatches(device, input, output, Source::Whole(axes), output_gradient, input_gradient)?;
        Ok(Recording::new(dispatches))
    }

    /// What one run moves and computes. The upstream gradient is read once, the gradient written once, and what lies between is written
    /// and read. Each number of either pass takes two terms or, where the output is larger, as many as the axis has outputs for each pixel.
    #[must_use]
    pub fn cost(&self, shape: ResizeShape) -> Cost {
        cost(shape.input, shape.output, self.element)
    }
}

/// The cost of both passes over whole images.
pub(crate) fn cost(input: Nchw, Size { height, width }: Size, element: Element) -> Cost {
    let output = count(Nchw { height, width, ..input }.elements());
    let middle = count(Nchw { width, ..input }.elements());
    let source = count(input.elements());
    let bytes = (output + source) * count(element.bytes()) + middle * count(8);
    // Every output is read by two pixels of an axis.
    let flops: Count = (output.max(middle) + middle.max(source)) * count(4);
    Cost::new(bytes, flops, count(0))
}

/// What is resampled.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source<'a> {
    /// Whole images, by these axes of rows and columns.
    Whole([Axis; 2]),
    /// A box of each image.
    Boxes(wgpu::BufferSlice<'a>),
}

/// Both passes.
#[derive(Clone, Debug)]
pub(crate) struct Passes {
    op: &'static str,
    element: Element,
    rows: Kernel,
    columns: Kernel,
}

impl Passes {
    /// For whole images, or for boxes with this end.
    pub(crate) fn new(
        op: &'static str,
        compiler: Compiler<'_>,
        crop: Option<CropEnd>,
        sampling: Sampling,
        element: Element,
    ) -> Result<Self, Error> {
        let constants = [
            ("CROP", f64::from(u8::from(crop.is_some()))),
            ("END", f64::from(u8::from(crop != Some(CropEnd::Exclusive)))),
            ("ALIGN_CORNERS", f64::from(u8::from(sampling == Sampling::AlignedCorners))),
        ];
        let kernel = |shader| {
            let build = Build {
                op,
                shader,
                variant: Variant { inner: Element::F32, ..Variant::new(element, 1) },
                constants: &constants,
                workgroup: [GROUP, 1, 1],
                workgroup_bytes: 0,
            };
            Kernel::new(compiler, &build)
        };
        Ok(Self { op, element, rows: kernel(&RESIZE_BACKWARD_ROWS)?, columns: kernel(&RESIZE_BACKWARD_COLUMNS)? })
    }

    /// Resamples `output_gradient [n, c, oh, ow]` back to `input_gradient [n, c, h, w]`. The caller has checked the tensors.
    pub(crate) fn dispatches(
        &self,
        device: &wgpu::Device,
        input: Nchw,
        output: Size,
        source: Source<'_>,
        output_gradient: wgpu::BufferSlice<'_>,
        input_gradient: wgpu::BufferSlice<'_>,
    ) -> Result<Vec<Dispatch>, Error> {
        let op = self.op;
        let planes = check::to_u32(op, "planes", u64::from(input.batch) * u64::from(input.channels))?;
        let pixels = u64::from(input.height) * u64::from(output.width);
        for elements in [pixels, input.size().pixels(), output.pixels()] {
            check::to_u32(op, "pixels of a plane", elements)?;
        }
        let middle = tensor::scratch(op, device, "middle", (u64::from(planes) * pixels).saturating_mul(4))?;
        let (boxes, axes) = match source {
            Source::Whole(axes) => (None, axes),
            Source::Boxes(boxes) => (Some(boxes), [Axis::default(); 2]),
        };
        let boxes = Tensor::whole(boxes, u64::from(input.batch) * 4, 4);
        let bytes = self.element.bytes();
        let between = Tensor::divided(Some(middle.slice(..)).filter(|_| !output.is_empty()), pixels, 4);
        let mut dispatches = Vec::new();
        if !output.is_empty() {
            let tensors = [Tensor::divided(output_gradient, output.pixels(), bytes), boxes, between];
            let groups = [output.width.div_ceil(GROUP), input.height];
            dispatches.extend(self.rows.bind(device, planes, groups, &tensors, None, |part| RowsParams {
                height: output.height,
                width: output.width,
                first_plane: part.units.start,
                channels: input.channels,
                input_height: input.height,
                input_width: input.width,
                ..RowsParams::resampling(axes)
            })?);
        }
        let tensors = [between, boxes, Tensor::divided(input_gradient, input.size().pixels(), bytes)];
        let groups = [input.width.div_ceil(GROUP), input.height];
        dispatches.extend(self.columns.bind(device, planes, groups, &tensors, None, |part| ColumnsParams {
            height: output.height,
            width: if output.is_empty() { 0 } else { output.width },
            first_plane: part.units.start,
            channels: input.channels,
            input_height: input.height,
            input_width: input.width,
            ..ColumnsParams::resampling(axes)
        })?);
        Ok(dispatches)
    }
}
