//! Concurrent spatial and channel Squeeze-and-Excitation.

use super::cbam::{SpatialSqueeze, SqueezeTensors, spatially_squeezable};
use super::channel_scale::{Combine, features_and_output};
use super::global_pool::{PlaneGrid, squeezable};
use super::squeeze_excite::{Excitation, Surroundings};
use crate::pipeline::{self, Compiler, Tensor};
use crate::{Cost, Element, Epilogue, Error, Nchw, Recording, SqueezeExcite, SqueezeExciteOptions};

const OP: &str = "scse";

/// How [`ScSe`] joins the two recalibrated tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScSeCombine {
    /// Their sum: Roy et al. 2018, arXiv:1803.02579, Sec. 2.
    Add,
    /// The larger of the two, element by element: the same authors' arXiv:1808.08127.
    Max,
}

/// What a [`ScSe`] is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ScSeOptions {
    /// How the two recalibrated tensors are joined.
    pub combine: ScSeCombine,
    /// What becomes of the joined tensor, in the place of `x * gate`; any form but [`Epilogue::GateOnly`].
    pub epilogue: Epilogue,
}

impl ScSeOptions {
    /// The paper's: the sum, nothing after it.
    pub const STANDARD: Self = Self { combine: ScSeCombine::Add, epilogue: Epilogue::Scale };
}

/// Concurrent spatial and channel Squeeze-and-Excitation (Roy et al. 2018, arXiv:1803.02579, Sec. 2) on
/// `features [n, c, h, w]`:
///
/// ```text
/// cse = x * sigmoid(expand_weight relu(reduce_weight mean(x) + reduce_bias) + expand_bias)    over the channels
/// sse = x * sigmoid(sum over c of spatial_weight(c) * x(c) + spatial_bias)                    over the pixels
/// y   = cse + sse, or max(cse, sse)                                                          or another Epilogue of it
/// ```
///
/// The kernel adds two products, as written. WGSL lets a driver take numbers for finite, and Mesa's adds the gates first and
/// multiplies once: an infinite feature with one gate of exactly 0 then gives an infinity, where the formula has NaN.
///
/// A preset: [`SqueezeExcite`]'s three kernels, the last of which applies both gates, and `shaders/spatial_gate_squeeze.wgsl`. The
/// paper reduces by 2, without biases. Scratch: the spatial gate `[n, h, w]` f32 and the pooled vectors. `output` may be
/// `features` itself.
///
/// Reference [`reference::scse`](crate::reference::scse).
#[derive(Clone, Debug)]
pub struct ScSe {
    epilogue: Epilogue,
    element: Element,
    channel: SqueezeExcite,
    spatial: SpatialSqueeze,
}

