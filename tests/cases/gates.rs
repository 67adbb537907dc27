//! Cases of the channel and spatial gates.

use num_traits::Float;
use safetensors::Dtype;
use visual_attention::host::Gpu;
use visual_attention::reference::{self, Excitation, Layer, Norm};
use visual_attention::{
    Activation, BatchNorm, BiSeNetAttention, BiSeNetAttentionBuffers, Cbam, CbamBuffers, CbamOptions, CbamShape,
    ChannelScale, ChannelScaleBuffers, Element, Epilogue, Nchw, SpatialGate, SpatialGateBuffers, SpatialGateShape,
    Squeeze, SqueezeExcite, SqueezeExciteBuffers, SqueezeExciteOptions, SqueezeExciteShape, wgpu,
};

use super::{Case, Outputs, Problem, Values, floats, run, wide};
use crate::compiler;

/// What a run gives: the GPU's outputs, where there is one, and the reference's.
pub(super) type Both = Result<(Option<Outputs>, Outputs), Problem>;

pub(super) fn activation(case: &Case, name: &str, default: &str) -> Result<Activation, Problem> {
    let text = if case.attrs[name].is_null() { default } else { case.text(name)? };
    // Of a gate the slope is `gate_slope`; an activation that has none takes none.
    let slope = if name == "gate" { "gate_slope" } else { "slope" };
    let none = case.attrs[slope].is_null();
    Ok(match text {
        "leaky_relu" => Activation::LeakyRelu { slope: case.number(slope)? as f32 },
        "hard_sigmoid" if !none => Activation::HardSigmoid { slope: case.number(slope)? as f32, offset: 0.5 },
        _ if !none => return Err(case.unknown(slope)),
        "none" | "identity" => Activation::None,
        "relu" => Activation::Relu,
        "relu6" => Activation::Relu6,
        "silu" => Activation::Silu,
        "hard_swish" => Activation::HardSwish,
        "sigmoid" => Activation::Sigmoid,
        "hard_sigmoid" => Activation::HARD_SIGMOID,
        "tanh" => Activation::Tanh,
        "gelu" => Activation::Gelu,
        "gelu_tanh" => Activation::GeluTanh,
        _ => return Err(case.unknown(name)),
    })
}

pub(super) fn squeeze(case: &Case) -> Result<Squeeze, Problem> {
    if case.attrs["squeeze"].is_null() {
        return Ok(Squeeze::Mean);
    }
    Ok(match case.text("squeeze")? {
        "avg" => Squeeze::Mean,
        "max" => Squeeze::Max,
        "mean_and_max" => Squeeze::MeanAndMax,
        _ => return Err(case.unknown("squeeze")),
    })
}

/// `in.x`, with pixels and channels: nothing else has a mean.
pub(super) fn features(case: &Case) -> Result<(&Values, Nchw), Problem> {
    let x = case.input("x")?;
    let shape = x.nchw("x")?;
    float(x, "x")?;
    if shape.is_empty() {
        return Err(Problem::Malformed(format!("`in.x` is {shape}, without a pixel")));
    }
    Ok((x, shape))
}

pub(super) fn float(values: &Values, name: &str) -> Result<(), Problem> {
    if matches!(values.dtype, Dtype::F16 | Dtype::F32) {
        return Ok(());
    }
    Err(Problem::Malformed(format!("`in.{name}` is {:?}, needs f16 or f32", values.dtype)))
}

/// A parameter on the GPU, stored as the operator's element type.
pub(super) struct Parameter(wgpu::Buffer);

impl Parameter {
    pub(super) fn new(gpu: &Gpu, values: &Values, element: Element) -> Result<Self, Problem> {
        let dtype = if element == Element::F16 { Dtype::F16 } else { Dtype::F32 };
        Ok(Self(Values { shape: Vec::new(), dtype, numbers: values.numbers.clone() }.upload(gpu)?))
    }

    pub(super) fn optional(gpu: &Gpu, values: Option<&Values>, element: Element) -> Result<Option<Self>, Problem> {
        values.map(|values| Self::new(gpu, values, element)).transpose()
    }

    pub(super) fn slice(&self) -> wgpu::BufferSlice<'_> {
        self.0.slice(..)
    }
}

