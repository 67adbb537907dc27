//! Every operator at one shape, with ordinary inputs and its reference, so that a test can be written once for all of them.

use num_traits::{Float, ToPrimitive};
use visual_attention::reference::{self, Excitation, Layer, Norm};
use visual_attention::{
    Activation, AttendedRegion, AttendedRegionBuffers, AttendedRegionOptions, AttendedRegionShape, AttentionMap,
    AttentionMapBuffers, BatchNorm, BiSeNetAttention, BiSeNetAttentionBuffers, Border, BoundingBox, BoundingBoxBuffers,
    Cbam, CbamBuffers, CbamOptions, CbamShape, ChannelScale, ChannelScaleBuffers, ColorMap, Connectivity, CropEnd,
    CropResize, CropResizeBuffers, CropResizeShape, Dense, DenseBuffers, DenseShape, Eca, EcaBuffers, EcaShape,
    Element, Epilogue, Error, GlobalPool, GlobalPoolBuffers, HeatOverlay, HeatOverlayBuffers, HeatOverlayShape,
    LabelBuffers, LargestComponent, LargestComponentBuffers, Nchw, Nhw, Normalization, Normalize, NormalizeBuffers,
    PointwiseConv, PointwiseConvBuffers, PointwiseConvOptions, Pooling, PositionTables, QueryPosition, Recording,
    RelativePosition, Resize, ResizeBuffers, ResizeShape, Sampling, SasaLayer, SasaLayerBuffers, SasaLayerOptions,
    SasaStem, SasaStemBuffers, SasaStemOptions, ScSe, ScSeBuffers, ScSeCombine, ScSeOptions, ScSeShape, Size,
    SpatialGate, SpatialGateBuffers, SpatialGateShape, Squeeze, SqueezeExcite, SqueezeExciteBuffers,
    SqueezeExciteOptions, SqueezeExciteShape, Statistic, Threshold, ThresholdBuffers, ThresholdRule, ThresholdShape,
    WindowAttention, WindowAttentionBuffers, WindowAttentionOptions, WindowPool, WindowPoolBuffers,
    WindowWeightsBuffers, wgpu,
};

use super::compiler;
use super::{Random, rounded};

/// Binds an opened operator to its inputs and outputs, in the order of the entry.
pub(crate) type Bind = Box<
    dyn Fn(&wgpu::Device, &[wgpu::BufferSlice<'_>], &[wgpu::BufferSlice<'_>]) -> Result<Recording, Error> + Send + Sync,
>;
type Open = Box<dyn Fn(&wgpu::Device) -> Result<Bind, Error> + Send + Sync>;
type Reference<T> = Box<dyn Fn(&[Vec<T>]) -> Vec<Vec<T>> + Send + Sync>;

/// What an input holds.
#[derive(Clone)]
pub(crate) enum Contents {
    Floats(Element, Vec<f32>),
    /// Masks and boxes, which no special float can reach; their reference knows them.
    Words(Vec<u32>),
}

/// How an output is stored, and what its gate is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// Maxima and copies: equal to the reference.
    Exact(Element),
    /// Within the gate.
    Near(Element),
    /// Integers.
    Words,
    /// Four bytes to a pixel; the reference gives numbers in 0..1.
    Colors,
}

pub(crate) struct Input {
    pub(crate) name: &'static str,
    pub(crate) contents: Contents,
}

pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) inputs: Vec<Input>,
    pub(crate) outputs: Vec<(&'static str, usize, Kind)>,
    /// The first output starts as the first input, which is not bound.
    pub(crate) in_place: bool,
    pub(crate) open: Open,
    pub(crate) baseline: Reference<f32>,
    pub(crate) exact: Reference<f64>,
}

impl Entry {
    /// Whether the operator is given this input at all; some are there for the reference of another option.
    pub(crate) fn binds(&self, input: usize) -> bool {
        self.inputs[input].name != "identity" || self.name.contains("Residual")
    }
}

/// How an operator is built, and bound to slices of inputs and outputs.
macro_rules! open {
    (|$device:ident| $new:expr, |$operator:ident, $bind_device:ident, $i:ident, $o:ident| $bind:expr) => {
        Box::new(move |$device: &wgpu::Device| {
            let $operator = $new?;
            let bind: Bind = Box::new(
                move |$bind_device: &wgpu::Device, $i: &[wgpu::BufferSlice<'_>], $o: &[wgpu::BufferSlice<'_>]| $bind,
            );
            Ok(bind)
        })
    };
}

/// One text of a reference for both float types.
macro_rules! references {
    (|$x:ident| $body:expr) => {
        (
            Box::new(move |$x: &[Vec<f32>]| $body) as Reference<f32>,
            Box::new(move |$x: &[Vec<f64>]| $body) as Reference<f64>,
        )
    };
}

