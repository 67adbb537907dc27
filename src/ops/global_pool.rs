//! Global pooling: the mean or the maximum of each plane, or both in one read.
//!
//! ```text
//! mean[n, c] = sum of x over the plane / (h * w)      Squeeze::Mean, Squeeze::MeanAndMax
//! max[n, c]  = max of x over the plane                Squeeze::Max, Squeeze::MeanAndMax
//! ```
//!
//! Sources: Squeeze-and-Excitation (Hu et al. 2018, arXiv:1709.01507), Eq. 2; CBAM (Woo et al. 2018, arXiv:1807.06521), Sec. 3.1.
//!
//! # Example
//!
//! ```no_run
//! use visual_attention::host::Gpu;
//! use visual_attention::{Element, GlobalPool, GlobalPoolBuffers, Nchw, Squeeze};
//!
//! let gpu = Gpu::open()?;
//! let features = gpu.upload("features", &vec![0.5f32; 256 * 56 * 56])?;
//! let mean = gpu.buffer("mean", 256 * 4)?;
//!
//! let operator = GlobalPool::new(&gpu.device, Squeeze::Mean, Element::F32)?;
//! let buffers = GlobalPoolBuffers { features: features.slice(..), mean: Some(mean.slice(..)), max: None };
//! let recording = operator.bind(&gpu.device, Nchw::new(1, 256, 56, 56), buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok::<(), visual_attention::Error>(())
//! ```
//!
//! [`Squeeze`] chooses the statistics. The features are f32 or f16, and sums are f32: a plane of 1024 x 1024 times 100.0 in f16
//! has the mean 100.0. A plane is read in vectors of four pixels if `h * w` divides by 4, else pixel by pixel. Planes of more
//! than 16,384 vectors are pooled in up to 64 parts, and a second dispatch joins the parts. Only then there is scratch, 4 bytes
//! for each part and statistic. [`GlobalPool::bind`] lists the errors, [`GlobalPool::cost`] counts bytes and operations.
//!
//! Kernel: [`global_pool`](crate::shaders::GLOBAL_POOL). References: [`reference::global_mean`](crate::reference::global_mean),
//! [`reference::global_max`](crate::reference::global_max).

use bytemuck::Zeroable;

use crate::cost::count;
use crate::kernel::rounds::MAX_TERMS;
use crate::kernel::shader::{Shader, THREE_CODES, VECTORS, Variant, group, params, shader};
use crate::kernel::tuning::Team;
use crate::kernel::{Build, Compiler, Dispatch, Kernel, Tensor, check, tensor, tuning};
use crate::names::names;
use crate::{Cost, Element, Error, Nchw, Recording, TensorSpec};

const OP: &str = "global_pool";
/// Vectors that one workgroup reduces. A longer plane is divided into parts.
const CHUNK: u64 = 256 * 64;
/// The most parts of a plane: one invocation adds them up.
const MAX_PARTS: u64 = 64;

params!(Params {
    origin_x: u32,
    origin_y: u32,
    features_base: u32,
    mean_base: u32,
    maximum_base: u32,
    planes: u32,
    pixels: u32,
    chunk: u32,
    parts: u32,
    divisor: f32,
});

pub(crate) const GLOBAL_POOL: Shader = shader!(
    "global_pool",
    Params,
    VECTORS,
    &[tuning::PIXELS_BY_PLANES, group(&["STATISTIC"], THREE_CODES)],
    [features: Read, mean: Write, maximum: Write],
    ["ordered", "blocked_sum"],
);

/// The statistics of each plane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Squeeze {
    /// The mean: Squeeze-and-Excitation, Eq. 2.
    #[default]
    Mean,
    /// The maximum. NaN propagates.
    Max,
    /// Both, in one read: CBAM's channel gate.
    MeanAndMax,
}

names!(Squeeze, "squeeze", Mean = "mean", Max = "max", MeanAndMax = "mean_and_max");

impl Squeeze {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::Mean, Self::Max, Self::MeanAndMax];

    pub(crate) fn mean(self) -> bool {
        self != Self::Max
    }

    pub(crate) fn maximum(self) -> bool {
        self != Self::Mean
    }

    pub(crate) const fn code(self) -> f64 {
        match self {
            Self::Mean => 0.0,
            Self::Max => 1.0,
            Self::MeanAndMax => 2.0,
        }
    }
}