/// f16 only where every tensor is: an f32 parameter must not be rounded.
pub(super) fn element(tensors: &[Option<&Values>]) -> Element {
    let half = tensors.iter().flatten().all(|values| values.dtype == Dtype::F16);
    if half { Element::F16 } else { Element::F32 }
}

pub(super) fn tensor(gpu: &Gpu, element: Element, len: usize) -> Result<wgpu::Buffer, Problem> {
    Ok(gpu.buffer("output", element.bytes() * len as u64)?)
}

/// The two layers of an excitation, as the file has them.
pub(super) struct Weights<'a> {
    pub(super) reduced: u32,
    w1: &'a Values,
    b1: Option<&'a Values>,
    w2: &'a Values,
    b2: Option<&'a Values>,
}

impl<'a> Weights<'a> {
    pub(super) fn new(case: &'a Case, channels: u32) -> Result<Self, Problem> {
        let w1 = case.input("w1")?;
        let reduced = w1.shape.first().and_then(|&rows| u32::try_from(rows).ok()).filter(|&rows| rows > 0);
        let reduced = reduced.ok_or_else(|| Problem::Malformed(format!("`in.w1` is {:?}", w1.shape)))?;
        let weights = Self {
            reduced,
            w1: case.shaped("w1", &[reduced, channels])?,
            b1: case.shaped_optional("b1", &[reduced])?,
            w2: case.shaped("w2", &[channels, reduced])?,
            b2: case.shaped_optional("b2", &[channels])?,
        };
        for (name, values) in ["w1", "b1", "w2", "b2"].into_iter().zip(weights.all()) {
            values.map_or(Ok(()), |values| float(values, name))?;
        }
        Ok(weights)
    }

    pub(super) fn all(&self) -> [Option<&'a Values>; 4] {
        [Some(self.w1), self.b1, Some(self.w2), self.b2]
    }

    pub(super) fn cast<T: Float>(&self) -> [Option<Vec<T>>; 4] {
        self.all().map(|values| values.map(Values::cast))
    }
}

pub(super) fn excitation<T>(wide: &[Option<Vec<T>>; 4]) -> Excitation<'_, T> {
    let [w1, b1, w2, b2] = wide.each_ref().map(Option::as_deref);
    Excitation {
        reduce_weight: w1.unwrap_or_default(),
        reduce_bias: b1,
        expand_weight: w2.unwrap_or_default(),
        expand_bias: b2,
    }
}

/// A batch norm, as the file has it.
pub(super) struct NormValues<'a> {
    pub(super) tensors: [&'a Values; 4],
    epsilon: f64,
}

impl<'a> NormValues<'a> {
    pub(super) fn new(case: &'a Case, prefix: &str, attribute: &str, channels: u32) -> Result<Self, Problem> {
        let mut tensors = Vec::new();
        for suffix in ["weight", "bias", "mean", "var"] {
            let name = format!("{prefix}_{suffix}");
            let values = case.shaped(&name, &[channels])?;
            float(values, &name)?;
            tensors.push(values);
        }
        let epsilon = case.number(attribute)?;
        if epsilon < 0.0 || !(epsilon as f32).is_finite() {
            return Err(case.unknown(attribute));
        }
        let problem = || Problem::Malformed("a batch norm of other than four tensors".into());
        Ok(Self { tensors: <[&Values; 4]>::try_from(tensors).map_err(|_| problem())?, epsilon })
    }

    pub(super) fn cast<T: Float>(&self) -> [Vec<T>; 4] {
        self.tensors.map(Values::cast)
    }

    pub(super) fn upload(&self, gpu: &Gpu, element: Element) -> Result<Vec<Parameter>, Problem> {
        self.tensors.iter().map(|values| Parameter::new(gpu, values, element)).collect()
    }

    pub(super) fn reference<'w, T: Float>(&self, wide: &'w [Vec<T>; 4]) -> Norm<'w, T> {
        let [weight, bias, mean, variance] = wide.each_ref();
        Norm { weight, bias, mean, variance, epsilon: T::from(self.epsilon).unwrap_or_else(T::nan) }
    }

    pub(super) fn bound<'b>(&self, parameters: &'b [Parameter]) -> BatchNorm<'b> {
        BatchNorm {
            weight: parameters[0].slice(),
            bias: parameters[1].slice(),
            mean: parameters[2].slice(),
            variance: parameters[3].slice(),
            epsilon: self.epsilon as f32,
        }
    }
}

