//! The short list: one shape for each kind of work, of sizes at which a GPU is busy and a CPU reference takes seconds at most.

use visual_attention::host::Gpu;
use visual_attention::{
    AttendedRegion, AttendedRegionBuffers, AttendedRegionOptions, AttendedRegionShape, AttentionMap,
    AttentionMapBuffers, Connectivity, Cost, Element, Error, GlobalPool, GlobalPoolBuffers, LargestComponent,
    LargestComponentBuffers, Nchw, Nhw, PointwiseConv, PointwiseConvBuffers, PointwiseConvOptions, PositionTables,
    Recording, RelativePosition, Squeeze, SqueezeExcite, SqueezeExciteBuffers, SqueezeExciteOptions,
    SqueezeExciteShape, Statistic, WindowAttention, WindowAttentionBuffers, WindowAttentionOptions, reference, wgpu,
};

/// Reads the result back: how it differs from the reference, if it does.
type Check = Box<dyn FnOnce(&Gpu) -> Result<Result<(), String>, Error>>;

pub(crate) struct Case {
    pub(crate) operator: &'static str,
    pub(crate) case: String,
    pub(crate) cost: Cost,
    pub(crate) recording: Recording,
    pub(crate) check: Check,
}

/// `None` where the device lacks what the case needs.
type Open = fn(&Gpu) -> Result<Option<Case>, Error>;

pub(crate) const CASES: [Open; 11] = [
    |gpu| attention_map(gpu, Element::F32),
    |gpu| attention_map(gpu, Element::F16),
    global_pool,
    |gpu| squeeze_excite(gpu, Nchw::new(8, 256, 56, 56)),
    |gpu| squeeze_excite(gpu, Nchw::new(8, 2048, 7, 7)),
    attended_region,
    largest_component,
    pointwise_conv,
    |gpu| window_attention(gpu, 8, 7),
    |gpu| window_attention(gpu, 32, 7),
    |gpu| window_attention(gpu, 64, 7),
];

/// Numbers in -1..1, the same every time.
fn noise(len: u64) -> Vec<f32> {
    let mut state = 1u32;
    let step = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 8_388_608.0 - 1.0
    };
    (0..len).map(step).collect()
}

fn elements(shape: Nchw) -> u64 {
    shape.elements().unwrap_or(0)
}

/// Within 1e-5 of the largest magnitude, NaN never.
fn near(buffer: wgpu::Buffer, expected: Vec<f32>) -> Check {
    Box::new(move |gpu| {
        let actual: Vec<f32> = gpu.read(buffer.slice(..))?;
        let room = 1e-5 * expected.iter().fold(1.0f32, |largest, value| largest.max(value.abs()));
        let wrong = actual.iter().zip(&expected).position(|(a, e)| (a - e).is_nan() || (a - e).abs() > room);
        Ok(match wrong {
            _ if actual.len() != expected.len() => {
                Err(format!("{} numbers, expected {}", actual.len(), expected.len()))
            }
            Some(at) => Err(format!("element {at} is {}, expected {}", actual[at], expected[at])),
            None => Ok(()),
        })
    })
}

fn same<T: bytemuck::Pod + PartialEq + std::fmt::Debug>(buffer: wgpu::Buffer, expected: Vec<T>) -> Check {
    Box::new(move |gpu| {
        let actual: Vec<T> = gpu.read(buffer.slice(..))?;
        let wrong = actual.iter().zip(&expected).position(|(a, e)| a != e);
        Ok(match wrong {
            _ if actual.len() != expected.len() => {
                Err(format!("{} numbers, expected {}", actual.len(), expected.len()))
            }
            Some(at) => Err(format!("element {at} is {:?}, expected {:?}", actual[at], expected[at])),
            None => Ok(()),
        })
    })
}

