//! Attention maps: one statistic over the channels of each pixel.
//!
//! ```text
//! map[n, y, x] = max |f|            MaxAbs
//!                sum |f| / K        MeanAbs
//!                sqrt(sum f^2 / K)  Rms
//!                sqrt(sum f^2) / K  L2
//!                max f              Max
//!                sum f / K          Mean
//!
//! f = features[n, k, y, x], and the maximum and the sums are over k = 0 .. K - 1
//! ```
//!
//! Source: AG-CNN (Guan et al. 2018, arXiv:1801.09927), Eq. 3. `Max` and `Mean` are the planes of CBAM's spatial gate (Woo et al.
//! 2018, arXiv:1807.06521, Eq. 3).
//!
//! # Example
//!
//! ```no_run
//! use visual_attention::host::Gpu;
//! use visual_attention::{AttentionMap, AttentionMapBuffers, Element, Nchw, Statistic};
//!
//! let gpu = Gpu::open()?;
//! let features = gpu.upload("features", &vec![0.5f32; 512 * 28 * 28])?;
//! let map = gpu.buffer("map", 28 * 28 * 4)?;
//!
//! let operator = AttentionMap::new(&gpu.device, Statistic::MaxAbs, Element::F32)?;
//! let buffers = AttentionMapBuffers { features: features.slice(..), map: map.slice(..) };
//! let recording = operator.bind(&gpu.device, Nchw::new(1, 512, 28, 28), buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! let map: Vec<f32> = gpu.read(map.slice(..))?;
//! # Ok::<(), visual_attention::Error>(())
//! ```
//!
//! [`Statistic`] chooses the row of the formula. The features are f32 or f16, the map is f32. [`AttentionMapBuffers`] lists the
//! tensors, [`AttentionMap::bind`] the errors, and [`AttentionMap::cost`] counts bytes and operations. There is no scratch.
//!
//! Kernel: [`attention_map`](crate::shaders::ATTENTION_MAP). Reference:
//! [`reference::attention_map`](crate::reference::attention_map).

use bytemuck::Zeroable;

use crate::cost::count;
use crate::kernel::shader::{Shader, VECTORS, Variant, group, params, shader};
use crate::kernel::tuning::Team;
use crate::kernel::{Build, Compiler, Kernel, Tensor, check, rounds, tuning};
use crate::names::names;
use crate::{Cost, Element, Error, Nchw, Recording, TensorSpec};

const OP: &str = "attention_map";

params!(Params { origin: u32, features_base: u32, map_base: u32, channels: u32, pixels: u32 });

pub(crate) const ATTENTION_MAP: Shader = shader!(
    "attention_map",
    Params,
    VECTORS,
    &[tuning::PIXELS_BY_CHANNELS, group(&["STATISTIC"], STATISTICS)],
    [features: Read, map: Write],
    ["ordered", "blocked_sum"],
);

/// The override that numbers the statistics.
pub(crate) const STATISTICS: &[&[f64]] = &[&[0.0], &[1.0], &[2.0], &[3.0], &[4.0], &[5.0]];

/// The statistic of an attention map, over the `K` channels `f` of a pixel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Statistic {
    /// `max |f|`: AG-CNN, Eq. 3.
    #[default]
    MaxAbs,
    /// `sum |f| / K`: AG-CNN's L1 variant.
    MeanAbs,
    /// `sqrt(sum f^2 / K)`.
    Rms,
    /// `sqrt(sum f^2) / K`: AG-CNN's L2 variant, as the paper writes it.
    L2,
    /// `max f`: the first plane of CBAM's spatial gate.
    Max,
    /// `sum f / K`: the second plane of CBAM's spatial gate.
    Mean,
}

names!(
    Statistic,
    "statistic of an attention map",
    MaxAbs = "max_abs",
    MeanAbs = "mean_abs",
    Rms = "rms",
    L2 = "l2",
    Max = "max",
    Mean = "mean"
);

impl Statistic {
    /// Every statistic.
    pub const ALL: [Self; 6] = [Self::MaxAbs, Self::MeanAbs, Self::Rms, Self::L2, Self::Max, Self::Mean];

    pub(crate) const fn code(self) -> f64 {
        match self {
            Self::MaxAbs => 0.0,
            Self::MeanAbs => 1.0,
            Self::Rms => 2.0,
            Self::L2 => 3.0,
            Self::Max => 4.0,
            Self::Mean => 5.0,
        }
    }
}

/// Attention maps, `features [n, c, h, w] -> map [n, h, w]`. The [page of the module](self) has the formulas and an example.
#[doc(alias = "AG-CNN")]
#[doc(alias = "activation map")]
#[derive(Clone, Debug)]
pub struct AttentionMap {
    statistic: Statistic,
    element: Element,
    software: bool,
    /// By vector width (1, 4), then as [`tuning::channel_teams`].
    kernels: [Vec<Kernel>; 2],
}

