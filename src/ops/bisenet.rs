//! The attention of BiSeNet's two modules.

use super::channel_scale::{Combine, GateFrom, Scale, ScaleTensors, features_and_output, gate_out};
use super::dense::{Join, Layer, LayerProblem, LayerTensors, layer_cost};
use super::global_pool::{GlobalPoolBuffers, PlaneGrid, Pool, squeezable};
use crate::kernel::tensor::Between;
use crate::kernel::{Compiler, check, tensor};
use crate::{Activation, BatchNorm, Cost, DenseShape, Element, Epilogue, Error, Nchw, Recording, Squeeze, TensorSpec};

const OP: &str = "bisenet";

/// The attention of BiSeNet's attention refinement and feature fusion modules (Yu et al. 2018, arXiv:1808.00897, Fig. 2b and
/// 2c), after the convolution that gives the features `f`:
///
/// ```text
/// s    = mean of f over each plane                  shaders/global_pool.wgsl
/// gate = sigmoid(norm(weight s))                    shaders/dense.wgsl: a 1x1 convolution, batch norm, sigmoid
/// y    = f * gate, f * gate + f, or another Epilogue    shaders/channel_scale.wgsl
/// ```
///
/// [`Epilogue::Scale`] is the attention refinement module, [`Epilogue::ScaleAdd`] the feature fusion module in the form with one layer
/// and a batch norm. The form with two layers is
/// [`SqueezeExciteOptions::FEATURE_FUSION`](crate::SqueezeExciteOptions::FEATURE_FUSION).
///
/// A preset of [`GlobalPool`](crate::GlobalPool), [`Dense`](crate::Dense) and [`ChannelScale`](crate::ChannelScale) in three
/// dispatches, with `[n, c]` f32 of scratch, 64 times that at most for planes of more than 16,384 loads. `output` may be
/// `features` itself.
///
/// Reference [`reference::bisenet`](crate::reference::bisenet).
#[derive(Clone, Debug)]
pub struct BiSeNetAttention {
    epilogue: Epilogue,
    element: Element,
    pool: Pool,
    layer: Layer,
    scale: Scale,
}

