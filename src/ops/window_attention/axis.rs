//! Where the window of a query lies on one axis.

use crate::kernel::check::signed;
use crate::kernel::resample::gcd;
use crate::names::names;
use crate::{Error, Ncthw, kernel};

/// Queries of one invocation, in a column.
pub(crate) const QUERIES: u32 = 4;

/// What a window does at the border of the tensor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Border {
    /// Keys and values outside are zero vectors. They take part in the softmax, as with zero padding.
    #[default]
    Zero,
    /// Keys outside are left out of the softmax.
    Mask,
    /// The window moves to stay inside, in steps of its dilation (NATTEN). Needs stride 1 and an extent of at least
    /// `keys * dilation`.
    Shift,
    /// The window ends at the query. Keys after the query and keys outside are left out of the softmax.
    Causal,
}

names!(Border, "border", Zero = "zero", Mask = "mask", Shift = "shift", Causal = "causal");

impl Border {
    pub(crate) const fn code(self) -> u32 {
        match self {
            Self::Zero => 0,
            Self::Mask => 1,
            Self::Shift => 2,
            Self::Causal => 3,
        }
    }
}

/// The windows of one axis.
///
/// For the query at position `p`, with `index = p div dilation` and all divisions rounded down, entry `a` of the window is the key at
/// position `p mod dilation + dilation * (start + a)`. There are `m` such positions on the axis.
///
/// | border | `start` |
/// | --- | --- |
/// | zero, mask | `base + group div 2 - keys div 2` |
/// | shift | `clamp(base + group div 2 - keys div 2, 0, m - keys)` |
/// | causal | `min(base + group - 1, m - 1) - (keys - 1)` |
///
/// `base` is the first index of the query's group: `origin + (index - origin) div group * group`. A window of an even number of keys has
/// one key more before the query than after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct WindowAxis {
    /// Keys of a window.
    pub keys: u32,
    /// Positions from one key to the next.
    pub dilation: u32,
    /// Positions from one query to the next: query `i` is at position `i * stride`.
    pub stride: u32,
    /// Neighbouring queries that share one window: at most `keys`. With a dilation, only queries of the same remainder share one. NATTEN
    /// calls it `stride`.
    pub group: u32,
    /// A group begins at this index. The others begin at multiples of `group` before and after it.
    pub origin: u32,
    /// What a window does at the border.
    pub border: Border,
}

impl WindowAxis {
    /// A window of `keys` keys around each query, with zero padding.
    #[must_use]
    pub const fn new(keys: u32) -> Self {
        Self { keys, dilation: 1, stride: 1, group: 1, origin: 0, border: Border::Zero }
    }

    /// Swin's windows (arXiv:2103.14030, Sec. 3.2): the axis consists of blocks of `keys` positions, and a query attends to its own block.
    /// `shift` is how far the blocks of a shifted layer are rolled; 0 for the other layers. Keys outside are left out.
    #[must_use]
    pub const fn swin(keys: u32, shift: u32) -> Self {
        Self { group: keys, origin: shift, border: Border::Mask, ..Self::new(keys) }
    }

    /// `HaloNet`'s windows (arXiv:2103.12731, Sec. 3): the queries of a block of `block` positions attend to the block and to `halo` positions
    /// before and after it, with zero padding.
    #[must_use]
    pub const fn halo(block: u32, halo: u32) -> Self {
        Self { group: block, ..Self::new(block.saturating_add(halo.saturating_mul(2))) }
    }

    /// With this distance between keys.
    #[must_use]
    pub const fn with_dilation(self, dilation: u32) -> Self {
        Self { dilation, ..self }
    }

    /// With this distance between queries.
    #[must_use]
    pub const fn with_stride(self, stride: u32) -> Self {
        Self { stride, ..self }
    }

    /// With groups of `group` queries.
    #[must_use]
    pub const fn with_group(self, group: u32) -> Self {
        Self { group, ..self }
    }

    /// With a group that begins at this index.
    #[must_use]
    pub const fn with_origin(self, origin: u32) -> Self {
        Self { origin, ..self }
    }

    /// With this border.
    #[must_use]
    pub const fn with_border(self, border: Border) -> Self {
        Self { border, ..self }
    }

