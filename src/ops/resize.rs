//! Bilinear resampling.

use crate::pipeline::{self, Access, Build, Compiler, Kernel, Tensor};
use crate::resample::{Axis, Sampling};
use crate::shaders::{self, Variant, params};
use crate::{Cost, Element, Error, Nchw, Recording, Size};

const OP: &str = "resize";

params!(axes Params {
    origin_x: u32,
    origin_y: u32,
    input_base: u32,
    output_base: u32,
    height: u32,
    width: u32,
});

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
                shader: &shaders::RESIZE,
                variant: Variant::new(element, 1),
                constants: &[],
                workgroup: pipeline::TILE,
                workgroup_bytes: 0,
                storage: &[Access::Read, Access::Write],
                texture: false,
            },
        )?;
        Ok(Self { sampling, element, kernel })
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
        shape: Nchw,
        size: Size,
        buffers: ResizeBuffers<'_>,
    ) -> Result<Recording, Error> {
        let output = Nchw { height: size.height, width: size.width, ..shape };
        pipeline::check_elements(OP, "input", shape)?;
        pipeline::check_elements(OP, "output", output)?;
        let planes = pipeline::to_u32(OP, "planes", u64::from(shape.batch) * u64::from(shape.channels))?;
        let bytes = self.element.bytes();
        let tensors = [
            Tensor::read("input", buffers.input, shape.size().pixels(), bytes),
            Tensor::write("output", buffers.output, size.pixels(), bytes),
        ];
        pipeline::check(OP, device, planes, &tensors)?;
        if output.is_empty() {
            return Ok(Recording::default());
        }
        pipeline::check_source(OP, "input", shape.size())?;
        let axes = Axis::both(OP, shape.size(), size, self.sampling)?;
        let dispatches =
            self.kernel.bind(device, planes, pipeline::tiles(size), &tensors, None, |part, bases| Params {
                origin_x: part.origin[0],
                origin_y: part.origin[1],
                input_base: bases[0],
                output_base: bases[1],
                height: size.height,
                width: size.width,
                ..Params::resampling(axes)
            })?;
        Ok(Recording::new(dispatches))
    }

    /// What one run moves and computes: the input read once, the output written once, nine operations for each output.
    #[must_use]
    pub fn cost(&self, shape: Nchw, size: Size) -> Cost {
        let input = shape.elements().unwrap_or(u64::MAX);
        let output = Nchw { height: size.height, width: size.width, ..shape }.elements().unwrap_or(u64::MAX);
        Cost {
            bytes: input.saturating_add(output).saturating_mul(self.element.bytes()),
            flops: output.saturating_mul(9),
            parameters: 0,
        }
    }
}