/// Tensors of a [`ScSe`]; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct ScSeBuffers<'a> {
    /// In: `[n, c, h, w]`, the operator's element type.
    pub features: wgpu::BufferSlice<'a>,
    /// In: `[r, c]`, the operator's element type.
    pub reduce_weight: wgpu::BufferSlice<'a>,
    /// In: `[r]`, the operator's element type.
    pub reduce_bias: Option<wgpu::BufferSlice<'a>>,
    /// In: `[c, r]`, the operator's element type.
    pub expand_weight: wgpu::BufferSlice<'a>,
    /// In: `[c]`, the operator's element type.
    pub expand_bias: Option<wgpu::BufferSlice<'a>>,
    /// In: `[c]`, the operator's element type: a 1x1 convolution to one channel.
    pub spatial_weight: wgpu::BufferSlice<'a>,
    /// In: `[1]`, the operator's element type.
    pub spatial_bias: Option<wgpu::BufferSlice<'a>>,
    /// In: `[n, c, h, w]`, the operator's element type; for [`Epilogue::Residual`] only.
    pub identity: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, c, h, w]`, the operator's element type, every element written; may be `features`.
    pub output: wgpu::BufferSlice<'a>,
}

impl ScSe {
    /// Compiles the kernels for features and weights of type `element`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for [`Epilogue::GateOnly`]; [`Error::MissingFeature`] for f16 on a device without it;
    /// [`Error::LimitExceeded`] on a device whose workgroups hold fewer than 256 invocations.
    pub fn new<'a>(compiler: impl Into<Compiler<'a>>, options: ScSeOptions, element: Element) -> Result<Self, Error> {
        let compiler = compiler.into();
        let ScSeOptions { combine, epilogue } = options;
        epilogue.check_output(OP, "there are two gates")?;
        let combine = match combine {
            ScSeCombine::Add => Combine::Add,
            ScSeCombine::Max => Combine::Max,
        };
        let options = SqueezeExciteOptions { epilogue, ..SqueezeExciteOptions::STANDARD };
        Ok(Self {
            epilogue,
            element,
            channel: SqueezeExcite::new_within(OP, compiler, options, combine, element)?,
            spatial: SpatialSqueeze::new(OP, compiler, true, element)?,
        })
    }

    /// Checks the buffers against the shape and the reduced width, and binds them.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for a reduced width of zero, or where `identity` is missing or of no use to the operator's
    /// [`Epilogue`]; [`Error::InvalidShape`] for planes without pixels;
    /// [`Error::LimitExceeded`] where one image exceeds a binding of the device, and what every operator refuses of its
    /// buffers.
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        reduced: u32,
        buffers: ScSeBuffers<'_>,
    ) -> Result<Recording, Error> {
        let ScSeBuffers { features, spatial_weight, spatial_bias, identity, output, .. } = buffers;
        let excitation = Excitation {
            reduced,
            reduce_weight: buffers.reduce_weight,
            reduce_bias: buffers.reduce_bias,
            expand_weight: buffers.expand_weight,
            expand_bias: buffers.expand_bias,
        };
        pipeline::check_elements(OP, "features", shape)?;
        self.epilogue.check(OP, identity.is_some(), true, true)?;
        excitation.check(OP, shape.channels)?;
        if !squeezable(OP, shape)? || !spatially_squeezable(OP, shape)? {
            return Ok(Recording::default());
        }
        let bytes = self.element.bytes();
        let mut tensors = Vec::from(features_and_output(shape, self.element, features, identity, Some(output)));
        tensors.extend(excitation.tensors(shape.channels, self.element));
        tensors.push(Tensor::read_whole("spatial_weight", spatial_weight, shape.channels.into(), bytes));
        tensors.push(Tensor::read_whole_if("spatial_bias", spatial_bias, 1, bytes));
        pipeline::check(OP, device, shape.batch, &tensors)?;

        let grid = PlaneGrid::new(OP, device, shape, self.element)?;
        let pixels = shape.plane().elements().unwrap_or(u64::MAX);
        let gate = pipeline::scratch(OP, device, "spatial gate", pixels.saturating_mul(4))?;
        let projected = SqueezeTensors {
            features,
            gate: None,
            weight: Some(spatial_weight),
            bias: spatial_bias,
            planes: gate.slice(..),
        };
        let mut dispatches = self.spatial.dispatches(device, shape, &grid, projected)?;
        let surroundings = Surroundings { identity, spatial: Some(gate.slice(..)), gate: None, output: Some(output) };
        dispatches.extend(self.channel.dispatches(device, shape, features, excitation, surroundings)?);
        Ok(Recording::new(dispatches))
    }

    /// What one run has to move and to compute, without biases.
    #[must_use]
    pub fn cost(&self, shape: Nchw, reduced: u32) -> Cost {
        let features = shape.elements().unwrap_or(u64::MAX);
        let channels = u64::from(shape.channels);
        let spatial = Cost {
            bytes: channels * self.element.bytes(),
            // Two for each weight, one to scale, one to join.
            flops: features.saturating_mul(4),
            parameters: channels,
        };
        self.channel.cost(shape, reduced) + spatial
    }
}
