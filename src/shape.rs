//! Extents of dense row-major tensors.

use std::fmt;

/// Extent of a dense tensor `[batch, channels, height, width]`, `width` fastest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Nchw {
    /// Images, `n`.
    pub batch: u32,
    /// Channels, `c`.
    pub channels: u32,
    /// Rows, `h`.
    pub height: u32,
    /// Columns, `w`.
    pub width: u32,
}

/// Extent of a dense tensor `[batch, channels, frames, height, width]`, `width` fastest: videos or volumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ncthw {
    /// Videos, `n`.
    pub batch: u32,
    /// Channels, `c`.
    pub channels: u32,
    /// Frames, `t`.
    pub frames: u32,
    /// Rows, `h`.
    pub height: u32,
    /// Columns, `w`.
    pub width: u32,
}

/// Extent of a dense tensor `[batch, height, width]`: one plane for each image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Nhw {
    /// Images, `n`.
    pub batch: u32,
    /// Rows, `h`.
    pub height: u32,
    /// Columns, `w`.
    pub width: u32,
}

/// Height and width of an image, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Size {
    /// Rows.
    pub height: u32,
    /// Columns.
    pub width: u32,
}

impl Nchw {
    /// `[batch, channels, height, width]`.
    #[must_use]
    pub const fn new(batch: u32, channels: u32, height: u32, width: u32) -> Self {
        Self { batch, channels, height, width }
    }

    /// Elements in the tensor, or `None` beyond `u64`.
    #[must_use]
    pub fn elements(self) -> Option<u64> {
        u64::from(self.batch).checked_mul(u64::from(self.channels))?.checked_mul(self.size().pixels())
    }

    /// Whether the tensor has no element.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.batch == 0 || self.channels == 0 || self.size().is_empty()
    }

    /// Height and width.
    #[must_use]
    pub const fn size(self) -> Size {
        Size { height: self.height, width: self.width }
    }

    /// The tensor with its channels reduced to one plane.
    #[must_use]
    pub const fn plane(self) -> Nhw {
        Nhw { batch: self.batch, height: self.height, width: self.width }
    }
}

impl Ncthw {
    /// `[batch, channels, frames, height, width]`.
    #[must_use]
    pub const fn new(batch: u32, channels: u32, frames: u32, height: u32, width: u32) -> Self {
        Self { batch, channels, frames, height, width }
    }

    /// Elements in the tensor, or `None` beyond `u64`.
    #[must_use]
    pub fn elements(self) -> Option<u64> {
        let channels = u64::from(self.batch).checked_mul(u64::from(self.channels))?;
        channels.checked_mul(u64::from(self.frames))?.checked_mul(self.size().pixels())
    }

    /// `frames * height * width`; the largest number beyond `u64`.
    #[must_use]
    pub const fn positions(self) -> u64 {
        self.size().pixels().saturating_mul(self.frames as u64)
    }

    /// Whether the tensor has no element.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.batch == 0 || self.channels == 0 || self.frames == 0 || self.size().is_empty()
    }

    /// Height and width.
    #[must_use]
    pub const fn size(self) -> Size {
        Size { height: self.height, width: self.width }
    }
}

/// `[batch, channels, frames, height, width]`.
impl From<[u32; 5]> for Ncthw {
    fn from([batch, channels, frames, height, width]: [u32; 5]) -> Self {
        Self { batch, channels, frames, height, width }
    }
}

/// One frame.
impl From<Nchw> for Ncthw {
    fn from(Nchw { batch, channels, height, width }: Nchw) -> Self {
        Self { batch, channels, frames: 1, height, width }
    }
}

/// `[batch, channels, height, width]`.
impl From<[u32; 4]> for Nchw {
    fn from([batch, channels, height, width]: [u32; 4]) -> Self {
        Self { batch, channels, height, width }
    }
}

/// `[batch, height, width]`.
impl From<[u32; 3]> for Nhw {
    fn from([batch, height, width]: [u32; 3]) -> Self {
        Self { batch, height, width }
    }
}

/// `[height, width]`.
impl From<[u32; 2]> for Size {
    fn from([height, width]: [u32; 2]) -> Self {
        Self { height, width }
    }
}

impl Nhw {
    /// `[batch, height, width]`.
    #[must_use]
    pub const fn new(batch: u32, height: u32, width: u32) -> Self {
        Self { batch, height, width }
    }

    /// Elements in the tensor, or `None` beyond `u64`.
    #[must_use]
    pub fn elements(self) -> Option<u64> {
        u64::from(self.batch).checked_mul(self.size().pixels())
    }

    /// Whether the tensor has no element.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.batch == 0 || self.size().is_empty()
    }

    /// Height and width.
    #[must_use]
    pub const fn size(self) -> Size {
        Size { height: self.height, width: self.width }
    }
}

impl Size {
    /// `height` rows of `width` columns.
    #[must_use]
    pub const fn new(height: u32, width: u32) -> Self {
        Self { height, width }
    }

    /// `height * width`.
    #[must_use]
    pub const fn pixels(self) -> u64 {
        // The product of two `u32` always fits.
        self.height as u64 * self.width as u64
    }

    /// Whether there is no pixel.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.height == 0 || self.width == 0
    }
}

impl fmt::Display for Nchw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {}, {}, {}]", self.batch, self.channels, self.height, self.width)
    }
}

impl fmt::Display for Ncthw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { batch, channels, frames, height, width } = self;
        write!(f, "[{batch}, {channels}, {frames}, {height}, {width}]")
    }
}

impl fmt::Display for Nhw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {}, {}]", self.batch, self.height, self.width)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {}]", self.height, self.width)
    }
}
