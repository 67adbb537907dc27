//! Normalisation of maps, each image on its own.

use crate::pipeline::{self, Access, Build, Compiler, Kernel, Tensor};
use crate::plan;
use crate::shaders::{self, Variant, params};
use crate::{Cost, Error, Nhw, Recording};

const OP: &str = "normalize";
const GROUP: u32 = 64;

params!(RangeParams { origin: u32, map_base: u32, ranges_base: u32, pixels: u32, shares: u32 });
params!(Params { origin: u32, ranges_base: u32, map_base: u32, pixels: u32, shares: u32, each: u32 });

/// What a map is brought to. A constant map becomes zeros, a map with a NaN becomes NaN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Normalization {
    /// `(m - min) / (max - min)`: 0 to 1.
    #[default]
    MinMax,
    /// `m / max`; zeros where the maximum is not positive.
    Max,
    /// As it is.
    None,
}

/// Normalises `map [n, h, w]` in place, each image by its own minimum and maximum (AG-CNN, Guan et al. 2018,
/// arXiv:1801.09927, Sec. III-B).
///
/// Kernels `shaders/normalize_range.wgsl`, `shaders/normalize.wgsl`; reference
/// [`reference::normalize`](crate::reference::normalize). Scratch: at most 128 bytes for each image, on a software
/// adapter 8 bytes for each 1024 pixels.
#[derive(Clone, Debug)]
pub struct Normalize {
    software: bool,
    /// None for [`Normalization::None`].
    kernels: Option<(Kernel, Kernel)>,
}

/// The tensor of a [`Normalize`]; it needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct NormalizeBuffers<'a> {
    /// In and out: `[n, h, w]` f32.
    pub map: wgpu::BufferSlice<'a>,
}

impl Normalize {
    /// Compiles the kernels.
    ///
    /// # Errors
    ///
    /// [`Error::LimitExceeded`] on a device whose workgroups hold fewer than 256 invocations.
    pub fn new<'a>(compiler: impl Into<Compiler<'a>>, normalization: Normalization) -> Result<Self, Error> {
        let compiler = compiler.into();
        let software = compiler.software;
        if normalization == Normalization::None {
            return Ok(Self { software, kernels: None });
        }
        let range_group = plan::range_group(software);
        let range = Kernel::new(
            compiler,
            &Build {
                op: OP,
                shader: &shaders::NORMALIZE_RANGE,
                variant: Variant::F32,
                constants: &[("WORKGROUP_SIZE", f64::from(range_group))],
                workgroup: [range_group, 1, 1],
                workgroup_bytes: range_group * 8,
                storage: &[Access::Read, Access::Write],
                texture: false,
            },
        )?;
        let by_maximum = f64::from(u8::from(normalization == Normalization::Max));
        let apply = Kernel::new(
            compiler,
            &Build {
                op: OP,
                shader: &shaders::NORMALIZE,
                variant: Variant::F32,
                constants: &[("WORKGROUP_SIZE", f64::from(GROUP)), ("BY_MAXIMUM", by_maximum)],
                workgroup: [GROUP, 1, 1],
                workgroup_bytes: 0,
                storage: &[Access::Read, Access::Write],
                texture: false,
            },
        )?;
        Ok(Self { software, kernels: Some((range, apply)) })
    }

    /// Checks the buffer against the shape and binds it.
    ///
    /// # Errors
    ///
    /// [`Error::LimitExceeded`] where one image exceeds a binding of the device, and what every operator refuses of its
    /// buffers: too small, wrong usage, misaligned.
    pub fn bind(&self, device: &wgpu::Device, shape: Nhw, buffers: NormalizeBuffers<'_>) -> Result<Recording, Error> {
        pipeline::check_plane(OP, "map", shape)?;
        let pixels = pipeline::to_u32(OP, "pixels of an image", shape.size().pixels())?;
        let map = Tensor::write("map", buffers.map, pixels.into(), 4);
        pipeline::check(OP, device, shape.batch, &[map])?;
        let Some((range, apply)) = self.kernels.as_ref().filter(|_| !shape.is_empty()) else {
            return Ok(Recording::default());
        };
        let plan::Ranges { shares, sharing, across, each } = plan::ranges(self.software, pixels);
        pipeline::check_rounds(OP, pixels.div_ceil(shares * sharing).max(shares + each).into())?;
        let unit = u64::from(shares) * 2;
        let ranges = pipeline::scratch(OP, device, "ranges", u64::from(shape.batch) * unit * 4)?;
        let map = Tensor::read("map", buffers.map, pixels.into(), 4);
        let tensors = [map, Tensor::write("ranges", ranges.slice(..), unit, 4)];
        let mut dispatches =
            range.bind(device, shape.batch, [shares.div_ceil(across), 1], &tensors, None, |part, bases| {
                RangeParams { origin: part.origin[0], map_base: bases[0], ranges_base: bases[1], pixels, shares }
            })?;
        let map = Tensor::write("map", buffers.map, pixels.into(), 4);
        let tensors = [Tensor::read("ranges", ranges.slice(..), unit, 4), map];
        let groups = [pixels.div_ceil(each * GROUP), 1];
        dispatches.extend(apply.bind(device, shape.batch, groups, &tensors, None, |part, bases| Params {
            origin: part.origin[0],
            ranges_base: bases[0],
            map_base: bases[1],
            pixels,
            shares,
            each,
        })?);
        Ok(Recording::new(dispatches))
    }

    /// What one run moves and computes: the map read twice and written once, two operations for each pixel.
    #[must_use]
    pub fn cost(&self, shape: Nhw) -> Cost {
        let pixels = shape.elements().unwrap_or(u64::MAX);
        match self.kernels {
            Some(_) => Cost { bytes: pixels.saturating_mul(12), flops: pixels.saturating_mul(2), parameters: 0 },
            None => Cost::default(),
        }
    }
}