/// The forms that have an output.
const FORMS: [Epilogue; 3] = [Epilogue::Scale, Epilogue::Residual, Epilogue::ScaleAdd];

fn numbers<T: Float>(words: impl IntoIterator<Item = impl ToPrimitive>) -> Vec<T> {
    words.into_iter().map(|word| T::from(word).unwrap()).collect()
}

/// Any word but 0 is set, be it a sign bit or a NaN.
fn mask(seed: u64, len: usize) -> Vec<u32> {
    let odd = [0, 1, 0x8000_0000, 0, u32::MAX, 0x7fc0_0000, 0, 0x100];
    let mut random = Random::new(seed);
    (0..len).map(|_| odd[random.below(8) as usize]).collect()
}

/// Reversed, beyond every side, at the ends of the integers.
const BOXES: [[i32; 4]; 8] = [
    [3, 2, 1, 0],
    [i32::MIN, i32::MIN, i32::MAX, i32::MAX],
    [i32::MAX, i32::MAX, i32::MIN, i32::MIN],
    [i32::MAX, 0, i32::MAX, 1],
    [-5, -7, -1, -1],
    [1, 1, 2, 2],
    [0, 0, 0, i32::MIN],
    [1_000_000, 1_000_000, 2_000_000, 2_000_000],
];

/// Epsilon of every batch norm: the same in every float type.
const EPSILON: f32 = 1.0 / 1024.0;

fn norm<T: Float>(x: &[Vec<T>]) -> Norm<'_, T> {
    Norm { weight: &x[0], bias: &x[1], mean: &x[2], variance: &x[3], epsilon: T::from(EPSILON).unwrap() }
}

fn batch_norm<'a>(i: &[wgpu::BufferSlice<'a>]) -> BatchNorm<'a> {
    BatchNorm { weight: i[0], bias: i[1], mean: i[2], variance: i[3], epsilon: EPSILON }
}

fn excitation<T>(x: &[Vec<T>]) -> Excitation<'_, T> {
    Excitation { reduce_weight: &x[0], reduce_bias: Some(&x[1]), expand_weight: &x[2], expand_bias: Some(&x[3]) }
}

/// Collects entries, and deals out their inputs.
struct Catalogue {
    element: Element,
    random: Random,
    entries: Vec<Entry>,
}

impl Catalogue {
    fn stored(&mut self, name: &'static str, len: usize, element: Element) -> Input {
        Input { name, contents: Contents::Floats(element, rounded(&self.random.normal(len), element)) }
    }

    fn floats(&mut self, name: &'static str, len: usize) -> Input {
        self.stored(name, len, self.element)
    }

    /// Weight, bias, mean, variance.
    fn norm(&mut self, len: usize) -> Vec<Input> {
        let mut inputs: Vec<_> =
            ["norm.weight", "norm.bias", "norm.mean", "norm.variance"].map(|name| self.floats(name, len)).into();
        if let Contents::Floats(_, variance) = &mut inputs[3].contents {
            variance.iter_mut().for_each(|value| *value = value.abs());
        }
        inputs
    }

    fn excitation(&mut self, channels: usize, reduced: usize) -> Vec<Input> {
        vec![
            self.floats("reduce_weight", channels * reduced),
            self.floats("reduce_bias", reduced),
            self.floats("expand_weight", channels * reduced),
            self.floats("expand_bias", channels),
        ]
    }

