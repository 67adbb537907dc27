//! Options, shapes and buffers that are refused, with what the message says.

use visual_attention::{
    Border, Element, Error, Nchw, PositionTables, QueryPosition, RelativePosition, Size, WindowAttention,
    WindowAttentionBuffers, WindowAttentionOptions, WindowAxis, WindowWeightsBuffers, wgpu,
};

use crate::{common, compiler};

#[test]
fn refuses_what_has_no_meaning() {
    let Some(gpu) = common::gpu() else { return };
    let base = WindowAttentionOptions::new(2, 4, 3);
    let refused = |options: WindowAttentionOptions, words: &[&str]| {
        let error =
            WindowAttention::new(compiler::of(&gpu.device), options, Element::F32).map(|_| ()).unwrap_err().to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    };
    refused(base.with_window(Size::new(3, 0)), &["columns.keys", "0", "at least 1"]);
    refused(WindowAttentionOptions::new(2, 5, 3), &["head_dim", "5", "a multiple of 2"]);
    refused(WindowAttentionOptions::new(2, 0, 3), &["head_dim", "0", "1 to 1024"]);
    refused(WindowAttentionOptions::new(2, 1025, 3), &["head_dim", "1025", "1 to 1024"]);
    refused(base.with_value_dim(0), &["value_dim", "0", "1 to 1024"]);
    refused(base.with_value_dim(1025), &["value_dim", "1025", "1 to 1024"]);
    refused(WindowAttentionOptions::new(0, 4, 3), &["heads", "0", "at least 1"]);
    refused(
        WindowAttentionOptions::new(3, 3, 3).with_relative(RelativePosition::WholeChannel),
        &["3 x 3", "a multiple of 2"],
    );
    refused(base.with_scale(f32::NAN), &["scale", "NaN", "finite"]);
    refused(base.with_scale(f32::INFINITY), &["scale", "inf", "finite"]);
    refused(base.with_stride(Size::new(1, 0)), &["columns.stride", "0", "at least 1"]);
    refused(base.with_dilation(Size::new(0, 1)), &["rows.dilation", "0", "at least 1"]);
    refused(
        base.with_border(Border::Shift).with_stride(Size::new(2, 1)),
        &["rows.stride", "2", "1 with Border::Shift"],
    );
    let volume = |axis: usize, changed: WindowAxis| {
        let mut axes = [WindowAxis::new(3).with_border(Border::Mask); 3];
        axes[axis] = changed;
        WindowAttentionOptions::volume(2, 6, axes)
    };
    for (axis, name) in ["frames", "rows", "columns"].into_iter().enumerate() {
        let member = |member: &str| format!("{name}.{member}");
        let mask = WindowAxis::new(3).with_border(Border::Mask);
        for (changed, wrong, given, needed) in [
            (WindowAxis::new(0), "keys", "0", "at least 1"),
            (mask.with_dilation(0), "dilation", "0", "at least 1"),
            (mask.with_stride(0), "stride", "0", "at least 1"),
            (mask.with_group(0), "group", "0", "at least 1"),
            (mask.with_group(4), "group", "4", "at most 3, the keys of the window"),
            (mask.with_border(Border::Shift).with_stride(2), "stride", "2", "1 with Border::Shift"),
            (mask.with_border(Border::Shift).with_origin(1), "origin", "1", "0 with Border::Shift"),
            (mask.with_border(Border::Causal).with_origin(2), "origin", "2", "0 with Border::Causal"),
            (mask.with_origin(1).with_dilation(2), "origin", "1", "0 with a dilation"),
        ] {
            refused(volume(axis, changed), &[&member(wrong), given, needed]);
        }
        for relative in [RelativePosition::PerHead, RelativePosition::WholeChannel] {
            let grouped = volume(axis, mask.with_group(2)).with_relative(relative);
            refused(grouped, &[&member("group"), "2", "1 with RelativePosition"]);
        }
    }
    refused(
        WindowAttentionOptions::volume(2, 4, [WindowAxis::new(3); 3]).with_relative(RelativePosition::PerHead),
        &["head_dim", "4", "a multiple of 3"],
    );
    // Only software adapters have a bound on loops.
    if common::is_software(gpu) {
        let advice = ["rounds", "32767", "make the window smaller", "or use a GPU"];
        refused(WindowAttentionOptions::new(2, 64, 201).with_relative(RelativePosition::None), &advice);
        let window = Size::new(u32::MAX, u32::MAX);
        let widest = WindowAttentionOptions::new(1 << 24, 4, 1).with_window(window);
        refused(widest.with_relative(RelativePosition::Bias), &advice);
    }

    let shift = base.with_border(Border::Shift).with_dilation(Size::new(3, 1)).with_relative(RelativePosition::None);
    let buffer = gpu.upload("x", &[0f32; 1024]).unwrap();
    let output = gpu.upload("y", &[0f32; 1024]).unwrap();
    let bind = |options: WindowAttentionOptions, shape: Nchw, tables: PositionTables<wgpu::BufferSlice<'_>>| -> Error {
        let operator = WindowAttention::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
        let (q, y) = (buffer.slice(..), output.slice(..));
        let buffers = WindowAttentionBuffers { q, k: q, v: q, tables, y, log_sum_exp: None };
        operator.bind(&gpu.device, shape, buffers).unwrap_err()
    };
    let says = |error: Error, words: &[&str]| {
        let error = error.to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    };
    says(bind(shift, Nchw::new(1, 8, 8, 8), PositionTables::None), &["9", "at most 8"]);
    says(
        bind(shift, Nchw::new(1, 9, 9, 9), PositionTables::None),
        &["[1, 9, 1, 9, 9]", "8 channels: 2 heads of head_dim 4"],
    );
    says(bind(base, Nchw::new(1, 8, 4, 4), PositionTables::None), &["PositionTables::None", "PerHead"]);
    let small = buffer.slice(..20);
    let whole = buffer.slice(..);
    let tables = PositionTables::rows_and_columns(whole, small);
    says(bind(base, Nchw::new(1, 8, 4, 4), tables), &["tables.columns", "20", "24"]);
    let missing = PositionTables::Axes { frames: None, rows: Some(whole), columns: None };
    says(bind(base, Nchw::new(1, 8, 4, 4), missing), &["tables.columns", "none", "a slice"]);
    let surplus = PositionTables::Axes { frames: Some(whole), rows: Some(whole), columns: Some(whole) };
    says(bind(base, Nchw::new(1, 8, 4, 4), surplus), &["tables.frames", "a slice", "none"]);
    let bias = base.with_relative(RelativePosition::Bias);
    says(bind(bias, Nchw::new(1, 8, 4, 4), PositionTables::Bias(buffer.slice(..196))), &["tables.bias", "196", "200"]);

    let operator = WindowAttention::new(compiler::of(&gpu.device), bias, Element::F32).unwrap();
    let buffers =
        WindowWeightsBuffers { q: whole, k: whole, tables: PositionTables::Bias(whole), weights: output.slice(..) };
    let query = QueryPosition { image: 0, frame: 0, row: 0, column: 0 };
    for (outside, words) in [
        (QueryPosition { image: 1, ..query }, ["query.image", "1"]),
        (QueryPosition { frame: 1, ..query }, ["query.frame", "1"]),
        (QueryPosition { row: 4, ..query }, ["query.row", "4"]),
        (QueryPosition { column: 4, ..query }, ["query.column", "4"]),
    ] {
        says(operator.bind_weights(&gpu.device, Nchw::new(1, 8, 4, 4), &[outside], buffers).unwrap_err(), &words);
    }
}
