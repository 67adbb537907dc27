//! What a windowed attention computes, whether that fits a tensor, and what it costs.

use super::axis::{Border, WindowAxis, extents};
use super::relative::{PositionTables, RelativePosition};
use crate::cost::{Count, count};
use crate::kernel::check::MAX_EXTENT;
use crate::kernel::tuning::WindowTile;
use crate::kernel::{Tensor, check, tuning};
use crate::{Cost, Element, Error, Ncthw, Size, TensorSpec};

pub(crate) const OP: &str = "window_attention";

/// Options of a [`WindowAttention`](super::WindowAttention).
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct WindowAttentionOptions {
    /// Heads; channels `g*d .. (g+1)*d` of queries and keys belong to head `g`.
    pub heads: u32,
    /// Channels of a head of queries and keys, `d`: 1 to 1024.
    pub head_dim: u32,
    /// Channels of a head of values and output, `dv`: 1 to 1024.
    pub value_dim: u32,
    /// The windows over frames, rows and columns. Windows have `kt` x `kh` x `kw` keys.
    pub axes: [WindowAxis; 3],
    /// The term for the relative position.
    pub relative: RelativePosition,
    /// Factor of the product of query and key: 1 in arXiv:1906.05909, `1/sqrt(d)` elsewhere.
    pub scale: f32,
    /// Whether `scale` multiplies the relative term as well.
    pub scale_relative: bool,
}

impl WindowAttentionOptions {
    /// Windows of `k` x `k` keys of an image as in arXiv:1906.05909: zero padding, row and column embeddings for each head, scale 1.
    #[must_use]
    pub const fn new(heads: u32, head_dim: u32, k: u32) -> Self {
        Self {
            heads,
            head_dim,
            value_dim: head_dim,
            axes: [WindowAxis::new(1), WindowAxis::new(k), WindowAxis::new(k)],
            relative: RelativePosition::PerHead,
            scale: 1.0,
            scale_relative: true,
        }
    }

    /// Windows of a line, such as a sequence of tokens: no relative term, scale `1/sqrt(d)`.
    #[must_use]
    pub fn line(heads: u32, head_dim: u32, columns: WindowAxis) -> Self {
        Self::volume(heads, head_dim, [WindowAxis::new(1), WindowAxis::new(1), columns])
    }

    /// Windows of an image: no relative term, scale `1/sqrt(d)`.
    #[must_use]
    pub fn plane(heads: u32, head_dim: u32, [rows, columns]: [WindowAxis; 2]) -> Self {
        Self::volume(heads, head_dim, [WindowAxis::new(1), rows, columns])
    }

    /// Swin's windows of `k` x `k` pixels with its bias table (arXiv:2103.14030, Eq. 4), scale `1/sqrt(d)`. `shift` is that of a shifted
    /// layer, usually `k / 2`, and 0 in the other layers. Where `k` does not divide the image, Swin pads the input of the layer
    /// first: the padding's keys and values are then the bias of the projections.
    #[must_use]
    pub fn swin(heads: u32, head_dim: u32, k: u32, shift: u32) -> Self {
        let options = Self::plane(heads, head_dim, [WindowAxis::swin(k, shift); 2]);
        options.with_relative(RelativePosition::Bias).with_scale_relative(false)
    }

    /// `HaloNet`'s blocks of `block` x `block` pixels, with `halo` pixels around each (arXiv:2103.12731, Sec. 3): embeddings of rows and
    /// columns without a scale, scale `1/sqrt(d)`.
    #[must_use]
    pub fn halo(heads: u32, head_dim: u32, block: u32, halo: u32) -> Self {
        let options = Self::plane(heads, head_dim, [WindowAxis::halo(block, halo); 2]);
        options.with_relative(RelativePosition::Sum).with_scale_relative(false)
    }

    /// Windows of a video or a volume, over frames, rows and columns: no relative term, scale `1/sqrt(d)`.
    #[must_use]
    pub fn volume(heads: u32, head_dim: u32, axes: [WindowAxis; 3]) -> Self {
        let scale = 1.0 / (f64::from(head_dim.max(1))).sqrt();
        let relative = RelativePosition::None;
        Self { axes, relative, scale: scale as f32, ..Self::new(heads, head_dim, 1) }
    }

    /// With `value_dim` channels to a head of the values.
    #[must_use]
    pub const fn with_value_dim(self, value_dim: u32) -> Self {
        Self { value_dim, ..self }
    }

    /// With these windows over frames, rows and columns.
    #[must_use]
    pub const fn with_axes(self, axes: [WindowAxis; 3]) -> Self {
        Self { axes, ..self }
    }