/// Global pooling, `features [n, c, h, w] -> mean, max [n, c]`. The [page of the module](self) has the formula and an example.
#[doc(alias = "GAP")]
#[doc(alias = "AdaptiveAvgPool2d")]
#[derive(Clone, Debug)]
pub struct GlobalPool {
    squeeze: Squeeze,
    element: Element,
    pool: Pool,
    finish: Finish,
}

/// Tensors of a [`GlobalPool`]; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct GlobalPoolBuffers<'a> {
    /// In: `[n, c, h, w]`, the operator's element type.
    pub features: wgpu::BufferSlice<'a>,
    /// Out: `[n, c]` f32, absent for [`Squeeze::Max`].
    pub mean: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, c]` f32, absent for [`Squeeze::Mean`].
    pub max: Option<wgpu::BufferSlice<'a>>,
}

impl GlobalPool {
    /// Compiles the kernels for features of type `element`.
    ///
    /// # Errors
    ///
    /// - [`Error::MissingFeature`] for f16 on a device without it.
    /// - [`Error::LimitExceeded`] if the device's workgroups hold fewer than 256 invocations.
    pub fn new<'a>(compiler: impl Into<Compiler<'a>>, squeeze: Squeeze, element: Element) -> Result<Self, Error> {
        let compiler = compiler.into();
        let pool = Pool::new(OP, compiler, squeeze, element)?;
        Ok(Self { squeeze, element, pool, finish: Finish::new(OP, compiler, squeeze)? })
    }

    /// The statistics that the operator was built with.
    #[must_use]
    pub const fn squeeze(&self) -> Squeeze {
        self.squeeze
    }

    /// The tensors for this shape, in the order in which `bind` checks them.
    ///
    /// # Errors
    ///
    /// What [`Self::bind`] refuses about the shape.
    pub fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        check::elements(OP, "features", shape)?;
        let pooled = |name| TensorSpec::output(name, [shape.batch, shape.channels], Element::F32);
        let mut specs = vec![TensorSpec::input("features", shape, self.element)];
        specs.extend(self.squeeze.mean().then(|| pooled("mean")));
        specs.extend(self.squeeze.maximum().then(|| pooled("max")));
        Ok(specs)
    }

    /// Checks the buffers against the shape and binds them.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidShape`] for planes without pixels.
    /// - [`Error::InvalidParameter`] if `mean` or `max` does not match the operator's [`Squeeze`].
    /// - [`Error::LimitExceeded`] if one plane exceeds a binding of the device.
    /// - [What every operator refuses](crate#what-is-refused).
    pub fn bind(&self, device: &wgpu::Device, shape: Nchw, buffers: GlobalPoolBuffers<'_>) -> Result<Recording, Error> {
        let GlobalPoolBuffers { features, mean, max } = buffers;
        let reason = format!("Squeeze::{:?}", self.squeeze);
        let specs = self.tensors(shape)?;
        check::presence(OP, "mean", mean.is_some(), self.squeeze.mean(), &reason)?;
        check::presence(OP, "max", max.is_some(), self.squeeze.maximum(), &reason)?;
        if !squeezable(OP, shape)? {
            return Ok(Recording::default());
        }
        check::slices(OP, device, &specs, &[("features", Some(features)), ("mean", mean), ("max", max)])?;
        let grid = PlaneGrid::new(OP, device, shape, self.element)?;
        Ok(Recording::new(self.pool.finished(device, shape, &grid, &self.finish, buffers)?))
    }

    /// What one run moves and computes. Features are read once, with one operation for each feature and statistic.
    #[must_use]
    pub fn cost(&self, shape: Nchw) -> Cost {
        let features = count(shape.elements());
        let statistics = count(u64::from(self.squeeze.mean()) + u64::from(self.squeeze.maximum()));
        let pooled = count(u64::from(shape.batch) * u64::from(shape.channels));
        let bytes = features * count(self.element.bytes()) + pooled * count(4) * statistics;
        Cost::new(bytes, features * statistics, count(0))
    }
}

/// Whether the shape has planes. Refuses planes without pixels, which have no mean.
pub(crate) fn squeezable(op: &'static str, shape: Nchw) -> Result<bool, Error> {
    if shape.batch == 0 || shape.channels == 0 {
        return Ok(false);
    }
    if shape.size().is_empty() {
        return Err(Error::InvalidShape {
            op,
            binding: "features",
            given: shape.to_string(),
            needed: "at least one pixel in each plane".into(),
        });
    }
    Ok(true)
}

