//! The gradient of normalised maps, in place.
//!
//! ```text
//! dx = (dy - (A - B) at the first minimum - B at the first maximum) / (max - min)    MinMax
//! dx = (dy - B at the first maximum) / max                                           Max
//!
//! A = sum of dy, and B = sum of dy * map, over the pixels of one image
//! ```
//!
//! `map` is the normalised map. Its first 0 is the first minimum, and its first 1 the first maximum. A constant map, and with `Max` a map
//! without a positive maximum, has the gradient 0.
//!
//! Source: the chain rule of AG-CNN's normalisation (Guan et al. 2018, arXiv:1801.09927), Sec. III-B.
//!
//! # Example
//!
//! ```no_run
//! use visual_attention::host::Gpu;
//! use visual_attention::{Nhw, Normalization, NormalizeBackward, NormalizeBackwardBuffers};
//!
//! let gpu = Gpu::open()?;
//! // What the forward operator left: the normalised map, and the range that it had.
//! let map = gpu.upload("map", &vec![0.5f32; 28 * 28])?;
//! let range = gpu.upload("range", &[-1.0f32, 3.0])?;
//! let map_gradient = gpu.upload("gradient of the map", &vec![1.0f32; 28 * 28])?;
//!
//! let operator = NormalizeBackward::new(&gpu.device, Normalization::MinMax)?;
//! let buffers = NormalizeBackwardBuffers {
//!     map: map.slice(..),
//!     range: range.slice(..),
//!     map_gradient: map_gradient.slice(..),
//! };
//! let recording = operator.bind(&gpu.device, Nhw::new(1, 28, 28), buffers)?;
//! gpu.run(|pass| recording.record(pass))?;
//! # Ok::<(), visual_attention::Error>(())
//! ```
//!
//! With [`Normalization::None`] nothing is recorded: the gradient stays as it is. Scratch takes twice as much as that of
//! [`Normalize`](crate::Normalize): 16 bytes for each share of an image. How an image is shared depends on its size alone, so its bits do
//! not depend on the batch. [`NormalizeBackward::bind`] lists the errors.
//!
//! Kernels: [`normalize_backward_sums`](crate::shaders::NORMALIZE_BACKWARD_SUMS), then
//! [`normalize_backward`](crate::shaders::NORMALIZE_BACKWARD). Reference:
//! [`reference::normalize_backward`](crate::reference::normalize_backward).

use bytemuck::Zeroable;

use crate::cost::count;
use crate::kernel::shader::{NO_OR_YES, PLAIN, Shader, Variant, group, params, shader};
use crate::kernel::{Build, Compiler, Kernel, Tensor, check, rounds, tensor, tuning};
use crate::ops::normalize::Normalization;
use crate::{Cost, DType, Error, Nhw, Recording, TensorSpec};

const OP: &str = "normalize_backward";
const GROUP: u32 = 64;

params!(SumsParams { origin: u32, map_base: u32, dy_base: u32, sums_base: u32, pixels: u32, shares: u32 });
params!(Params {
    origin: u32,
    range_base: u32,
    sums_base: u32,
    gradient_base: u32,
    pixels: u32,
    shares: u32,
    each: u32,
});

pub(crate) const NORMALIZE_BACKWARD: Shader = shader!(
    "normalize_backward",
    Params,
    PLAIN,
    &[group(&["BY_MAXIMUM"], NO_OR_YES)],
    [range: Read, sums: Read, gradient: Write],
    [],
);

pub(crate) const NORMALIZE_BACKWARD_SUMS: Shader = shader!(
    "normalize_backward_sums",
    SumsParams,
    PLAIN,
    &[tuning::RANGE_GROUPS],
    [map: Read, dy: Read, sums: Write],
    ["blocked_sum"],
);

/// The gradient of a [`Normalize`](crate::Normalize), `map_gradient [n, h, w]` in place. The [page of the module](self) has the formulas
/// and an example.
#[derive(Clone, Debug)]
pub struct NormalizeBackward {
    software: bool,
    /// `None` for [`Normalization::None`].
    kernels: Option<(Kernel, Kernel)>,
}

/// Tensors of a [`NormalizeBackward`]; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct NormalizeBackwardBuffers<'a> {
    /// In: `[n, h, w]` f32, the normalised map.
    pub map: wgpu::BufferSlice<'a>,
    /// In: `[n, 2]` f32, as [`NormalizeBuffers::range`](crate::NormalizeBuffers::range).
    pub range: wgpu::BufferSlice<'a>,
    /// In and out: `[n, h, w]` f32, the gradient with respect to the normalised map, and then with respect to the map before.
    pub map_gradient: wgpu::BufferSlice<'a>,
}