    /// With windows of this size.
    #[must_use]
    pub const fn with_window(self, window: Size) -> Self {
        let [frames, rows, columns] = self.axes;
        let (rows, columns) =
            (WindowAxis { keys: window.height, ..rows }, WindowAxis { keys: window.width, ..columns });
        self.with_axes([frames, rows, columns])
    }

    /// With this distance between keys, in rows and in columns.
    #[must_use]
    pub const fn with_dilation(self, dilation: Size) -> Self {
        let [frames, rows, columns] = self.axes;
        self.with_axes([frames, rows.with_dilation(dilation.height), columns.with_dilation(dilation.width)])
    }

    /// With this distance between queries, in rows and in columns.
    #[must_use]
    pub const fn with_stride(self, stride: Size) -> Self {
        let [frames, rows, columns] = self.axes;
        self.with_axes([frames, rows.with_stride(stride.height), columns.with_stride(stride.width)])
    }

    /// With this border in rows and columns.
    #[must_use]
    pub const fn with_border(self, border: Border) -> Self {
        let [frames, rows, columns] = self.axes;
        self.with_axes([frames, rows.with_border(border), columns.with_border(border)])
    }

    /// With this relative term.
    #[must_use]
    pub const fn with_relative(self, relative: RelativePosition) -> Self {
        Self { relative, ..self }
    }

    /// With this factor of the product of query and key.
    #[must_use]
    pub const fn with_scale(self, scale: f32) -> Self {
        Self { scale, ..self }
    }

    /// With the relative term scaled, or not.
    #[must_use]
    pub const fn with_scale_relative(self, scale_relative: bool) -> Self {
        Self { scale_relative, ..self }
    }

    /// Channels of queries and keys: `heads * d`.
    #[must_use]
    pub const fn channels(&self) -> u32 {
        self.heads.saturating_mul(self.head_dim)
    }

    /// Channels of values and output: `heads * dv`.
    #[must_use]
    pub const fn value_channels(&self) -> u32 {
        self.heads.saturating_mul(self.value_dim)
    }

    /// Keys of a window, `kt * kh * kw`.
    #[must_use]
    pub fn keys(&self) -> u64 {
        self.axes.iter().fold(1, |keys: u64, axis| keys.saturating_mul(axis.keys.into()))
    }

    /// Shape of the output for queries and keys of this shape: `[n, heads*dv, to, ho, wo]`, one position for each query.
    #[must_use]
    pub fn output(&self, shape: impl Into<Ncthw>) -> Ncthw {
        let shape = shape.into();
        let [frames, height, width] = self.queries(shape);
        Ncthw { batch: shape.batch, channels: self.value_channels(), frames, height, width }
    }

    /// Queries on each axis.
    pub(crate) fn queries(&self, shape: Ncthw) -> [u32; 3] {
        let [frames, rows, columns] = extents(shape);
        let [along, down, across] = &self.axes;
        [along.queries(frames), down.queries(rows), across.queries(columns)]
    }

    /// The factor of the relative term.
    pub(crate) const fn relative_scale(&self) -> f32 {
        if self.scale_relative { self.scale } else { 1.0 }
    }

    /// Whether the tables run over the channels of all heads.
    pub(crate) fn whole_channel(&self) -> bool {
        self.relative == RelativePosition::WholeChannel
    }

    /// Whether the tables of the axes have an entry for each offset of a key.
    pub(crate) fn by_offset(&self) -> bool {
        self.relative == RelativePosition::Sum
    }

    /// Whether the relative term has one table for each axis.
    pub(crate) const fn tables_of_axes(&self) -> bool {
        matches!(self.relative, RelativePosition::PerHead | RelativePosition::WholeChannel | RelativePosition::Sum)
    }

    /// Axes that have tables.
    fn tabled(&self) -> u32 {
        self.axes.iter().map(|axis| u32::from(axis.keys > 1)).sum()
    }

    /// Channels of the table of each axis, from the first to one past the last; nothing for an axis without a table.
    pub(crate) fn table_channels(&self) -> [[u32; 2]; 3] {
        let total = match self.relative {
            RelativePosition::None | RelativePosition::Bias => return [[0; 2]; 3],
            RelativePosition::PerHead | RelativePosition::Sum => self.head_dim,
            RelativePosition::WholeChannel => self.channels(),
        };
        let piece = total / self.tabled().max(1);
        let mut begin = 0;
        self.axes.map(|axis| match self.relative {
            _ if axis.keys < 2 => [0; 2],
            RelativePosition::Sum => [0, total],
            _ => {
                begin += piece;
                [begin - piece, begin]
            }
        })
    }