/// Squeeze-and-Excitation in any form; `features` may be computed rather than read.
fn excite<T: Float>(
    gpu: Option<&Gpu>,
    (x, shape): (&Values, Nchw),
    weights: &Weights<'_>,
    identity: Option<&Values>,
    options: SqueezeExciteOptions,
) -> Both {
    let element = element(&[[Some(x), identity].as_slice(), &weights.all()].concat());
    let gates = shape.batch as usize * shape.channels as usize;
    let on_gpu = gpu.map(|gpu| -> Result<Outputs, Problem> {
        let features = Parameter::new(gpu, x, element)?;
        let identity = Parameter::optional(gpu, identity, element)?;
        let [w1, b1, w2, b2] = weights.all().map(|values| Parameter::optional(gpu, values, element));
        let (w1, b1, w2, b2) = (w1?, b1?, w2?, b2?);
        let (Some(w1), Some(w2)) = (w1, w2) else { return Ok(Vec::new()) };
        let gate = tensor(gpu, Element::F32, gates)?;
        let output = tensor(gpu, element, x.numbers.len())?;
        let operator = SqueezeExcite::new(compiler::of(&gpu.device), options, element)?;
        let buffers = SqueezeExciteBuffers {
            features: features.slice(),
            reduce_weight: w1.slice(),
            reduce_bias: b1.as_ref().map(Parameter::slice),
            expand_weight: w2.slice(),
            expand_bias: b2.as_ref().map(Parameter::slice),
            identity: identity.as_ref().map(Parameter::slice),
            gate: Some(gate.slice(..)),
            output: Some(output.slice(..)),
        };
        run(
            gpu,
            &operator.bind(&gpu.device, SqueezeExciteShape { features: shape, reduced: weights.reduced }, buffers)?,
        )?;
        Ok(vec![
            ("gate", floats(gpu, &gate, Element::F32, gates)?),
            ("y", floats(gpu, &output, element, x.numbers.len())?),
        ])
    });
    let identity = identity.map(Values::cast::<T>);
    let (gate, y) = reference::squeeze_excite(
        shape,
        options,
        &x.cast::<T>(),
        &excitation(&weights.cast::<T>()),
        identity.as_deref(),
    );
    Ok((on_gpu.transpose()?, vec![("gate", wide(gate)), ("y", wide(y))]))
}

fn options(case: &Case, squeeze: Squeeze, epilogue: Epilogue) -> Result<SqueezeExciteOptions, Problem> {
    let (activation, gate) = (activation(case, "activation", "relu")?, activation(case, "gate", "sigmoid")?);
    Ok(SqueezeExciteOptions::STANDARD
        .with_squeeze(squeeze)
        .with_activation(activation)
        .with_gate(gate)
        .with_epilogue(epilogue))
}

pub(super) fn squeeze_excite<T: Float>(gpu: Option<&Gpu>, case: &Case) -> Both {
    let x = features(case)?;
    let weights = Weights::new(case, x.1.channels)?;
    let epilogue = match case.attrs["form"].as_str() {
        None if case.attrs["form"].is_null() => Epilogue::Scale,
        Some("scale") => Epilogue::Scale,
        Some("scale_add") => Epilogue::ScaleAdd,
        _ => return Err(case.unknown("form")),
    };
    excite::<T>(gpu, x, &weights, None, options(case, squeeze(case)?, epilogue)?)
}

pub(super) fn cbam_channel<T: Float>(gpu: Option<&Gpu>, case: &Case) -> Both {
    let x = features(case)?;
    let weights = Weights::new(case, x.1.channels)?;
    excite::<T>(gpu, x, &weights, None, options(case, Squeeze::MeanAndMax, Epilogue::Scale)?)
}

