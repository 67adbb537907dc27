//! Activations: what a layer does to its sums, and a gate to its logits.

use std::fmt;
use std::str::FromStr;

use crate::kernel::check;
use crate::{Error, UnknownName};

/// What a layer does to each of its sums `t`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Activation {
    /// `t`.
    None,
    /// `max(t, 0)`.
    Relu,
    /// `clamp(t, 0, 6)` (`MobileNet`, Howard et al. 2017).
    Relu6,
    /// `t`, or `slope * t` below 0.
    LeakyRelu {
        /// Below 0; finite.
        slope: f32,
    },
    /// `t * sigmoid(t)`, also called swish.
    Silu,
    /// `t * clamp(t / 6 + 1/2, 0, 1)` (`MobileNetV3`, Howard et al. 2019, arXiv:1905.02244, Sec. 5.2).
    HardSwish,
    /// `1 / (1 + exp(-t))`.
    Sigmoid,
    /// `clamp(slope * t + offset, 0, 1)`; see [`HARD_SIGMOID`](Self::HARD_SIGMOID) and
    /// [`HARD_SIGMOID_ONNX`](Self::HARD_SIGMOID_ONNX).
    HardSigmoid {
        /// Factor of `t`; finite.
        slope: f32,
        /// The value at 0; finite.
        offset: f32,
    },
    /// The hyperbolic tangent.
    Tanh,
    /// `t / 2 * (1 + erf(t / sqrt 2))` (Hendrycks and Gimpel 2016, arXiv:1606.08415, Sec. 2).
    Gelu,
    /// `t / 2 * (1 + tanh(sqrt(2 / pi) * (t + 0.044715 t^3)))`: GELU's approximation (arXiv:1606.08415, Sec. 2).
    GeluTanh,
}

impl Activation {
    /// `clamp(t / 6 + 1/2, 0, 1)`: that of `PyTorch` and of `MobileNetV3`.
    pub const HARD_SIGMOID: Self = Self::HardSigmoid { slope: 1.0 / 6.0, offset: 0.5 };
    /// `clamp(0.2 t + 1/2, 0, 1)`: ONNX's default, that of Keras before version 3, and of `PaddlePaddle`'s networks.
    pub const HARD_SIGMOID_ONNX: Self = Self::HardSigmoid { slope: 0.2, offset: 0.5 };

    /// Every activation; [`LeakyRelu`](Self::LeakyRelu) with slope 0.01, and both usual hard sigmoids.
    pub const ALL: [Self; 12] = [
        Self::None,
        Self::Relu,
        Self::Relu6,
        Self::LeakyRelu { slope: 0.01 },
        Self::Silu,
        Self::HardSwish,
        Self::Sigmoid,
        Self::HARD_SIGMOID,
        Self::HARD_SIGMOID_ONNX,
        Self::Tanh,
        Self::Gelu,
        Self::GeluTanh,
    ];

    /// The number that `shared/activation.wgsl` knows it by.
    pub(crate) const fn code(self) -> u32 {
        match self {
            Self::None => 0,
            Self::Relu => 1,
            Self::Silu => 2,
            Self::Sigmoid => 3,
            Self::HardSigmoid { .. } => 4,
            Self::Tanh => 5,
            Self::Relu6 => 6,
            Self::LeakyRelu { .. } => 7,
            Self::HardSwish => 8,
            Self::Gelu => 9,
            Self::GeluTanh => 10,
        }
    }

    /// 0 for those that have none.
    pub(crate) const fn slope(self) -> f32 {
        match self {
            Self::LeakyRelu { slope } | Self::HardSigmoid { slope, .. } => slope,
            _ => 0.0,
        }
    }

    /// 0 for those that have none.
    pub(crate) const fn offset(self) -> f32 {
        match self {
            Self::HardSigmoid { offset, .. } => offset,
            _ => 0.0,
        }
    }

    /// Refuses a slope or an offset that is not finite.
    pub(crate) fn check(self, op: &'static str, parameter: &'static str) -> Result<(), Error> {
        check::finite(op, parameter, self.slope())?;
        check::finite(op, parameter, self.offset())?;
        Ok(())
    }
}

/// The names without a slope or an offset.
const NAMES: [(&str, Activation); 11] = [
    ("none", Activation::None),
    ("relu", Activation::Relu),
    ("relu6", Activation::Relu6),
    ("leaky_relu", Activation::LeakyRelu { slope: 0.01 }),
    ("silu", Activation::Silu),
    ("hard_swish", Activation::HardSwish),
    ("sigmoid", Activation::Sigmoid),
    ("hard_sigmoid", Activation::HARD_SIGMOID),
    ("tanh", Activation::Tanh),
    ("gelu", Activation::Gelu),
    ("gelu_tanh", Activation::GeluTanh),
];

/// `relu`, `leaky_relu:0.01`, `hard_sigmoid:0.2,0.5`: what [`FromStr`] reads.
impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(_, activation)| activation.code() == self.code()).map_or("", |&(name, _)| name);
        match self {
            Self::LeakyRelu { slope } => write!(f, "{name}:{slope}"),
            Self::HardSigmoid { slope, offset } => write!(f, "{name}:{slope},{offset}"),
            _ => f.write_str(name),
        }
    }
}

/// A name; behind a colon the slope of `leaky_relu`, or slope and offset of `hard_sigmoid`, which otherwise have PyTorch's.
impl FromStr for Activation {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, numbers) = text.split_once(':').map_or((text, None), |(name, numbers)| (name, Some(numbers)));
        let numbers: Option<Vec<f32>> =
            numbers.map_or(Some(Vec::new()), |text| text.split(',').map(|number| number.trim().parse().ok()).collect());
        let known = NAMES.iter().find(|(known, _)| *known == name).map(|&(_, activation)| activation);
        match (known, numbers.as_deref()) {
            (Some(activation), Some([])) => Ok(activation),
            (Some(Self::LeakyRelu { .. }), Some(&[slope])) => Ok(Self::LeakyRelu { slope }),
            (Some(Self::HardSigmoid { .. }), Some(&[slope, offset])) => Ok(Self::HardSigmoid { slope, offset }),
            _ => Err(UnknownName {
                what: "activation",
                given: text.to_owned(),
                known: NAMES.iter().map(|&(name, _)| name).collect(),
            }),
        }
    }
}
