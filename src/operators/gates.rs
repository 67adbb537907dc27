//! Pooling, fully connected layers and the gates that are made of them, as data.

use num_traits::Float;

use super::{Arrays, Described, Options, Shapes, Slices};
use crate::kernel::compiler::Compiler;
use crate::reference::{self, Excitation, Norm};
use crate::{
    Activation, BatchNorm, BiSeNetAttention, BiSeNetAttentionBuffers, Cbam, CbamBuffers, CbamOptions, CbamShape,
    ChannelScale, ChannelScaleBuffers, Cost, Dense, DenseBuffers, DenseShape, Eca, EcaBuffers, EcaShape, Epilogue,
    Error, GlobalPool, GlobalPoolBuffers, Nchw, Recording, ScSe, ScSeBuffers, ScSeCombine, ScSeOptions, ScSeShape,
    SpatialGate, SpatialGateBuffers, SpatialGateShape, Squeeze, SqueezeExcite, SqueezeExciteBuffers,
    SqueezeExciteOptions, SqueezeExciteShape, TensorSpec,
};

const NORM: [&str; 4] = ["norm.weight", "norm.bias", "norm.mean", "norm.variance"];
const SPATIAL_NORM: [&str; 4] =
    ["spatial_norm.weight", "spatial_norm.bias", "spatial_norm.mean", "spatial_norm.variance"];

/// `PyTorch`'s `BatchNorm2d` has this one.
const EPSILON: f32 = 1e-5;

/// A norm, where its weight is given.
fn norm<'a>(
    op: &'static str,
    slices: &Slices<'a>,
    [weight, bias, mean, variance]: [&'static str; 4],
    epsilon: f32,
) -> Result<Option<BatchNorm<'a>>, Error> {
    if slices.get(weight).is_none() {
        return Ok(None);
    }
    let [weight, bias, mean, variance] =
        [slices.need(op, weight)?, slices.need(op, bias)?, slices.need(op, mean)?, slices.need(op, variance)?];
    Ok(Some(BatchNorm { weight, bias, mean, variance, epsilon }))
}

fn norm_reference<'a, T: Float>(
    op: &'static str,
    inputs: &'a Arrays<T>,
    [weight, bias, mean, variance]: [&'static str; 4],
    epsilon: f32,
) -> Result<Option<Norm<'a, T>>, Error> {
    if inputs.get(weight).is_none() {
        return Ok(None);
    }
    let epsilon = T::from(epsilon).unwrap_or_else(T::nan);
    let [weight, bias, mean, variance] =
        [inputs.need(op, weight)?, inputs.need(op, bias)?, inputs.need(op, mean)?, inputs.need(op, variance)?];
    Ok(Some(Norm { weight, bias, mean, variance, epsilon }))
}

fn excitation<'a, T>(op: &'static str, inputs: &'a Arrays<T>) -> Result<Excitation<'a, T>, Error> {
    Ok(Excitation {
        reduce_weight: inputs.need(op, "reduce_weight")?,
        reduce_bias: inputs.get("reduce_bias"),
        expand_weight: inputs.need(op, "expand_weight")?,
        expand_bias: inputs.get("expand_bias"),
    })
}

/// The width between the layers of an excitation.
fn reduced(op: &'static str, shapes: &Shapes) -> Result<u32, Error> {
    shapes.axes(op, "reduce_weight").map(|[reduced, _]: [u32; 2]| reduced)
}

fn epilogue(options: &Options) -> Result<Epilogue, Error> {
    options.name("epilogue", Epilogue::NAMES, Epilogue::default())
}

#[derive(Debug)]
pub(super) struct Pool {
    operator: GlobalPool,
    squeeze: Squeeze,
}

impl Described for Pool {
    const NAME: &'static str = "global_pool";
    const ABOUT: &'static str = "mean and maximum of every plane";
    type Shape = Nchw;

