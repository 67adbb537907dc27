//! One description of each operator for all tests: which options it is tried with, and which shapes decide the others. `catalogue.rs` makes
//! inputs, outputs and references of it, from what the operator says of itself.

use std::fmt::Debug;

use visual_attention::operators;
use visual_attention::{
    Activation, Border, Connectivity, CropEnd, Element, Epilogue, HeadNorm, Nchw, Normalization, Pooling, RegionOrder,
    RelativePosition, Sampling, ScSeCombine, Size, Squeeze, Statistic,
};

/// An operator with options, over inputs of certain shapes.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    /// What it is called in messages: the operator first.
    pub(crate) label: String,
    pub(crate) operator: &'static str,
    pub(crate) options: Vec<(&'static str, String)>,
    pub(crate) shapes: Vec<(&'static str, Vec<u32>)>,
    /// Optional tensors that are left out.
    pub(crate) without: Vec<&'static str>,
    /// Outputs of floats that equal the reference: maxima and copies.
    pub(crate) exact: &'static [&'static str],
    /// Whether it has an element type.
    pub(crate) generic: bool,
}

impl Problem {
    pub(crate) fn new(operator: &'static str, shapes: impl Into<Vec<(&'static str, Vec<u32>)>>) -> Self {
        Self {
            label: operator.to_owned(),
            operator,
            options: Vec::new(),
            shapes: shapes.into(),
            without: Vec::new(),
            exact: &[],
            generic: true,
        }
    }

    pub(crate) fn with(mut self, option: &'static str, value: impl ToString) -> Self {
        self.options.push((option, value.to_string()));
        self
    }

    /// The same, and named in the label.
    fn named<T: ToString + Debug>(mut self, option: &'static str, value: T) -> Self {
        self.label += &format!(" {value:?}");
        self.with(option, value)
    }

    pub(crate) fn labelled(mut self, word: &str) -> Self {
        self.label += &format!(" {word}");
        self
    }

    pub(crate) fn without(self, tensors: &[&'static str]) -> Self {
        Self { without: [self.without, tensors.to_vec()].concat(), ..self }
    }

    fn exact(self, outputs: &'static [&'static str]) -> Self {
        Self { exact: outputs, ..self }
    }

    /// The gradient of this problem, if there is an operator for it: the same options and shapes.
    fn backward(&self) -> Option<Self> {
        let entry =
            operators::all().iter().find(|entry| entry.name.strip_suffix("_backward") == Some(self.operator))?;
        let label = self.label.replacen(self.operator, entry.name, 1);
        Some(Self { label, operator: entry.name, exact: &[], ..self.clone() })
    }

    /// Whether a tensor is left out, or is the gradient of one that is.
    pub(crate) fn lacks(&self, tensor: &str) -> bool {
        self.without.contains(&tensor) || tensor.strip_suffix("_gradient").is_some_and(|of| self.without.contains(&of))
    }

    /// The problem that this one is the gradient of, if it is one.
    pub(crate) fn forward(&self) -> Option<Self> {
        let operator = self.operator.strip_suffix("_backward")?;
        Some(Self { operator, ..self.clone() })
    }

    /// Listed once, for f32.
    fn untyped(self) -> Self {
        Self { generic: false, ..self }
    }
}

/// The epilogues that have an output.
const EPILOGUES: [Epilogue; 3] = [Epilogue::Scale, Epilogue::Residual, Epilogue::ScaleAdd];
/// Tensors of a norm, where a bias takes its place.
pub(crate) const NORM: &[&str] = &["norm.weight", "norm.bias", "norm.mean", "norm.variance"];
const SPATIAL_NORM: &[&str] =
    &["spatial_norm.weight", "spatial_norm.bias", "spatial_norm.mean", "spatial_norm.variance"];
/// Epsilon of every batch norm: the same in every float type.
const EPSILON: f32 = 1.0 / 1024.0;