    /// Queries on an axis of this extent.
    pub(crate) const fn queries(&self, extent: u32) -> u32 {
        if self.stride == 0 { 0 } else { extent.div_ceil(self.stride) }
    }

    /// Entries of a table that has one for each offset of a key, `2 * keys - 1`.
    pub(crate) const fn offsets(&self) -> u32 {
        self.keys.saturating_mul(2).saturating_sub(1)
    }

    /// Positions of the first group that lie before the axis.
    pub(crate) fn lead(&self) -> u32 {
        (self.group - self.origin % self.group) % self.group
    }

    /// Whether the queries of a group are computed together: those of one remainder must be neighbours in the output.
    pub(crate) fn grouped(&self) -> bool {
        self.group > 1 && self.step() == 1
    }

    /// Indices from one query of the output to the next of equal remainder.
    fn step(&self) -> u32 {
        self.stride / gcd(self.dilation, self.stride)
    }

    /// How queries of the output are computed together, so that they load keys once.
    pub(crate) fn sharing(&self) -> Sharing {
        let classes = self.dilation / gcd(self.dilation, self.stride);
        match self.step() {
            1 if self.group > 1 => Sharing { classes, step: 1, rows: self.keys },
            // Windows of one key share none, but lie side by side in one block of four.
            step if self.group == 1 && (step < self.keys || step == 1) => {
                Sharing { classes, step, rows: self.keys.saturating_add((QUERIES - 1).saturating_mul(step)) }
            }
            _ => Sharing { classes: u32::MAX, step: 0, rows: self.keys },
        }
    }

    /// Upper bound on the queries whose windows hold any of `keys` neighbouring keys.
    pub(crate) fn holders(&self, keys: u32) -> u32 {
        let more = if self.border == Border::Shift { self.keys / 2 } else { 0 };
        let indices = [self.keys, more, self.group, keys].into_iter().fold(0, u32::saturating_add) - 2;
        if self.stride > 1 { indices / self.step() + 1 } else { indices }
    }

    /// As kernels take it, for an extent that was checked.
    pub(crate) fn for_kernel(&self, extent: u32) -> kernel::window::Axis {
        kernel::window::Axis {
            extent: signed(extent),
            keys: signed(self.keys),
            dilation: signed(self.dilation),
            // A stride beyond every extent leaves one query, whatever it is.
            stride: signed(self.stride.min(1 << 30)),
            group: signed(self.group),
            lead: signed(self.lead()),
            border: self.border.code(),
        }
    }

    /// Checks what does not depend on the extent. `names` are those of the members.
    pub(crate) fn check(&self, op: &'static str, names: &[&'static str; 5]) -> Result<(), Error> {
        let refuse = |parameter, given: u32, needed: String| {
            Err(Error::InvalidParameter { op, parameter, given: given.to_string(), needed })
        };
        let [keys, dilation, stride, group, origin] = *names;
        for (parameter, value) in
            [(keys, self.keys), (dilation, self.dilation), (stride, self.stride), (group, self.group)]
        {
            if value == 0 {
                return refuse(parameter, 0, "at least 1".into());
            }
        }
        if self.group > self.keys {
            return refuse(group, self.group, format!("at most {}, the keys of the window", self.keys));
        }
        if self.border == Border::Shift && self.stride > 1 {
            return refuse(stride, self.stride, "1 with Border::Shift".into());
        }
        if self.origin > 0 {
            if matches!(self.border, Border::Shift | Border::Causal) {
                return refuse(origin, self.origin, format!("0 with Border::{:?}", self.border));
            }
            if self.dilation > 1 {
                return refuse(origin, self.origin, "0 with a dilation".into());
            }
        }
        Ok(())
    }
}

/// Queries of the output that are computed together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sharing {
    /// Queries of the output from one to the next.
    pub(crate) classes: u32,
    /// Indices from one to the next.
    pub(crate) step: u32,
    /// Keys of the axis that the windows of four such queries cover together, in steps of the dilation.
    pub(crate) rows: u32,
}

/// The extents of a shape: frames, rows, columns.
pub(crate) const fn extents(shape: Ncthw) -> [u32; 3] {
    [shape.frames, shape.height, shape.width]
}