    fn open(compiler: Compiler<'_>, options: &Options) -> Result<Self, Error> {
        let squeeze = options.name("squeeze", Squeeze::NAMES, Squeeze::default())?;
        Ok(Self { operator: GlobalPool::new(compiler, squeeze, options.element()?)?, squeeze })
    }

    fn shape(&self, shapes: &Shapes) -> Result<Nchw, Error> {
        shapes.nchw(Self::NAME, "features")
    }

    fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: Nchw, slices: &Slices<'_>) -> Result<Recording, Error> {
        let features = slices.need(Self::NAME, "features")?;
        let buffers = GlobalPoolBuffers { features, mean: slices.get("mean"), max: slices.get("max") };
        self.operator.bind(device, shape, buffers)
    }

    fn cost(&self, shape: Nchw) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: Nchw, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let features = inputs.need(Self::NAME, "features")?;
        let mean = (self.squeeze != Squeeze::Max).then(|| ("mean", reference::global_mean(shape, features)));
        let max = (self.squeeze != Squeeze::Mean).then(|| ("max", reference::global_max(shape, features)));
        Ok(Arrays::new(mean.into_iter().chain(max)))
    }
}

#[derive(Debug)]
pub(super) struct Layer {
    operator: Dense,
    activation: Activation,
    epsilon: f32,
}

impl Described for Layer {
    const NAME: &'static str = "dense";
    const ABOUT: &'static str = "a fully connected layer with bias or batch norm and an activation";
    type Shape = DenseShape;

    fn open(compiler: Compiler<'_>, options: &Options) -> Result<Self, Error> {
        let activation = options.activation("activation", Activation::None)?;
        let epsilon = options.number("norm_epsilon", Some(EPSILON))?;
        Ok(Self { operator: Dense::new(compiler, activation, options.element()?)?, activation, epsilon })
    }

    fn shape(&self, shapes: &Shapes) -> Result<DenseShape, Error> {
        let [batch, inputs] = shapes.axes(Self::NAME, "input")?;
        let [outputs, _] = shapes.axes(Self::NAME, "weight")?;
        let second = shapes.get("second").map(|_| shapes.axes(Self::NAME, "second")).transpose()?;
        Ok(DenseShape { batch, inputs, second_inputs: second.map_or(0, |[_, inputs]: [u32; 2]| inputs), outputs })
    }

    fn tensors(&self, shape: DenseShape) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: DenseShape, slices: &Slices<'_>) -> Result<Recording, Error> {
        let buffers = DenseBuffers {
            input: slices.need(Self::NAME, "input")?,
            second: slices.get("second"),
            weight: slices.need(Self::NAME, "weight")?,
            bias: slices.get("bias"),
            norm: norm(Self::NAME, slices, NORM, self.epsilon)?,
            output: slices.need(Self::NAME, "output")?,
        };
        self.operator.bind(device, shape, buffers)
    }

    /// With a bias, which a norm may be folded into.
    fn cost(&self, shape: DenseShape) -> Cost {
        self.operator.cost(shape, true)
    }

    fn reference<T: Float>(&self, shape: DenseShape, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let norm = norm_reference(Self::NAME, inputs, NORM, self.epsilon)?;
        let (weight, bias) = (inputs.need(Self::NAME, "weight")?, inputs.get("bias"));
        let layer = reference::Layer { weight, bias, norm };
        let first = inputs.need(Self::NAME, "input")?;
        let width = |inputs: u32| inputs as usize;
        let output = match inputs.get("second") {
            Some(second) => {
                let joined =
                    reference::side_by_side((width(shape.inputs), first), (width(shape.second_inputs), second));
                reference::dense(width(shape.inputs + shape.second_inputs), &joined, &layer, self.activation)
            }
            None => reference::dense(width(shape.inputs), first, &layer, self.activation),
        };
        Ok(Arrays::new([("output", output)]))
    }
}

