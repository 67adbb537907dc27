//! Activations: functions of one number, applied to the sums of a layer or to the logits of a gate.
//!
//! ```text
//! None         t
//! Relu         max(t, 0)
//! Relu6        clamp(t, 0, 6)
//! LeakyRelu    t if t >= 0, else slope * t
//! Silu         t * sigmoid(t)
//! HardSwish    t * clamp(t / 6 + 1/2, 0, 1)
//! Sigmoid      1 / (1 + exp(-t))
//! HardSigmoid  clamp(slope * t + offset, 0, 1)
//! Tanh         tanh(t)
//! Gelu         t / 2 * (1 + erf(t / sqrt 2))
//! GeluTanh     t / 2 * (1 + tanh(sqrt(2 / pi) * (t + 0.044715 t^3)))
//! ```
//!
//! Sources: `Relu6` of `MobileNet` (Howard et al. 2017); `HardSwish` of `MobileNetV3` (Howard et al. 2019, arXiv:1905.02244),
//! Sec. 5.2; `Gelu` and `GeluTanh` of Hendrycks and Gimpel 2016 (arXiv:1606.08415), Sec. 2. NaN in gives NaN out. Reference:
//! [`Activation::apply`](crate::Activation::apply).
//!
//! # Example
//!
//! An activation is an option of [`Dense`](crate::Dense) and of the gates. It can be read from text:
//!
//! ```
//! use visual_attention::Activation;
//!
//! let gate: Activation = "hard_sigmoid:0.2,0.5".parse()?;
//! assert_eq!(gate, Activation::HARD_SIGMOID_ONNX);
//! assert_eq!(Activation::LeakyRelu { slope: 0.01 }.to_string(), "leaky_relu:0.01");
//! # Ok::<(), visual_attention::UnknownName>(())
//! ```
//!
//! A slope or an offset must be finite: operators refuse others with [`Error::InvalidParameter`].

use std::fmt;
use std::str::FromStr;

use crate::kernel::check;
use crate::{Error, UnknownName};

/// A function of one number `t`. The [page of the module](self) has all formulas.
#[doc(alias = "swish")]
#[doc(alias = "nonlinearity")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Activation {
    /// `t`.
    None,
    /// `max(t, 0)`.
    Relu,
    /// `clamp(t, 0, 6)`.
    Relu6,
    /// `t`, or `slope * t` below 0.
    LeakyRelu {
        /// Factor of `t` below 0; finite.
        slope: f32,
    },
    /// `t * sigmoid(t)`, also called swish.
    Silu,
    /// `t * clamp(t / 6 + 1/2, 0, 1)`.
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
    /// `t / 2 * (1 + erf(t / sqrt 2))`.
    Gelu,
    /// `t / 2 * (1 + tanh(sqrt(2 / pi) * (t + 0.044715 t^3)))`, the approximation of [`Gelu`](Self::Gelu).
    GeluTanh,
}

impl Activation {
    /// `clamp(t / 6 + 1/2, 0, 1)`: the hard sigmoid of PyTorch and of `MobileNetV3`.
    pub const HARD_SIGMOID: Self = Self::HardSigmoid { slope: 1.0 / 6.0, offset: 0.5 };
    /// `clamp(0.2 t + 1/2, 0, 1)`: the hard sigmoid of ONNX by default, of Keras before version 3, and of `PaddlePaddle`'s
    /// networks.
    pub const HARD_SIGMOID_ONNX: Self = Self::HardSigmoid { slope: 0.2, offset: 0.5 };

    /// Every activation: [`LeakyRelu`](Self::LeakyRelu) with slope 0.01, and both constants of the hard sigmoid.
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

    /// Its code in `shaders/shared/activation.wgsl`.
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

    /// The slope, or 0 for an activation without one.
    pub(crate) const fn slope(self) -> f32 {
        match self {
            Self::LeakyRelu { slope } | Self::HardSigmoid { slope, .. } => slope,
            _ => 0.0,
        }
    }

    /// The offset, or 0 for an activation without one.
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

/// Every name, with the slope and offset that it has by default.
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

/// Writes what [`FromStr`] reads: `relu`, `leaky_relu:0.01`, `hard_sigmoid:0.2,0.5`.
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

/// Reads a name. A colon and numbers may follow: the slope of `leaky_relu`, or slope and offset of `hard_sigmoid`. Without them
/// these have PyTorch's values.
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
