//! The gradient of pooling over windows with respect to the input.
//!
//! ```text
//! dx[n, c, p] = dy / (kh * kw)                                                                   Pooling::Mean
//!               dy  at the first pixel that holds the maximum of its window, else 0              Pooling::Max
//!
//! dy = y_gradient of the window of pixel p; 0 for rows and columns that fill no window
//! ```
//!
//! Source: the chain rule of the pooling of Stand-Alone Self-Attention (Ramachandran et al. 2019, arXiv:1906.05909, Sec. 3.3). The first of
//! several equal maxima, row by row, takes the gradient, as in `PyTorch`'s `max_pool2d`. A NaN counts as the largest number.
//!
//! ```no_run
//! use visual_attention::{Element, Nchw, Pooling, Size, WindowPoolBackward, WindowPoolBackwardBuffers};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let gpu = visual_attention::host::Gpu::open()?;
//! let y_gradient = gpu.upload("gradient of y", &vec![1.0f32; 64 * 28 * 28])?;
//! let x_gradient = gpu.buffer("gradient of x", 64 * 56 * 56 * 4)?;
//!
//! let pool = WindowPoolBackward::new(&gpu.device, Pooling::Mean, Size::new(2, 2), Element::F32)?;
//! let buffers = WindowPoolBackwardBuffers {
//!     x: None,
//!     y_gradient: y_gradient.slice(..),
//!     x_gradient: Some(x_gradient.slice(..)),
//! };
//! let recording = pool.bind(&gpu.device, Nchw::new(1, 64, 56, 56), buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok(())
//! # }
//! ```
//!
//! There is no scratch, and one dispatch. Work is divided over planes, so one plane must fit a binding of the device. On a software
//! adapter a window is limited to `2 * (kh * kw + kh) <= 32,767`.
//!
//! Kernel [`WINDOW_POOL_BACKWARD`](crate::shaders::WINDOW_POOL_BACKWARD); reference
//! [`reference::window_pool_backward`](crate::reference::window_pool_backward).

use bytemuck::Zeroable;

use crate::cost::count;
use crate::kernel::shader::{ELEMENTS, NO_OR_YES, Shader, Variant, group, params, shader};
use crate::kernel::{Build, Compiler, Kernel, Tensor, check};
use crate::ops::window_pool::{Pooling, check_window};
use crate::{Cost, Element, Error, Nchw, Recording, Size, TensorSpec};

const OP: &str = "window_pool_backward";
/// Windows of a workgroup.
const GROUP: u64 = 64;

params!(Params {
    origin: u32,
    x_base: u32,
    dy_base: u32,
    dx_base: u32,
    height: u32,
    width: u32,
    rows: u32,
    columns: u32,
    out_height: u32,
    out_width: u32,
    window_height: u32,
    window_width: u32,
});

pub(crate) const WINDOW_POOL_BACKWARD: Shader = shader!(
    "window_pool_backward",
    Params,
    ELEMENTS,
    &[group(&["POOLING"], NO_OR_YES)],
    [x: Read, dy: Read, dx: Write],
    ["ordered"],
);

/// The gradient of a [`WindowPool`](crate::WindowPool); the [page](self) has formula and example.
#[derive(Clone, Debug)]
pub struct WindowPoolBackward {
    pooling: Pooling,
    window: Size,
    element: Element,
    kernel: Kernel,
}

/// Tensors of a [`WindowPoolBackward`], of its element type; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct WindowPoolBackwardBuffers<'a> {
    /// In: `[n, c, h, w]`. [`Pooling::Mean`] does not read it.
    pub x: Option<wgpu::BufferSlice<'a>>,
    /// In: `[n, c, floor(h / kh), floor(w / kw)]`.
    pub y_gradient: wgpu::BufferSlice<'a>,
    /// Out: `[n, c, h, w]`, every element written.
    pub x_gradient: Option<wgpu::BufferSlice<'a>>,
}