#[derive(Debug)]
pub(super) struct Scale {
    operator: ChannelScale,
    epilogue: Epilogue,
}

impl Described for Scale {
    const NAME: &'static str = "channel_scale";
    const ABOUT: &'static str = "every channel times a gate that is given";
    type Shape = Nchw;

    fn open(compiler: Compiler<'_>, options: &Options) -> Result<Self, Error> {
        let epilogue = epilogue(options)?;
        Ok(Self { operator: ChannelScale::new(compiler, epilogue, options.element()?)?, epilogue })
    }

    fn shape(&self, shapes: &Shapes) -> Result<Nchw, Error> {
        shapes.nchw(Self::NAME, "features")
    }

    fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: Nchw, slices: &Slices<'_>) -> Result<Recording, Error> {
        let (features, gate) = (slices.need(Self::NAME, "features")?, slices.need(Self::NAME, "gate")?);
        let (identity, output) = (slices.get("identity"), slices.need(Self::NAME, "output")?);
        self.operator.bind(device, shape, ChannelScaleBuffers { features, gate, identity, output })
    }

    fn cost(&self, shape: Nchw) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: Nchw, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let (features, gate) = (inputs.need(Self::NAME, "features")?, inputs.need(Self::NAME, "gate")?);
        let output = reference::channel_scale(shape, self.epilogue, features, gate, inputs.get("identity"));
        Ok(Arrays::new([("output", output)]))
    }
}

/// A gate, and the output that all epilogues but one have.
fn gated<T>(epilogue: Epilogue, (gate, output): (Vec<T>, Vec<T>)) -> Arrays<T> {
    let output = (epilogue != Epilogue::GateOnly).then_some(("output", output));
    Arrays::new(std::iter::once(("gate", gate)).chain(output))
}

#[derive(Debug)]
pub(super) struct Excite {
    operator: SqueezeExcite,
    options: SqueezeExciteOptions,
}

impl Described for Excite {
    const NAME: &'static str = "squeeze_excite";
    const ABOUT: &'static str = "Squeeze-and-Excitation: every channel times a gate computed from the planes";
    type Shape = SqueezeExciteShape;

    fn open(compiler: Compiler<'_>, options: &Options) -> Result<Self, Error> {
        let defaults = SqueezeExciteOptions::STANDARD;
        let chosen = SqueezeExciteOptions {
            squeeze: options.name("squeeze", Squeeze::NAMES, defaults.squeeze)?,
            activation: options.activation("activation", defaults.activation)?,
            gate: options.activation("gate", defaults.gate)?,
            epilogue: epilogue(options)?,
        };
        Ok(Self { operator: SqueezeExcite::new(compiler, chosen, options.element()?)?, options: chosen })
    }

    fn shape(&self, shapes: &Shapes) -> Result<SqueezeExciteShape, Error> {
        let (features, reduced) = (shapes.nchw(Self::NAME, "features")?, reduced(Self::NAME, shapes)?);
        Ok(SqueezeExciteShape { features, reduced })
    }

    fn tensors(&self, shape: SqueezeExciteShape) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: SqueezeExciteShape, slices: &Slices<'_>) -> Result<Recording, Error> {
        let buffers = SqueezeExciteBuffers {
            features: slices.need(Self::NAME, "features")?,
            reduce_weight: slices.need(Self::NAME, "reduce_weight")?,
            reduce_bias: slices.get("reduce_bias"),
            expand_weight: slices.need(Self::NAME, "expand_weight")?,
            expand_bias: slices.get("expand_bias"),
            identity: slices.get("identity"),
            gate: slices.get("gate"),
            output: slices.get("output"),
        };
        self.operator.bind(device, shape, buffers)
    }

    fn cost(&self, shape: SqueezeExciteShape) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: SqueezeExciteShape, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let (features, identity) = (inputs.need(Self::NAME, "features")?, inputs.get("identity"));
        let excitation = excitation(Self::NAME, inputs)?;
        let both = reference::squeeze_excite(shape.features, self.options, features, &excitation, identity);
        Ok(gated(self.options.epilogue, both))
    }
}

