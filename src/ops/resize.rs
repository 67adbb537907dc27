//! Bilinear resampling to any size, without antialiasing.
//!
//! ```text
//! output(o) = (1 - t) * input(i) + t * input(i + 1)     along each axis, with i = floor(p) and t = p - i
//!
//! p = (o + 0.5) * n_in / n_out - 0.5, clamped to 0 .. n_in - 1    HalfPixel
//! p = o * (n_in - 1) / (n_out - 1)                                AlignedCorners
//! ```
//!
//! These are the positions of PyTorch's `interpolate` with `align_corners=False` and `True`. They are computed as exact ratios of
//! integers. A neighbour of weight 0 is left out of the sum, so resizing to the same size is a copy.
//!
//! # Example
//!
//! ```no_run
//! use visual_attention::host::Gpu;
//! use visual_attention::{Element, Nchw, Resize, ResizeBuffers, ResizeShape, Sampling, Size};
//!
//! let gpu = Gpu::open()?;
//! let shape = ResizeShape { input: Nchw::new(1, 3, 28, 28), output: Size::new(224, 224) };
//! let input = gpu.upload("input", &vec![0.5f32; 3 * 28 * 28])?;
//! let output = gpu.buffer("output", 3 * 224 * 224 * 4)?;
//!
//! let operator = Resize::new(&gpu.device, Sampling::HalfPixel, Element::F32)?;
//! let buffers = ResizeBuffers { input: input.slice(..), output: output.slice(..) };
//! let recording = operator.bind(&gpu.device, shape, buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok::<(), visual_attention::Error>(())
//! ```
//!
//! [`Sampling`] chooses the positions. Input and output are both f32 or both f16. [`Resize::bind`] lists the errors,
//! [`Resize::cost`] counts bytes and operations. There is no scratch.
//!
//! Kernel: [`resize`](crate::shaders::RESIZE). Reference: [`reference::resize`](crate::reference::resize).

use crate::cost::count;
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

/// Resamples `input [n, c, h, w] -> output [n, c, oh, ow]`. The [page of the module](self) has the formula and an example.
#[doc(alias = "interpolate")]
#[doc(alias = "bilinear")]
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

    /// The positions that the operator was built with.
    #[must_use]
    pub const fn sampling(&self) -> Sampling {
        self.sampling
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
        Ok(vec![TensorSpec::input("input", input, self.element), TensorSpec::output("output", output, self.element)])
    }

    /// Checks the buffers against the shapes and binds them.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidShape`] for an output with pixels and an input without any.
    /// - [`Error::LimitExceeded`] if one plane exceeds a binding of the device, or if `2 * input * output` of an axis, in lowest terms,
    ///   exceeds 32 bits.
    /// - [What every operator refuses](crate#what-is-refused).
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

    /// What one run moves and computes. The input is read once, the output is written once, and each output takes nine operations.
    #[must_use]
    pub fn cost(&self, shape: ResizeShape) -> Cost {
        let ResizeShape { input, output: Size { height, width } } = shape;
        let output = count(Nchw { height, width, ..input }.elements());
        Cost::new((count(input.elements()) + output) * count(self.element.bytes()), output * count(9), count(0))
    }
}