fn attention_map(gpu: &Gpu, element: Element) -> Result<Option<Case>, Error> {
    if element == Element::F16 && !gpu.has_f16() {
        return Ok(None);
    }
    let shape = Nchw::new(8, 256, 56, 56);
    let mut values = noise(elements(shape));
    let features = match element {
        Element::F32 => gpu.upload("features", &values)?,
        _ => {
            let halves: Vec<half::f16> = values.iter().map(|&value| half::f16::from_f32(value)).collect();
            values = halves.iter().map(|half| half.to_f32()).collect();
            gpu.upload("features", &halves)?
        }
    };
    let map = gpu.buffer("map", shape.plane().elements().unwrap_or(0) * 4)?;
    let operator = AttentionMap::new(&gpu.device, Statistic::MaxAbs, element)?;
    let buffers = AttentionMapBuffers { features: features.slice(..), map: map.slice(..) };
    Ok(Some(Case {
        operator: "attention_map",
        case: format!("{element:?} {shape}"),
        cost: operator.cost(shape),
        recording: operator.bind(&gpu.device, shape, buffers)?,
        check: same(map, reference::attention_map(shape, Statistic::MaxAbs, &values)),
    }))
}

fn global_pool(gpu: &Gpu) -> Result<Option<Case>, Error> {
    let shape = Nchw::new(8, 256, 56, 56);
    let values = noise(elements(shape));
    let features = gpu.upload("features", &values)?;
    let mean = gpu.buffer("mean", u64::from(shape.batch * shape.channels) * 4)?;
    let operator = GlobalPool::new(&gpu.device, Squeeze::Mean, Element::F32)?;
    let buffers = GlobalPoolBuffers { features: features.slice(..), mean: Some(mean.slice(..)), max: None };
    Ok(Some(Case {
        operator: "global_pool",
        case: format!("{shape}"),
        cost: operator.cost(shape),
        recording: operator.bind(&gpu.device, shape, buffers)?,
        check: near(mean, reference::global_mean(shape, &values)),
    }))
}

fn squeeze_excite(gpu: &Gpu, shape: Nchw) -> Result<Option<Case>, Error> {
    let reduced = shape.channels / 16;
    let options = SqueezeExciteOptions::RESIDUAL;
    let (values, weights) = (noise(elements(shape) + 1), noise(u64::from(shape.channels * reduced)));
    let (values, identity) = (&values[1..], &values[..values.len() - 1]);
    let excitation = reference::Excitation {
        reduce_weight: &weights,
        reduce_bias: None,
        expand_weight: &weights,
        expand_bias: None,
    };
    let (_, expected) = reference::squeeze_excite(shape, options, values, &excitation, Some(identity));
    let (features, identity) = (gpu.upload("features", values)?, gpu.upload("identity", identity)?);
    let weights = gpu.upload("weights", &weights)?;
    let output = gpu.buffer("output", elements(shape) * 4)?;
    let operator = SqueezeExcite::new(&gpu.device, options, Element::F32)?;
    let buffers = SqueezeExciteBuffers {
        features: features.slice(..),
        reduce_weight: weights.slice(..),
        reduce_bias: None,
        expand_weight: weights.slice(..),
        expand_bias: None,
        identity: Some(identity.slice(..)),
        gate: None,
        output: Some(output.slice(..)),
    };
    Ok(Some(Case {
        operator: "squeeze_excite",
        case: format!("residual {shape}"),
        cost: operator.cost(SqueezeExciteShape { features: shape, reduced }),
        recording: operator.bind(&gpu.device, SqueezeExciteShape { features: shape, reduced }, buffers)?,
        check: near(output, expected),
    }))
}

fn attended_region(gpu: &Gpu) -> Result<Option<Case>, Error> {
    let (shape, images) = (Nchw::new(8, 2048, 7, 7), Nchw::new(8, 3, 224, 224));
    let options = AttendedRegionOptions::default();
    let (values, pixels) = (noise(elements(shape)), noise(elements(images)));
    let expected = reference::attended_region(shape, images, images.size(), &options, &values, &pixels);
    let (features, pictures) = (gpu.upload("features", &values)?, gpu.upload("images", &pixels)?);
    let map = gpu.buffer("map", shape.plane().elements().unwrap_or(0) * 4)?;
    let boxes = gpu.buffer("boxes", u64::from(shape.batch) * 16)?;
    let crops = gpu.buffer("crops", elements(images) * 4)?;
    let operator = AttendedRegion::new(&gpu.device, options, Element::F32, Element::F32)?;
    let buffers = AttendedRegionBuffers {
        features: features.slice(..),
        images: Some(pictures.slice(..)),
        map: map.slice(..),
        map_up: None,
        mask: None,
        component: None,
        boxes: boxes.slice(..),
        crops: Some(crops.slice(..)),
        count: None,
    };
    Ok(Some(Case {
        operator: "attended_region",
        case: format!("{shape} {}", images.size()),
        cost: operator.cost(AttendedRegionShape { features: shape, images, crop: images.size() }),
        recording: operator.bind(
            &gpu.device,
            AttendedRegionShape { features: shape, images, crop: images.size() },
            buffers,
        )?,
        check: same(boxes, expected.boxes),
    }))
}