pub(super) fn se_residual<T: Float>(gpu: Option<&Gpu>, case: &Case) -> Both {
    let (x, shape) = features(case)?;
    let identity = case.shaped("identity", &[shape.batch, shape.channels, shape.height, shape.width])?;
    float(identity, "identity")?;
    match case.text("gate_source")? {
        "squeeze_excite" => {
            let weights = Weights::new(case, shape.channels)?;
            let options = options(case, squeeze(case)?, Epilogue::Residual)?;
            return excite::<T>(gpu, (x, shape), &weights, Some(identity), options);
        }
        "input" => {}
        _ => return Err(case.unknown("gate_source")),
    }
    let gate = case.shaped("gate", &[shape.batch, shape.channels])?;
    float(gate, "gate")?;
    let element = element(&[Some(x), Some(identity)]);
    let on_gpu = gpu.map(|gpu| -> Result<Outputs, Problem> {
        let features = Parameter::new(gpu, x, element)?;
        let identity = Parameter::new(gpu, identity, element)?;
        let gate = Parameter::new(gpu, gate, Element::F32)?;
        let output = tensor(gpu, element, x.numbers.len())?;
        let operator = ChannelScale::new(compiler::of(&gpu.device), Epilogue::Residual, element)?;
        let buffers = ChannelScaleBuffers {
            features: features.slice(),
            gate: gate.slice(),
            identity: Some(identity.slice()),
            output: output.slice(..),
        };
        run(gpu, &operator.bind(&gpu.device, shape, buffers)?)?;
        Ok(vec![("y", floats(gpu, &output, element, x.numbers.len())?)])
    });
    let y = reference::channel_scale(
        shape,
        Epilogue::Residual,
        &x.cast::<T>(),
        &gate.cast::<T>(),
        Some(&identity.cast::<T>()),
    );
    Ok((on_gpu.transpose()?, vec![("y", wide(y))]))
}

/// `relu(norm(convolution))` of channels `inputs [n, cin, h, w]`, in f64: what a module has before its attention.
fn convolution(case: &Case, ffm: bool) -> Result<(Values, Nchw), Problem> {
    let (inputs, shape) = if ffm {
        let (a, b) = (case.input("fsp")?, case.input("fcp")?);
        let (first, second) = (a.nchw("fsp")?, b.nchw("fcp")?);
        let channels = first.channels.checked_add(second.channels);
        let channels = channels.ok_or_else(|| Problem::Malformed("`in.fcp` has too many channels".into()))?;
        case.shaped("fcp", &[first.batch, second.channels, first.height, first.width])?;
        let sides = [(a, first), (b, second)];
        let images = (0..first.batch as usize).flat_map(|image| {
            sides.iter().flat_map(move |(values, shape)| {
                let len = shape.channels as usize * shape.size().pixels() as usize;
                values.numbers[image * len..(image + 1) * len].iter().map(|&number| f64::from(number))
            })
        });
        (images.collect::<Vec<f64>>(), Nchw { channels, ..first })
    } else {
        let x = case.input("x")?;
        (x.cast::<f64>(), x.nchw("x")?)
    };
    let weight = case.input("conv_w")?;
    let side = if ffm { 1 } else { 3 };
    let outputs = weight.shape.first().and_then(|&rows| u32::try_from(rows).ok()).unwrap_or(0);
    let kernel = [outputs, shape.channels, side, side];
    case.shaped("conv_w", if ffm { &kernel[..2] } else { &kernel })?;
    let result = Nchw { channels: outputs, ..shape };
    if shape.is_empty() || result.is_empty() {
        return Err(Problem::Malformed(format!("a convolution of {shape} to {outputs} channels")));
    }
    let norm = NormValues::new(case, "conv_bn", "bn_eps", outputs)?;
    let (norm_wide, weight) = (norm.cast::<f64>(), weight.cast::<f64>());
    let norm = norm.reference(&norm_wide);
    let [height, width, channels, side] =
        [shape.height, shape.width, shape.channels, side].map(|extent| extent as usize);
    let pixels = height * width;
    let mut numbers = Vec::new();
    for image in inputs.chunks_exact(channels * pixels) {
        for (output, weights) in weight.chunks_exact(channels * side * side).enumerate() {
            for pixel in 0..pixels {
                let mut sum = 0.0;
                for (tap, weight) in weights.iter().enumerate() {
                    let (c, a, b) = (tap / (side * side), tap / side % side, tap % side);
                    let row = (pixel / width + a).checked_sub(side / 2).filter(|&row| row < height);
                    let column = (pixel % width + b).checked_sub(side / 2).filter(|&column| column < width);
                    if let (Some(row), Some(column)) = (row, column) {
                        sum += weight * image[c * pixels + row * width + column];
                    }
                }
                numbers.push(norm.apply(output, sum).max(0.0) as f32);
            }
        }
    }
    let extents = [result.batch, result.channels, result.height, result.width].map(|extent| extent as usize);
    Ok((Values { shape: extents.to_vec(), dtype: Dtype::F32, numbers }, result))
}

