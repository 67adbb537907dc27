//! Concurrent spatial and channel Squeeze-and-Excitation.

use super::cbam::{SpatialSqueeze, SqueezeTensors, spatially_squeezable};
use super::channel_scale::{Combine, features_and_output};
use super::global_pool::{PlaneGrid, squeezable};
use super::squeeze_excite::{Excitation, Surroundings};
use crate::kernel::{Compiler, check, tensor};
use crate::names::names;
use crate::{
    Cost, Element, Epilogue, Error, Nchw, Recording, SqueezeExcite, SqueezeExciteOptions, SqueezeExciteShape,
    TensorSpec,
};

const OP: &str = "scse";

/// How [`ScSe`] joins the two recalibrated tensors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ScSeCombine {
    /// Their sum: Roy et al. 2018, arXiv:1803.02579, Sec. 2.
    #[default]
    Add,
    /// The larger of the two, element by element: the same authors' arXiv:1808.08127.
    Max,
}

names!(ScSeCombine, "combination of gates", Add = "add", Max = "max");

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

/// Extents of a [`ScSe`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ScSeShape {
    /// `[n, c, h, w]`.
    pub features: Nchw,
    /// Reduced width `r` of the channel gate.
    pub reduced: u32,
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

    /// The tensors of one `bind`, in the order in which they are checked.
    ///
    /// # Errors
    ///
    /// What [`Self::bind`] refuses of a shape, before any buffer.
    pub fn tensors(&self, shape: ScSeShape) -> Result<Vec<TensorSpec>, Error> {
        let ScSeShape { features, reduced } = shape;
        check::elements(OP, "features", features)?;
        Excitation::check(OP, features.channels, reduced)?;
        let mut specs = features_and_output(features, self.element, self.epilogue);
        specs.extend(Excitation::specs(features.channels, reduced, self.element));
        specs.push(TensorSpec::input("spatial_weight", [features.channels], self.element));
        specs.push(TensorSpec::input("spatial_bias", [1], self.element).optional());
        Ok(specs)
    }

    /// Checks the buffers against the shape and the reduced width, and binds them.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for a reduced width of zero, or where `identity` is missing or of no use to the operator's
    /// [`Epilogue`]; [`Error::InvalidShape`] for planes without pixels;
    /// [`Error::LimitExceeded`] where one image exceeds a binding of the device, and what every operator refuses of its
    /// buffers.
    pub fn bind(&self, device: &wgpu::Device, shape: ScSeShape, buffers: ScSeBuffers<'_>) -> Result<Recording, Error> {
        let specs = self.tensors(shape)?;
        let ScSeShape { features: shape, reduced } = shape;
        let ScSeBuffers { features, spatial_weight, spatial_bias, identity, output, .. } = buffers;
        let excitation = Excitation {
            reduced,
            reduce_weight: buffers.reduce_weight,
            reduce_bias: buffers.reduce_bias,
            expand_weight: buffers.expand_weight,
            expand_bias: buffers.expand_bias,
        };
        self.epilogue.check(OP, identity.is_some(), true, true)?;
        if !squeezable(OP, shape)? || !spatially_squeezable(OP, shape)? {
            return Ok(Recording::default());
        }
        let mut given = vec![
            ("features", Some(features)),
            ("identity", identity),
            ("output", Some(output)),
            ("spatial_weight", Some(spatial_weight)),
            ("spatial_bias", spatial_bias),
        ];
        given.extend(excitation.slices());
        check::slices(OP, device, &specs, &given)?;

        let grid = PlaneGrid::new(OP, device, shape, self.element)?;
        let pixels = shape.plane().elements().unwrap_or(u64::MAX);
        let gate = tensor::scratch(OP, device, "spatial gate", pixels.saturating_mul(4))?;
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
    pub fn cost(&self, shape: ScSeShape) -> Cost {
        let ScSeShape { features: shape, reduced } = shape;
        let features = shape.elements().unwrap_or(u64::MAX);
        let channels = u64::from(shape.channels);
        let spatial = Cost {
            bytes: channels * self.element.bytes(),
            // Two for each weight, one to scale, one to join.
            flops: features.saturating_mul(4),
            parameters: channels,
        };
        self.channel.cost(SqueezeExciteShape { features: shape, reduced }) + spatial
    }
}