fn largest_component(gpu: &Gpu) -> Result<Option<Case>, Error> {
    let shape = Nhw::new(1, 1024, 1024);
    // Noise near the percolation threshold of 4 neighbours: one component over the whole image, and thousands of small ones.
    let mask: Vec<u32> = noise(1 << 20).iter().map(|&value| u32::from(value < 0.186)).collect();
    let input = gpu.upload("mask", &mask)?;
    let component = gpu.buffer("component", 4 << 20)?;
    let boxes = gpu.buffer("boxes", 16)?;
    let operator = LargestComponent::new(&gpu.device, Connectivity::Four)?;
    let buffers = LargestComponentBuffers {
        mask: input.slice(..),
        boxes: boxes.slice(..),
        component: Some(component.slice(..)),
        all: None,
    };
    Ok(Some(Case {
        operator: "largest_component",
        case: format!("noise {shape}"),
        cost: operator.cost(shape),
        recording: operator.bind(&gpu.device, shape, buffers)?,
        check: same(component, reference::largest_component(shape, Connectivity::Four, &mask).component),
    }))
}

fn pointwise_conv(gpu: &Gpu) -> Result<Option<Case>, Error> {
    let shape = Nchw::new(2, 256, 56, 56);
    let options = PointwiseConvOptions::new(shape.channels, shape.channels);
    let values = noise(elements(shape));
    let weights = noise(u64::from(shape.channels * shape.channels));
    let (x, w) = (gpu.upload("x", &values)?, gpu.upload("weights", &weights)?);
    let y = gpu.buffer("y", elements(shape) * 4)?;
    let operator = PointwiseConv::new(&gpu.device, options, Element::F32)?;
    let buffers =
        PointwiseConvBuffers { x: x.slice(..), weights: w.slice(..), bias: None, y: [Some(y.slice(..)), None, None] };
    let expected = reference::pointwise_conv(shape, &options, &values, &weights, None).swap_remove(0);
    Ok(Some(Case {
        operator: "pointwise_conv",
        case: format!("{shape}"),
        cost: operator.cost(shape),
        recording: operator.bind(&gpu.device, shape, buffers)?,
        check: near(y, expected),
    }))
}

fn window_attention(gpu: &Gpu, head_dim: u32, k: u32) -> Result<Option<Case>, Error> {
    let heads = 256 / head_dim / 4;
    let options = WindowAttentionOptions::new(heads, head_dim, k)
        .with_relative(RelativePosition::None)
        .with_scale(1.0 / (head_dim as f32).sqrt());
    let shape = Nchw::new(2, heads * head_dim, 56, 56);
    let numbers = noise(3 * elements(shape));
    let mut thirds = numbers.chunks_exact(numbers.len() / 3);
    let mut next = || thirds.next().unwrap_or_default();
    let (q, key, value) = (next(), next(), next());
    let expected = reference::window_attention(shape, &options, q, key, value, PositionTables::None).y;
    let (q, key, value) = (gpu.upload("q", q)?, gpu.upload("k", key)?, gpu.upload("v", value)?);
    let y = gpu.buffer("y", elements(shape) * 4)?;
    let operator = WindowAttention::new(&gpu.device, options, Element::F32)?;
    let buffers = WindowAttentionBuffers {
        q: q.slice(..),
        k: key.slice(..),
        v: value.slice(..),
        tables: PositionTables::None,
        y: y.slice(..),
        log_sum_exp: None,
    };
    Ok(Some(Case {
        operator: "window_attention",
        case: format!("{heads}x{head_dim} k{k} {shape}"),
        cost: operator.cost(shape),
        recording: operator.bind(&gpu.device, shape, buffers)?,
        check: near(y, expected),
    }))
}