    /// Entries of the table of each axis.
    pub(crate) fn table_entries(&self) -> [u32; 3] {
        self.axes.map(|axis| if self.by_offset() { axis.offsets() } else { axis.keys })
    }

    /// The tables of the relative term, as tensors of the operator.
    pub(crate) fn table_specs(&self, element: Element) -> Vec<TensorSpec> {
        if self.relative == RelativePosition::Bias {
            let [frames, rows, columns] = self.axes.map(|axis| axis.offsets());
            return vec![TensorSpec::input("tables.bias", [self.heads, frames, rows, columns], element)];
        }
        let tables = TABLES.into_iter().zip(self.table_channels()).zip(self.table_entries());
        let tables = tables.filter(|((_, [begin, end]), _)| begin < end);
        tables.map(|((name, [begin, end]), entries)| TensorSpec::input(name, [end - begin, entries], element)).collect()
    }

    /// The slices of the tables, by their names in the order of the kernels' bindings.
    pub(crate) fn table_slices<'a>(
        &self,
        op: &'static str,
        tables: PositionTables<wgpu::BufferSlice<'a>>,
    ) -> Result<[(&'static str, Option<wgpu::BufferSlice<'a>>); 3], Error> {
        let [frames, rows, columns] = TABLES;
        let wrong = |given: &str| {
            let needed = format!("those of RelativePosition::{:?}", self.relative);
            Err(Error::InvalidParameter { op, parameter: "tables", given: given.into(), needed })
        };
        match tables {
            PositionTables::None if self.relative == RelativePosition::None => {
                Ok([(frames, None), (rows, None), (columns, None)])
            }
            PositionTables::Bias(bias) if self.relative == RelativePosition::Bias => {
                Ok([(frames, None), ("tables.bias", Some(bias)), (columns, None)])
            }
            PositionTables::Axes { frames: first, rows: second, columns: third } if self.tables_of_axes() => {
                Ok([(frames, first), (rows, second), (columns, third)])
            }
            PositionTables::None => wrong("PositionTables::None"),
            PositionTables::Bias(_) => wrong("PositionTables::Bias"),
            PositionTables::Axes { .. } => wrong("PositionTables::Axes"),
        }
    }

    /// The slices of [`Self::table_slices`] as the kernels bind them.
    pub(crate) fn table_tensors<'a>(
        &self,
        tables: [(&'static str, Option<wgpu::BufferSlice<'a>>); 3],
        element: Element,
    ) -> [Tensor<'a>; 3] {
        let specs = self.table_specs(element);
        tables.map(|(name, slice)| {
            let spec = specs.iter().find(|spec| spec.name == name);
            Tensor::whole(slice, spec.and_then(TensorSpec::elements).unwrap_or(0), element.bytes())
        })
    }

    /// Checks the options, and that they fit queries and keys of this shape. It needs no device, and serves the reference, which
    /// checks nothing.
    ///
    /// # Errors
    ///
    /// As [`WindowAttention::new`](super::WindowAttention::new) and [`WindowAttention::bind`](super::WindowAttention::bind),
    /// without what depends on a device or a buffer.
    pub fn check(&self, shape: impl Into<Ncthw>) -> Result<(), Error> {
        self.check_options(OP)?;
        self.check_shape(OP, shape.into())
    }

    /// Checks what does not depend on the tensor.
    pub(crate) fn check_options(&self, op: &'static str) -> Result<(), Error> {
        let refuse =
            |parameter, given: String, needed: String| Err(Error::InvalidParameter { op, parameter, given, needed });
        check::heads(op, self.heads, self.head_dim, self.value_dim)?;
        for (axis, names) in self.axes.iter().zip(&NAMES) {
            axis.check(op, names)?;
        }
        for (axis, [_, _, _, group, _]) in self.axes.iter().zip(NAMES) {
            let by_entry = matches!(self.relative, RelativePosition::PerHead | RelativePosition::WholeChannel);
            if by_entry && axis.group > 1 {
                return refuse(group, axis.group.to_string(), format!("1 with RelativePosition::{:?}", self.relative));
            }
        }
        let tables = self.tabled().max(1);
        match self.relative {
            RelativePosition::PerHead if !self.head_dim.is_multiple_of(tables) => {
                let needed = format!("a multiple of {tables}, the axes with tables, for RelativePosition::PerHead");
                return refuse("head_dim", self.head_dim.to_string(), needed);
            }
            RelativePosition::WholeChannel if !self.channels().is_multiple_of(tables) => {
                let given = format!("{} x {}", self.heads, self.head_dim);
                let needed =
                    format!("a multiple of {tables}, the axes with tables, for RelativePosition::WholeChannel");
                return refuse("heads x head_dim", given, needed);
            }
            _ => {}
        }
        check::finite(op, "scale", self.scale)?;
        Ok(())
    }

    /// Checks what depends on the tensor.
    pub(crate) fn check_shape(&self, op: &'static str, shape: Ncthw) -> Result<(), Error> {
        if shape.channels != self.channels() {
            return Err(Error::InvalidShape {
                op,
                binding: "q",
                given: shape.to_string(),
                needed: format!("{} channels: {} heads of head_dim {}", self.channels(), self.heads, self.head_dim),
            });
        }
        for (index, ((axis, extent), parameter)) in self.axes.iter().zip(extents(shape)).zip(SPANS).enumerate() {
            let span = u64::from(axis.keys) * u64::from(axis.dilation);
            if axis.border == Border::Shift && span > u64::from(extent) {
                return Err(Error::InvalidParameter {
                    op,
                    parameter,
                    given: span.to_string(),
                    needed: format!("at most {extent}, the extent of the axis, with Border::Shift"),
                });
            }
            let rows = axis.sharing().rows.max(axis.keys).saturating_add(axis.group);
            let needed = u64::from(extent) + (u64::from(rows) + 12) * u64::from(axis.dilation);
            if needed > MAX_EXTENT {
                let limit = EXTENTS[index];
                return Err(Error::LimitExceeded { op, limit, needed, given: MAX_EXTENT });
            }
        }
        Ok(())
    }

    /// Whether the kernel takes columns for rows: it computes four rows of queries together, and windows of one row share no keys.
    pub(crate) fn transposed(&self) -> bool {
        self.axes[1].keys == 1 && self.axes[2].keys > 1
    }

    /// The axes as the kernels take them.
    pub(crate) fn kernel_axes(&self) -> [WindowAxis; 3] {
        let [frames, rows, columns] = self.axes;
        if self.transposed() { [frames, columns, rows] } else { self.axes }
    }

    /// The variant of the kernel.
    pub(crate) fn tile(&self, software: bool) -> WindowTile {
        let [frames, rows, columns] = self.kernel_axes();
        let keys = [frames.keys, rows.sharing().rows, columns.keys];
        tuning::window_tile(software, [self.head_dim, self.value_dim], keys, self.tables_of_axes())
    }

    /// Operations of one head of one image.
    pub(crate) fn head_flops(&self, shape: Ncthw) -> Count {
        let (head_dim, value_dim) = (count(u64::from(self.head_dim)), count(u64::from(self.value_dim)));
        let relative = match self.relative {
            RelativePosition::PerHead | RelativePosition::WholeChannel if self.tabled() > 0 => head_dim,
            RelativePosition::Sum => head_dim * count(u64::from(self.tabled())),
            _ => count(0),
        };
        count(self.output(shape).positions()) * count(self.keys()) * count(2) * (head_dim + value_dim + relative)
    }

    /// As [`WindowAttention::cost`](super::WindowAttention::cost), without a device.
    pub(crate) fn cost(&self, shape: Ncthw, element: Element, inner: Element) -> Cost {
        let heads = count(u64::from(shape.batch)) * count(u64::from(self.heads));
        let queries = heads * count(self.output(shape).positions());
        let (head_dim, value_dim) = (count(u64::from(self.head_dim)), count(u64::from(self.value_dim)));
        // The number of elements does not depend on their type.
        let specs = self.table_specs(Element::F32);
        let parameters = specs.iter().fold(count(0), |sum, spec| sum + count(spec.elements()));
        let keys_and_values = heads * count(shape.positions()) * (head_dim + value_dim);
        let inputs = keys_and_values + queries * head_dim;
        Cost::new(
            inputs * count(inner.bytes()) + (queries * value_dim + parameters) * count(element.bytes()),
            heads * self.head_flops(shape),
            parameters,
        )
    }
}

/// Tables of the axes, in the order of the kernels' bindings.
const TABLES: [&str; 3] = ["tables.frames", "tables.rows", "tables.columns"];

/// Members of the axes, in the order of [`WindowAxis`].
const NAMES: [[&str; 5]; 3] = [
    ["frames.keys", "frames.dilation", "frames.stride", "frames.group", "frames.origin"],
    ["rows.keys", "rows.dilation", "rows.stride", "rows.group", "rows.origin"],
    ["columns.keys", "columns.dilation", "columns.stride", "columns.group", "columns.origin"],
];

const SPANS: [&str; 3] =
    ["frames.keys * frames.dilation", "rows.keys * rows.dilation", "columns.keys * columns.dilation"];

const EXTENTS: [&str; 3] =
    ["frames and the window over them", "rows and the window over them", "columns and the window over them"];
