//! Pooling over windows side by side.

use bytemuck::Zeroable;

use crate::kernel::shader::{ELEMENTS, NO_OR_YES, Shader, Variant, group, params, shader};
use crate::kernel::{Build, Compiler, Kernel, Tensor, check};
use crate::names::names;
use crate::{Cost, Element, Error, Nchw, Recording, Size, TensorSpec};

const OP: &str = "window_pool";
/// Outputs of a workgroup.
const GROUP: u32 = 64;

params!(Params {
    origin: u32,
    x_base: u32,
    y_base: u32,
    height: u32,
    width: u32,
    out_width: u32,
    outputs: u32,
    window_height: u32,
    window_width: u32,
});

pub(crate) const WINDOW_POOL: Shader = shader!(
    "window_pool",
    Params,
    ELEMENTS,
    &[group(&["POOLING"], NO_OR_YES), group(&["SIDE"], &[&[0.0], &[2.0], &[4.0]])],
    [x: Read, y: Write],
    ["ordered"],
);

/// What a [`WindowPool`] takes over a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Pooling {
    /// The mean.
    #[default]
    Mean,
    /// The maximum; NaN if any value is.
    Max,
}

names!(Pooling, "pooling", Mean = "mean", Max = "max");

/// Pooling `x [n, c, h, w] -> y [n, c, floor(h / kh), floor(w / kw)]` over windows side by side; rows and columns that fill no
/// window are left out. In arXiv:1906.05909 (Sec. 3.3), 2x2 averages follow the attention of a downsampling block and 4x4
/// maxima the stem.
///
/// Kernel `shaders/window_pool.wgsl`; reference [`reference::window_pool`](crate::reference::window_pool).
#[derive(Clone, Debug)]
pub struct WindowPool {
    window: Size,
    element: Element,
    kernel: Kernel,
}

/// Tensors of a [`WindowPool`], of its element type; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct WindowPoolBuffers<'a> {
    /// In: `[n, c, h, w]`.
    pub x: wgpu::BufferSlice<'a>,
    /// Out: `[n, c, floor(h / kh), floor(w / kw)]`.
    pub y: wgpu::BufferSlice<'a>,
}

impl WindowPool {
    /// Compiles the kernel for tensors of type `element`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for an empty window, [`Error::TooManyRounds`] for one of more than 32,767 pixels on a software adapter,
    /// [`Error::MissingFeature`] for f16 on a device without it.
    pub fn new<'a>(
        compiler: impl Into<Compiler<'a>>,
        pooling: Pooling,
        window: Size,
        element: Element,
    ) -> Result<Self, Error> {
        let compiler = compiler.into();
        if window.is_empty() {
            let needed = "at least [1, 1]".into();
            return Err(Error::InvalidParameter { op: OP, parameter: "window", given: window.to_string(), needed });
        }
        // The rows count as rounds too.
        let rounds = window.pixels() + u64::from(window.height);
        compiler.check_rounds(OP, rounds, "make the window smaller")?;
        let pooling = match pooling {
            Pooling::Mean => 0.0,
            Pooling::Max => 1.0,
        };
        // Those of the paper's networks have kernels of their own, with their loops unrolled.
        let side = match (window.height, window.width) {
            (2, 2) => 2.0,
            (4, 4) => 4.0,
            _ => 0.0,
        };
        let kernel = Kernel::new(
            compiler,
            &Build {
                op: OP,
                shader: &WINDOW_POOL,
                variant: Variant::new(element, 1),
                constants: &[("POOLING", pooling), ("SIDE", side)],
                workgroup: [GROUP, 1, 1],
                workgroup_bytes: 0,
            },
        )?;
        Ok(Self { window, element, kernel })
    }

    /// Extent of the output for an input of this extent.
    #[must_use]
    pub fn output(&self, input: Size) -> Size {
        Size::new(input.height / self.window.height, input.width / self.window.width)
    }

    /// The tensors of one `bind`, in the order in which they are checked.
    ///
    /// # Errors
    ///
    /// What [`Self::bind`] refuses of a shape, before any buffer.
    pub fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        check::elements(OP, "x", shape)?;
        let Size { height, width } = self.output(shape.size());
        let y = Nchw { height, width, ..shape };
        Ok(vec![TensorSpec::input("x", shape, self.element), TensorSpec::output("y", y, self.element)])
    }

    /// Checks the buffers against the shape of `x` and binds them.
    ///
    /// # Errors
    ///
    /// [`Error::LimitExceeded`] where one plane exceeds a binding of the device, and what every operator refuses of its
    /// buffers: too small, wrong usage, misaligned, output overlapping input.
    pub fn bind(&self, device: &wgpu::Device, shape: Nchw, buffers: WindowPoolBuffers<'_>) -> Result<Recording, Error> {
        let specs = self.tensors(shape)?;
        let out = self.output(shape.size());
        if shape.is_empty() || out.is_empty() {
            return Ok(Recording::default());
        }
        let tensors = [
            Tensor::divided(buffers.x, shape.size().pixels(), self.element.bytes()),
            Tensor::divided(buffers.y, out.pixels(), self.element.bytes()),
        ];
        let planes = check::to_u32(OP, "planes", u64::from(shape.batch) * u64::from(shape.channels))?;
        check::slices(OP, device, &specs, &[("x", Some(buffers.x)), ("y", Some(buffers.y))])?;
        check::to_u32(OP, "pixels of a plane", shape.size().pixels())?;
        let outputs = check::to_u32(OP, "outputs of a plane", out.pixels())?;
        let groups = [outputs.div_ceil(GROUP), 1];
        let dispatches = self.kernel.bind(device, planes, groups, &tensors, None, |_| Params {
            height: shape.height,
            width: shape.width,
            out_width: out.width,
            outputs,
            window_height: self.window.height,
            window_width: self.window.width,
            ..Zeroable::zeroed()
        })?;
        Ok(Recording::new(dispatches))
    }

    /// What one run moves and computes: the pixels of the windows read once, the outputs written once, one operation a pixel.
    #[must_use]
    pub fn cost(&self, shape: Nchw) -> Cost {
        let planes = u64::from(shape.batch).saturating_mul(shape.channels.into());
        let outputs = planes.saturating_mul(self.output(shape.size()).pixels());
        let pixels = outputs.saturating_mul(self.window.pixels());
        Cost {
            bytes: pixels.saturating_add(outputs).saturating_mul(self.element.bytes()),
            flops: pixels,
            parameters: 0,
        }
    }
}