    fn add(
        &mut self,
        name: impl Into<String>,
        inputs: Vec<Input>,
        outputs: Vec<(&'static str, usize, Kind)>,
        open: Open,
        (baseline, exact): (Reference<f32>, Reference<f64>),
    ) {
        let name = format!("{} {:?}", name.into(), self.element);
        self.entries.push(Entry { name, inputs, outputs, in_place: false, open, baseline, exact });
    }
}

/// Every operator with every option that has a kernel or a branch of its own, over `shape`: an even number of channels.
pub(crate) fn catalogue(element: Element, shape: Nchw, seed: u64) -> Vec<Entry> {
    let mut all = Catalogue { element, random: Random::new(seed), entries: Vec::new() };
    maps(&mut all, shape, seed);
    gates(&mut all, shape);
    windows(&mut all, shape);
    further(&mut all, shape);
    all.entries
}

fn maps(all: &mut Catalogue, shape: Nchw, seed: u64) {
    let element = all.element;
    let (plane, size) = (shape.plane(), shape.size());
    let (len, pixels) = (shape.elements().unwrap() as usize, plane.elements().unwrap() as usize);
    let (exact, near) = (Kind::Exact(element), Kind::Near(element));
    for statistic in Statistic::ALL {
        let kind = match statistic {
            Statistic::Max | Statistic::MaxAbs => Kind::Exact(Element::F32),
            _ => Kind::Near(Element::F32),
        };
        let inputs = vec![all.floats("features", len)];
        all.add(
            format!("attention_map {statistic:?}"),
            inputs,
            vec![("map", pixels, kind)],
            open!(|d| AttentionMap::new(compiler::of(d), statistic, element), |operator, d, i, o| {
                operator.bind(d, shape, AttentionMapBuffers { features: i[0], map: o[0] })
            }),
            references!(|x| vec![reference::attention_map(shape, statistic, &x[0])]),
        );
    }
    let larger = Size::new(shape.height + 3, 2 * shape.width - 1);
    let resized = (shape.batch * shape.channels) as usize * larger.pixels() as usize;
    for sampling in [Sampling::HalfPixel, Sampling::AlignedCorners] {
        let inputs = vec![all.floats("input", len)];
        all.add(
            format!("resize {sampling:?}"),
            inputs,
            vec![("output", resized, near)],
            open!(|d| Resize::new(compiler::of(d), sampling, element), |operator, d, i, o| {
                operator.bind(
                    d,
                    ResizeShape { input: shape, output: larger },
                    ResizeBuffers { input: i[0], output: o[0] },
                )
            }),
            references!(|x| vec![reference::resize(shape, larger, sampling, &x[0])]),
        );
        for end in [CropEnd::Inclusive, CropEnd::Exclusive] {
            let boxes: Vec<[i32; 4]> =
                (0..shape.batch as usize).map(|image| BOXES[(image + seed as usize) % 8]).collect();
            let words = boxes.as_flattened().iter().map(|&side| side as u32).collect();
            let inputs = vec![all.floats("images", len), Input { name: "boxes", contents: Contents::Words(words) }];
            let again = boxes.clone();
            all.add(
                format!("crop_resize {end:?} {sampling:?}"),
                inputs,
                vec![("crops", resized, near)],
                open!(|d| CropResize::new(compiler::of(d), end, sampling, element), |operator, d, i, o| {
                    operator.bind(
                        d,
                        CropResizeShape { images: shape, crop: larger },
                        CropResizeBuffers { images: i[0], boxes: i[1], crops: o[0] },
                    )
                }),
                (
                    Box::new(move |x| vec![reference::crop_resize(shape, larger, end, sampling, &x[0], &boxes)]),
                    Box::new(move |x| vec![reference::crop_resize(shape, larger, end, sampling, &x[0], &again)]),
                ),
            );
        }
    }
    let inputs = vec![all.floats("features", len)];
    let planes = (shape.batch * shape.channels) as usize;
    all.add(
        "global_pool",
        inputs,
        vec![("mean", planes, Kind::Near(Element::F32)), ("maximum", planes, Kind::Exact(Element::F32))],
        open!(|d| GlobalPool::new(compiler::of(d), Squeeze::MeanAndMax, element), |operator, d, i, o| {
            operator.bind(d, shape, GlobalPoolBuffers { features: i[0], mean: Some(o[0]), max: Some(o[1]) })
        }),
        references!(|x| vec![reference::global_mean(shape, &x[0]), reference::global_max(shape, &x[0])]),
    );
    for (pooling, kind) in [(Pooling::Mean, near), (Pooling::Max, exact)] {
        let window = Size::new(2, 3);
        let out = planes * (shape.height / 2) as usize * (shape.width / 3) as usize;
        let inputs = vec![all.floats("x", len)];
        all.add(
            format!("window_pool {pooling:?}"),
            inputs,
            vec![("y", out, kind)],
            open!(|d| WindowPool::new(compiler::of(d), pooling, window, element), |operator, d, i, o| {
                operator.bind(d, shape, WindowPoolBuffers { x: i[0], y: o[0] })
            }),
            references!(|x| vec![reference::window_pool(shape, pooling, window, &x[0])]),
        );
    }
    let rgb = Nchw { channels: 3, ..shape };
    for opacity in [0.5f32, 1.0] {
        let inputs = vec![all.stored("map", pixels, Element::F32), all.floats("pictures", 3 * pixels)];
        all.add(
            format!("heat_overlay {opacity}"),
            inputs,
            vec![("overlay", pixels, Kind::Colors)],
            open!(
                |d| HeatOverlay::new(compiler::of(d), &ColorMap::Turbo, Sampling::HalfPixel, element),
                |operator, d, i, o| {
                    let buffers = HeatOverlayBuffers { map: i[0], pictures: i[1], overlay: o[0] };
                    operator.bind(d, HeatOverlayShape { map: plane, pictures: rgb }, opacity, buffers)
                }
            ),
            references!(|x| {
                let table = ColorMap::Turbo.table();
                let opacity = numbers([opacity])[0];
                vec![reference::heat_overlay(plane, rgb, Sampling::HalfPixel, &table, opacity, &x[0], &x[1])]
            }),
        );
    }
    let crop = Size::new(5, 4);
    let cropped = planes * crop.pixels() as usize;
    let inputs = vec![all.floats("features", len), all.floats("images", len)];
    let options = AttendedRegionOptions { threshold: ThresholdRule::Value(0.5), ..Default::default() };
    all.add(
        "attended_region",
        inputs,
        vec![
            ("map", pixels, Kind::Near(Element::F32)),
            ("component", pixels, Kind::Words),
            ("boxes", 4 * shape.batch as usize, Kind::Words),
            ("crops", cropped, near),
        ],
        open!(|d| AttendedRegion::new(compiler::of(d), options, element, element), |operator, d, i, o| {
            let buffers = AttendedRegionBuffers {
                features: i[0],
                images: Some(i[1]),
                map: o[0],
                map_up: None,
                mask: None,
                component: Some(o[1]),
                boxes: o[2],
                crops: Some(o[3]),
            };
            operator.bind(d, AttendedRegionShape { features: shape, images: shape, crop }, buffers)
        }),
        references!(|x| {
            let region = reference::attended_region(shape, shape, crop, &options, &x[0], &x[1]);
            let boxes = numbers(region.boxes.as_flattened().iter().copied());
            vec![region.map, numbers(region.component), boxes, region.crops]
        }),
    );
    // What has no element type is listed once.
    if element == Element::F16 {
        return;
    }
    for normalization in [Normalization::MinMax, Normalization::Max] {
        let inputs = vec![all.floats("map", pixels)];
        all.add(
            format!("normalize {normalization:?}"),
            inputs,
            vec![("map", pixels, Kind::Near(Element::F32))],
            open!(|d| Normalize::new(compiler::of(d), normalization), |operator, d, _i, o| {
                operator.bind(d, plane, NormalizeBuffers { map: o[0] })
            }),
            references!(|x| vec![reference::normalize(plane, normalization, &x[0])]),
        );
        all.entries.last_mut().unwrap().in_place = true;
    }
    for rule in [ThresholdRule::Value(0.0), ThresholdRule::Value(0.5), ThresholdRule::Level(100), ThresholdRule::Otsu] {
        let inputs = vec![all.floats("map", pixels)];
        all.add(
            format!("threshold {rule:?}"),
            inputs,
            vec![("mask", pixels, Kind::Words)],
            open!(|d| Threshold::new(compiler::of(d), rule, Sampling::HalfPixel), |operator, d, i, o| {
                operator.bind(d, ThresholdShape { map: plane, mask: size }, ThresholdBuffers { map: i[0], mask: o[0] })
            }),
            references!(|x| vec![numbers(reference::threshold(plane, rule, &x[0]))]),
        );
    }
    let words = Input { name: "mask", contents: Contents::Words(mask(seed, pixels)) };
    all.add(
        "bounding_box",
        vec![words],
        vec![("boxes", 4 * shape.batch as usize, Kind::Words)],
        open!(|d| BoundingBox::new(d), |operator, d, i, o| {
            operator.bind(d, plane, BoundingBoxBuffers { mask: i[0], boxes: o[0] })
        }),
        references!(|_x| {
            vec![numbers(reference::bounding_box(plane, &mask(seed, pixels)).as_flattened().iter().copied())]
        }),
    );
    for connectivity in [Connectivity::Four, Connectivity::Eight] {
        let words = Input { name: "mask", contents: Contents::Words(mask(seed, pixels)) };
        all.add(
            format!("largest_component {connectivity:?}"),
            vec![words],
            vec![
                ("boxes", 4 * shape.batch as usize, Kind::Words),
                ("component", pixels, Kind::Words),
                ("labels", pixels, Kind::Words),
                ("sizes", pixels, Kind::Words),
            ],
            open!(|d| LargestComponent::new(compiler::of(d), connectivity), |operator, d, i, o| {
                let buffers = LargestComponentBuffers {
                    mask: i[0],
                    boxes: o[0],
                    component: Some(o[1]),
                    all: Some(LabelBuffers { labels: o[2], sizes: o[3] }),
                };
                operator.bind(d, plane, buffers)
            }),
            references!(|_x| {
                let found = reference::largest_component(plane, connectivity, &mask(seed, pixels));
                let boxes = numbers(found.boxes.as_flattened().iter().copied());
                let signed = |words: Vec<u32>| numbers(words.into_iter().map(|word| word as i32));
                vec![boxes, signed(found.component), signed(found.labels), signed(found.sizes)]
            }),
        );
    }
}

fn gates(all: &mut Catalogue, shape: Nchw) {
    let element = all.element;
    let (len, pixels) = (shape.elements().unwrap() as usize, shape.plane().elements().unwrap() as usize);
    let channels = shape.channels as usize;
    let planes = shape.batch as usize * channels;
    let (near, gate) = (Kind::Near(element), Kind::Near(Element::F32));
    let dense = DenseShape { batch: shape.batch, inputs: 5, second_inputs: 0, outputs: 3 };
    let batch = shape.batch as usize;
    for activation in Activation::ALL {
        let inputs =
            vec![all.stored("input", batch * 5, Element::F32), all.floats("weight", 15), all.floats("bias", 3)];
        all.add(
            format!("dense {activation:?}"),
            inputs,
            vec![("output", batch * 3, gate)],
            open!(|d| Dense::new(compiler::of(d), activation, element), |operator, d, i, o| {
                let buffers = DenseBuffers {
                    input: i[0],
                    second: None,
                    weight: i[1],
                    bias: Some(i[2]),
                    norm: None,
                    output: o[0],
                };
                operator.bind(d, dense, buffers)
            }),
            references!(|x| {
                let layer = Layer { weight: &x[1], bias: Some(&x[2]), norm: None };
                vec![reference::dense(5, &x[0], &layer, activation)]
            }),
        );
    }
    let two = DenseShape { second_inputs: 2, ..dense };
    let mut inputs = vec![
        all.stored("input", batch * 5, Element::F32),
        all.stored("second", batch * 2, Element::F32),
        all.floats("weight", 21),
    ];
    inputs.extend(all.norm(3));
    all.add(
        "dense of two inputs, with a norm",
        inputs,
        vec![("output", batch * 3, gate)],
        open!(|d| Dense::new(compiler::of(d), Activation::None, element), |operator, d, i, o| {
            let norm = Some(batch_norm(&i[3..]));
            let buffers =
                DenseBuffers { input: i[0], second: Some(i[1]), weight: i[2], bias: None, norm, output: o[0] };
            operator.bind(d, two, buffers)
        }),
        references!(|x| {
            let layer = Layer { weight: &x[2], bias: None, norm: Some(norm(&x[3..])) };
            let input = reference::side_by_side((5, &x[0]), (2, &x[1]));
            vec![reference::dense(7, &input, &layer, Activation::None)]
        }),
    );
    for epilogue in FORMS {
        let inputs =
            vec![all.floats("features", len), all.stored("gate", planes, Element::F32), all.floats("identity", len)];
        all.add(
            format!("channel_scale {epilogue:?}"),
            inputs,
            vec![("output", len, near)],
            open!(|d| ChannelScale::new(compiler::of(d), epilogue, element), |operator, d, i, o| {
                let identity = (epilogue == Epilogue::Residual).then_some(i[2]);
                operator.bind(d, shape, ChannelScaleBuffers { features: i[0], gate: i[1], identity, output: o[0] })
            }),
            references!(|x| vec![reference::channel_scale(shape, epilogue, &x[0], &x[1], Some(&x[2]))]),
        );
    }
    let reduced = 3;
    for options in [
        SqueezeExciteOptions::STANDARD,
        SqueezeExciteOptions::RESIDUAL,
        SqueezeExciteOptions::CBAM_CHANNEL,
        SqueezeExciteOptions {
            squeeze: Squeeze::Max,
            activation: Activation::Silu,
            gate: Activation::HARD_SIGMOID,
            epilogue: Epilogue::ScaleAdd,
        },
    ] {
        let mut inputs = vec![all.floats("features", len), all.floats("identity", len)];
        inputs.extend(all.excitation(channels, reduced));
        all.add(
            format!("squeeze_excite {:?} {:?}", options.squeeze, options.epilogue),
            inputs,
            vec![("gate", planes, gate), ("output", len, near)],
            open!(|d| SqueezeExcite::new(compiler::of(d), options, element), |operator, d, i, o| {
                let buffers = SqueezeExciteBuffers {
                    features: i[0],
                    reduce_weight: i[2],
                    reduce_bias: Some(i[3]),
                    expand_weight: i[4],
                    expand_bias: Some(i[5]),
                    identity: (options.epilogue == Epilogue::Residual).then_some(i[1]),
                    gate: Some(o[0]),
                    output: Some(o[1]),
                };
                operator.bind(d, SqueezeExciteShape { features: shape, reduced: reduced as u32 }, buffers)
            }),
            references!(|x| {
                let (gate, y) = reference::squeeze_excite(shape, options, &x[0], &excitation(&x[2..]), Some(&x[1]));
                vec![gate, y]
            }),
        );
    }
    for epilogue in FORMS {
        let mut inputs =
            vec![all.floats("features", len), all.floats("weight", channels * channels), all.floats("identity", len)];
        inputs.extend(all.norm(channels));
        all.add(
            format!("bisenet {epilogue:?}"),
            inputs,
            vec![("gate", planes, gate), ("output", len, near)],
            open!(|d| BiSeNetAttention::new(compiler::of(d), epilogue, element), |operator, d, i, o| {
                let buffers = BiSeNetAttentionBuffers {
                    features: i[0],
                    weight: i[1],
                    norm: batch_norm(&i[3..]),
                    identity: (epilogue == Epilogue::Residual).then_some(i[2]),
                    gate: Some(o[0]),
                    output: Some(o[1]),
                };
                operator.bind(d, shape, buffers)
            }),
            references!(|x| {
                let (gate, y) = reference::bisenet(shape, epilogue, &x[0], &x[1], norm(&x[3..]), Some(&x[2]));
                vec![gate, y]
            }),
        );
    }
    for epilogue in FORMS {
        let mut inputs = vec![all.floats("features", len), all.floats("weight", 18), all.floats("identity", len)];
        inputs.extend(all.norm(1));
        all.add(
            format!("spatial_gate {epilogue:?}"),
            inputs,
            vec![("gate", pixels, gate), ("output", len, near)],
            open!(|d| SpatialGate::new(compiler::of(d), epilogue, element), |operator, d, i, o| {
                let buffers = SpatialGateBuffers {
                    features: i[0],
                    weight: i[1],
                    bias: None,
                    norm: Some(batch_norm(&i[3..])),
                    identity: (epilogue == Epilogue::Residual).then_some(i[2]),
                    gate: Some(o[0]),
                    output: Some(o[1]),
                };
                operator.bind(d, SpatialGateShape { features: shape, kernel: 3 }, buffers)
            }),
            references!(|x| {
                let layer = Layer { weight: &x[1], bias: None, norm: Some(norm(&x[3..])) };
                let (gate, y) = reference::spatial_gate(shape, epilogue, 3, &x[0], &layer, Some(&x[2]));
                vec![gate, y]
            }),
        );
        let options = CbamOptions { epilogue, ..CbamOptions::STANDARD };
        let mut inputs = vec![
            all.floats("features", len),
            all.floats("spatial_weight", 18),
            all.floats("spatial_bias", 1),
            all.floats("identity", len),
        ];
        inputs.extend(all.excitation(channels, reduced));
        all.add(
            format!("cbam {epilogue:?}"),
            inputs,
            vec![("output", len, near)],
            open!(|d| Cbam::new(compiler::of(d), options, element), |operator, d, i, o| {
                let buffers = CbamBuffers {
                    features: i[0],
                    reduce_weight: i[4],
                    reduce_bias: Some(i[5]),
                    expand_weight: i[6],
                    expand_bias: Some(i[7]),
                    spatial_weight: i[1],
                    spatial_bias: Some(i[2]),
                    spatial_norm: None,
                    identity: (epilogue == Epilogue::Residual).then_some(i[3]),
                    output: o[0],
                };
                operator.bind(d, CbamShape { features: shape, reduced: reduced as u32, kernel: 3 }, buffers)
            }),
            references!(|x| {
                let layer = Layer { weight: &x[1], bias: Some(&x[2]), norm: None };
                vec![reference::cbam(shape, options, 3, &x[0], &excitation(&x[4..]), &layer, Some(&x[3]))]
            }),
        );
    }
    for (combine, epilogue) in [
        (ScSeCombine::Add, Epilogue::Scale),
        (ScSeCombine::Max, Epilogue::Scale),
        (ScSeCombine::Add, Epilogue::Residual),
        (ScSeCombine::Max, Epilogue::ScaleAdd),
    ] {
        let options = ScSeOptions { combine, epilogue };
        let mut inputs = vec![
            all.floats("features", len),
            all.floats("spatial_weight", channels),
            all.floats("spatial_bias", 1),
            all.floats("identity", len),
        ];
        inputs.extend(all.excitation(channels, reduced));
        all.add(
            format!("scse {combine:?} {epilogue:?}"),
            inputs,
            vec![("output", len, near)],
            open!(|d| ScSe::new(compiler::of(d), options, element), |operator, d, i, o| {
                let buffers = ScSeBuffers {
                    features: i[0],
                    reduce_weight: i[4],
                    reduce_bias: Some(i[5]),
                    expand_weight: i[6],
                    expand_bias: Some(i[7]),
                    spatial_weight: i[1],
                    spatial_bias: Some(i[2]),
                    identity: (epilogue == Epilogue::Residual).then_some(i[3]),
                    output: o[0],
                };
                operator.bind(d, ScSeShape { features: shape, reduced: reduced as u32 }, buffers)
            }),
            references!(|x| {
                let identity = Some(x[3].as_slice());
                vec![reference::scse(shape, options, &x[0], &excitation(&x[4..]), &x[1], Some(&x[2]), identity)]
            }),
        );
    }
    let inputs = vec![all.floats("features", len), all.floats("weight", 3)];
    all.add(
        "eca",
        inputs,
        vec![("gate", planes, gate), ("output", len, near)],
        open!(|d| Eca::new(compiler::of(d), Epilogue::Scale, element), |operator, d, i, o| {
            let buffers =
                EcaBuffers { features: i[0], weight: i[1], identity: None, gate: Some(o[0]), output: Some(o[1]) };
            operator.bind(d, EcaShape { features: shape, taps: 3 }, buffers)
        }),
        references!(|x| {
            let (gate, y) = reference::eca(shape, Epilogue::Scale, &x[0], &x[1], None);
            vec![gate, y]
        }),
    );
}

/// Tables of an attention, as inputs from `at` on.
fn tables<T: Copy>(relative: RelativePosition, x: &[T]) -> PositionTables<T> {
    match relative {
        RelativePosition::None => PositionTables::None,
        RelativePosition::Bias => PositionTables::Bias(x[0]),
        _ => PositionTables::Factorised { row: x[0], column: x[1] },
    }
}

fn borrowed<T>(x: &[Vec<T>]) -> Vec<&[T]> {
    x.iter().map(Vec::as_slice).collect()
}

fn windows(all: &mut Catalogue, shape: Nchw) {
    let element = all.element;
    let (len, pixels) = (shape.elements().unwrap() as usize, shape.plane().elements().unwrap() as usize);
    let channels = shape.channels as usize;
    let near = Kind::Near(element);
    let base = WindowAttentionOptions { scale: 0.75, ..WindowAttentionOptions::new(2, shape.channels / 2, 3) };
    let add_tables = |all: &mut Catalogue, inputs: &mut Vec<Input>, relative: RelativePosition| match relative {
        RelativePosition::None => {}
        RelativePosition::Bias => inputs.push(all.floats("tables.bias", 2 * 25)),
        _ => {
            let half = if relative == RelativePosition::PerHead { channels / 4 } else { channels / 2 };
            inputs.push(all.floats("tables.row", half * 3));
            inputs.push(all.floats("tables.column", half * 3));
        }
    };
    for relative in
        [RelativePosition::None, RelativePosition::PerHead, RelativePosition::WholeChannel, RelativePosition::Bias]
    {
        for border in [Border::Zero, Border::Mask, Border::Shift] {
            let options = WindowAttentionOptions { border, relative, ..base };
            let mut inputs = vec![all.floats("q", len), all.floats("k", len), all.floats("v", len)];
            add_tables(all, &mut inputs, relative);
            all.add(
                format!("window_attention {border:?} {relative:?}"),
                inputs,
                vec![("y", len, near), ("log_sum_exp", 2 * pixels, Kind::Near(Element::F32))],
                open!(|d| WindowAttention::new(compiler::of(d), options, element), |operator, d, i, o| {
                    let buffers = WindowAttentionBuffers {
                        q: i[0],
                        k: i[1],
                        v: i[2],
                        tables: tables(relative, &i[3..]),
                        y: o[0],
                        log_sum_exp: Some(o[1]),
                    };
                    operator.bind(d, shape, buffers)
                }),
                references!(|x| {
                    let tables = tables(relative, &borrowed(&x[3..]));
                    let result = reference::window_attention(shape, &options, &x[0], &x[1], &x[2], tables);
                    vec![result.y, result.log_sum_exp]
                }),
            );
        }
        // The weights of one query in the middle and one in a corner.
        let options = WindowAttentionOptions { border: Border::Mask, relative, ..base };
        let mut inputs = vec![all.floats("q", len), all.floats("k", len)];
        add_tables(all, &mut inputs, relative);
        let queries = [(0, 0), (shape.height / 2, shape.width / 2)];
        all.add(
            format!("window_attention_weights {relative:?}"),
            inputs,
            vec![("weights", 2 * 2 * 9, Kind::Near(Element::F32))],
            open!(|d| WindowAttention::new(compiler::of(d), options, element), |operator, d, i, o| {
                let queries = queries.map(|(row, column)| QueryPosition { image: 0, row, column });
                let buffers =
                    WindowWeightsBuffers { q: i[0], k: i[1], tables: tables(relative, &i[2..]), weights: o[0] };
                operator.bind_weights(d, shape, &queries, buffers)
            }),
            references!(|x| {
                let tables = tables(relative, &borrowed(&x[2..]));
                let all = reference::window_attention(shape, &options, &x[0], &x[1], &x[1], tables).weights;
                let plane = shape.size().pixels() as usize;
                let rows = queries.iter().flat_map(|&(row, column)| {
                    let pixel = (row * shape.width + column) as usize;
                    [pixel * 9, (plane + pixel) * 9]
                });
                vec![rows.flat_map(|first| all[first..first + 9].to_vec()).collect()]
            }),
        );
    }
    let options =
        PointwiseConvOptions { inputs: shape.channels, outputs: shape.channels, groups: 2, stack: 3, bias: true };
    let weights = 3 * channels * channels / 2;
    let inputs = vec![all.floats("x", len), all.floats("weights", weights), all.floats("bias", 3 * channels)];
    all.add(
        "pointwise_conv",
        inputs,
        vec![("y[0]", len, near), ("y[1]", len, near), ("y[2]", len, near)],
        open!(|d| PointwiseConv::new(compiler::of(d), options, element), |operator, d, i, o| {
            let y = [Some(o[0]), Some(o[1]), Some(o[2])];
            operator.bind(d, shape, PointwiseConvBuffers { x: i[0], weights: i[1], bias: Some(i[2]), y })
        }),
        references!(|x| reference::pointwise_conv(shape, &options, &x[0], &x[1], Some(&x[2]))),
    );
    let options = SasaLayerOptions {
        inputs: shape.channels,
        groups: 1,
        attention: WindowAttentionOptions { border: Border::Mask, ..base },
    };
    let mut inputs = vec![all.floats("x", len), all.floats("projections", 3 * channels * channels)];
    add_tables(all, &mut inputs, RelativePosition::PerHead);
    all.add(
        "sasa_layer",
        inputs,
        vec![("y", len, near)],
        open!(|d| SasaLayer::new(compiler::of(d), options, element), |operator, d, i, o| {
            let tables = tables(RelativePosition::PerHead, &i[2..]);
            operator.bind(d, shape, SasaLayerBuffers { x: i[0], projections: i[1], tables, y: o[0] })
        }),
        references!(|x| {
            let tables = tables(RelativePosition::PerHead, &borrowed(&x[2..]));
            vec![reference::sasa_layer(shape, &options, &x[0], &x[1], tables)]
        }),
    );
    sasa_stem(all, shape, Size::new(2, 3));
}

fn sasa_stem(all: &mut Catalogue, shape: Nchw, window: Size) {
    let element = all.element;
    let (len, pixels) = (shape.elements().unwrap() as usize, shape.plane().elements().unwrap() as usize);
    let channels = shape.channels as usize;
    let near = Kind::Near(element);
    let options = SasaStemOptions {
        inputs: shape.channels,
        heads: 2,
        head_dim: 2,
        window,
        padding: Size::new(1, 1),
        mixtures: 3,
        embeddings: 2,
        scale: 0.75,
    };
    let inputs = vec![
        all.floats("x", len),
        all.floats("projections", 5 * 4 * channels),
        all.floats("row", 2 * window.height as usize),
        all.floats("column", 2 * window.width as usize),
        all.floats("mix", 3 * 2),
    ];
    all.add(
        format!("sasa_stem {window}"),
        inputs,
        vec![("y", 4 * pixels, near)],
        open!(|d| SasaStem::new(compiler::of(d), options, element), |operator, d, i, o| {
            let buffers = SasaStemBuffers { x: i[0], projections: i[1], row: i[2], column: i[3], mix: i[4], y: o[0] };
            operator.bind(d, shape, buffers)
        }),
        references!(|x| vec![reference::sasa_stem(shape, &options, &x[0], &x[1], &x[2], &x[3], &x[4])]),
    );
}

/// What came later, so that the others keep their numbers.
fn further(all: &mut Catalogue, shape: Nchw) {
    let (plane, pixels) = (shape.plane(), shape.plane().elements().unwrap() as usize);
    let larger = Size::new(shape.height + 3, 2 * shape.width - 1);
    let rules = [ThresholdRule::Value(0.0), ThresholdRule::Value(0.5), ThresholdRule::Level(100), ThresholdRule::Otsu];
    // What has no element type is listed once.
    for rule in rules.into_iter().filter(|_| all.element == Element::F32).collect::<Vec<_>>() {
        let inputs = vec![all.floats("map", pixels)];
        let resampled = Nhw::new(shape.batch, larger.height, larger.width);
        all.add(
            format!("threshold resampled {rule:?}"),
            inputs,
            vec![("mask", resampled.elements().unwrap() as usize, Kind::Words)],
            open!(|d| Threshold::new(compiler::of(d), rule, Sampling::HalfPixel), |operator, d, i, o| {
                operator.bind(
                    d,
                    ThresholdShape { map: plane, mask: larger },
                    ThresholdBuffers { map: i[0], mask: o[0] },
                )
            }),
            references!(|x| {
                let planes = Nchw { channels: 1, ..shape };
                let map = reference::resize(planes, larger, Sampling::HalfPixel, &x[0]);
                vec![numbers(reference::threshold(resampled, rule, &map))]
            }),
        );
    }
    // More entries than a workgroup of the mixture has invocations.
    sasa_stem(all, shape, Size::new(8, 9));
}