impl WindowPoolBackward {
    /// Compiles for tensors of type `element`. Pooling and window are those of the forward operator.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidParameter`]: an empty window.
    /// - [`Error::TooManyRounds`]: a window that is too large for a software adapter.
    /// - [`Error::MissingFeature`]: f16 on a device without it.
    pub fn new<'a>(
        compiler: impl Into<Compiler<'a>>,
        pooling: Pooling,
        window: Size,
        element: Element,
    ) -> Result<Self, Error> {
        let compiler = compiler.into();
        // A maximum is found first, and then the gradient is written.
        check_window(OP, compiler, window, 2)?;
        let kernel = Kernel::new(
            compiler,
            &Build {
                op: OP,
                shader: &WINDOW_POOL_BACKWARD,
                variant: Variant::new(element, 1),
                constants: &[("POOLING", pooling.code())],
                workgroup: [GROUP as u32, 1, 1],
                workgroup_bytes: 0,
            },
        )?;
        Ok(Self { pooling, window, element, kernel })
    }

    fn output(&self, input: Size) -> Size {
        Size::new(input.height / self.window.height, input.width / self.window.width)
    }

    /// The tensors of one [`Self::bind`] for this shape of `x`, in the order in which they are checked.
    ///
    /// # Errors
    ///
    /// Whatever [`Self::bind`] refuses about a shape.
    pub fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        check::elements(OP, "x", shape)?;
        let Size { height, width } = self.output(shape.size());
        Ok(vec![
            TensorSpec::input("x", shape, self.element).optional_if(self.pooling == Pooling::Mean),
            TensorSpec::input("y_gradient", Nchw { height, width, ..shape }, self.element),
            TensorSpec::output("x_gradient", shape, self.element).optional(),
        ])
    }

    /// Checks the buffers against the shape of `x` and binds them. Without `x_gradient` there is nothing to compute.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidParameter`]: `x` is absent and a maximum needs it.
    /// - [`Error::LimitExceeded`]: one plane exceeds a binding of the device.
    /// - What [every operator refuses](crate#what-is-refused) about its buffers.
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        buffers: WindowPoolBackwardBuffers<'_>,
    ) -> Result<Recording, Error> {
        let WindowPoolBackwardBuffers { x, y_gradient, x_gradient } = buffers;
        let specs = self.tensors(shape)?;
        let given = [("x", x), ("y_gradient", Some(y_gradient)), ("x_gradient", x_gradient)];
        check::slices(OP, device, &specs, &given)?;
        if shape.is_empty() || x_gradient.is_none() {
            return Ok(Recording::default());
        }
        let (out, pixels) = (self.output(shape.size()), shape.size().pixels());
        // A plane without a whole window has no upstream gradient to bind.
        let upstream = Some(y_gradient).filter(|_| !out.is_empty());
        let bytes = self.element.bytes();
        let tensors = [
            Tensor::divided(x, pixels, bytes),
            Tensor::divided(upstream, out.pixels(), bytes),
            Tensor::divided(x_gradient, pixels, bytes),
        ];
        let planes = check::to_u32(OP, "planes", u64::from(shape.batch) * u64::from(shape.channels))?;
        check::to_u32(OP, "pixels of a plane", pixels)?;
        let rows = shape.height.div_ceil(self.window.height);
        let columns = shape.width.div_ceil(self.window.width);
        let windows = u64::from(rows) * u64::from(columns);
        let groups = [check::to_u32(OP, "windows of a plane", windows.div_ceil(GROUP))?, 1];
        let dispatches = self.kernel.bind(device, planes, groups, &tensors, None, |_| Params {
            height: shape.height,
            width: shape.width,
            rows,
            columns,
            out_height: out.height,
            out_width: out.width,
            window_height: self.window.height,
            window_width: self.window.width,
            ..Zeroable::zeroed()
        })?;
        Ok(Recording::new(dispatches))
    }

    /// What one run moves and computes. A maximum also reads the input.
    #[must_use]
    pub fn cost(&self, shape: Nchw) -> Cost {
        let planes = count(u64::from(shape.batch)) * count(u64::from(shape.channels));
        let (pixels, outputs) =
            (planes * count(shape.size().pixels()), planes * count(self.output(shape.size()).pixels()));
        let tensors = if self.pooling == Pooling::Max { 2 } else { 1 };
        Cost::new((pixels * count(tensors) + outputs) * count(self.element.bytes()), pixels, count(0))
    }
}
