//! Epilogues: what becomes of the features once there is a gate.

use crate::Error;
use crate::kernel::check;
use crate::names::names;

/// How a gate is applied to features `x`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Epilogue {
    /// `x * gate`: Squeeze-and-Excitation, Eq. 4.
    #[default]
    Scale,
    /// `relu(x * gate + identity)`: the tail of an SE-ResNet block. The authors' code has it as an Axpy layer and a `ReLU`.
    Residual,
    /// `x * gate + x`: BiSeNet's feature fusion.
    ScaleAdd,
    /// The gate alone, without an output.
    GateOnly,
}

names!(Epilogue, "epilogue", Scale = "scale", Residual = "residual", ScaleAdd = "scale_add", GateOnly = "gate_only");

impl Epilogue {
    /// Every epilogue.
    pub const ALL: [Self; 4] = [Self::Scale, Self::Residual, Self::ScaleAdd, Self::GateOnly];

    pub(crate) const fn code(self) -> f64 {
        match self {
            Self::Scale | Self::GateOnly => 0.0,
            Self::Residual => 1.0,
            Self::ScaleAdd => 2.0,
        }
    }

    /// Checks that each optional tensor is given exactly if the epilogue needs it. Any epilogue accepts a gate.
    pub(crate) fn check(self, op: &'static str, identity: bool, gate: bool, output: bool) -> Result<(), Error> {
        let reason = format!("Epilogue::{self:?}");
        check::presence(op, "identity", identity, self == Self::Residual, &reason)?;
        check::presence(op, "output", output, self != Self::GateOnly, &reason)?;
        if self == Self::GateOnly { check::presence(op, "gate", gate, true, &reason) } else { Ok(()) }
    }

    /// Refuses the epilogue without an output, for an operator whose gate is an input.
    pub(crate) fn check_output(self, op: &'static str, reason: &str) -> Result<(), Error> {
        if self != Self::GateOnly {
            return Ok(());
        }
        let (given, needed) = ("GateOnly".into(), format!("an epilogue with an output: {reason}"));
        Err(Error::InvalidParameter { op, parameter: "epilogue", given, needed })
    }

    /// Floating-point operations for each feature.
    pub(crate) fn flops(self) -> u64 {
        match self {
            Self::Scale => 1,
            Self::Residual => 3,
            Self::ScaleAdd => 2,
            Self::GateOnly => 0,
        }
    }

    /// Tensors of the features' size that move at the least.
    pub(crate) fn tensors(self) -> u64 {
        match self {
            Self::Scale | Self::ScaleAdd => 2,
            Self::Residual => 3,
            Self::GateOnly => 1,
        }
    }
}
