//! The one error type of the crate.

use std::time::Duration;

/// Why an operator could not be built or bound, or why a [`host`](crate::host) call failed.
///
/// Every message names the operator, then the binding or parameter, what it needs and what it was given.
/// Recording a [`Recording`](crate::Recording) never fails.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A parameter has a value that the operator does not accept.
    #[error("{op}: `{parameter}` is {given}, needs {needed}")]
    InvalidParameter {
        /// The operator.
        op: &'static str,
        /// The parameter, as the API calls it.
        parameter: &'static str,
        /// The value that was given.
        given: String,
        /// The values that are accepted.
        needed: String,
    },
    /// A shape does not fit the operator or the other shapes, or its element count overflows.
    #[error("{op}: shape of `{binding}` is {given}, needs {needed}")]
    InvalidShape {
        /// The operator.
        op: &'static str,
        /// The tensor, as the buffers struct calls it.
        binding: &'static str,
        /// The shape that was given.
        given: String,
        /// The shape that is accepted.
        needed: String,
    },
    /// A buffer slice is shorter than its tensor.
    #[error("{op}: `{binding}` holds {given} bytes, needs {needed}")]
    BufferTooSmall {
        /// The operator.
        op: &'static str,
        /// The tensor, as the buffers struct calls it.
        binding: &'static str,
        /// Bytes in the slice.
        given: u64,
        /// Bytes that the tensor takes, rounded up to 4.
        needed: u64,
    },
    /// A buffer or texture was created without a usage that the operator needs.
    #[error("{op}: `{binding}` was created with {given}, needs {needed}")]
    MissingUsage {
        /// The operator.
        op: &'static str,
        /// The tensor, as the buffers struct calls it.
        binding: &'static str,
        /// Usages that the resource has.
        given: String,
        /// Usage that it lacks.
        needed: &'static str,
    },
    /// A buffer slice starts where the device can't bind it.
    #[error(
        "{op}: `{binding}` starts at byte {offset}, needs a multiple of {alignment} (min_storage_buffer_offset_alignment)"
    )]
    MisalignedOffset {
        /// The operator.
        op: &'static str,
        /// The tensor, as the buffers struct calls it.
        binding: &'static str,
        /// Where the slice starts in its buffer, in bytes.
        offset: u64,
        /// The device's alignment, in bytes.
        alignment: u64,
    },
    /// An output shares bytes with another tensor of the same operator.
    #[error("{op}: output `{output}` overlaps `{other}` in the same buffer; give each its own range")]
    Aliased {
        /// The operator.
        op: &'static str,
        /// The tensor that is written.
        output: &'static str,
        /// The tensor that it overlaps.
        other: &'static str,
    },
    /// A texture view has the wrong format, size or dimension.
    #[error("{op}: texture `{binding}` is {given}, needs {needed}")]
    InvalidTexture {
        /// The operator.
        op: &'static str,
        /// The texture, as the buffers struct calls it.
        binding: &'static str,
        /// What was given.
        given: String,
        /// What is accepted.
        needed: String,
    },
    /// The device was created without a feature that the element type needs.
    #[error("{op}: needs the device feature {feature}; request it with `DeviceDescriptor::required_features`")]
    MissingFeature {
        /// The operator.
        op: &'static str,
        /// The feature's name in wgpu.
        feature: &'static str,
    },
    /// The work does not fit a limit of the device or of the kernel, and it can't be split.
    #[error(
        "{op}: {limit} would be {needed}, at most {given} is possible; divide the work, or raise the limit in \
         `DeviceDescriptor::required_limits` where it is one of the device's"
    )]
    LimitExceeded {
        /// The operator.
        op: &'static str,
        /// The limit's name in `wgpu::Limits`, or the quantity that is limited.
        limit: &'static str,
        /// What the work needs.
        needed: u64,
        /// The largest value that is possible.
        given: u64,
    },
    /// One invocation would run more loop rounds than the software adapter does, which ends loops without an error. GPUs have
    /// no such bound.
    #[error(
        "{op}: one invocation would run {needed} loop rounds, and this software adapter ends loops without an error above \
         65,535, so that at most {given} are taken; {remedy}, or use a GPU"
    )]
    TooManyRounds {
        /// The operator.
        op: &'static str,
        /// Rounds of one invocation.
        needed: u64,
        /// Rounds that are accepted: half of what the adapter runs.
        given: u64,
        /// How to get fewer rounds.
        remedy: &'static str,
    },
    /// wgpu returned a buffer that can't be written: the device is lost or out of memory.
    #[error("{op}: the device could not provide a buffer: it is lost or out of memory")]
    DeviceUnavailable {
        /// The operator.
        op: &'static str,
    },
    /// [`host`](crate::host): there is no adapter, or no adapter fits.
    #[error("no GPU adapter: {reason}")]
    NoAdapter {
        /// wgpu's account.
        reason: String,
    },
    /// [`host`](crate::host): the adapter could not open a device.
    #[error("the adapter gave no device: {reason}")]
    NoDevice {
        /// wgpu's account.
        reason: String,
    },
    /// [`host`](crate::host): the device is lost. Open a new one, and create every buffer and operator again.
    #[error("the device is lost: {reason}")]
    DeviceLost {
        /// wgpu's account.
        reason: String,
    },
    /// [`host`](crate::host): an allocation failed. The device still works.
    #[error("out of memory: {reason}")]
    OutOfMemory {
        /// wgpu's account.
        reason: String,
    },
    /// [`host`](crate::host): the work did not finish in the time given. It still runs.
    #[error("the GPU did not finish within {waited:?}")]
    Timeout {
        /// The time limit.
        waited: Duration,
    },
    /// [`host`](crate::host): wgpu refused a command, or a readback is not possible.
    #[error("refused: {reason}")]
    Refused {
        /// wgpu's account.
        reason: String,
    },
}