/// How the planes of a tensor are divided among workgroups. The order of a reduction depends on the size of one plane alone, so
/// the bits of a result do not depend on how the work is divided.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlaneGrid {
    /// Pixels of a vector: 1 or 4.
    pub(crate) lanes: u64,
    /// Vectors of a plane.
    pub(crate) pixels: u32,
    /// Whether units are images, as they are if an image fits a binding. Else units are planes.
    pub(crate) by_image: bool,
    pub(crate) units: u32,
    /// Planes of a unit.
    pub(crate) planes: u32,
}

impl PlaneGrid {
    /// `shape` has pixels and channels.
    pub(crate) fn new(op: &'static str, device: &wgpu::Device, shape: Nchw, element: Element) -> Result<Self, Error> {
        let plane = shape.size().pixels();
        let lanes = if plane.is_multiple_of(4) { 4 } else { 1 };
        let pixels = check::to_u32(op, "pixels of a plane", plane / lanes)?;
        let limits = device.limits();
        let slack = u64::from(limits.min_storage_buffer_offset_alignment);
        let room = limits.max_storage_buffer_binding_size.min(u64::from(u32::MAX)).saturating_sub(slack);
        let image = u64::from(shape.channels).saturating_mul(plane).saturating_mul(element.bytes());
        let by_image = image <= room;
        let planes = u64::from(shape.batch) * u64::from(shape.channels);
        let (units, planes) = match by_image {
            true => (shape.batch, shape.channels),
            false => (check::to_u32(op, "planes", planes)?, 1),
        };
        Ok(Self { lanes, pixels, by_image, units, planes })
    }

    /// Index among kernels by vector width (1, 4).
    pub(crate) fn lanes_index(&self) -> usize {
        usize::from(self.lanes == 4)
    }

    /// Vectors of a unit.
    pub(crate) fn unit(&self) -> u64 {
        u64::from(self.planes) * u64::from(self.pixels)
    }

    /// Parts that a plane is pooled in, and vectors of a part.
    pub(crate) fn parts(&self, op: &'static str, team: Team) -> Result<(u32, u32), Error> {
        let pixels = u64::from(self.pixels);
        let chunk = CHUNK.max(pixels.div_ceil(MAX_PARTS));
        let longest = MAX_TERMS * u64::from(team.sharing);
        if chunk > longest {
            let (needed, given) = (pixels * self.lanes, longest * MAX_PARTS * self.lanes);
            return Err(Error::LimitExceeded { op, limit: "pixels of a plane", needed, given });
        }
        // Each is at most `pixels` or `CHUNK`, so both fit 32 bits.
        Ok((pixels.div_ceil(chunk) as u32, chunk as u32))
    }
}

/// The first pass. Planes of one part need no other.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    op: &'static str,
    element: Element,
    software: bool,
    /// By vector width (1, 4), then as [`tuning::plane_teams`].
    kernels: [Vec<Kernel>; 2],
}

/// The second pass, which joins the parts of a plane: kernels for the mean and for the maximum.
#[derive(Clone, Debug)]
pub(crate) struct Finish {
    team: Team,
    kernels: [Option<Kernel>; 2],
}

impl Finish {
    pub(crate) fn new(op: &'static str, compiler: Compiler<'_>, squeeze: Squeeze) -> Result<Self, Error> {
        let team = tuning::plane_teams(compiler.software)[tuning::plane_team(compiler.software, MAX_PARTS)];
        let kernel =
            |wanted: bool, squeeze| wanted.then(|| kernel(op, compiler, squeeze, Variant::F32, team)).transpose();
        Ok(Self { team, kernels: [kernel(squeeze.mean(), Squeeze::Mean)?, kernel(squeeze.maximum(), Squeeze::Max)?] })
    }
}

fn kernel(
    op: &'static str,
    compiler: Compiler<'_>,
    squeeze: Squeeze,
    variant: Variant,
    team: Team,
) -> Result<Kernel, Error> {
    let Team { sharing: pixels, across: planes } = team;
    Kernel::new(
        compiler,
        &Build {
            op,
            shader: &GLOBAL_POOL,
            variant,
            constants: &[("PIXELS", f64::from(pixels)), ("PLANES", f64::from(planes)), ("STATISTIC", squeeze.code())],
            workgroup: [pixels * planes, 1, 1],
            workgroup_bytes: pixels * planes * 8,
        },
    )
}

