//! The gradient of an attention map with respect to its features.
//!
//! ```text
//! dx[n, k, y, x] = g * sign(f)           at the first k that holds the maximum, else 0     MaxAbs
//!                  g * sign(f) / K                                                         MeanAbs
//!                  g * f / (K * map)     0 where map = 0                                   Rms
//!                  g * f / (K^2 * map)   0 where map = 0                                   L2
//!                  g                     at the first k that holds the maximum, else 0     Max
//!                  g / K                                                                   Mean
//!
//! f = features[n, k, y, x], g = map_gradient[n, y, x], map = map[n, y, x], and sign(0) = 0
//! ```
//!
//! Source: the chain rule of AG-CNN's Eq. 3 (Guan et al. 2018, arXiv:1801.09927). One channel takes the gradient of a maximum, as in
//! `PyTorch`'s `max(dim)`: `amax` would share it among equal channels. A NaN counts as the largest number.
//!
//! # Example
//!
//! ```no_run
//! use visual_attention::host::Gpu;
//! use visual_attention::{AttentionMapBackward, AttentionMapBackwardBuffers, Element, Nchw, Statistic};
//!
//! let gpu = Gpu::open()?;
//! let features = gpu.upload("features", &vec![0.5f32; 512 * 28 * 28])?;
//! let map_gradient = gpu.upload("gradient of the map", &vec![1.0f32; 28 * 28])?;
//! let features_gradient = gpu.buffer("gradient of the features", 512 * 28 * 28 * 4)?;
//!
//! let operator = AttentionMapBackward::new(&gpu.device, Statistic::MaxAbs, Element::F32)?;
//! let buffers = AttentionMapBackwardBuffers {
//!     features: Some(features.slice(..)),
//!     map: None,
//!     map_gradient: map_gradient.slice(..),
//!     features_gradient: Some(features_gradient.slice(..)),
//! };
//! let recording = operator.bind(&gpu.device, Nchw::new(1, 512, 28, 28), buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok::<(), visual_attention::Error>(())
//! ```
//!
//! [`Statistic`] chooses the row of the formula, and [`AttentionMapBackwardBuffers`] says which tensors a row reads. There is no scratch.
//! Each pixel is computed by itself, so the bits depend on nothing else. [`AttentionMapBackward::bind`] lists the errors.
//!
//! Kernel: [`attention_map_backward`](crate::shaders::ATTENTION_MAP_BACKWARD). Reference:
//! [`reference::attention_map_backward`](crate::reference::attention_map_backward).

use bytemuck::Zeroable;

use crate::cost::count;
use crate::kernel::shader::{Shader, VECTORS, Variant, group, params, shader};
use crate::kernel::tuning::Team;
use crate::kernel::{Build, Compiler, Kernel, Tensor, check, rounds, tuning};
use crate::ops::attention_map::{STATISTICS, Statistic};
use crate::{Cost, Element, Error, Nchw, Recording, TensorSpec};

const OP: &str = "attention_map_backward";

params!(Params {
    origin: u32,
    features_base: u32,
    map_base: u32,
    map_gradient_base: u32,
    features_gradient_base: u32,
    channels: u32,
    pixels: u32,
});

pub(crate) const ATTENTION_MAP_BACKWARD: Shader = shader!(
    "attention_map_backward",
    Params,
    VECTORS,
    &[tuning::PIXELS_BY_CHANNELS, group(&["STATISTIC"], STATISTICS)],
    [features: Read, map: Read, map_gradient: Read, features_gradient: Write],
    ["ordered"],
);

/// The gradient of [`AttentionMap`](crate::AttentionMap), `map_gradient [n, h, w] -> features_gradient [n, c, h, w]`. The
/// [page of the module](self) has the formulas and an example.
#[derive(Clone, Debug)]
pub struct AttentionMapBackward {
    statistic: Statistic,
    element: Element,
    software: bool,
    /// By vector width (1, 4), then as [`tuning::channel_teams`].
    kernels: [Vec<Kernel>; 2],
}

