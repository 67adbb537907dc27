//! How much work one dispatch may do.

/// Most work of one dispatch. Systems reset a GPU whose dispatch takes too long: Windows after two seconds. A dispatch that would do more
/// is divided. The result has the same bits.
///
/// A dispatch may exceed the bound in three cases. A single workgroup is not divided. The work of one kernel is not divided into more than
/// 65,536 dispatches. The kernels of labelled components have no bound, because their dispatches depend on each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct DispatchBound {
    /// Floating-point operations.
    pub flops: u64,
    /// Bytes of the tensors, by the share of the work that a dispatch does.
    pub bytes: u64,
}

impl DispatchBound {
    /// No bound.
    pub const NONE: Self = Self::new(u64::MAX, u64::MAX);

    /// A bound of `flops` operations and `bytes` bytes.
    #[must_use]
    pub const fn new(flops: u64, bytes: u64) -> Self {
        Self { flops, bytes }
    }

    /// The default. It is half a second of a slow adapter of this type, at the 2 % of its peak that deep heads of window attention reach:
    /// 4 `TFLOPS` for a discrete GPU, and 0.4 for others. Software adapters have no bound.
    #[must_use]
    pub const fn of(device_type: wgpu::DeviceType) -> Self {
        match device_type {
            wgpu::DeviceType::Cpu => Self::NONE,
            wgpu::DeviceType::DiscreteGpu => Self::new(40_000_000_000, 5_000_000_000),
            wgpu::DeviceType::IntegratedGpu | wgpu::DeviceType::VirtualGpu | wgpu::DeviceType::Other => {
                Self::new(4_000_000_000, 1_500_000_000)
            }
        }
    }
}
