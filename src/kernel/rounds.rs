//! Bounds on loop rounds. A round is one iteration of a loop.

use crate::Error;

/// Most rounds of one invocation, all its loops together. Some software drivers silently end loops after 65,535 rounds.
pub(crate) const MAX_ROUNDS: u64 = (1 << 15) - 1;

/// Most rounds of one invocation on an adapter of this type. A GPU has no such bound.
pub(crate) fn most_rounds(device_type: wgpu::DeviceType) -> u64 {
    if device_type == wgpu::DeviceType::Cpu { MAX_ROUNDS } else { u64::MAX }
}

/// Most terms that one invocation may add up (`shaders/shared/blocked_sum.wgsl`). The loop over terms and the loop over
/// their blocks, of 32 terms or more, together keep [`MAX_ROUNDS`].
pub(crate) const MAX_TERMS: u64 = MAX_ROUNDS * 32 / 33;

/// Most rounds of a sum of `terms` terms: one for each term, and one for each block of 32.
pub(crate) const fn summed(terms: u64) -> u64 {
    terms.saturating_add(terms.div_ceil(32))
}

/// Rounds of two nested loops. The bound counts both.
pub(crate) fn nested(outer: u32, inner: u32) -> u64 {
    u64::from(outer) * (1 + u64::from(inner))
}

/// Refuses more rounds than [`MAX_ROUNDS`].
pub(crate) fn check(op: &'static str, needed: u64) -> Result<(), Error> {
    if needed <= MAX_ROUNDS {
        return Ok(());
    }
    Err(Error::LimitExceeded { op, limit: "loop rounds of one invocation", needed, given: MAX_ROUNDS })
}
