//! Seeded inputs.

/// A small generator (`SplitMix64`), so that inputs depend on nothing but their seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Another sequence for each name.
    pub(crate) fn of(mut self, name: &str) -> Self {
        for byte in name.bytes() {
            self.0 = self.bits() ^ u64::from(byte);
        }
        self
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in `0..1`.
    pub(crate) fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1u64 << 24) as f32
    }

    /// Uniform in `low..high`.
    pub(crate) fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// Uniform in `0..count`.
    pub(crate) fn below(&mut self, count: u32) -> u32 {
        (self.bits() % u64::from(count)) as u32
    }

    /// `len` numbers of mean 0 and deviation 1, roughly normal.
    pub(crate) fn normal(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| (0..12).map(|_| self.unit()).sum::<f32>() - 6.0).collect()
    }
}
