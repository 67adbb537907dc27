//! Masks of maps, by a fixed threshold or by Otsu's method.
//!
//! ```text
//! mask = 1 where m > t                     Value(t), AG-CNN, Eq. 4
//! mask = 1 where floor(255 m) > level      Level(level)
//! mask = 1 where floor(255 m) > level      Otsu, with the level that maximises w0 w1 (u0 - u1)^2
//! mask = 0 elsewhere
//! ```
//!
//! `m` is the map, resampled to the mask's size; the resampled map is never written. Otsu's method takes the histogram of
//! `floor(255 m)`, clamped to 0..255. A level splits it into a lower class of `w0` pixels with mean `u0`, and an upper one of
//! `w1` pixels with mean `u1`. Among equally good levels the lowest is taken, and the comparison is exact.
//!
//! Sources: AG-CNN (Guan et al. 2018, arXiv:1801.09927), Eq. 4; Otsu 1979, IEEE Trans. SMC 9(1), Eq. 18.
//!
//! # Example
//!
//! ```no_run
//! use visual_attention::host::Gpu;
//! use visual_attention::{Nhw, Sampling, Size, Threshold, ThresholdBuffers, ThresholdRule, ThresholdShape};
//!
//! let gpu = Gpu::open()?;
//! let shape = ThresholdShape { map: Nhw::new(1, 7, 7), mask: Size::new(224, 224) };
//! let map = gpu.upload("map", &vec![0.5f32; 7 * 7])?;
//! let mask = gpu.buffer("mask", 224 * 224 * 4)?;
//!
//! let operator = Threshold::new(&gpu.device, ThresholdRule::Value(0.7), Sampling::HalfPixel)?;
//! let buffers = ThresholdBuffers { map: map.slice(..), mask: mask.slice(..) };
//! let recording = operator.bind(&gpu.device, shape, buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok::<(), visual_attention::Error>(())
//! ```
//!
//! # Sizes
//!
//! A mask takes 4 bytes for each pixel. A map of the mask's own size may be as large as a buffer, except for Otsu's method.
//! Otherwise map and mask of one image must each fit a binding. The default limit of 128 MiB holds 33,554,432 pixels, for
//! instance 5,792 x 5,792. Otsu's method takes at most 2^24 pixels in an image, and 1,028 bytes of scratch for each image.
//! [`Threshold::bind`] lists the errors, [`Threshold::cost`] counts bytes and operations.
//!
//! Kernels: [`threshold`](crate::shaders::THRESHOLD), [`threshold_direct`](crate::shaders::THRESHOLD_DIRECT) for maps of the
//! mask's size, [`threshold_histogram`](crate::shaders::THRESHOLD_HISTOGRAM), [`threshold_otsu`](crate::shaders::THRESHOLD_OTSU).
//! Reference: [`reference::threshold`](crate::reference::threshold).

use std::fmt;
use std::str::FromStr;

use bytemuck::Zeroable;

use crate::cost::count;
use crate::kernel::resample::{Axis, Sampling};
use crate::kernel::shader::{NO_OR_YES, PLAIN, PLAIN_VECTORS, Shader, THREE_CODES, Variant, group, params, shader};
use crate::kernel::{Build, Compiler, Dispatch, Kernel, Tensor, check, resample, rounds, tensor};
use crate::{Cost, DType, Error, Nhw, Recording, Size, TensorSpec, UnknownName};

const OP: &str = "threshold";
const BINS: u64 = 256;
/// Vectors of a workgroup, if map and mask have the same size.
const GROUP: u32 = 64;
const HISTOGRAM_GROUP: u32 = 256;
/// Rows of an image for each workgroup of the histogram, and the most workgroups.
const SHARE_ROWS: u32 = 16;
const MAX_SHARES: u32 = 64;
/// Sums of levels of more pixels overflow 32 bits in the kernel.
const MAX_OTSU_PIXELS: u64 = 1 << 24;

params!(axes HistogramParams {
    origin: u32,
    map_base: u32,
    bins_base: u32,
    height: u32,
    width: u32,
    shares: u32,
});
params!(DirectParams { origin: u32, map_base: u32, levels_base: u32, mask_base: u32, pixels: u32, threshold: f32 });
params!(OtsuParams { bins_base: u32, levels_base: u32 });
params!(axes Params {
    origin_x: u32,
    origin_y: u32,
    map_base: u32,
    levels_base: u32,
    mask_base: u32,
    height: u32,
    width: u32,
    threshold: f32,
});

pub(crate) const THRESHOLD: Shader = shader!(
    "threshold",
    Params,
    PLAIN,
    &[group(&["RULE"], THREE_CODES)],
    [map: Read, levels: Read, mask: Write],
    ["thresholded", "sampled_map", "bilinear", "exceeds", "ordered"],
);