fn text(size: Size) -> String {
    format!("{},{}", size.height, size.width)
}

/// Every operator with every option that has a kernel or a branch of its own, over `shape`: an even number of channels.
pub(crate) fn problems(shape: Nchw) -> Vec<Problem> {
    let forward = [maps(shape), untyped(shape), gates(shape), windows(shape)].concat();
    let backward: Vec<_> = forward.iter().filter_map(Problem::backward).collect();
    [forward, backward].concat()
}

fn larger(shape: Nchw) -> Size {
    Size::new(shape.height + 3, 2 * shape.width - 1)
}

fn maps(shape: Nchw) -> Vec<Problem> {
    let (features, plane): (Vec<u32>, Vec<u32>) = (shape.into(), shape.plane().into());
    let mut all = Vec::new();
    for statistic in Statistic::ALL {
        let exact: &[_] = if matches!(statistic, Statistic::Max | Statistic::MaxAbs) { &["map"] } else { &[] };
        let problem = Problem::new("attention_map", [("features", features.clone())]);
        all.push(problem.named("statistic", statistic).exact(exact));
    }
    for sampling in [Sampling::HalfPixel, Sampling::AlignedCorners] {
        let problem = Problem::new("resize", [("input", features.clone())]).named("sampling", sampling);
        all.push(problem.with("size", text(larger(shape))));
        for end in [CropEnd::Inclusive, CropEnd::Exclusive] {
            let problem = Problem::new("crop_resize", [("images", features.clone())]).named("crop_end", end);
            all.push(problem.named("sampling", sampling).with("size", text(larger(shape))));
        }
    }
    let pool = Problem::new("global_pool", [("features", features.clone())]);
    all.push(pool.with("squeeze", Squeeze::MeanAndMax).exact(&["max"]));
    for pooling in [Pooling::Mean, Pooling::Max] {
        let exact: &[_] = if pooling == Pooling::Max { &["y"] } else { &[] };
        let problem = Problem::new("window_pool", [("x", features.clone())]).named("pooling", pooling);
        all.push(problem.with("window", "2,3").exact(exact));
    }
    for opacity in [0.5f32, 1.0] {
        let pictures = Nchw { channels: 3, ..shape }.into();
        let problem = Problem::new("heat_overlay", [("map", plane.clone()), ("pictures", pictures)]);
        all.push(problem.named("opacity", opacity));
    }
    let region = Problem::new("attended_region", [("features", features.clone()), ("images", features)]);
    let region = region.with("threshold", "value:0.5").with("crop", "5,4").without(&["map_up", "mask"]);
    all.push(region.clone().without(&["count"]));
    all.push(region.named("regions", 3));
    all
}

fn untyped(shape: Nchw) -> Vec<Problem> {
    let plane: Vec<u32> = shape.plane().into();
    let mut all = Vec::new();
    for normalization in [Normalization::MinMax, Normalization::Max] {
        all.push(Problem::new("normalize", [("map", plane.clone())]).named("normalization", normalization));
    }
    for rule in ["value:0", "value:0.5", "level:100", "otsu"] {
        for (size, word) in [(shape.size(), ""), (larger(shape), "resampled ")] {
            let problem = Problem::new("threshold", [("map", plane.clone())]).labelled(&format!("{word}{rule}"));
            all.push(problem.with("threshold", rule).with("size", text(size)));
        }
    }
    all.push(Problem::new("bounding_box", [("mask", plane.clone())]));
    for connectivity in [Connectivity::Four, Connectivity::Eight] {
        all.push(Problem::new("largest_component", [("mask", plane.clone())]).named("connectivity", connectivity));
        all.push(Problem::new("component_labels", [("mask", plane.clone())]).named("connectivity", connectivity));
    }
    for order in [RegionOrder::Raster, RegionOrder::Area, RegionOrder::Sum] {
        let shapes = [("labels", plane.clone()), ("map", plane.clone())];
        let problem = Problem::new("region_measures", shapes).named("order", order).exact(&["maxima"]);
        // More rows than two workgroups have invocations.
        all.push(problem.with("capacity", if order == RegionOrder::Area { 3 } else { 150 }));
    }
    let labels = Problem::new("region_measures", [("labels", plane)]).labelled("without a map");
    all.push(labels.with("capacity", 5).without(&["map", "sums", "maxima", "positions", "centroids"]));
    all.into_iter().map(Problem::untyped).collect()
}