/// Tensors of an [`AttentionMap`]; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct AttentionMapBuffers<'a> {
    /// In: `[n, c, h, w]`, the operator's element type.
    pub features: wgpu::BufferSlice<'a>,
    /// Out: `[n, h, w]` f32, every element written.
    pub map: wgpu::BufferSlice<'a>,
}

impl AttentionMap {
    /// Compiles the kernel for features of type `element`.
    ///
    /// # Errors
    ///
    /// - [`Error::MissingFeature`] for f16 on a device without it.
    /// - [`Error::LimitExceeded`] if the device's workgroups hold fewer than 256 invocations.
    pub fn new<'a>(compiler: impl Into<Compiler<'a>>, statistic: Statistic, element: Element) -> Result<Self, Error> {
        let compiler = compiler.into();
        let kernel = |lanes: u32, team: &Team| {
            let Team { sharing: channels, across: pixels } = *team;
            let constants =
                [("PIXELS", f64::from(pixels)), ("CHANNELS", f64::from(channels)), ("STATISTIC", statistic.code())];
            Kernel::new(
                compiler,
                &Build {
                    op: OP,
                    shader: &ATTENTION_MAP,
                    variant: Variant::new(element, lanes),
                    constants: &constants,
                    workgroup: [pixels, channels, 1],
                    workgroup_bytes: pixels * channels * lanes * 4,
                },
            )
        };
        let kernels = |lanes| -> Result<_, Error> {
            tuning::channel_teams(compiler.software).iter().map(|team| kernel(lanes, team)).collect()
        };
        Ok(Self { statistic, element, software: compiler.software, kernels: [kernels(1)?, kernels(4)?] })
    }

    /// The statistic that the operator was built with.
    #[must_use]
    pub const fn statistic(&self) -> Statistic {
        self.statistic
    }

    pub(crate) const fn element(&self) -> Element {
        self.element
    }

    /// The tensors for this shape, in the order in which `bind` checks them.
    ///
    /// # Errors
    ///
    /// What [`Self::bind`] refuses about the shape.
    pub fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        check::elements(OP, "features", shape)?;
        Ok(vec![
            TensorSpec::input("features", shape, self.element),
            TensorSpec::output("map", shape.plane(), Element::F32),
        ])
    }

    /// Checks the buffers against the shape and binds them.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidShape`] for a shape without channels.
    /// - [`Error::LimitExceeded`] for more than 32 * 31,774 channels, or if one image exceeds a binding of the device.
    /// - [What every operator refuses](crate#what-is-refused).
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        buffers: AttentionMapBuffers<'_>,
    ) -> Result<Recording, Error> {
        let specs = self.tensors(shape)?;
        if shape.plane().is_empty() {
            return Ok(Recording::default());
        }
        if shape.channels == 0 {
            return Err(Error::InvalidShape {
                op: OP,
                binding: "features",
                given: shape.to_string(),
                needed: "at least one channel".into(),
            });
        }
        // The choice depends on the size of one image alone. A batch then gives the same bits, however it is divided.
        let lanes = if shape.size().pixels().is_multiple_of(4) { 4 } else { 1 };
        let pixels = shape.size().pixels() / lanes;
        let index = tuning::channel_team(self.software, pixels, shape.channels);
        let team = tuning::channel_teams(self.software)[index];
        rounds::check(OP, rounds::summed(shape.channels.div_ceil(team.sharing).into()))?;
        let kernel = &self.kernels[usize::from(lanes == 4)][index];
        let unit = u64::from(shape.channels) * pixels;
        let tensors = [
            Tensor::divided(buffers.features, unit, self.element.bytes() * lanes),
            Tensor::divided(buffers.map, pixels, Element::F32.bytes() * lanes),
        ];
        check::slices(OP, device, &specs, &[("features", Some(buffers.features)), ("map", Some(buffers.map))])?;
        let pixels = check::to_u32(OP, "pixels of an image", pixels)?;
        let groups = [pixels.div_ceil(team.across), 1];
        let dispatches = kernel.bind(device, shape.batch, groups, &tensors, None, |_| Params {
            channels: shape.channels,
            pixels,
            ..Zeroable::zeroed()
        })?;
        Ok(Recording::new(dispatches))
    }

    /// What one run moves and computes. Features are read once, the map is written once. Two operations are counted for each
    /// feature.
    #[must_use]
    pub fn cost(&self, shape: Nchw) -> Cost {
        let (features, pixels) = (count(shape.elements()), count(shape.plane().elements()));
        let bytes = features * count(self.element.bytes()) + pixels * count(4);
        Cost::new(bytes, features * count(2), count(0))
    }
}
