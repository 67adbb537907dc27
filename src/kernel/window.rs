//! One axis of a window, as kernels take it: `shaders/shared/window.wgsl`.

/// Members of `Params` for one axis.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Axis {
    pub(crate) extent: i32,
    pub(crate) keys: i32,
    pub(crate) dilation: i32,
    pub(crate) stride: i32,
    pub(crate) group: i32,
    /// Positions of the first group that lie before the axis.
    pub(crate) lead: i32,
    pub(crate) border: u32,
}
