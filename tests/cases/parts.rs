//! Cases of the operators that others are made of: layers, pooling, projections, resampling.

use num_traits::Float;
use visual_attention::host::Gpu;
use visual_attention::reference::{self, Layer};
use visual_attention::{
    CropEnd, CropResize, CropResizeBuffers, CropResizeShape, Dense, DenseBuffers, DenseShape, Eca, EcaBuffers,
    EcaShape, Element, Epilogue, Nchw, PointwiseConv, PointwiseConvBuffers, PointwiseConvOptions, Resize,
    ResizeBuffers, ResizeShape, Sampling, ScSe, ScSeBuffers, ScSeCombine, ScSeOptions, ScSeShape, Size,
};

use super::gates::{Both, NormValues, Parameter, Weights, activation, element, excitation, features, float, tensor};
use super::{Case, Outputs, Problem, Values, floats, run, wide};
use crate::compiler;

pub(super) fn dense<T: Float>(gpu: Option<&Gpu>, case: &Case) -> Both {
    let input = case.input("input")?;
    let [batch, inputs] = input.axes("input")?;
    let second = case.optional("second");
    let second_inputs = second.map_or(Ok(0), |second| second.axes::<2>("second").map(|[_, width]| width))?;
    case.shaped_optional("second", &[batch, second_inputs])?;
    let weight = case.input("weight")?;
    let [outputs, width] = weight.axes("weight")?;
    if u64::from(inputs) + u64::from(second_inputs) != u64::from(width) || inputs == 0 {
        return Err(Problem::Malformed(format!(
            "`in.weight` is {:?}, of {inputs} and {second_inputs} inputs",
            weight.shape
        )));
    }
    let bias = case.shaped_optional("bias", &[outputs])?;
    let norm = case.optional("norm_weight").map(|_| NormValues::new(case, "norm", "norm_eps", outputs)).transpose()?;
    if bias.is_some() && norm.is_some() {
        return Err(Problem::Unsupported("a bias beside a batch norm".into()));
    }
    let activation = activation(case, "activation", "none")?;
    let norms = norm.iter().flat_map(|norm| norm.tensors.map(Some));
    let parameters: Vec<_> = [Some(input), second, Some(weight), bias].into_iter().chain(norms).collect();
    for values in parameters.iter().flatten() {
        float(values, "input")?;
    }
    // Vectors are f32 in either case.
    let element = element(&parameters);
    let shape = DenseShape { batch, inputs, second_inputs, outputs };
    let len = batch as usize * outputs as usize;
    let on_gpu = gpu.map(|gpu| -> Result<Outputs, Problem> {
        let [input, second] = [Some(input), second].map(|values| Parameter::optional(gpu, values, Element::F32));
        let (input, second) = (input?, second?);
        let Some(input) = input else { return Ok(Vec::new()) };
        let weight = Parameter::new(gpu, weight, element)?;
        let bias = Parameter::optional(gpu, bias, element)?;
        let norms = norm.as_ref().map(|norm| norm.upload(gpu, element)).transpose()?;
        let output = tensor(gpu, Element::F32, len)?;
        let operator = Dense::new(compiler::of(&gpu.device), activation, element)?;
        let buffers = DenseBuffers {
            input: input.slice(),
            second: second.as_ref().map(Parameter::slice),
            weight: weight.slice(),
            bias: bias.as_ref().map(Parameter::slice),
            norm: norm.as_ref().zip(norms.as_deref()).map(|(norm, norms)| norm.bound(norms)),
            output: output.slice(..),
        };
        run(gpu, &operator.bind(&gpu.device, shape, buffers)?)?;
        Ok(vec![("output", floats(gpu, &output, Element::F32, len)?)])
    });
    let joined = match second {
        Some(second) => reference::side_by_side(
            (inputs as usize, &input.cast::<T>()),
            (second_inputs as usize, &second.cast::<T>()),
        ),
        None => input.cast::<T>(),
    };
    let (weight, bias) = (weight.cast::<T>(), bias.map(Values::cast::<T>));
    let norm_wide = norm.as_ref().map(NormValues::cast::<T>);
    let norm = norm.as_ref().zip(norm_wide.as_ref()).map(|(norm, wide)| norm.reference(wide));
    let layer = Layer { weight: &weight, bias: bias.as_deref(), norm };
    Ok((on_gpu.transpose()?, vec![("output", wide(reference::dense(width as usize, &joined, &layer, activation)))]))
}

