//! The gradient of global pooling with respect to the features.
//!
//! ```text
//! dx[n, c, p] = mean_gradient[n, c] / (h * w)                                     Squeeze::Mean, Squeeze::MeanAndMax
//!             + max_gradient[n, c]  at the first p that holds the maximum         Squeeze::Max, Squeeze::MeanAndMax
//! ```
//!
//! Sources: the chain rule of Squeeze-and-Excitation (Hu et al. 2018, arXiv:1709.01507), Eq. 2, and of CBAM (Woo et al. 2018,
//! arXiv:1807.06521), Sec. 3.1. The first of several equal maxima, row by row, takes the gradient, as in `PyTorch`'s
//! `adaptive_max_pool2d`. A NaN counts as the largest number.
//!
//! # Example
//!
//! ```no_run
//! use visual_attention::host::Gpu;
//! use visual_attention::{Element, GlobalPoolBackward, GlobalPoolBackwardBuffers, Nchw, Squeeze};
//!
//! let gpu = Gpu::open()?;
//! let mean_gradient = gpu.upload("gradient of the mean", &vec![1.0f32; 256])?;
//! let features_gradient = gpu.buffer("gradient of the features", 256 * 56 * 56 * 4)?;
//!
//! let operator = GlobalPoolBackward::new(&gpu.device, Squeeze::Mean, Element::F32)?;
//! let buffers = GlobalPoolBackwardBuffers {
//!     features: None,
//!     mean_gradient: Some(mean_gradient.slice(..)),
//!     max_gradient: None,
//!     features_gradient: Some(features_gradient.slice(..)),
//! };
//! let recording = operator.bind(&gpu.device, Nchw::new(1, 256, 56, 56), buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok::<(), visual_attention::Error>(())
//! ```
//!
//! The mean needs one dispatch, which reads no features. The maximum needs another before it, which finds the first maximum of each plane.
//! Scratch holds its index, 4 bytes for each plane. Each plane is computed by itself, so the bits depend on nothing else.
//! [`GlobalPoolBackward::bind`] lists the errors, [`GlobalPoolBackward::cost`] counts bytes and operations.
//!
//! Kernels: [`plane_argmax`](crate::shaders::PLANE_ARGMAX), then [`global_pool_backward`](crate::shaders::GLOBAL_POOL_BACKWARD). Reference:
//! [`reference::global_pool_backward`](crate::reference::global_pool_backward).

use bytemuck::Zeroable;

use crate::cost::count;
use crate::kernel::shader::{ELEMENTS, Shader, THREE_CODES, VECTORS, Variant, group, params, shader};
use crate::kernel::tuning::Team;
use crate::kernel::{Build, Compiler, Dispatch, Kernel, Tensor, check, rounds, tensor, tuning};
use crate::ops::global_pool::{PlaneGrid, Squeeze, squeezable};
use crate::{Cost, Element, Error, Nchw, Recording, TensorSpec};

const OP: &str = "global_pool_backward";
/// Vectors of a workgroup of the last kernel.
const GROUP: u32 = 64;

params!(ArgmaxParams { origin: u32, features_base: u32, argmax_base: u32, planes: u32, pixels: u32 });

pub(crate) const PLANE_ARGMAX: Shader = shader!(
    "plane_argmax",
    ArgmaxParams,
    ELEMENTS,
    &[tuning::PIXELS_BY_PLANES],
    [features: Read, argmax: Write],
    ["ordered"],
);

params!(Params {
    origin_x: u32,
    origin_y: u32,
    mean_gradient_base: u32,
    max_gradient_base: u32,
    argmax_base: u32,
    features_gradient_base: u32,
    planes: u32,
    pixels: u32,
    lanes: u32,
    divisor: f32,
});

pub(crate) const GLOBAL_POOL_BACKWARD: Shader = shader!(
    "global_pool_backward",
    Params,
    VECTORS,
    &[group(&["STATISTIC"], THREE_CODES)],
    [mean_gradient: Read, max_gradient: Read, argmax: Read, features_gradient: Write],
    [],
);