/// Tensors of a [`BiSeNetAttention`]; each needs `BufferUsages::STORAGE`.
#[derive(Clone, Copy, Debug)]
pub struct BiSeNetAttentionBuffers<'a> {
    /// In: `[n, c, h, w]`, the operator's element type.
    pub features: wgpu::BufferSlice<'a>,
    /// In: `[c, c]`, the operator's element type.
    pub weight: wgpu::BufferSlice<'a>,
    /// Batch norm over `c` channels.
    pub norm: BatchNorm<'a>,
    /// In: `[n, c, h, w]`, the operator's element type; for [`Epilogue::Residual`] only.
    pub identity: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, c]` f32, the gate; required by [`Epilogue::GateOnly`], optional otherwise.
    pub gate: Option<wgpu::BufferSlice<'a>>,
    /// Out: `[n, c, h, w]`, the operator's element type, every element written; may be `features`. Required by every form
    /// except [`Epilogue::GateOnly`].
    pub output: Option<wgpu::BufferSlice<'a>>,
}

impl BiSeNetAttention {
    /// Compiles the kernels for features and weights of type `element`.
    ///
    /// # Errors
    ///
    /// [`Error::MissingFeature`] for f16 on a device without it; [`Error::LimitExceeded`] on a device whose workgroups hold
    /// fewer than 256 invocations.
    pub fn new<'a>(compiler: impl Into<Compiler<'a>>, epilogue: Epilogue, element: Element) -> Result<Self, Error> {
        let compiler = compiler.into();
        Ok(Self {
            epilogue,
            element,
            pool: Pool::new(OP, compiler, Squeeze::Mean, element)?,
            layer: Layer::new(OP, compiler, Activation::Sigmoid, element)?,
            scale: Scale::new(OP, compiler, epilogue, Combine::Channel, Activation::None, element)?,
        })
    }

    /// The tensors of one `bind`, in the order in which they are checked.
    ///
    /// # Errors
    ///
    /// What [`Self::bind`] refuses of a shape, before any buffer.
    pub fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        let Nchw { batch, channels, .. } = shape;
        check::elements(OP, "features", shape)?;
        check::to_u32(OP, "weights", u64::from(channels) * u64::from(channels))?;
        let mut specs = features_and_output(shape, self.element, self.epilogue);
        specs.push(TensorSpec::input("weight", [channels, channels], self.element));
        let norm = BatchNorm::specs(BatchNorm::NAMES, channels, self.element);
        specs.extend(norm.map(|spec| TensorSpec { optional: false, ..spec }));
        specs.push(gate_out([batch, channels], self.epilogue));
        Ok(specs)
    }

    /// Checks the buffers against the shape and binds them.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for a `norm.epsilon` that is negative or not finite, or where `identity`, `gate` or `output`
    /// is missing or of no use to the operator's [`Epilogue`]; [`Error::InvalidShape`] for planes without pixels; [`Error::LimitExceeded`] where one plane or the weights exceed a binding of the device, and what every
    /// operator refuses of its buffers.
    pub fn bind(
        &self,
        device: &wgpu::Device,
        shape: Nchw,
        buffers: BiSeNetAttentionBuffers<'_>,
    ) -> Result<Recording, Error> {
        let BiSeNetAttentionBuffers { features, weight, norm, identity, gate, output } = buffers;
        let Nchw { batch, channels, .. } = shape;
        let specs = self.tensors(shape)?;
        self.epilogue.check(OP, identity.is_some(), gate.is_some(), output.is_some())?;
        BatchNorm::check(Some(norm), OP, false)?;
        if !squeezable(OP, shape)? {
            return Ok(Recording::default());
        }
        let mut given = vec![
            ("features", Some(features)),
            ("identity", identity),
            ("output", output),
            ("weight", Some(weight)),
            ("gate", gate),
        ];
        given.extend(BatchNorm::slices(Some(norm), BatchNorm::NAMES));
        check::slices(OP, device, &specs, &given)?;

        let grid = PlaneGrid::new(OP, device, shape, self.element)?;
        let parts = self.pool.parts(&grid)?;
        let pooled = u64::from(batch).saturating_mul(channels.into()).saturating_mul(4);
        let mean = tensor::scratch(OP, device, "squeezed mean", pooled.saturating_mul(parts.into()))?;
        let gate = Between::new(gate, OP, device, "gate", pooled)?;
        let gate = gate.slice();
        let squeezed = GlobalPoolBuffers { features, mean: Some(mean.slice(..)), max: None };
        let mut dispatches = self.pool.dispatches(device, shape, &grid, squeezed)?;
        let problem =
            LayerProblem { batch, inputs: channels, second_inputs: 0, outputs: channels, parts, maxima: false };
        let tensors =
            LayerTensors { input: mean.slice(..), join: Join::One, weight, bias: None, norm: Some(norm), output: gate };
        dispatches.extend(self.layer.dispatches(device, problem, tensors)?);
        if output.is_none() {
            return Ok(Recording::new(dispatches));
        }
        let tensors =
            ScaleTensors { features, gate: GateFrom::Given(gate), identity, spatial: None, gate_out: None, output };
        dispatches.extend(self.scale.dispatches(device, shape, &grid, tensors)?);
        Ok(Recording::new(dispatches))
    }

    /// What one run has to move and to compute, with the batch norm folded into the layer as a bias.
    #[must_use]
    pub fn cost(&self, shape: Nchw) -> Cost {
        let features = shape.elements().unwrap_or(u64::MAX);
        let channels = shape.channels;
        let layer = DenseShape { batch: shape.batch, inputs: channels, second_inputs: 0, outputs: channels };
        let Cost { flops, parameters, .. } = layer_cost(layer, true, self.element);
        Cost {
            bytes: features
                .saturating_mul(self.epilogue.tensors())
                .saturating_add(parameters)
                .saturating_mul(self.element.bytes()),
            flops: features.saturating_mul(1 + self.epilogue.flops()).saturating_add(flops),
            parameters,
        }
    }
}