pub(crate) const THRESHOLD_DIRECT: Shader = shader!(
    "threshold_direct",
    DirectParams,
    PLAIN_VECTORS,
    &[group(&["RULE"], THREE_CODES)],
    [map: Read, levels: Read, mask: Write],
    ["thresholded", "exceeds", "ordered"],
);

pub(crate) const THRESHOLD_HISTOGRAM: Shader = shader!(
    "threshold_histogram",
    HistogramParams,
    PLAIN,
    &[group(&["WORKGROUP_SIZE"], &[&[256.0]]), group(&["RESAMPLED"], NO_OR_YES)],
    [map: Read, bins: Write],
    ["sampled_map", "bilinear", "exceeds", "ordered"],
);

pub(crate) const THRESHOLD_OTSU: Shader = shader!(
    "threshold_otsu",
    OtsuParams,
    PLAIN,
    &[],
    [bins: Write, levels: Write],
    [],
);

/// When a pixel of a map belongs to the mask. All comparisons are strict, and NaN exceeds nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum ThresholdRule {
    /// `value > threshold` (AG-CNN, Eq. 4; the paper uses 0.7).
    Value(f32),
    /// `floor(255 * value) > level`: the value as an 8-bit picture stores it. Public AG-CNN code compares so.
    Level(u8),
    /// `floor(255 * value) > level`, with the level that Otsu's method finds in the histogram of each image. An image has at most
    /// 2^24 pixels.
    #[doc(alias = "automatic threshold")]
    Otsu,
}

/// AG-CNN's: above 0.7.
impl Default for ThresholdRule {
    fn default() -> Self {
        Self::Value(0.7)
    }
}

/// Writes what [`FromStr`] reads: `value:0.7`, `level:178`, `otsu`.
impl fmt::Display for ThresholdRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(threshold) => write!(f, "value:{threshold}"),
            Self::Level(level) => write!(f, "level:{level}"),
            Self::Otsu => f.write_str("otsu"),
        }
    }
}

impl FromStr for ThresholdRule {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rule = match text.split_once(':') {
            None if text == "otsu" => Some(Self::Otsu),
            Some(("value", number)) => number.trim().parse().ok().map(Self::Value),
            Some(("level", number)) => number.trim().parse().ok().map(Self::Level),
            _ => None,
        };
        let known = vec!["otsu", "value:NUMBER", "level:0..255"];
        rule.ok_or_else(|| UnknownName { what: "threshold rule", given: text.to_owned(), known })
    }
}

impl ThresholdRule {
    pub(crate) const fn code(self) -> f64 {
        match self {
            Self::Value(_) => 0.0,
            Self::Level(_) => 1.0,
            Self::Otsu => 2.0,
        }
    }

    /// The threshold that the kernel is passed. Otsu's rule ignores it.
    pub(crate) fn value(self, op: &'static str) -> Result<f32, Error> {
        match self {
            // -0 becomes +0: see `exceeds` in the shader.
            Self::Value(threshold) => check::finite(op, "threshold", threshold).map(|threshold| threshold + 0.0),
            Self::Level(level) => Ok(f32::from(level)),
            Self::Otsu => Ok(0.0),
        }
    }
}

/// Masks of maps, `map [n, h, w] -> mask [n, oh, ow]`. The [page of the module](self) has the formula and an example.
#[doc(alias = "Otsu")]
#[doc(alias = "binarize")]
#[derive(Clone, Debug)]
pub struct Threshold {
    rule: ThresholdRule,
    sampling: Sampling,
    otsu: Option<Otsu>,
    resampled: Kernel,
    /// For maps of the mask's size, by vector width (1, 4).
    same: [Kernel; 2],
}

/// Extents of a [`Threshold`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ThresholdShape {
    /// `[n, h, w]`.
    pub map: Nhw,
    /// `[oh, ow]`.
    pub mask: Size,
}

/// Tensors of a [`Threshold`]; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct ThresholdBuffers<'a> {
    /// In: `[n, h, w]` f32.
    pub map: wgpu::BufferSlice<'a>,
    /// Out: `[n, oh, ow]` u32, 0 or 1.
    pub mask: wgpu::BufferSlice<'a>,
}

