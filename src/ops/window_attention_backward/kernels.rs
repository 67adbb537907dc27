//! The kernels: what the host lays out for each, and how each is built.

use crate::kernel::shader::{ELEMENTS, INNER, PLAIN, Shader, THREE_CODES, Variant, group, params, shader};
use crate::kernel::tuning::{self, WalkTile};
use crate::kernel::{Build, Compiler, Kernel};
use crate::ops::window_attention::{LENGTHS, RelativePosition, WindowAttentionOptions};
use crate::{Element, Error};

/// Invocations of a workgroup.
pub(super) const GROUP: u32 = 64;

params!(TablesParams { origin: u32, frame_elements: u32, row_elements: u32, column_elements: u32 });

params!(ClearParams { origin: u32, q_gradient_base: u32, elements: u32 });

params!(SumParams {
    origin: u32,
    elements: u32,
    width: u32,
    first: u32,
    head_rows: u32,
    head_stride: u32,
    outer: u32,
    outer_stride: u32,
    inner: u32,
    inner_stride: u32,
});

params!(windows PrepareParams {
    origin_x: u32,
    origin_y: u32,
    q_base: u32,
    y_base: u32,
    y_gradient_base: u32,
    log_sum_exp_base: u32,
    log_sum_exp_gradient_base: u32,
    records_base: u32,
    plane: u32,
    heads: u32,
    head_dim: u32,
    value_dim: u32,
    with_y: u32,
    with_log_sum_exp_gradient: u32,
    fields: u32,
    positions: u32,
    out_positions: u32,
    out_frame_stride: u32,
    out_line: u32,
    frame_stride: u32,
    row_stride: u32,
    column_stride: u32,
    along_rows: u32,
    frame_table_begin: u32,
    frame_table_end: u32,
    row_table_begin: u32,
    row_table_end: u32,
    column_table_begin: u32,
    column_table_end: u32,
    row_table_first: u32,
    column_table_first: u32,
    whole_channel: u32,
    by_offset: u32,
});

params!(windows QueryParams {
    origin_x: u32,
    origin_y: u32,
    q_base: u32,
    k_base: u32,
    v_base: u32,
    y_gradient_base: u32,
    records_base: u32,
    q_gradient_base: u32,
    marginals_base: u32,
    with_delta: u32,
    with_q_gradient: u32,
    with_marginals: u32,
    plane: u32,
    heads: u32,
    head_dim: u32,
    value_dim: u32,
    chunks: u32,
    fields: u32,
    channel_stride: u32,
    frame_stride: u32,
    row_stride: u32,
    column_stride: u32,
    out_height: u32,
    out_width: u32,
    out_channel_stride: u32,
    out_frame_stride: u32,
    out_row_stride: u32,
    out_column_stride: u32,
    query_step: i32,
    row_steps: i32,
    cells: u32,
    first_slot: u32,
    turn_slots: u32,
    first_frame: u32,
    turn_frames: u32,
    turn_planes: u32,
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
    row_table_first: u32,
    column_table_first: u32,
    whole_channel: u32,
    by_offset: u32,
    scale: f32,
    relative_scale: f32,
});

params!(windows KeyParams {
    origin_x: u32,
    origin_y: u32,
    q_base: u32,
    k_base: u32,
    v_base: u32,
    y_gradient_base: u32,
    records_base: u32,
    k_gradient_base: u32,
    v_gradient_base: u32,
    with_k_gradient: u32,
    with_v_gradient: u32,
    plane: u32,
    heads: u32,
    head_dim: u32,
    value_dim: u32,
    chunks: u32,
    fields: u32,
    channel_stride: u32,
    frame_stride: u32,
    row_stride: u32,
    column_stride: u32,
    out_channel_stride: u32,
    out_frame_stride: u32,
    out_row_stride: u32,
    out_column_stride: u32,
    classes: u32,
    tiles: u32,
    along_rows: u32,
    scale: f32,
    relative_scale: f32,
});

params!(windows ProductParams {
    origin: u32,
    q_base: u32,
    records_base: u32,
    marginals_base: u32,
    partials_base: u32,
    plane: u32,
    heads: u32,
    head_dim: u32,
    table_begin: u32,
    table_end: u32,
    whole_channel: u32,
    fields: u32,
    marginals: u32,
    axis: u32,
    entries: u32,
    by_offset: u32,
    slice_rows: u32,
    slice_columns: u32,
    row_slices: u32,
    column_slices: u32,
    slices: u32,
    positions: u32,
    out_positions: u32,
    out_height: u32,
    out_width: u32,
    out_frame_stride: u32,
    out_row_stride: u32,
    out_column_stride: u32,
    frame_stride: u32,
    row_stride: u32,
    column_stride: u32,
});

params!(windows BiasParams {
    origin_x: u32,
    origin_y: u32,
    partials_base: u32,
    entries: u32,
    row_entries: u32,
    column_entries: u32,
    cells: u32,
    first_slot: u32,
    turn_slots: u32,
    first_frame: u32,
    turn_frames: u32,
    turn_planes: u32,
    slots: u32,
    slice_slots: u32,
    turn_slices: u32,
    slices: u32,
    out_frames: u32,
    out_height: u32,
    out_width: u32,
    query_step: i32,
    classes: u32,
    tiles: u32,
    group_queries: u32,
    group_tiles: u32,
    group_lead: u32,
    along_rows: u32,
});