#[derive(Debug)]
pub(super) struct BiSeNet {
    operator: BiSeNetAttention,
    epilogue: Epilogue,
    epsilon: f32,
}

impl Described for BiSeNet {
    const NAME: &'static str = "bisenet";
    const ABOUT: &'static str = "BiSeNet's attention: a gate from one layer with batch norm";
    type Shape = Nchw;

    fn open(compiler: Compiler<'_>, options: &Options) -> Result<Self, Error> {
        let (epilogue, epsilon) = (epilogue(options)?, options.number("norm_epsilon", Some(EPSILON))?);
        Ok(Self { operator: BiSeNetAttention::new(compiler, epilogue, options.element()?)?, epilogue, epsilon })
    }

    fn shape(&self, shapes: &Shapes) -> Result<Nchw, Error> {
        shapes.nchw(Self::NAME, "features")
    }

    fn tensors(&self, shape: Nchw) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: Nchw, slices: &Slices<'_>) -> Result<Recording, Error> {
        let norm = norm(Self::NAME, slices, NORM, self.epsilon)?;
        let buffers = BiSeNetAttentionBuffers {
            features: slices.need(Self::NAME, "features")?,
            weight: slices.need(Self::NAME, "weight")?,
            norm: norm.map_or_else(|| Err(missing(Self::NAME, "norm.weight")), Ok)?,
            identity: slices.get("identity"),
            gate: slices.get("gate"),
            output: slices.get("output"),
        };
        self.operator.bind(device, shape, buffers)
    }

    fn cost(&self, shape: Nchw) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: Nchw, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let norm = norm_reference(Self::NAME, inputs, NORM, self.epsilon)?;
        let norm = norm.map_or_else(|| Err(missing(Self::NAME, "norm.weight")), Ok)?;
        let (features, weight) = (inputs.need(Self::NAME, "features")?, inputs.need(Self::NAME, "weight")?);
        let both = reference::bisenet(shape, self.epilogue, features, weight, norm, inputs.get("identity"));
        Ok(gated(self.epilogue, both))
    }
}

fn missing(op: &'static str, parameter: &'static str) -> Error {
    Error::InvalidParameter { op, parameter, given: "none".into(), needed: "a tensor".into() }
}

#[derive(Debug)]
pub(super) struct Spatial {
    operator: SpatialGate,
    epilogue: Epilogue,
    epsilon: f32,
}

impl Described for Spatial {
    const NAME: &'static str = "spatial_gate";
    const ABOUT: &'static str = "CBAM's spatial gate: every pixel times a gate computed from its channels";
    type Shape = SpatialGateShape;

    fn open(compiler: Compiler<'_>, options: &Options) -> Result<Self, Error> {
        let (epilogue, epsilon) = (epilogue(options)?, options.number("norm_epsilon", Some(EPSILON))?);
        Ok(Self { operator: SpatialGate::new(compiler, epilogue, options.element()?)?, epilogue, epsilon })
    }

    fn shape(&self, shapes: &Shapes) -> Result<SpatialGateShape, Error> {
        let [_, _, kernel, _] = shapes.axes(Self::NAME, "weight")?;
        Ok(SpatialGateShape { features: shapes.nchw(Self::NAME, "features")?, kernel })
    }

