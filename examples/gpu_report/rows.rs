//! The short list: one shape for each kind of work, of sizes at which a GPU is busy and a CPU reference takes seconds at most.
//! Each row is data, so that other programs than this example can run it.

use visual_attention::operators::{Options, Shapes};

/// What an input holds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fill {
    /// Noise in -1..1, from a sequence of which this many numbers are left out first.
    Noise(usize),
    /// Noise near the percolation threshold of 4 neighbours: one component over the whole image, and thousands of small ones.
    Mask,
}

/// One measured row.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) operator: &'static str,
    pub(crate) case: String,
    pub(crate) options: Vec<(&'static str, String)>,
    /// Names, shapes and contents.
    pub(crate) inputs: Vec<(&'static str, Vec<u32>, Fill)>,
    /// The output that is compared with the reference.
    pub(crate) output: &'static str,
    /// Whether it must be the same, rather than within 1e-5 of the largest magnitude.
    pub(crate) exact: bool,
}

impl Row {
    fn new(operator: &'static str, case: String, output: &'static str) -> Self {
        Self { operator, case, options: Vec::new(), inputs: Vec::new(), output, exact: false }
    }

    fn option(mut self, name: &'static str, value: impl ToString) -> Self {
        self.options.push((name, value.to_string()));
        self
    }

    fn input<const N: usize>(mut self, name: &'static str, shape: [u32; N], fill: Fill) -> Self {
        self.inputs.push((name, shape.into(), fill));
        self
    }

    fn exact(self) -> Self {
        Self { exact: true, ..self }
    }

    pub(crate) fn options(&self) -> Options {
        Options::new(self.options.iter().cloned())
    }

    pub(crate) fn shapes(&self) -> Shapes {
        Shapes::new(self.inputs.iter().map(|(name, shape, _)| (*name, shape.clone())))
    }

    /// Whether its floats are 16-bit ones.
    pub(crate) fn is_f16(&self) -> bool {
        self.options.contains(&("element", "f16".into()))
    }

    /// Whether it wants an optional output: the one that is compared, and the crops of an attended region.
    pub(crate) fn asks_for(&self, name: &str) -> bool {
        name == self.output || name == "crops"
    }

    /// The numbers of an input, as they are once stored.
    pub(crate) fn numbers(&self, name: &str) -> Vec<f32> {
        let Some((_, shape, fill)) = self.inputs.iter().find(|(input, ..)| *input == name) else { return Vec::new() };
        let len = shape.iter().map(|&axis| axis as usize).product();
        match fill {
            Fill::Mask => noise(0, len).map(|value| f32::from(u8::from(value < 0.186))).collect(),
            Fill::Noise(skip) if self.is_f16() => {
                noise(*skip, len).map(|value| half::f16::from_f32(value).to_f32()).collect()
            }
            Fill::Noise(skip) => noise(*skip, len).collect(),
        }
    }

    /// How a result differs from the reference, if it does. NaN always does.
    pub(crate) fn difference(&self, actual: &[f32], expected: &[f32]) -> Option<String> {
        if actual.len() != expected.len() {
            return Some(format!("{} numbers, expected {}", actual.len(), expected.len()));
        }
        let largest = expected.iter().fold(1.0f32, |largest, value| largest.max(value.abs()));
        let room = if self.exact { 0.0 } else { 1e-5 * largest };
        let at = actual.iter().zip(expected).position(|(a, e)| (a - e).is_nan() || (a - e).abs() > room)?;
        Some(format!("element {at} is {}, expected {}", actual[at], expected[at]))
    }
}

/// The same numbers every time.
fn noise(skip: usize, len: usize) -> impl Iterator<Item = f32> {
    let mut state = 1u32;
    let step = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Some((state >> 8) as f32 / 8_388_608.0 - 1.0)
    };
    std::iter::from_fn(step).skip(skip).take(len)
}

const NOISE: Fill = Fill::Noise(0);

pub(crate) fn rows() -> Vec<Row> {
    vec![
        attention_map("f32"),
        attention_map("f16"),
        Row::new("global_pool", "[8, 256, 56, 56]".into(), "mean").option("squeeze", "mean").input(
            "features",
            [8, 256, 56, 56],
            NOISE,
        ),
        squeeze_excite([8, 256, 56, 56]),
        squeeze_excite([8, 2048, 7, 7]),
        Row::new("attended_region", "[8, 2048, 7, 7] 224 x 224".into(), "boxes")
            .option("crop", "224,224")
            .input("features", [8, 2048, 7, 7], NOISE)
            .input("images", [8, 3, 224, 224], NOISE)
            .exact(),
        Row::new("largest_component", "noise [1, 1024, 1024]".into(), "component")
            .option("connectivity", 4)
            .input("mask", [1, 1024, 1024], Fill::Mask)
            .exact(),
        Row::new("pointwise_conv", "[2, 256, 56, 56]".into(), "y[0]")
            .option("inputs", 256)
            .option("outputs", 256)
            .input("x", [2, 256, 56, 56], NOISE)
            .input("weights", [1, 256, 256], NOISE),
        window_attention(8),
        window_attention(32),
        window_attention(64),
    ]
}

fn attention_map(element: &'static str) -> Row {
    Row::new("attention_map", format!("{element} [8, 256, 56, 56]"), "map")
        .option("statistic", "max_abs")
        .option("element", element)
        .input("features", [8, 256, 56, 56], NOISE)
        .exact()
}

fn squeeze_excite(features: [u32; 4]) -> Row {
    let [_, channels, ..] = features;
    Row::new("squeeze_excite", format!("residual {features:?}"), "output")
        .option("epilogue", "residual")
        .input("features", features, Fill::Noise(1))
        .input("identity", features, NOISE)
        .input("reduce_weight", [channels / 16, channels], NOISE)
        .input("expand_weight", [channels, channels / 16], NOISE)
}

fn window_attention(head_dim: u32) -> Row {
    let heads = 64 / head_dim;
    let shape = [2, 64, 56, 56];
    let elements = shape.iter().map(|&axis| axis as usize).product::<usize>();
    Row::new("window_attention", format!("{heads}x{head_dim} k7 {shape:?}"), "y")
        .option("heads", heads)
        .option("head_dim", head_dim)
        .option("window", "7,7")
        .option("relative", "none")
        .option("scale", 1.0 / (head_dim as f32).sqrt())
        .input("q", shape, NOISE)
        .input("k", shape, Fill::Noise(elements))
        .input("v", shape, Fill::Noise(2 * elements))
}