/// The gradient of [`GlobalPool`](crate::GlobalPool), `mean_gradient, max_gradient [n, c] -> features_gradient [n, c, h, w]`. The
/// [page of the module](self) has the formula and an example.
#[derive(Clone, Debug)]
pub struct GlobalPoolBackward {
    squeeze: Squeeze,
    element: Element,
    argmax: Option<PlaneArgmax>,
    /// By vector width (1, 4).
    kernels: [Kernel; 2],
}

/// Tensors of a [`GlobalPoolBackward`]; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct GlobalPoolBackwardBuffers<'a> {
    /// In: `[n, c, h, w]`, the operator's element type. [`Squeeze::Mean`] does not read it.
    pub features: Option<wgpu::BufferSlice<'a>>,
    /// In: `[n, c]` f32, absent for [`Squeeze::Max`].
    pub mean_gradient: Option<wgpu::BufferSlice<'a>>,
    /// In: `[n, c]` f32, absent for [`Squeeze::Mean`].
    pub max_gradient: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, c, h, w]`, the operator's element type, every element written.
    pub features_gradient: Option<wgpu::BufferSlice<'a>>,
}

impl GlobalPoolBackward {
    /// Compiles the kernels for features of type `element`.
    ///
    /// # Errors
    ///
    /// - [`Error::MissingFeature`] for f16 on a device without it.
    /// - [`Error::LimitExceeded`] if the device's workgroups hold fewer than 256 invocations.
    pub fn new<'a>(compiler: impl Into<Compiler<'a>>, squeeze: Squeeze, element: Element) -> Result<Self, Error> {
        let compiler = compiler.into();
        let kernel = |lanes| {
            let build = Build {
                op: OP,
                shader: &GLOBAL_POOL_BACKWARD,
                variant: Variant::new(element, lanes),
                constants: &[("STATISTIC", squeeze.code())],
                workgroup: [GROUP, 1, 1],
                workgroup_bytes: 0,
            };
            Kernel::new(compiler, &build)
        };
        let argmax = squeeze.maximum().then(|| PlaneArgmax::new(OP, compiler, element)).transpose()?;
        Ok(Self { squeeze, element, argmax, kernels: [kernel(1)?, kernel(4)?] })
    }

    /// The tensors for this shape, in the order in which `bind` checks them.
    ///
    /// # Errors
    ///
    /// What [`Self::bind`] refuses about the shape.
    pub fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        check::elements(OP, "features", shape)?;
        let pooled = |name| TensorSpec::input(name, [shape.batch, shape.channels], Element::F32);
        let features = TensorSpec::input("features", shape, self.element);
        let mut specs = vec![features.optional_if(!self.squeeze.maximum())];
        specs.extend(self.squeeze.mean().then(|| pooled("mean_gradient")));
        specs.extend(self.squeeze.maximum().then(|| pooled("max_gradient")));
        specs.push(TensorSpec::output("features_gradient", shape, self.element).optional());
        Ok(specs)
    }

    /// Checks the buffers against the shape and binds them. Without `features_gradient` there is nothing to compute.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidShape`] for planes without pixels.
    /// - [`Error::InvalidParameter`] if a gradient does not match the operator's [`Squeeze`], or if `features` is absent and a maximum
    ///   needs it.
    /// - [`Error::LimitExceeded`] if one plane exceeds a binding of the device, or has more than 256 * 32,767 pixels.
    /// - [What every operator refuses](crate#what-is-refused).
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        buffers: GlobalPoolBackwardBuffers<'_>,
    ) -> Result<Recording, Error> {
        let GlobalPoolBackwardBuffers { features, mean_gradient, max_gradient, features_gradient } = buffers;
        let specs = self.tensors(shape)?;
        if !squeezable(OP, shape)? {
            return Ok(Recording::default());
        }
        let given = [
            ("features", features),
            ("mean_gradient", mean_gradient),
            ("max_gradient", max_gradient),
            ("features_gradient", features_gradient),
        ];
        check::slices(OP, device, &specs, &given)?;
        if features_gradient.is_none() {
            return Ok(Recording::default());
        }
        let grid = PlaneGrid::new(OP, device, shape, self.element)?;
        let planes = u64::from(shape.batch) * u64::from(shape.channels);
        let mut dispatches = Vec::new();
        let mut argmax = None;
        if let (Some(kernel), Some(features)) = (&self.argmax, features) {
            let scratch = argmax.insert(tensor::scratch(OP, device, "argmax", planes * 4)?);
            dispatches.extend(kernel.dispatches(device, shape, &grid, features, scratch.slice(..))?);
        }
        let pooled = u64::from(grid.planes);
        let tensors = [
            Tensor::divided(mean_gradient, pooled, 4),
            Tensor::divided(max_gradient, pooled, 4),
            Tensor::divided(argmax.as_ref().map(|buffer| buffer.slice(..)), pooled, 4),
            Tensor::divided(features_gradient, grid.unit(), self.element.bytes() * grid.lanes),
        ];
        let groups = [grid.pixels.div_ceil(GROUP), grid.planes];
        let kernel = &self.kernels[grid.lanes_index()];
        dispatches.extend(kernel.bind(device, grid.units, groups, &tensors, None, |_| Params {
            planes: grid.planes,
            pixels: grid.pixels,
            // At most 4.
            lanes: grid.lanes as u32,
            divisor: shape.size().pixels() as f32,
            ..Zeroable::zeroed()
        })?);
        Ok(Recording::new(dispatches))
    }

    /// What one run moves and computes. The gradient of the features is written once, and a maximum reads the features once.
    #[must_use]
    pub fn cost(&self, shape: Nchw) -> Cost {
        let features = count(shape.elements());
        let pooled = count(u64::from(shape.batch) * u64::from(shape.channels));
        let statistics = count(u64::from(self.squeeze.mean()) + u64::from(self.squeeze.maximum()));
        let tensors = count(1 + u64::from(self.squeeze.maximum()));
        let bytes = features * count(self.element.bytes()) * tensors + pooled * count(4) * statistics;
        Cost::new(bytes, features * statistics, count(0))
    }
}

