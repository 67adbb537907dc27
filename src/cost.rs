//! What an operator has to move and to compute, for benches and for counting whole networks.

/// Cost of one run of an operator. Counts saturate instead of wrapping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Bytes that must move at the least: every input read once, every output written once.
    pub bytes: u64,
    /// Floating-point operations, a multiply-add counting as two.
    pub flops: u64,
    /// Learned numbers that the operator takes as inputs: weights, biases, tables.
    pub parameters: u64,
}

impl std::ops::Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_add(other.bytes),
            flops: self.flops.saturating_add(other.flops),
            parameters: self.parameters.saturating_add(other.parameters),
        }
    }
}

impl std::iter::Sum for Cost {
    fn sum<I: Iterator<Item = Self>>(costs: I) -> Self {
        costs.fold(Self::default(), std::ops::Add::add)
    }
}
