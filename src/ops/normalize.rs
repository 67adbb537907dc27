//! Normalisation of maps in place, each image by its own range.
//!
//! ```text
//! map = (map - min) / (max - min)    MinMax
//! map = map / max                    Max
//! ```
//!
//! `min` and `max` are taken over the pixels of one image. A constant map becomes zeros, and with `Max` also a map without a
//! positive maximum. A map with a NaN becomes NaN.
//!
//! Source: AG-CNN (Guan et al. 2018, arXiv:1801.09927), Sec. III-B.
//!
//! # Example
//!
//! ```no_run
//! use visual_attention::host::Gpu;
//! use visual_attention::{Nhw, Normalization, Normalize, NormalizeBuffers};
//!
//! let gpu = Gpu::open()?;
//! let map = gpu.upload("map", &vec![3.0f32; 28 * 28])?;
//!
//! let operator = Normalize::new(&gpu.device, Normalization::MinMax)?;
//! let recording = operator.bind(&gpu.device, Nhw::new(1, 28, 28), NormalizeBuffers { map: map.slice(..), range: None })?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok::<(), visual_attention::Error>(())
//! ```
//!
//! [`Normalization`] chooses the formula; with [`Normalization::None`] nothing is recorded. Scratch takes at most 128 bytes for
//! each image on a GPU, and at most 8 bytes for each 1024 pixels on a software adapter. [`Normalize::bind`] lists the errors,
//! [`Normalize::cost`] counts bytes and operations.
//!
//! Kernels: [`normalize_range`](crate::shaders::NORMALIZE_RANGE), then [`normalize`](crate::shaders::NORMALIZE). Reference:
//! [`reference::normalize`](crate::reference::normalize).

use bytemuck::Zeroable;

use crate::cost::count;
use crate::kernel::shader::{NO_OR_YES, PLAIN, Shader, Variant, group, params, shader};
use crate::kernel::{Build, Compiler, Kernel, Tensor, check, rounds, tensor, tuning};
use crate::names::names;
use crate::{Cost, DType, Error, Nhw, Recording, TensorSpec};

const OP: &str = "normalize";
const GROUP: u32 = 64;

params!(RangeParams { origin: u32, map_base: u32, ranges_base: u32, pixels: u32, shares: u32 });
params!(Params {
    origin: u32,
    ranges_base: u32,
    map_base: u32,
    pixels: u32,
    shares: u32,
    each: u32,
    range_base: u32,
    writes_range: u32,
});

pub(crate) const NORMALIZE: Shader = shader!(
    "normalize",
    Params,
    PLAIN,
    &[group(&["WORKGROUP_SIZE"], &[&[64.0]]), group(&["BY_MAXIMUM"], NO_OR_YES)],
    [ranges: Read, map: Write, range: Write],
    ["ordered"],
);

pub(crate) const NORMALIZE_RANGE: Shader = shader!(
    "normalize_range",
    RangeParams,
    PLAIN,
    &[tuning::RANGE_GROUPS],
    [map: Read, ranges: Write],
    ["ordered"],
);

/// What a map is scaled to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Normalization {
    /// `(m - min) / (max - min)`: 0 to 1.
    #[default]
    MinMax,
    /// `m / max`; zeros if the maximum is not positive.
    Max,
    /// The map stays as it is.
    None,
}

names!(Normalization, "normalization", MinMax = "min_max", Max = "max", None = "none");

/// Normalises `map [n, h, w]` in place. The [page of the module](self) has the formulas and an example.
#[doc(alias = "min-max")]
#[derive(Clone, Debug)]
pub struct Normalize {
    normalization: Normalization,
    software: bool,
    /// `None` for [`Normalization::None`].
    kernels: Option<(Kernel, Kernel)>,
}

/// Tensors of a [`Normalize`]; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct NormalizeBuffers<'a> {
    /// In and out: `[n, h, w]` f32.
    pub map: wgpu::BufferSlice<'a>,
    /// Out: `[n, 2]` f32, the minimum and the maximum of each image, for [`NormalizeBackward`](crate::NormalizeBackward).
    pub range: Option<wgpu::BufferSlice<'a>>,
}