impl Threshold {
    /// Compiles the kernels. `sampling` gives the positions in a map of another size than the mask.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidParameter`] for a threshold that is not finite.
    /// - [`Error::LimitExceeded`] for Otsu's rule if the device's workgroups hold fewer than 256 invocations.
    pub fn new<'a>(compiler: impl Into<Compiler<'a>>, rule: ThresholdRule, sampling: Sampling) -> Result<Self, Error> {
        let compiler = compiler.into();
        rule.value(OP)?;
        let otsu = Otsu::new_within(compiler, rule)?;
        let kernel = |shader, variant, workgroup| {
            Kernel::new(
                compiler,
                &Build { op: OP, shader, variant, constants: &[("RULE", rule.code())], workgroup, workgroup_bytes: 0 },
            )
        };
        let resampled = kernel(&THRESHOLD, Variant::F32, resample::TILE)?;
        let same = |variant| kernel(&THRESHOLD_DIRECT, variant, [GROUP, 1, 1]);
        let same = [same(Variant::F32)?, same(Variant::F32X4)?];
        Ok(Self { rule, sampling, otsu, resampled, same })
    }

    /// The rule that the operator was built with.
    #[must_use]
    pub const fn rule(&self) -> ThresholdRule {
        self.rule
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
    pub fn tensors(&self, shape: ThresholdShape) -> Result<Vec<TensorSpec>, Error> {
        let ThresholdShape { map, mask: Size { height, width } } = shape;
        let mask = Nhw { height, width, ..map };
        check::plane(OP, "map", map)?;
        check::plane(OP, "mask", mask)?;
        Ok(vec![TensorSpec::input("map", map, DType::F32), TensorSpec::output("mask", mask, DType::U32)])
    }

    /// Checks the buffers against the shapes and binds them.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidShape`] for a mask with pixels and a map without any.
    /// - [`Error::LimitExceeded`] if one image exceeds a binding of the device, if the ratio of an axis, in lowest terms, exceeds
    ///   32 bits, or if Otsu's rule meets more than 2^24 pixels.
    /// - [What every operator refuses](crate#what-is-refused).
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: ThresholdShape,
        buffers: ThresholdBuffers<'_>,
    ) -> Result<Recording, Error> {
        let specs = self.tensors(shape)?;
        let ThresholdShape { map: shape, mask: size } = shape;
        let map = Tensor::divided(buffers.map, shape.size().pixels(), 4);
        let output = Tensor::divided(buffers.mask, size.pixels(), 4);
        check::slices(OP, device, &specs, &[("map", Some(buffers.map)), ("mask", Some(buffers.mask))])?;
        if shape.batch == 0 || size.is_empty() {
            return Ok(Recording::default());
        }
        check::source(OP, "map", shape.size())?;
        let axes = Axis::both(OP, shape.size(), size, self.sampling)?;
        let mut dispatches = Vec::new();
        let levels = self.bind_levels(OP, device, shape.batch, axes, size, map, &mut dispatches)?;
        self.bind_mask(device, shape.batch, axes, size, [map, output], levels.as_ref(), &mut dispatches)?;
        Ok(Recording::new(dispatches))
    }

    /// For Otsu's rule, appends the dispatches that find the level of each image. Returns the levels, `[n]` u32.
    #[expect(clippy::too_many_arguments, reason = "one half of `bind`, which `AttendedRegion` shares")]
    pub(crate) fn bind_levels(
        &self,
        op: &'static str,
        device: &wgpu::Device,
        batch: u32,
        axes: [Axis; 2],
        size: Size,
        map: Tensor<'_>,
        dispatches: &mut Vec<Dispatch>,
    ) -> Result<Option<wgpu::Buffer>, Error> {
        self.otsu.as_ref().map(|otsu| otsu.bind(op, device, batch, axes, size, map, dispatches)).transpose()
    }

    /// Appends the dispatch that writes the mask.
    #[expect(clippy::too_many_arguments, reason = "the other half of `bind`, which `AttendedRegion` shares")]
    pub(crate) fn bind_mask(
        &self,
        device: &wgpu::Device,
        batch: u32,
        axes: [Axis; 2],
        size: Size,
        [map, mask]: [Tensor<'_>; 2],
        levels: Option<&wgpu::Buffer>,
        dispatches: &mut Vec<Dispatch>,
    ) -> Result<(), Error> {
        let threshold = self.rule.value(OP)?;
        if axes.iter().all(Axis::is_identity) {
            // Without a level for each image the rows are independent. They are divided if an image exceeds a binding.
            let whole = size.pixels().saturating_mul(4) <= device.limits().max_storage_buffer_binding_size;
            let rows = if whole || levels.is_some() { 1 } else { size.height };
            let batch = check::to_u32(OP, "rows", u64::from(batch) * u64::from(rows))?;
            let size = if rows == 1 { size } else { Size::new(1, size.width) };
            let [map, mask] = [map, mask].map(|tensor| tensor.cut(rows.into()));
            let lanes = if size.pixels().is_multiple_of(4) { 4 } else { 1 };
            let pixels = check::to_u32(OP, "pixels of an image", size.pixels() / lanes)?;
            let levels = Tensor::divided(levels.map(|buffer| buffer.slice(..)), 1, 4);
            let [map, mask] = [map, mask].map(|tensor| tensor.by_lanes(lanes));
            let (kernel, groups) = (&self.same[usize::from(lanes == 4)], [pixels.div_ceil(GROUP), 1]);
            dispatches.extend(kernel.bind(device, batch, groups, &[map, levels, mask], None, |_| DirectParams {
                pixels,
                threshold,
                ..Zeroable::zeroed()
            })?);
            return Ok(());
        }
        let levels = Tensor::divided(levels.map(|buffer| buffer.slice(..)), 1, 4);
        let (tensors, groups) = ([map, levels, mask], resample::tiles(size));
        dispatches.extend(self.resampled.bind(device, batch, groups, &tensors, None, |_| Params {
            height: size.height,
            width: size.width,
            threshold,
            ..Params::resampling(axes)
        })?);
        Ok(())
    }

    /// What one run moves and computes. The map is read once, for Otsu's rule twice, and the mask is written once.
    #[must_use]
    pub fn cost(&self, shape: ThresholdShape) -> Cost {
        let ThresholdShape { map, mask } = shape;
        let reads = if self.otsu.is_some() { 2 } else { 1 };
        let mask = count(u64::from(map.batch)) * count(mask.pixels());
        Cost::new((count(map.elements()) * count(reads) + mask) * count(4), mask * count(10), count(0))
    }
}

