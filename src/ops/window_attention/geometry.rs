//! Parameters of the kernel that follow from options and shape.

use super::axis::{QUERIES, extents};
use super::options::WindowAttentionOptions;
use crate::Ncthw;
use crate::kernel::check::signed;
use crate::kernel::shader::params;
use crate::kernel::window::Axis;

params!(windows Params {
    origin_x: u32,
    origin_y: u32,
    q_base: u32,
    k_base: u32,
    v_base: u32,
    y_base: u32,
    log_sum_exp_base: u32,
    with_log_sum_exp: u32,
    plane: u32,
    heads: u32,
    head_dim: u32,
    value_dim: u32,
    chunks: u32,
    share: u32,
    first_frame: u32,
    slots: u32,
    key_plane: u32,
    channel_stride: u32,
    frame_stride: u32,
    key_frame_stride: u32,
    value_frame_stride: u32,
    row_stride: u32,
    column_stride: u32,
    out_height: u32,
    out_width: u32,
    out_channel_stride: u32,
    out_frame_stride: u32,
    out_row_stride: u32,
    out_column_stride: u32,
    query_step: i32,
    union_rows: i32,
    classes: u32,
    tiles: u32,
    group_queries: u32,
    group_tiles: u32,
    group_lead: u32,
    along_rows: u32,
    frame_table_begin: u32,
    frame_table_end: u32,
    row_table_begin: u32,
    row_table_end: u32,
    column_table_begin: u32,
    column_table_end: u32,
    whole_channel: u32,
    by_offset: u32,
    scale: f32,
    relative_scale: f32,
    shrink: f32,
});

/// Where the kernel's invocations find queries and keys.
pub(crate) struct Geometry {
    /// All that follows from options and shape.
    pub(crate) params: Params,
    /// Invocations of one frame and chunk of channels, counted without those that share a query.
    pub(crate) lanes: u64,
}

/// Where a stream keeps the keys and values of the last frames.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ring {
    /// The frame of the queries.
    pub(crate) frame: u32,
    pub(crate) slots: u32,
    /// Elements from one slot to the next, of keys and of values.
    pub(crate) slot_elements: [u32; 2],
}

impl Geometry {
    /// For a shape that was checked. With a ring, the shape is that of one frame.
    pub(crate) fn new(options: &WindowAttentionOptions, shape: Ncthw, ring: Option<Ring>) -> Self {
        let [along, mut rows, mut columns] = options.axes;
        let [frames, mut height, mut width] = extents(shape);
        let [out_frames, mut out_height, mut out_width] = options.queries(shape);
        let [frame_table, mut row_table, mut column_table] = options.table_channels();
        // Strides stay below the elements of a head, which `bind` checks.
        let [frame_stride, out_frame_stride] = [height * width, out_height * out_width];
        let (mut strides, mut out_strides) = ([width, 1], [out_width, 1]);
        if options.transposed() {
            std::mem::swap(&mut rows, &mut columns);
            std::mem::swap(&mut height, &mut width);
            std::mem::swap(&mut out_height, &mut out_width);
            std::mem::swap(&mut row_table, &mut column_table);
            strides.reverse();
            out_strides.reverse();
        }
        let sharing = rows.sharing();
        let classes = sharing.classes.min(out_height);
        let class_queries = out_height.div_ceil(classes);
        let (group_queries, group_lead) = if rows.grouped() { (rows.group, rows.lead()) } else { (class_queries, 0) };
        let group_tiles = group_queries.min(class_queries).div_ceil(QUERIES);
        let tiles = (class_queries + group_lead).div_ceil(group_queries) * group_tiles;
        let in_shape = Ring { frame: 0, slots: frames, slot_elements: [frame_stride; 2] };
        let Ring { frame, slots, slot_elements } = ring.unwrap_or(in_shape);
        let params = Params {
            heads: options.heads,
            head_dim: options.head_dim,
            value_dim: options.value_dim,
            first_frame: frame,
            slots,
            channel_stride: frames * frame_stride,
            frame_stride,
            key_frame_stride: slot_elements[0],
            value_frame_stride: slot_elements[1],
            row_stride: strides[0],
            column_stride: strides[1],
            out_height,
            out_width,
            out_channel_stride: out_frames * out_frame_stride,
            out_frame_stride,
            out_row_stride: out_strides[0],
            out_column_stride: out_strides[1],
            query_step: signed(sharing.step),
            union_rows: signed(sharing.rows),
            classes,
            tiles,
            group_queries,
            group_tiles,
            group_lead,
            along_rows: options.transposed().into(),
            frame_table_begin: frame_table[0],
            frame_table_end: frame_table[1],
            row_table_begin: row_table[0],
            row_table_end: row_table[1],
            column_table_begin: column_table[0],
            column_table_end: column_table[1],
            whole_channel: options.whole_channel().into(),
            by_offset: options.by_offset().into(),
            scale: options.scale,
            relative_scale: options.relative_scale(),
            shrink: shrink(options.keys()),
            ..Params::windows([along.for_kernel(frame + frames), rows.for_kernel(height), columns.for_kernel(width)])
        };
        let lanes = u64::from(classes) * u64::from(tiles) * u64::from(out_width);
        Self { params, lanes }
    }
}

impl Params {
    /// The axes as they were set.
    pub(crate) fn axes(&self) -> [Axis; 3] {
        let [frames, rows, columns] = [
            [
                self.frames_extent,
                self.frames_keys,
                self.frames_dilation,
                self.frames_stride,
                self.frames_group,
                self.frames_lead,
            ],
            [self.rows_extent, self.rows_keys, self.rows_dilation, self.rows_stride, self.rows_group, self.rows_lead],
            [
                self.columns_extent,
                self.columns_keys,
                self.columns_dilation,
                self.columns_stride,
                self.columns_group,
                self.columns_lead,
            ],
        ];
        let of = |[extent, keys, dilation, stride, group, lead]: [i32; 6], border| Axis {
            extent,
            keys,
            dilation,
            stride,
            group,
            lead,
            border,
        };
        [of(frames, self.frames_border), of(rows, self.rows_border), of(columns, self.columns_border)]
    }
}

/// The largest power of two up to the weight of each of `keys` keys if all weights are equal.
pub(crate) fn shrink(keys: u64) -> f32 {
    // A window of more keys than this is refused: it exceeds every tensor.
    1.0 / keys.min(1 << 62).next_power_of_two() as f32
}