    fn tensors(&self, shape: SpatialGateShape) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: SpatialGateShape, slices: &Slices<'_>) -> Result<Recording, Error> {
        let buffers = SpatialGateBuffers {
            features: slices.need(Self::NAME, "features")?,
            weight: slices.need(Self::NAME, "weight")?,
            bias: slices.get("bias"),
            norm: norm(Self::NAME, slices, NORM, self.epsilon)?,
            identity: slices.get("identity"),
            gate: slices.get("gate"),
            output: slices.get("output"),
        };
        self.operator.bind(device, shape, buffers)
    }

    fn cost(&self, shape: SpatialGateShape) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: SpatialGateShape, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let norm = norm_reference(Self::NAME, inputs, NORM, self.epsilon)?;
        let layer = reference::Layer { weight: inputs.need(Self::NAME, "weight")?, bias: inputs.get("bias"), norm };
        let (features, identity) = (inputs.need(Self::NAME, "features")?, inputs.get("identity"));
        let SpatialGateShape { features: shape, kernel } = shape;
        let both = reference::spatial_gate(shape, self.epilogue, kernel as usize, features, &layer, identity);
        Ok(gated(self.epilogue, both))
    }
}

#[derive(Debug)]
pub(super) struct CbamGate {
    operator: Cbam,
    options: CbamOptions,
    epsilon: f32,
}

impl Described for CbamGate {
    const NAME: &'static str = "cbam";
    const ABOUT: &'static str = "CBAM: the channel gate and then the spatial gate";
    type Shape = CbamShape;

    fn open(compiler: Compiler<'_>, options: &Options) -> Result<Self, Error> {
        let defaults = CbamOptions::STANDARD;
        let chosen = CbamOptions {
            activation: options.activation("activation", defaults.activation)?,
            gate: options.activation("gate", defaults.gate)?,
            epilogue: epilogue(options)?,
        };
        let epsilon = options.number("norm_epsilon", Some(EPSILON))?;
        Ok(Self { operator: Cbam::new(compiler, chosen, options.element()?)?, options: chosen, epsilon })
    }

    fn shape(&self, shapes: &Shapes) -> Result<CbamShape, Error> {
        let [_, _, kernel, _] = shapes.axes(Self::NAME, "spatial_weight")?;
        let (features, reduced) = (shapes.nchw(Self::NAME, "features")?, reduced(Self::NAME, shapes)?);
        Ok(CbamShape { features, reduced, kernel })
    }

    fn tensors(&self, shape: CbamShape) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: CbamShape, slices: &Slices<'_>) -> Result<Recording, Error> {
        let buffers = CbamBuffers {
            features: slices.need(Self::NAME, "features")?,
            reduce_weight: slices.need(Self::NAME, "reduce_weight")?,
            reduce_bias: slices.get("reduce_bias"),
            expand_weight: slices.need(Self::NAME, "expand_weight")?,
            expand_bias: slices.get("expand_bias"),
            spatial_weight: slices.need(Self::NAME, "spatial_weight")?,
            spatial_bias: slices.get("spatial_bias"),
            spatial_norm: norm(Self::NAME, slices, SPATIAL_NORM, self.epsilon)?,
            identity: slices.get("identity"),
            output: slices.need(Self::NAME, "output")?,
        };
        self.operator.bind(device, shape, buffers)
    }

    fn cost(&self, shape: CbamShape) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: CbamShape, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let norm = norm_reference(Self::NAME, inputs, SPATIAL_NORM, self.epsilon)?;
        let (weight, bias) = (inputs.need(Self::NAME, "spatial_weight")?, inputs.get("spatial_bias"));
        let layer = reference::Layer { weight, bias, norm };
        let (features, identity) = (inputs.need(Self::NAME, "features")?, inputs.get("identity"));
        let excitation = excitation(Self::NAME, inputs)?;
        let CbamShape { features: shape, kernel, .. } = shape;
        let output = reference::cbam(shape, self.options, kernel as usize, features, &excitation, &layer, identity);
        Ok(Arrays::new([("output", output)]))
    }
}

#[derive(Debug)]
pub(super) struct EcaGate {
    operator: Eca,
    epilogue: Epilogue,
}

impl Described for EcaGate {
    const NAME: &'static str = "eca";
    const ABOUT: &'static str = "ECA: every channel times a gate from a convolution along the channels";
    type Shape = EcaShape;

