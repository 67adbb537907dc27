//! Pooling over windows side by side: one mean or maximum for each window.
//!
//! ```text
//! y[n, c, i, j] = mean or maximum over (a, b) of x[n, c, i*kh + a, j*kw + b]
//! ```
//!
//! In Stand-Alone Self-Attention (Ramachandran et al. 2019, arXiv:1906.05909, Sec. 3.3), 2x2 means follow the attention of a
//! downsampling block, and 4x4 maxima follow the stem.
//!
//! ```no_run
//! use visual_attention::{Element, Nchw, Pooling, Size, WindowPool, WindowPoolBuffers};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let gpu = visual_attention::host::Gpu::open()?;
//! let pool = WindowPool::new(&gpu.device, Pooling::Mean, Size::new(2, 2), Element::F32)?;
//!
//! let x = gpu.upload("x", &vec![0.5f32; 64 * 56 * 56])?;
//! let y = gpu.buffer("y", 64 * 28 * 28 * 4)?;
//! let buffers = WindowPoolBuffers { x: x.slice(..), y: y.slice(..) };
//! let recording = pool.bind(&gpu.device, Nchw::new(1, 64, 56, 56), buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok(())
//! # }
//! ```
//!
//! # Options and tensors
//!
//! [`WindowPool::new`] takes [`Pooling`] and the window. Windows of 2x2 and 4x4 pixels have pipelines with unrolled loops.
//!
//! `x [n, c, h, w] -> y [n, c, floor(h / kh), floor(w / kw)]`: rows and columns that fill no window are left out.
//! [`WindowPool::output`] gives the size of the output, [`WindowPool::tensors`] lists the tensors.
//!
//! # Errors and cost
//!
//! Work is divided over planes, so one plane must fit a binding of the device. On a software adapter a window is limited to `kh * kw +
//! kh <= 32,767`. [`WindowPool::cost`] counts one operation for each pixel of a window.
//!
//! Kernel [`WINDOW_POOL`](crate::shaders::WINDOW_POOL); reference [`reference::window_pool`](crate::reference::window_pool).

use bytemuck::Zeroable;

use crate::cost::count;
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

/// The statistic of a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Pooling {
    /// The mean.
    #[default]
    Mean,
    /// The maximum; NaN if any value is NaN.
    Max,
}

names!(Pooling, "pooling", Mean = "mean", Max = "max");

impl Pooling {
    pub(crate) const fn code(self) -> f64 {
        match self {
            Self::Mean => 0.0,
            Self::Max => 1.0,
        }
    }
}

/// Refuses an empty window, and one that an invocation cannot go through `times` times.
pub(crate) fn check_window(op: &'static str, compiler: Compiler<'_>, window: Size, times: u64) -> Result<(), Error> {
    if window.is_empty() {
        let needed = "at least [1, 1]".into();
        return Err(Error::InvalidParameter { op, parameter: "window", given: window.to_string(), needed });
    }
    // Iterations of two nested loops. The bound counts both.
    let rounds = times * (window.pixels() + u64::from(window.height));
    compiler.check_rounds(op, rounds, "make the window smaller")
}

/// Pooling over windows; the [page](self) has formula and example.
#[doc(alias = "average pooling")]
#[doc(alias = "max pooling")]
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
    /// Compiles for tensors of type `element`.
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
        check_window(OP, compiler, window, 1)?;
        // The windows of the paper's networks have their own pipelines, with unrolled loops.
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
                constants: &[("POOLING", pooling.code()), ("SIDE", side)],
                workgroup: [GROUP, 1, 1],
                workgroup_bytes: 0,
            },
        )?;
        Ok(Self { window, element, kernel })
    }

    /// Size of the output for an input of this size.
    #[must_use]
    pub fn output(&self, input: Size) -> Size {
        Size::new(input.height / self.window.height, input.width / self.window.width)
    }

    /// The tensors of one [`Self::bind`], in the order in which they are checked.
    ///
    /// # Errors
    ///
    /// Whatever [`Self::bind`] refuses about a shape.
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
    /// - [`Error::LimitExceeded`]: one plane exceeds a binding of the device.
    /// - What [every operator refuses](crate#what-is-refused) about its buffers.
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

    /// What one run moves and computes.
    #[must_use]
    pub fn cost(&self, shape: Nchw) -> Cost {
        let planes = count(u64::from(shape.batch)) * count(u64::from(shape.channels));
        let outputs = planes * count(self.output(shape.size()).pixels());
        let pixels = outputs * count(self.window.pixels());
        Cost::new((pixels + outputs) * count(self.element.bytes()), pixels, count(0))
    }
}