impl Pool {
    pub(crate) fn new(
        op: &'static str,
        compiler: Compiler<'_>,
        squeeze: Squeeze,
        element: Element,
    ) -> Result<Self, Error> {
        let software = compiler.software;
        let kernels = |lanes| -> Result<_, Error> {
            let variant = Variant::new(element, lanes);
            tuning::plane_teams(software).iter().map(|&team| kernel(op, compiler, squeeze, variant, team)).collect()
        };
        Ok(Self { op, element, software, kernels: [kernels(1)?, kernels(4)?] })
    }

    fn team(&self, grid: &PlaneGrid) -> (usize, Team) {
        let index = tuning::plane_team(self.software, grid.pixels.into());
        (index, tuning::plane_teams(self.software)[index])
    }

    /// Parts that each plane is pooled in.
    pub(crate) fn parts(&self, grid: &PlaneGrid) -> Result<u32, Error> {
        Ok(grid.parts(self.op, self.team(grid).1)?.0)
    }

    /// Pools each part of each plane: outputs are `[n, c, parts]`. The caller has checked the tensors.
    pub(crate) fn dispatches(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        grid: &PlaneGrid,
        buffers: GlobalPoolBuffers<'_>,
    ) -> Result<Vec<Dispatch>, Error> {
        let (index, team) = self.team(grid);
        let kernel = &self.kernels[grid.lanes_index()][index];
        pass(self.op, device, (kernel, team), grid, self.element.bytes(), shape.size().pixels() as f32, buffers)
    }

    /// Pools each plane, with a second pass if planes have several parts: outputs are `[n, c]`. The caller has checked the tensors.
    pub(crate) fn finished(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        grid: &PlaneGrid,
        finish: &Finish,
        buffers: GlobalPoolBuffers<'_>,
    ) -> Result<Vec<Dispatch>, Error> {
        let parts = self.parts(grid)?;
        if parts == 1 {
            return self.dispatches(device, shape, grid, buffers);
        }
        let pooled = u64::from(shape.batch) * u64::from(shape.channels) * u64::from(parts);
        let partial = |output: Option<_>, label| {
            output.map(|_| tensor::scratch(self.op, device, label, pooled.saturating_mul(4))).transpose()
        };
        let mean = partial(buffers.mean, "mean of parts")?;
        let maximum = partial(buffers.max, "maximum of parts")?;
        let first = GlobalPoolBuffers {
            features: buffers.features,
            mean: mean.as_ref().map(|buffer| buffer.slice(..)),
            max: maximum.as_ref().map(|buffer| buffer.slice(..)),
        };
        let mut dispatches = self.dispatches(device, shape, grid, first)?;
        let grid = PlaneGrid { lanes: 1, pixels: parts, ..*grid };
        for (kernel, partial, mean, maximum) in
            [(&finish.kernels[0], &mean, buffers.mean, None), (&finish.kernels[1], &maximum, None, buffers.max)]
        {
            if let (Some(kernel), Some(partial)) = (kernel, partial) {
                let buffers = GlobalPoolBuffers { features: partial.slice(..), mean, max: maximum };
                dispatches.extend(pass(self.op, device, (kernel, finish.team), &grid, 4, 1.0, buffers)?);
            }
        }
        Ok(dispatches)
    }
}

fn pass(
    op: &'static str,
    device: &wgpu::Device,
    (kernel, team): (&Kernel, Team),
    grid: &PlaneGrid,
    element_bytes: u64,
    divisor: f32,
    buffers: GlobalPoolBuffers<'_>,
) -> Result<Vec<Dispatch>, Error> {
    let (parts, chunk) = grid.parts(op, team)?;
    let groups = [grid.planes.div_ceil(team.across), parts];
    let pooled = u64::from(grid.planes) * u64::from(parts);
    let tensors = [
        Tensor::divided(buffers.features, grid.unit(), element_bytes * grid.lanes),
        Tensor::divided(buffers.mean, pooled, 4),
        Tensor::divided(buffers.max, pooled, 4),
    ];
    kernel.bind(device, grid.units, groups, &tensors, None, |_| Params {
        planes: grid.planes,
        pixels: grid.pixels,
        chunk,
        parts,
        divisor,
        ..Zeroable::zeroed()
    })
}
