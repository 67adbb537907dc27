//! How much work one dispatch may do.

/// Most work of one dispatch. Systems reset a GPU whose dispatch takes too long: Windows after two seconds. A dispatch that would do more
/// is divided. The result has the same bits.
///
/// A single workgroup is never divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct DispatchBound {
    /// Floating-point operations.
    pub flops: u64,
    /// Bytes of the tensors that a dispatch reads and writes.
    pub bytes: u64,
}

impl DispatchBound {
    /// No bound.
    pub const NONE: Self = Self::new(u64::MAX, u64::MAX);

    /// At most so much work.
    #[must_use]
    pub const fn new(flops: u64, bytes: u64) -> Self {
        Self { flops, bytes }
    }

    /// The default: less than half a second at a tenth of what slow adapters of this type reach. Software adapters have no bound.
    #[must_use]
    pub const fn of(device_type: wgpu::DeviceType) -> Self {
        match device_type {
            wgpu::DeviceType::Cpu => Self::NONE,
            wgpu::DeviceType::DiscreteGpu => Self::new(200_000_000_000, 40_000_000_000),
            wgpu::DeviceType::IntegratedGpu | wgpu::DeviceType::VirtualGpu | wgpu::DeviceType::Other => {
                Self::new(20_000_000_000, 4_000_000_000)
            }
        }
    }
}