/// Tensors of an [`AttentionMapBackward`]; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct AttentionMapBackwardBuffers<'a> {
    /// In: `[n, c, h, w]`, the operator's element type. [`Statistic::Mean`] does not read it.
    pub features: Option<wgpu::BufferSlice<'a>>,
    /// In: `[n, h, w]` f32, as the forward operator wrote it. Only [`Statistic::Rms`] and [`Statistic::L2`] read it.
    pub map: Option<wgpu::BufferSlice<'a>>,
    /// In: `[n, h, w]` f32, the gradient of the loss with respect to the map.
    pub map_gradient: wgpu::BufferSlice<'a>,
    /// Out: `[n, c, h, w]`, the operator's element type, every element written.
    pub features_gradient: Option<wgpu::BufferSlice<'a>>,
}

impl AttentionMapBackward {
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
                    shader: &ATTENTION_MAP_BACKWARD,
                    variant: Variant::new(element, lanes),
                    constants: &constants,
                    workgroup: [pixels, channels, 1],
                    workgroup_bytes: pixels * channels * lanes * 8,
                },
            )
        };
        let kernels = |lanes| -> Result<_, Error> {
            tuning::channel_teams(compiler.software).iter().map(|team| kernel(lanes, team)).collect()
        };
        Ok(Self { statistic, element, software: compiler.software, kernels: [kernels(1)?, kernels(4)?] })
    }

    /// The tensors for this shape, in the order in which `bind` checks them.
    ///
    /// # Errors
    ///
    /// What [`Self::bind`] refuses about the shape.
    pub fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        check::elements(OP, "features", shape)?;
        let map = TensorSpec::input("map", shape.plane(), Element::F32);
        Ok(vec![
            TensorSpec::input("features", shape, self.element).optional_if(self.statistic == Statistic::Mean),
            map.optional_if(!matches!(self.statistic, Statistic::Rms | Statistic::L2)),
            TensorSpec::input("map_gradient", shape.plane(), Element::F32),
            TensorSpec::output("features_gradient", shape, self.element).optional(),
        ])
    }

    /// Checks the buffers against the shape and binds them. Without `features_gradient` there is nothing to compute.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidShape`] for a shape without channels.
    /// - [`Error::InvalidParameter`] if `features` or `map` is absent and the statistic reads it.
    /// - [`Error::LimitExceeded`] for more than 32 * 16,383 channels, or if one image exceeds a binding of the device.
    /// - [What every operator refuses](crate#what-is-refused).
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        buffers: AttentionMapBackwardBuffers<'_>,
    ) -> Result<Recording, Error> {
        let AttentionMapBackwardBuffers { features, map, map_gradient, features_gradient } = buffers;
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
        rounds::check(OP, 2 * u64::from(shape.channels.div_ceil(team.sharing)))?;
        check::slices(
            OP,
            device,
            &specs,
            &[
                ("features", features),
                ("map", map),
                ("map_gradient", Some(map_gradient)),
                ("features_gradient", features_gradient),
            ],
        )?;
        if features_gradient.is_none() {
            return Ok(Recording::default());
        }
        let kernel = &self.kernels[usize::from(lanes == 4)][index];
        let unit = u64::from(shape.channels) * pixels;
        let (element, real) = (self.element.bytes() * lanes, Element::F32.bytes() * lanes);
        let tensors = [
            Tensor::divided(features, unit, element),
            Tensor::divided(map, pixels, real),
            Tensor::divided(map_gradient, pixels, real),
            Tensor::divided(features_gradient, unit, element),
        ];
        let pixels = check::to_u32(OP, "pixels of an image", pixels)?;
        let groups = [pixels.div_ceil(team.across), 1];
        let dispatches = kernel.bind(device, shape.batch, groups, &tensors, None, |_| Params {
            channels: shape.channels,
            pixels,
            ..Zeroable::zeroed()
        })?;
        Ok(Recording::new(dispatches))
    }

    /// What one run moves and computes. Features are read once if the statistic reads them, and their gradient is written once. Two
    /// operations are counted for each feature.
    #[must_use]
    pub fn cost(&self, shape: Nchw) -> Cost {
        let (features, pixels) = (count(shape.elements()), count(shape.plane().elements()));
        let tensors = if self.statistic == Statistic::Mean { 1 } else { 2 };
        let maps = if matches!(self.statistic, Statistic::Rms | Statistic::L2) { 2 } else { 1 };
        let bytes = features * count(self.element.bytes()) * count(tensors) + pixels * count(4) * count(maps);
        Cost::new(bytes, features * count(2), count(0))
    }
}