pub(crate) const WINDOW_ATTENTION_BACKWARD_BIAS: Shader = shader!(
    "window_attention_backward_bias",
    BiasParams,
    PLAIN,
    &[],
    [marginals: Read, partials: Write],
    ["window", "window_tile"],
);

pub(crate) const WINDOW_ATTENTION_BACKWARD_CLEAR: Shader =
    shader!("window_attention_backward_clear", ClearParams, INNER, &[], [q_gradient: Write], []);

pub(crate) const WINDOW_ATTENTION_BACKWARD_KEY: Shader = shader!(
    "window_attention_backward_key",
    KeyParams,
    LENGTHS,
    &[group(&["RELATIVE"], THREE_CODES), tuning::WALK_TILES],
    [
        q: Read, k: Read, v: Read, y_gradient: Read, tables: Read, records: Read, k_gradient: Write, v_gradient: Write,
    ],
    ["window", "window_holders"],
);

pub(crate) const WINDOW_ATTENTION_BACKWARD_PREPARE: Shader = shader!(
    "window_attention_backward_prepare",
    PrepareParams,
    INNER,
    &[],
    [
        q: Read, tables: Read, y: Read, y_gradient: Read, log_sum_exp: Read, log_sum_exp_gradient: Read, records: Write,
    ],
    ["window"],
);

pub(crate) const WINDOW_ATTENTION_BACKWARD_PRODUCT: Shader = shader!(
    "window_attention_backward_product",
    ProductParams,
    INNER,
    &[],
    [q: Read, records: Read, marginals: Read, partials: Write],
    ["window"],
);

pub(crate) const WINDOW_ATTENTION_BACKWARD_QUERY: Shader = shader!(
    "window_attention_backward_query",
    QueryParams,
    LENGTHS,
    &[group(&["RELATIVE"], THREE_CODES), tuning::WALK_TILES],
    [
        q: Read, k: Read, v: Read, y_gradient: Read, tables: Read, records: Write, q_gradient: Write, marginals: Write,
    ],
    ["window", "window_logits", "window_tile"],
);

pub(crate) const WINDOW_ATTENTION_BACKWARD_SUM: Shader =
    shader!("window_attention_backward_sum", SumParams, PLAIN, &[], [partials: Read, gradient: Write], []);

pub(crate) const WINDOW_ATTENTION_BACKWARD_TABLES: Shader = shader!(
    "window_attention_backward_tables",
    TablesParams,
    ELEMENTS,
    &[],
    [frame_table: Read, row_table: Read, column_table: Read, tables: Write],
    [],
);

/// All kernels, compiled for one set of options. Kernels that a `bind` may do without are compiled by the first one that needs them.
#[derive(Clone, Debug)]
pub(super) struct Kernels {
    pub(super) tables: Kernel,
    pub(super) prepare: Kernel,
    pub(super) query: Kernel,
    pub(super) key: Kernel,
    pub(super) clear: Kernel,
    pub(super) product: Kernel,
    pub(super) bias: Kernel,
    pub(super) sum: Kernel,
}

impl Kernels {
    pub(super) fn new(
        op: &'static str,
        compiler: Compiler<'_>,
        options: &WindowAttentionOptions,
        [element, inner]: [Element; 2],
        [query, key]: [WalkTile; 2],
    ) -> Result<Self, Error> {
        let relative = match options.relative {
            RelativePosition::None => 0.0,
            RelativePosition::PerHead | RelativePosition::WholeChannel | RelativePosition::Sum => 1.0,
            RelativePosition::Bias => 2.0,
        };
        let variant = Variant { inner, ..Variant::new(element, 1) };
        let build = Build {
            op,
            shader: &WINDOW_ATTENTION_BACKWARD_PREPARE,
            variant,
            constants: &[],
            workgroup: [GROUP, 1, 1],
            workgroup_bytes: 0,
        };
        let small = |shader, variant| Kernel::new(compiler.at_first_use(), &Build { shader, variant, ..build });
        let walk = |shader, WalkTile { length, blocks, .. }: WalkTile| {
            let constants = [("RELATIVE", relative), ("BLOCKS", f64::from(blocks))];
            let variant = Variant { length, ..variant };
            Kernel::new(compiler, &Build { shader, variant, constants: &constants, ..build })
        };
        let bias = Build {
            shader: &WINDOW_ATTENTION_BACKWARD_BIAS,
            variant: Variant::F32,
            workgroup_bytes: 8 * GROUP,
            ..build
        };
        Ok(Self {
            tables: small(&WINDOW_ATTENTION_BACKWARD_TABLES, Variant::new(element, 1))?,
            prepare: Kernel::new(compiler, &build)?,
            query: walk(&WINDOW_ATTENTION_BACKWARD_QUERY, query)?,
            key: walk(&WINDOW_ATTENTION_BACKWARD_KEY, key)?,
            clear: small(&WINDOW_ATTENTION_BACKWARD_CLEAR, variant)?,
            product: small(&WINDOW_ATTENTION_BACKWARD_PRODUCT, variant)?,
            bias: Kernel::new(compiler.at_first_use(), &bias)?,
            sum: small(&WINDOW_ATTENTION_BACKWARD_SUM, Variant::F32)?,
        })
    }
}