pub(super) fn bisenet<T: Float>(gpu: Option<&Gpu>, case: &Case) -> Both {
    let ffm = case.op == "bisenet_ffm";
    let computed = match case.text("scope")? {
        "attention" => None,
        "module" => Some(convolution(case, ffm)?),
        _ => return Err(case.unknown("scope")),
    };
    let (f, shape) = match &computed {
        Some((values, shape)) => (values, *shape),
        None => features(case)?,
    };
    let channels = shape.channels;
    let output_form = if ffm { Epilogue::ScaleAdd } else { Epilogue::Scale };
    match if ffm && !case.attrs["form"].is_null() { case.text("form")? } else { "conv_bn" } {
        "mlp" => {
            let weights = Weights::new(case, channels)?;
            return excite::<T>(gpu, (f, shape), &weights, None, SqueezeExciteOptions::FEATURE_FUSION);
        }
        "conv_bn" => {}
        _ => return Err(case.unknown("form")),
    }
    let weight = case.shaped("w", &[channels, channels])?;
    float(weight, "w")?;
    let norm = NormValues::new(case, "bn", "bn_eps", channels)?;
    let element = element(&[[Some(f), Some(weight)].as_slice(), &norm.tensors.map(Some)].concat());
    let gates = shape.batch as usize * channels as usize;
    let on_gpu = gpu.map(|gpu| -> Result<Outputs, Problem> {
        let features = Parameter::new(gpu, f, element)?;
        let weight = Parameter::new(gpu, weight, element)?;
        let norms = norm.upload(gpu, element)?;
        let gate = tensor(gpu, Element::F32, gates)?;
        let output = tensor(gpu, element, f.numbers.len())?;
        let operator = BiSeNetAttention::new(compiler::of(&gpu.device), output_form, element)?;
        let buffers = BiSeNetAttentionBuffers {
            features: features.slice(),
            weight: weight.slice(),
            norm: norm.bound(&norms),
            identity: None,
            gate: Some(gate.slice(..)),
            output: Some(output.slice(..)),
        };
        run(gpu, &operator.bind(&gpu.device, shape, buffers)?)?;
        Ok(vec![
            ("gate", floats(gpu, &gate, Element::F32, gates)?),
            ("y", floats(gpu, &output, element, f.numbers.len())?),
        ])
    });
    let norm_wide = norm.cast::<T>();
    let norm = norm.reference(&norm_wide);
    let (gate, y) = reference::bisenet(shape, output_form, &f.cast::<T>(), &weight.cast::<T>(), norm, None);
    Ok((on_gpu.transpose()?, vec![("gate", wide(gate)), ("y", wide(y))]))
}

/// CBAM's convolution: its weight, the side of its kernel, and its norm.
fn spatial(case: &Case) -> Result<(&Values, u32, NormValues<'_>), Problem> {
    let weight = case.input("w")?;
    let side = weight.shape.last().and_then(|&side| u32::try_from(side).ok()).unwrap_or(0);
    case.shaped("w", &[1, 2, side, side])?;
    float(weight, "w")?;
    if side.is_multiple_of(2) {
        return Err(Problem::Malformed(format!("`in.w` is {:?}, needs an odd kernel", weight.shape)));
    }
    if !case.attrs["kernel"].is_null() && case.integer("kernel")? != side {
        return Err(case.unknown("kernel"));
    }
    Ok((weight, side, NormValues::new(case, "bn", "bn_eps", 1)?))
}