impl Normalize {
    /// Compiles the kernels.
    ///
    /// # Errors
    ///
    /// [`Error::LimitExceeded`] if the device's workgroups hold fewer than 256 invocations.
    pub fn new<'a>(compiler: impl Into<Compiler<'a>>, normalization: Normalization) -> Result<Self, Error> {
        let compiler = compiler.into();
        let software = compiler.software;
        if normalization == Normalization::None {
            return Ok(Self { normalization, software, kernels: None });
        }
        let range_group = tuning::range_group(software);
        let range = Kernel::new(
            compiler,
            &Build {
                op: OP,
                shader: &NORMALIZE_RANGE,
                variant: Variant::F32,
                constants: &[("WORKGROUP_SIZE", f64::from(range_group))],
                workgroup: [range_group, 1, 1],
                workgroup_bytes: range_group * 8,
            },
        )?;
        let by_maximum = f64::from(u8::from(normalization == Normalization::Max));
        let apply = Kernel::new(
            compiler,
            &Build {
                op: OP,
                shader: &NORMALIZE,
                variant: Variant::F32,
                constants: &[("WORKGROUP_SIZE", f64::from(GROUP)), ("BY_MAXIMUM", by_maximum)],
                workgroup: [GROUP, 1, 1],
                workgroup_bytes: 0,
            },
        )?;
        Ok(Self { normalization, software, kernels: Some((range, apply)) })
    }

    /// The normalization that the operator was built with.
    #[must_use]
    pub const fn normalization(&self) -> Normalization {
        self.normalization
    }

    /// The tensors for this shape, in the order in which `bind` checks them.
    ///
    /// # Errors
    ///
    /// What [`Self::bind`] refuses about the shape.
    pub fn tensors(&self, shape: Nhw) -> Result<Vec<TensorSpec>, Error> {
        check::plane(OP, "map", shape)?;
        let mut specs = vec![TensorSpec::in_place("map", shape, DType::F32)];
        if self.kernels.is_some() {
            specs.push(TensorSpec::output("range", [shape.batch, 2], DType::F32).optional());
        }
        Ok(specs)
    }

    /// Checks the buffers against the shape and binds them.
    ///
    /// # Errors
    ///
    /// - [`Error::LimitExceeded`] if one image exceeds a binding of the device.
    /// - [What every operator refuses](crate#what-is-refused).
    pub fn bind(&self, device: &wgpu::Device, shape: Nhw, buffers: NormalizeBuffers<'_>) -> Result<Recording, Error> {
        let specs = self.tensors(shape)?;
        let pixels = check::to_u32(OP, "pixels of an image", shape.size().pixels())?;
        check::slices(OP, device, &specs, &[("map", Some(buffers.map)), ("range", buffers.range)])?;
        let Some((range, apply)) = self.kernels.as_ref().filter(|_| !shape.is_empty()) else {
            return Ok(Recording::default());
        };
        let tuning::Ranges { shares, sharing, across, each } = tuning::ranges(self.software, pixels);
        rounds::check(OP, pixels.div_ceil(shares * sharing).max(shares + each).into())?;
        let unit = u64::from(shares) * 2;
        let ranges = tensor::scratch(OP, device, "ranges", u64::from(shape.batch) * unit * 4)?;
        let map = Tensor::divided(buffers.map, pixels.into(), 4);
        let tensors = [map, Tensor::divided(ranges.slice(..), unit, 4)];
        let mut dispatches = range.bind(device, shape.batch, [shares.div_ceil(across), 1], &tensors, None, |_| {
            RangeParams { pixels, shares, ..Zeroable::zeroed() }
        })?;
        let map = Tensor::divided(buffers.map, pixels.into(), 4);
        let tensors = [Tensor::divided(ranges.slice(..), unit, 4), map, Tensor::divided(buffers.range, 2, 4)];
        let groups = [pixels.div_ceil(each * GROUP), 1];
        dispatches.extend(apply.bind(device, shape.batch, groups, &tensors, None, |_| Params {
            pixels,
            shares,
            each,
            writes_range: u32::from(buffers.range.is_some()),
            ..Zeroable::zeroed()
        })?);
        Ok(Recording::new(dispatches))
    }

    /// What one run moves and computes. The map is read twice and written once, and each pixel takes two operations.
    #[must_use]
    pub fn cost(&self, shape: Nhw) -> Cost {
        let pixels = count(shape.elements());
        match self.kernels {
            Some(_) => Cost::new(pixels * count(12), pixels * count(2), count(0)),
            None => Cost::default(),
        }
    }
}