pub(super) fn eca<T: Float>(gpu: Option<&Gpu>, case: &Case) -> Both {
    let (x, shape) = features(case)?;
    let weight = case.input("weight")?;
    let [taps] = weight.axes("weight")?;
    float(weight, "weight")?;
    if taps % 2 == 0 || !case.attrs["taps"].is_null() && case.integer("taps")? != taps {
        return Err(case.unknown("taps"));
    }
    let element = element(&[Some(x), Some(weight)]);
    let on_gpu = gpu.map(|gpu| -> Result<Outputs, Problem> {
        let (features, weight) = (Parameter::new(gpu, x, element)?, Parameter::new(gpu, weight, element)?);
        let output = tensor(gpu, element, x.numbers.len())?;
        let operator = Eca::new(compiler::of(&gpu.device), Epilogue::Scale, element)?;
        let buffers = EcaBuffers {
            features: features.slice(),
            weight: weight.slice(),
            identity: None,
            gate: None,
            output: Some(output.slice(..)),
        };
        run(gpu, &operator.bind(&gpu.device, EcaShape { features: shape, taps }, buffers)?)?;
        Ok(vec![("y", floats(gpu, &output, element, x.numbers.len())?)])
    });
    let (_, y) = reference::eca(shape, Epilogue::Scale, &x.cast::<T>(), &weight.cast::<T>(), None);
    Ok((on_gpu.transpose()?, vec![("y", wide(y))]))
}

pub(super) fn scse<T: Float>(gpu: Option<&Gpu>, case: &Case) -> Both {
    let (x, shape) = features(case)?;
    let weights = Weights::new(case, shape.channels)?;
    let spatial = case.shaped("ws", &[shape.channels])?;
    let bias = case.shaped_optional("bs", &[1])?;
    for values in [Some(spatial), bias].into_iter().flatten() {
        float(values, "ws")?;
    }
    let combine = match case.text("combine")? {
        "add" => ScSeCombine::Add,
        "max" => ScSeCombine::Max,
        _ => return Err(case.unknown("combine")),
    };
    let options = ScSeOptions::STANDARD.with_combine(combine);
    let element = element(&[[Some(x), Some(spatial), bias].as_slice(), &weights.all()].concat());
    let on_gpu = gpu.map(|gpu| -> Result<Outputs, Problem> {
        let features = Parameter::new(gpu, x, element)?;
        let [w1, b1, w2, b2] = weights.all().map(|values| Parameter::optional(gpu, values, element));
        let (w1, b1, w2, b2) = (w1?, b1?, w2?, b2?);
        let (Some(w1), Some(w2)) = (w1, w2) else { return Ok(Vec::new()) };
        let (spatial, bias) = (Parameter::new(gpu, spatial, element)?, Parameter::optional(gpu, bias, element)?);
        let output = tensor(gpu, element, x.numbers.len())?;
        let operator = ScSe::new(compiler::of(&gpu.device), options, element)?;
        let buffers = ScSeBuffers {
            features: features.slice(),
            reduce_weight: w1.slice(),
            reduce_bias: b1.as_ref().map(Parameter::slice),
            expand_weight: w2.slice(),
            expand_bias: b2.as_ref().map(Parameter::slice),
            spatial_weight: spatial.slice(),
            spatial_bias: bias.as_ref().map(Parameter::slice),
            identity: None,
            output: output.slice(..),
        };
        run(gpu, &operator.bind(&gpu.device, ScSeShape { features: shape, reduced: weights.reduced }, buffers)?)?;
        Ok(vec![("y", floats(gpu, &output, element, x.numbers.len())?)])
    });
    let (excited, bias) = (weights.cast::<T>(), bias.map(Values::cast::<T>));
    let y = reference::scse(
        shape,
        options,
        &x.cast::<T>(),
        &excitation(&excited),
        &spatial.cast::<T>(),
        bias.as_deref(),
        None,
    );
    Ok((on_gpu.transpose()?, vec![("y", wide(y))]))
}

pub(super) fn pointwise_conv<T: Float>(gpu: Option<&Gpu>, case: &Case) -> Both {
    let (x, shape) = features(case)?;
    let weights = case.input("weights")?;
    let [stack, outputs, group_inputs] = weights.axes("weights")?;
    let groups = case.integer("groups")?;
    if case.integer("stack")? != stack {
        return Err(case.unknown("stack"));
    }
    if group_inputs.checked_mul(groups) != Some(shape.channels) {
        return Err(Problem::Malformed(format!("`in.weights` is {:?} for {groups} groups of {shape}", weights.shape)));
    }
    let bias = case.shaped_optional("bias", &[stack, outputs])?;
    let options = PointwiseConvOptions::new(shape.channels, outputs)
        .with_groups(groups)
        .with_stack(stack)
        .with_bias(bias.is_some());
    // The reference takes them as they are.
    if groups == 0 || outputs == 0 || !outputs.is_multiple_of(groups) || !(1..=3).contains(&stack) {
        return Err(Problem::Unsupported(format!("`in.weights` is {:?} for {groups} groups", weights.shape)));
    }
    for values in [Some(weights), bias].into_iter().flatten() {
        float(values, "weights")?;
    }
    let element = element(&[Some(x), Some(weights), bias]);
    let len = Nchw { channels: outputs, ..shape }.elements().unwrap_or(u64::MAX) as usize;
    let on_gpu = gpu.map(|gpu| -> Result<Outputs, Problem> {
        let input = Parameter::new(gpu, x, element)?;
        let weights = Parameter::new(gpu, weights, element)?;
        let bias = Parameter::optional(gpu, bias, element)?;
        let y = (0..stack).map(|_| tensor(gpu, element, len)).collect::<Result<Vec<_>, _>>()?;
        let operator = PointwiseConv::new(compiler::of(&gpu.device), options, element)?;
        let buffers = PointwiseConvBuffers {
            x: input.slice(),
            weights: weights.slice(),
            bias: bias.as_ref().map(Parameter::slice),
            y: std::array::from_fn(|index| y.get(index).map(|buffer| buffer.slice(..))),
        };
        run(gpu, &operator.bind(&gpu.device, shape, buffers)?)?;
        let mut all = Vec::new();
        for buffer in &y {
            all.extend(floats(gpu, buffer, element, len)?);
        }
        Ok(vec![("y", all)])
    });
    let bias = bias.map(Values::cast::<T>);
    let y = reference::pointwise_conv(shape, &options, &x.cast::<T>(), &weights.cast::<T>(), bias.as_deref()).concat();
    Ok((on_gpu.transpose()?, vec![("y", wide(y))]))
}