/// Otsu's method: the level of each image.
#[derive(Clone, Debug)]
struct Otsu {
    /// For maps of the mask's size, and for others.
    histogram: [Kernel; 2],
    otsu: Kernel,
}

impl Otsu {
    /// `None` for the other rules.
    fn new_within(compiler: Compiler<'_>, rule: ThresholdRule) -> Result<Option<Self>, Error> {
        if rule != ThresholdRule::Otsu {
            return Ok(None);
        }
        let kernel = |shader, constants: &[_], workgroup_bytes| {
            Kernel::new(
                compiler,
                &Build {
                    op: OP,
                    shader,
                    variant: Variant::F32,
                    constants,
                    workgroup: [HISTOGRAM_GROUP, 1, 1],
                    workgroup_bytes,
                },
            )
        };
        let histogram = |resampled| {
            kernel(
                &THRESHOLD_HISTOGRAM,
                &[("WORKGROUP_SIZE", f64::from(HISTOGRAM_GROUP)), ("RESAMPLED", resampled)],
                256 * 4,
            )
        };
        Ok(Some(Self { histogram: [histogram(0.0)?, histogram(1.0)?], otsu: kernel(&THRESHOLD_OTSU, &[], 256 * 36)? }))
    }

    #[expect(clippy::too_many_arguments, reason = "the arguments of `Threshold::bind_levels`")]
    fn bind(
        &self,
        op: &'static str,
        device: &wgpu::Device,
        batch: u32,
        axes: [Axis; 2],
        size: Size,
        map: Tensor<'_>,
        dispatches: &mut Vec<Dispatch>,
    ) -> Result<wgpu::Buffer, Error> {
        if size.pixels() > MAX_OTSU_PIXELS {
            return Err(Error::LimitExceeded {
                op,
                limit: "pixels of an image for Otsu's threshold",
                needed: size.pixels(),
                given: MAX_OTSU_PIXELS,
            });
        }
        let shares = size.height.div_ceil(SHARE_ROWS).clamp(1, MAX_SHARES);
        // One round more adds up the bins.
        rounds::check(op, 1 + rounds::nested(size.height.div_ceil(shares), size.width.div_ceil(HISTOGRAM_GROUP)))?;
        let bins = tensor::scratch(op, device, "bins", u64::from(batch) * BINS * 4)?;
        let levels = tensor::scratch(op, device, "levels", u64::from(batch) * 4)?;
        let bins = Tensor::divided(bins.slice(..), BINS, 4);
        let histogram = &self.histogram[usize::from(!axes.iter().all(Axis::is_identity))];
        dispatches.extend(histogram.bind(device, batch, [shares, 1], &[map, bins], None, |_| HistogramParams {
            height: size.height,
            width: size.width,
            shares,
            ..HistogramParams::resampling(axes)
        })?);
        let tensors = [bins, Tensor::divided(levels.slice(..), 1, 4)];
        dispatches
            .extend(self.otsu.bind(device, batch, [1, 1], &tensors, None, |_| OtsuParams { ..Zeroable::zeroed() })?);
        Ok(levels)
    }
}