fn gates(shape: Nchw) -> Vec<Problem> {
    let features: Vec<u32> = shape.into();
    let (batch, channels) = (shape.batch, shape.channels);
    let mut all = Vec::new();
    for activation in Activation::ALL {
        let problem = Problem::new("dense", [("input", vec![batch, 5]), ("weight", vec![3, 5])]);
        all.push(problem.named("activation", activation).without(NORM));
    }
    let shapes = [("input", vec![batch, 5]), ("second", vec![batch, 2]), ("weight", vec![3, 7])];
    let problem = Problem::new("dense", shapes).labelled("of two inputs, with a norm");
    all.push(problem.with("norm_epsilon", EPSILON).without(&["bias"]));
    for epilogue in EPILOGUES {
        all.push(Problem::new("channel_scale", [("features", features.clone())]).named("epilogue", epilogue));
    }
    let excite = |squeeze: Squeeze, epilogue: Epilogue| {
        let shapes = [("features", features.clone()), ("reduce_weight", vec![3, channels])];
        Problem::new("squeeze_excite", shapes).named("squeeze", squeeze).named("epilogue", epilogue)
    };
    all.push(excite(Squeeze::Mean, Epilogue::Scale));
    all.push(excite(Squeeze::Mean, Epilogue::Residual));
    all.push(excite(Squeeze::MeanAndMax, Epilogue::Scale));
    let other = excite(Squeeze::Max, Epilogue::ScaleAdd);
    all.push(other.with("activation", Activation::Silu).with("gate", Activation::HARD_SIGMOID));
    for epilogue in EPILOGUES {
        let problem = Problem::new("bisenet", [("features", features.clone())]).named("epilogue", epilogue);
        all.push(problem.with("norm_epsilon", EPSILON));
        let shapes = [("features", features.clone()), ("weight", vec![1, 2, 3, 3])];
        let problem = Problem::new("spatial_gate", shapes).named("epilogue", epilogue);
        all.push(problem.with("norm_epsilon", EPSILON).without(&["bias"]));
        let shapes = [
            ("features", features.clone()),
            ("reduce_weight", vec![3, channels]),
            ("spatial_weight", vec![1, 2, 3, 3]),
        ];
        all.push(Problem::new("cbam", shapes).named("epilogue", epilogue).without(SPATIAL_NORM));
    }
    for (combine, epilogue) in [
        (ScSeCombine::Add, Epilogue::Scale),
        (ScSeCombine::Max, Epilogue::Scale),
        (ScSeCombine::Add, Epilogue::Residual),
        (ScSeCombine::Max, Epilogue::ScaleAdd),
    ] {
        let shapes = [("features", features.clone()), ("reduce_weight", vec![3, channels])];
        all.push(Problem::new("scse", shapes).named("combine", combine).named("epilogue", epilogue));
    }
    // The second has more taps than a workgroup of the gradient's kernel.
    for (taps, epilogue) in [(3, Epilogue::Scale), (9, Epilogue::Residual)] {
        let shapes = [("features", features.clone()), ("weight", vec![taps])];
        all.push(Problem::new("eca", shapes).named("epilogue", epilogue).labelled(&format!("of {taps} taps")));
    }
    all
}