/// Two numbers above 0: height and width.
fn size(case: &Case, name: &str) -> Result<Size, Problem> {
    let sides = case.attrs[name].as_array().map(Vec::as_slice);
    let side =
        |value: &serde_json::Value| value.as_u64().and_then(|value| u32::try_from(value).ok()).filter(|&side| side > 0);
    match sides {
        Some([height, width]) => side(height).zip(side(width)).map(|(height, width)| Size::new(height, width)),
        _ => None,
    }
    .ok_or_else(|| case.unknown(name))
}

fn sampling(case: &Case) -> Result<Sampling, Problem> {
    Ok(if case.flag("align_corners")? { Sampling::AlignedCorners } else { Sampling::HalfPixel })
}

pub(super) fn resize<T: Float>(gpu: Option<&Gpu>, case: &Case) -> Both {
    let (x, shape) = features(case)?;
    let (size, sampling) = (size(case, "size")?, sampling(case)?);
    let len = Nchw { height: size.height, width: size.width, ..shape }.elements().unwrap_or(u64::MAX) as usize;
    let on_gpu = gpu.map(|gpu| -> Result<Outputs, Problem> {
        let (input, output) = (Parameter::new(gpu, x, x.element())?, tensor(gpu, x.element(), len)?);
        let operator = Resize::new(compiler::of(&gpu.device), sampling, x.element())?;
        let buffers = ResizeBuffers { input: input.slice(), output: output.slice(..) };
        run(gpu, &operator.bind(&gpu.device, ResizeShape { input: shape, output: size }, buffers)?)?;
        Ok(vec![("y", floats(gpu, &output, x.element(), len)?)])
    });
    Ok((on_gpu.transpose()?, vec![("y", wide(reference::resize(shape, size, sampling, &x.cast::<T>())))]))
}

pub(super) fn crop_resize<T: Float>(gpu: Option<&Gpu>, case: &Case) -> Both {
    let image = case.input("image")?;
    let shape = image.nchw("image")?;
    float(image, "image")?;
    let boxes = case.shaped("bbox", &[shape.batch, 4])?;
    if boxes.dtype != safetensors::Dtype::I32 {
        return Err(Problem::Malformed(format!("`in.bbox` is {:?}, needs i32", boxes.dtype)));
    }
    let boxes: Vec<[i32; 4]> =
        boxes.numbers.chunks_exact(4).map(|sides| std::array::from_fn(|index| sides[index] as i32)).collect();
    let (size, sampling) = (size(case, "size")?, sampling(case)?);
    let end = match case.text("crop_end")? {
        "inclusive" => CropEnd::Inclusive,
        "exclusive" => CropEnd::Exclusive,
        _ => return Err(case.unknown("crop_end")),
    };
    let len = Nchw { height: size.height, width: size.width, ..shape }.elements().unwrap_or(u64::MAX) as usize;
    let on_gpu = gpu.map(|gpu| -> Result<Outputs, Problem> {
        let (images, crops) = (Parameter::new(gpu, image, image.element())?, tensor(gpu, image.element(), len)?);
        let boxes = gpu.upload("boxes", &boxes)?;
        let operator = CropResize::new(compiler::of(&gpu.device), end, sampling, image.element())?;
        let buffers = CropResizeBuffers { images: images.slice(), boxes: boxes.slice(..), crops: crops.slice(..) };
        run(gpu, &operator.bind(&gpu.device, CropResizeShape { images: shape, crop: size }, buffers)?)?;
        Ok(vec![("crop", floats(gpu, &crops, image.element(), len)?)])
    });
    let crops = reference::crop_resize(shape, size, end, sampling, &image.cast::<T>(), &boxes);
    Ok((on_gpu.transpose()?, vec![("crop", wide(crops))]))
}