/// Finds the first maximum of each plane.
#[derive(Clone, Debug)]
pub(crate) struct PlaneArgmax {
    op: &'static str,
    element: Element,
    software: bool,
    /// As [`tuning::plane_teams`].
    kernels: Vec<Kernel>,
}

impl PlaneArgmax {
    pub(crate) fn new(op: &'static str, compiler: Compiler<'_>, element: Element) -> Result<Self, Error> {
        let kernel = |&Team { sharing, across }: &Team| {
            let build = Build {
                op,
                shader: &PLANE_ARGMAX,
                variant: Variant::new(element, 1),
                constants: &[("PIXELS", f64::from(sharing)), ("PLANES", f64::from(across))],
                workgroup: [sharing * across, 1, 1],
                workgroup_bytes: sharing * across * 8,
            };
            Kernel::new(compiler, &build)
        };
        let kernels = tuning::plane_teams(compiler.software).iter().map(kernel).collect::<Result<_, _>>()?;
        Ok(Self { op, element, software: compiler.software, kernels })
    }

    /// Writes `argmax [n, c]` u32. The caller has checked the tensors.
    pub(crate) fn dispatches(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        grid: &PlaneGrid,
        features: wgpu::BufferSlice<'_>,
        argmax: wgpu::BufferSlice<'_>,
    ) -> Result<Vec<Dispatch>, Error> {
        let pixels = check::to_u32(self.op, "pixels of a plane", shape.size().pixels())?;
        let index = tuning::whole_plane_team(self.software, pixels.into());
        let team = tuning::plane_teams(self.software)[index];
        rounds::check(self.op, pixels.div_ceil(team.sharing).into())?;
        let planes = u64::from(grid.planes);
        let tensors = [
            Tensor::divided(features, planes * u64::from(pixels), self.element.bytes()),
            Tensor::divided(argmax, planes, 4),
        ];
        let groups = [grid.planes.div_ceil(team.across), 1];
        self.kernels[index].bind(device, grid.units, groups, &tensors, None, |_| ArgmaxParams {
            planes: grid.planes,
            pixels,
            ..Zeroable::zeroed()
        })
    }
}
