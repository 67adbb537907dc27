//! What an operator moves and computes, for benches and for counting whole networks.

/// Cost of one run of an operator. Counts saturate instead of wrapping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Fewest bytes that must move: every input read once, every output written once.
    pub bytes: u64,
    /// Floating-point operations, a multiply-add counting as two.
    pub flops: u64,
    /// Learned numbers that the operator takes as inputs: weights, biases, tables.
    pub parameters: u64,
}

/// A count that stays at the largest number instead of wrapping.
pub(crate) type Count = std::num::Saturating<u64>;

/// A count of elements; the largest number if the count overflows `u64`.
pub(crate) fn count(elements: impl Into<Option<u64>>) -> Count {
    std::num::Saturating(elements.into().unwrap_or(u64::MAX))
}

impl Cost {
    pub(crate) fn new(bytes: Count, flops: Count, parameters: Count) -> Self {
        Self { bytes: bytes.0, flops: flops.0, parameters: parameters.0 }
    }
}

impl std::ops::AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// The cost of `runs` runs, with the same parameters.
impl std::ops::Mul<u64> for Cost {
    type Output = Self;

    fn mul(self, runs: u64) -> Self {
        let times = |count: u64| count.saturating_mul(runs);
        Self { bytes: times(self.bytes), flops: times(self.flops), parameters: self.parameters }
    }
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

impl<'a> std::iter::Sum<&'a Self> for Cost {
    fn sum<I: Iterator<Item = &'a Self>>(costs: I) -> Self {
        costs.copied().sum()
    }
}