fn windows(shape: Nchw) -> Vec<Problem> {
    let x: Vec<u32> = shape.into();
    let channels = shape.channels;
    let window = |problem: Problem| {
        problem.with("heads", 2).with("head_dim", channels / 2).with("window", 3).with("scale", 0.75)
    };
    let mut all = Vec::new();
    for &(_, relative) in RelativePosition::NAMES {
        for &(_, border) in Border::NAMES {
            let problem = window(Problem::new("window_attention", [("q", x.clone())]));
            all.push(problem.named("border", border).named("relative", relative));
        }
    }
    let conv = Problem::new("pointwise_conv", [("x", x.clone())]).with("inputs", channels).with("outputs", channels);
    all.push(conv.with("groups", 2).with("stack", 3).with("bias", true));
    let layer = window(Problem::new("sasa_layer", [("x", x.clone())]).with("inputs", channels));
    all.push(layer.with("border", Border::Mask));
    // The second has more entries than a workgroup of the mixture has invocations.
    for size in [Size::new(2, 3), Size::new(8, 9)] {
        let problem = Problem::new("sasa_stem", [("x", x.clone())]).labelled(&size.to_string());
        let problem = problem.with("inputs", channels).with("heads", 2).with("head_dim", 2).with("window", text(size));
        // With the second, the gradients of the embeddings take several workgroups.
        let embeddings = if size.height > 2 { 7 } else { 2 };
        let problem = problem.with("padding", 1).with("mixtures", 3).with("embeddings", embeddings);
        all.push(problem.with("scale", 0.75));
    }
    all.push(Problem::new("merge_attention", [("y1", x)]).with("heads", 2));
    let Nchw { batch, height, width, .. } = shape;
    for norm in [HeadNorm::None, HeadNorm::Rms, HeadNorm::L2] {
        let shape = vec![batch, channels, 3, height, width];
        let problem = Problem::new("head_norm_rotary", [("x", shape)]).named("norm", norm);
        all.push(problem.with("heads", channels / 4).with("split", "2,0,2").with("scale", 0.75));
    }
    // More keys than a workgroup has invocations, for wide images.
    let tokens = [("q", vec![batch, channels, height, width]), ("k", vec![batch, channels, 5.max(width / 4)])];
    let cross = Problem::new("cross_attention", tokens).with("heads", 2).with("head_dim", channels / 2);
    all.push(cross.with("value_dim", channels / 2 + 1).with("scale", 0.75));
    let over = |shape: &[u32], window: &str| {
        let shape = [&[batch, channels], shape].concat();
        let problem = Problem::new("window_attention", [("q", shape)]).with("heads", 2).with("head_dim", channels / 2);
        problem.with("window", window).with("scale", 0.75)
    };
    let video = over(&[3, height, width], "2,3,3").named("relative", RelativePosition::Sum);
    all.push(video.with("border", "causal,shift,mask"));
    let blocks = over(&[3, height, width], "3,2,3").named("relative", RelativePosition::Bias);
    all.push(blocks.with("border", "zero,mask,mask").with("group", "2,2,3").with("origin", "0,1,2"));
    let line = over(&[height * width], "1,1,5").named("relative", RelativePosition::PerHead);
    all.push(line.with("border", Border::Causal).labelled("line"));
    let strided = over(&[height, width], "3").named("relative", RelativePosition::PerHead);
    all.push(strided.with("stride", 2).labelled("strided"));
    // More cells of a table than a workgroup has invocations.
    let wide = over(&[height, width], "3,141").named("relative", RelativePosition::Bias);
    all.push(wide.with("border", Border::Mask).labelled("wide"));
    let values = over(&[height, width], "3").named("relative", RelativePosition::None);
    all.push(values.with("value_dim", channels / 2 + 9).labelled("deeper values"));
    all
}

/// The options as an operator of this element type takes them.
pub(crate) fn options(problem: &Problem, element: Element) -> Vec<(String, String)> {
    let mut options: Vec<_> = problem.options.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    if problem.generic {
        options.push(("element".to_owned(), element.to_string()));
    }
    if problem.operator == "attended_region" {
        options.push(("image_element".to_owned(), element.to_string()));
    }
    options
}