    fn open(compiler: Compiler<'_>, options: &Options) -> Result<Self, Error> {
        let epilogue = epilogue(options)?;
        Ok(Self { operator: Eca::new(compiler, epilogue, options.element()?)?, epilogue })
    }

    fn shape(&self, shapes: &Shapes) -> Result<EcaShape, Error> {
        let [taps] = shapes.axes(Self::NAME, "weight")?;
        Ok(EcaShape { features: shapes.nchw(Self::NAME, "features")?, taps })
    }

    fn tensors(&self, shape: EcaShape) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: EcaShape, slices: &Slices<'_>) -> Result<Recording, Error> {
        let buffers = EcaBuffers {
            features: slices.need(Self::NAME, "features")?,
            weight: slices.need(Self::NAME, "weight")?,
            identity: slices.get("identity"),
            gate: slices.get("gate"),
            output: slices.get("output"),
        };
        self.operator.bind(device, shape, buffers)
    }

    fn cost(&self, shape: EcaShape) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: EcaShape, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let (features, weight) = (inputs.need(Self::NAME, "features")?, inputs.need(Self::NAME, "weight")?);
        let both = reference::eca(shape.features, self.epilogue, features, weight, inputs.get("identity"));
        Ok(gated(self.epilogue, both))
    }
}

#[derive(Debug)]
pub(super) struct ScSeGate {
    operator: ScSe,
    options: ScSeOptions,
}

impl Described for ScSeGate {
    const NAME: &'static str = "scse";
    const ABOUT: &'static str = "concurrent spatial and channel Squeeze-and-Excitation";
    type Shape = ScSeShape;

    fn open(compiler: Compiler<'_>, options: &Options) -> Result<Self, Error> {
        let combine = options.name("combine", ScSeCombine::NAMES, ScSeCombine::default())?;
        let chosen = ScSeOptions { combine, epilogue: epilogue(options)? };
        Ok(Self { operator: ScSe::new(compiler, chosen, options.element()?)?, options: chosen })
    }

    fn shape(&self, shapes: &Shapes) -> Result<ScSeShape, Error> {
        let (features, reduced) = (shapes.nchw(Self::NAME, "features")?, reduced(Self::NAME, shapes)?);
        Ok(ScSeShape { features, reduced })
    }

    fn tensors(&self, shape: ScSeShape) -> Result<Vec<TensorSpec>, Error> {
        self.operator.tensors(shape)
    }

    fn bind(&self, device: &wgpu::Device, shape: ScSeShape, slices: &Slices<'_>) -> Result<Recording, Error> {
        let buffers = ScSeBuffers {
            features: slices.need(Self::NAME, "features")?,
            reduce_weight: slices.need(Self::NAME, "reduce_weight")?,
            reduce_bias: slices.get("reduce_bias"),
            expand_weight: slices.need(Self::NAME, "expand_weight")?,
            expand_bias: slices.get("expand_bias"),
            spatial_weight: slices.need(Self::NAME, "spatial_weight")?,
            spatial_bias: slices.get("spatial_bias"),
            identity: slices.get("identity"),
            output: slices.need(Self::NAME, "output")?,
        };
        self.operator.bind(device, shape, buffers)
    }

    fn cost(&self, shape: ScSeShape) -> Cost {
        self.operator.cost(shape)
    }

    fn reference<T: Float>(&self, shape: ScSeShape, inputs: &Arrays<T>) -> Result<Arrays<T>, Error> {
        let (features, identity) = (inputs.need(Self::NAME, "features")?, inputs.get("identity"));
        let (weight, bias) = (inputs.need(Self::NAME, "spatial_weight")?, inputs.get("spatial_bias"));
        let excitation = excitation(Self::NAME, inputs)?;
        let output = reference::scse(shape.features, self.options, features, &excitation, weight, bias, identity);
        Ok(Arrays::new([("output", output)]))
    }
}