pub(super) fn cbam_spatial<T: Float>(gpu: Option<&Gpu>, case: &Case) -> Both {
    let (x, shape) = features(case)?;
    let (weight, side, norm) = spatial(case)?;
    let element = element(&[[Some(x), Some(weight)].as_slice(), &norm.tensors.map(Some)].concat());
    let gates = shape.batch as usize * shape.size().pixels() as usize;
    let on_gpu = gpu.map(|gpu| -> Result<Outputs, Problem> {
        let features = Parameter::new(gpu, x, element)?;
        let weight = Parameter::new(gpu, weight, element)?;
        let norms = norm.upload(gpu, element)?;
        let gate = tensor(gpu, Element::F32, gates)?;
        let output = tensor(gpu, element, x.numbers.len())?;
        let operator = SpatialGate::new(compiler::of(&gpu.device), Epilogue::Scale, element)?;
        let buffers = SpatialGateBuffers {
            features: features.slice(),
            weight: weight.slice(),
            bias: None,
            norm: Some(norm.bound(&norms)),
            identity: None,
            gate: Some(gate.slice(..)),
            output: Some(output.slice(..)),
        };
        run(gpu, &operator.bind(&gpu.device, SpatialGateShape { features: shape, kernel: side }, buffers)?)?;
        Ok(vec![
            ("gate", floats(gpu, &gate, Element::F32, gates)?),
            ("y", floats(gpu, &output, element, x.numbers.len())?),
        ])
    });
    let (norm_wide, weight_wide) = (norm.cast::<T>(), weight.cast::<T>());
    let layer = Layer { weight: &weight_wide, bias: None, norm: Some(norm.reference(&norm_wide)) };
    let (gate, y) = reference::spatial_gate(shape, Epilogue::Scale, side as usize, &x.cast::<T>(), &layer, None);
    Ok((on_gpu.transpose()?, vec![("gate", wide(gate)), ("y", wide(y))]))
}

pub(super) fn cbam<T: Float>(gpu: Option<&Gpu>, case: &Case) -> Both {
    let (x, shape) = features(case)?;
    let weights = Weights::new(case, shape.channels)?;
    let (weight, side, norm) = spatial(case)?;
    let SqueezeExciteOptions { activation, gate, .. } = options(case, Squeeze::MeanAndMax, Epilogue::Scale)?;
    let options = CbamOptions::STANDARD.with_activation(activation).with_gate(gate);
    let of_spatial = [[Some(x), Some(weight)].as_slice(), &norm.tensors.map(Some)].concat();
    let element = element(&[of_spatial.as_slice(), &weights.all()].concat());
    let on_gpu = gpu.map(|gpu| -> Result<Outputs, Problem> {
        let features = Parameter::new(gpu, x, element)?;
        let [w1, b1, w2, b2] = weights.all().map(|values| Parameter::optional(gpu, values, element));
        let (w1, b1, w2, b2) = (w1?, b1?, w2?, b2?);
        let (Some(w1), Some(w2)) = (w1, w2) else { return Ok(Vec::new()) };
        let weight = Parameter::new(gpu, weight, element)?;
        let norms = norm.upload(gpu, element)?;
        let output = tensor(gpu, element, x.numbers.len())?;
        let operator = Cbam::new(compiler::of(&gpu.device), options, element)?;
        let buffers = CbamBuffers {
            features: features.slice(),
            reduce_weight: w1.slice(),
            reduce_bias: b1.as_ref().map(Parameter::slice),
            expand_weight: w2.slice(),
            expand_bias: b2.as_ref().map(Parameter::slice),
            spatial_weight: weight.slice(),
            spatial_bias: None,
            spatial_norm: Some(norm.bound(&norms)),
            identity: None,
            output: output.slice(..),
        };
        run(
            gpu,
            &operator.bind(
                &gpu.device,
                CbamShape { features: shape, reduced: weights.reduced, kernel: side },
                buffers,
            )?,
        )?;
        Ok(vec![("y", floats(gpu, &output, element, x.numbers.len())?)])
    });
    let (norm_wide, weight_wide, excited) = (norm.cast::<T>(), weight.cast::<T>(), weights.cast::<T>());
    let layer = Layer { weight: &weight_wide, bias: None, norm: Some(norm.reference(&norm_wide)) };
    let y = reference::cbam(shape, options, side as usize, &x.cast::<T>(), &excitation(&excited), &layer, None);
    Ok((on_gpu.transpose()?, vec![("y", wide(y))]))
}
