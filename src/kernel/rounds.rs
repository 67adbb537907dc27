//! How often one invocation may go round its loops.

use crate::Error;

/// What one invocation may loop over, all its loops together: some software drivers silently end loops after 65,535 rounds.
pub(crate) const MAX_ROUNDS: u64 = (1 << 15) - 1;

/// Rounds that an adapter of this type is trusted with. A GPU ends a loop where it should end.
pub(crate) fn most_rounds(device_type: wgpu::DeviceType) -> u64 {
    if device_type == wgpu::DeviceType::Cpu { MAX_ROUNDS } else { u64::MAX }
}

/// Terms that one invocation may add up (`shaders/shared/blocked_sum.wgsl`): their loop and that over their blocks, of 32 and more, together.
pub(crate) const MAX_TERMS: u64 = MAX_ROUNDS * 32 / 33;

/// Rounds over `terms` terms and their blocks, at most.
pub(crate) const fn summed(terms: u64) -> u64 {
    terms.saturating_add(terms.div_ceil(32))
}

/// Rounds of two nested loops. The bound counts both.
pub(crate) fn nested(outer: u32, inner: u32) -> u64 {
    u64::from(outer) * (1 + u64::from(inner))
}

/// Refuses loops that one invocation would run too often: see [`MAX_ROUNDS`].
pub(crate) fn check(op: &'static str, needed: u64) -> Result<(), Error> {
    if needed <= MAX_ROUNDS {
        return Ok(());
    }
    Err(Error::LimitExceeded { op, limit: "loop rounds of one invocation", needed, given: MAX_ROUNDS })
}
