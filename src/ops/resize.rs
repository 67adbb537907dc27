//! Bilinear resampling.

use crate::kernel::resample::{Axis, Sampling};
use crate::kernel::shader::{ELEMENTS, Shader, Variant, params, shader};
use crate::kernel::{Build, Compiler, Kernel, Tensor, check, resample};
use crate::{Cost, Element, Error, Nchw, Recording, Size, TensorSpec};

const OP: &str = "resize";

params!(axes Params {
    origin_x: u32,
    origin_y: u32,
    input_base: u32,
    output_base: u32,
    height: u32,
    width: u32,
});

pub(crate) const RESIZE: Shader = shader!(
    "resize",
    Params,
    ELEMENTS,
    &[],
    [input: Read, output: Write],
    ["bilinear"],
);

/// Resamples `input [n, c, h, w] -> output [n, c, oh, ow]`, bilinear, without antialiasing, to any size.
///
/// A neighbour whose weight is exactly 0 is not read into the sum, so resizing to the same size is a copy.
///
/// Kernel `shaders/resize.wgsl`; reference [`reference::resize`](crate::reference::resize).
#[derive(Clone, Debug)]
pub struct Resize {
    sampling: Sampling,
    element: Element,
    kernel: Kernel,
}

/// Extents of a [`Resize`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ResizeShape {
    /// `[n, c, h, w]`.
    pub input: Nchw,
    /// `[oh, ow]`.
    pub output: Size,
}

/// Tensors of a [`Resize`]; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct ResizeBuffers<'a> {
    /// In: `[n, c, h, w]`, the operator's element type.
    pub input: wgpu::BufferSlice<'a>,
    /// Out: `[n, c, oh, ow]`, the operator's element type.
    pub output: wgpu::BufferSlice<'a>,
}

impl Resize {
    /// Compiles the kernel for tensors of type `element`.
    ///
    /// # Errors
    ///
    /// [`Error::MissingFeature`] for f16 on a device without it.
    pub fn new<'a>(compiler: impl Into<Compiler<'a>>, sampling: Sampling, element: Element) -> Result<Self, Error> {
        let compiler = compiler.into();
        let kernel = Kernel::new(
            compiler,
            &Build {
                op: OP,
                shader: &RESIZE,
                variant: Variant::new(element, 1),
                constants: &[],
                workgroup: resample::TILE,
                workgroup_bytes: 0,
            },
        )?;
        Ok(Self { sampling, element, kernel })
    }

    /// The tensors of one `bind`, in the order in which they are checked.
    ///
    /// # Errors
    ///
    /// What [`Self::bind`] refuses of a shape, before any buffer.
    pub fn tensors(&self, shape: ResizeShape) -> Result<Vec<TensorSpec>, Error> {
        let ResizeShape { input, output: Size { height, width } } = shape;
        let output = Nchw { height, width, ..input };
        check::elements(OP, "input", input)?;
        check::elements(OP, "output", output)?;
        Ok(vec![TensorSpec::input("input", input, self.element), TensorSpec::output("output", output, self.element)])
    }

    /// Checks the buffers against the shapes and binds them. `shape` is the input's, `size` the output's `[oh, ow]`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidShape`] for an empty image that is to become a full one; [`Error::LimitExceeded`] where one plane
    /// exceeds a binding of the device, or `2 * input * output` of an axis, in lowest terms, exceeds 32 bits; and what every
    /// operator refuses of its buffers: too small, wrong usage, misaligned, output overlapping input.
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: ResizeShape,
        buffers: ResizeBuffers<'_>,
    ) -> Result<Recording, Error> {
        let specs = self.tensors(shape)?;
        let ResizeShape { input: shape, output: size } = shape;
        let planes = check::to_u32(OP, "planes", u64::from(shape.batch) * u64::from(shape.channels))?;
        let bytes = self.element.bytes();
        let tensors = [
            Tensor::divided(buffers.input, shape.size().pixels(), bytes),
            Tensor::divided(buffers.output, size.pixels(), bytes),
        ];
        check::slices(OP, device, &specs, &[("input", Some(buffers.input)), ("output", Some(buffers.output))])?;
        if planes == 0 || size.is_empty() {
            return Ok(Recording::default());
        }
        check::source(OP, "input", shape.size())?;
        let axes = Axis::both(OP, shape.size(), size, self.sampling)?;
        let dispatches = self.kernel.bind(device, planes, resample::tiles(size), &tensors, None, |_| Params {
            height: size.height,
            width: size.width,
            ..Params::resampling(axes)
        })?;
        Ok(Recording::new(dispatches))
    }

    /// What one run moves and computes: the input read once, the output written once, nine operations for each output.
    #[must_use]
    pub fn cost(&self, shape: ResizeShape) -> Cost {
        let ResizeShape { input: shape, output: size } = shape;
        let input = shape.elements().unwrap_or(u64::MAX);
        let output = Nchw { height: size.height, width: size.width, ..shape }.elements().unwrap_or(u64::MAX);
        Cost {
            bytes: input.saturating_add(output).saturating_mul(self.element.bytes()),
            flops: output.saturating_mul(9),
            parameters: 0,
        }
    }
}