impl NormalizeBackward {
    /// Compiles the kernels.
    ///
    /// # Errors
    ///
    /// [`Error::LimitExceeded`] if the device's workgroups hold fewer than 256 invocations.
    pub fn new<'a>(compiler: impl Into<Compiler<'a>>, normalization: Normalization) -> Result<Self, Error> {
        let compiler = compiler.into();
        let software = compiler.software;
        if normalization == Normalization::None {
            return Ok(Self { software, kernels: None });
        }
        let range_group = tuning::range_group(software);
        let sums = Kernel::new(
            compiler,
            &Build {
                op: OP,
                shader: &NORMALIZE_BACKWARD_SUMS,
                variant: Variant::F32,
                constants: &[("WORKGROUP_SIZE", f64::from(range_group))],
                workgroup: [range_group, 1, 1],
                workgroup_bytes: range_group * 16,
            },
        )?;
        let by_maximum = f64::from(u8::from(normalization == Normalization::Max));
        let apply = Kernel::new(
            compiler,
            &Build {
                op: OP,
                shader: &NORMALIZE_BACKWARD,
                variant: Variant::F32,
                constants: &[("BY_MAXIMUM", by_maximum)],
                workgroup: [GROUP, 1, 1],
                workgroup_bytes: 0,
            },
        )?;
        Ok(Self { software, kernels: Some((sums, apply)) })
    }

    /// The tensors for this shape, in the order in which `bind` checks them.
    ///
    /// # Errors
    ///
    /// What [`Self::bind`] refuses about the shape.
    pub fn tensors(&self, shape: Nhw) -> Result<Vec<TensorSpec>, Error> {
        check::plane(OP, "map", shape)?;
        Ok(vec![
            TensorSpec::in_place("map_gradient", shape, DType::F32),
            TensorSpec::input("map", shape, DType::F32),
            TensorSpec::input("range", [shape.batch, 2], DType::F32),
        ])
    }

    /// Checks the buffers against the shape and binds them.
    ///
    /// # Errors
    ///
    /// - [`Error::LimitExceeded`] if one image exceeds a binding of the device.
    /// - [What every operator refuses](crate#what-is-refused).
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: Nhw,
        buffers: NormalizeBackwardBuffers<'_>,
    ) -> Result<Recording, Error> {
        let specs = self.tensors(shape)?;
        let NormalizeBackwardBuffers { map, range, map_gradient } = buffers;
        let pixels = check::to_u32(OP, "pixels of an image", shape.size().pixels())?;
        let given = [("map", Some(map)), ("range", Some(range)), ("map_gradient", Some(map_gradient))];
        check::slices(OP, device, &specs, &given)?;
        let Some((first, second)) = self.kernels.as_ref().filter(|_| !shape.is_empty()) else {
            return Ok(Recording::default());
        };
        let tuning::Ranges { shares, sharing, across, each } = tuning::ranges(self.software, pixels);
        rounds::check(OP, rounds::summed(pixels.div_ceil(shares * sharing).max(shares + each).into()))?;
        let unit = u64::from(shares) * 4;
        let sums = tensor::scratch(OP, device, "sums", u64::from(shape.batch) * unit * 4)?;
        let [map, gradient] = [map, map_gradient].map(|slice| Tensor::divided(slice, pixels.into(), 4));
        let sums = Tensor::divided(sums.slice(..), unit, 4);
        let groups = [shares.div_ceil(across), 1];
        let mut dispatches = first.bind(device, shape.batch, groups, &[map, gradient, sums], None, |_| SumsParams {
            pixels,
            shares,
            ..Zeroable::zeroed()
        })?;
        let tensors = [Tensor::divided(range, 2, 4), sums, gradient];
        let groups = [pixels.div_ceil(each * GROUP), 1];
        dispatches.extend(second.bind(device, shape.batch, groups, &tensors, None, |_| Params {
            pixels,
            shares,
            each,
            ..Zeroable::zeroed()
        })?);
        Ok(Recording::new(dispatches))
    }

    /// What one run moves and computes. The map is read once, the gradient is read twice and written once, and each pixel takes five
    /// operations.
    #[must_use]
    pub fn cost(&self, shape: Nhw) -> Cost {
        let pixels = count(shape.elements());
        match self.kernels {
            Some(_) => Cost::new(pixels * count(16), pixels * count(5), count(0)),
            None => Cost::default(),
        }
    }
}
