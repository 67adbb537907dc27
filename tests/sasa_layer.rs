use visual_attention::{
    Border, Element, Nchw, PositionTables, RelativePosition, SasaLayer, SasaLayerBuffers, SasaLayerOptions, Size,
    WindowAttentionOptions, reference,
};

use crate::common::{self, Random, assert_within_tolerance_with_room, rounded, softmax_room, wide};
use crate::compiler;

#[test]
fn matches_reference() {
    let Some(gpu) = common::gpu() else { return };
    let attention = WindowAttentionOptions::new(2, 4, 3);
    let cases = [
        (Nchw::new(1, 3, 5, 6), SasaLayerOptions::new(3, attention)),
        (
            Nchw::new(2, 16, 9, 7),
            SasaLayerOptions::new(
                16,
                attention.with_relative(RelativePosition::WholeChannel).with_stride(Size::new(2, 2)).with_scale(0.5),
            )
            .with_groups(4),
        ),
        (
            Nchw::new(1, 8, 12, 10),
            SasaLayerOptions::new(
                8,
                WindowAttentionOptions::new(3, 5, 7)
                    .with_relative(RelativePosition::Bias)
                    .with_border(Border::Shift)
                    .with_scale_relative(false),
            ),
        ),
    ];
    for element in gpu.elements() {
        for (seed, (shape, options)) in (0..).zip(cases) {
            let mut random = Random::new(seed);
            let mut numbers = |len: u32, factor: f32| {
                let numbers: Vec<f32> = random.normal(len as usize).iter().map(|number| number * factor).collect();
                rounded(&numbers, element)
            };
            let channels = options.attention.channels();
            let [_, height, width] = options.attention.axes.map(|axis| axis.keys);
            let x = numbers(shape.elements().unwrap() as u32, 1.0);
            let group_inputs = options.inputs / options.groups;
            let projections = numbers(3 * channels * group_inputs, 0.8 / f32::from(group_inputs as u16).sqrt());
            let half = if options.attention.relative == RelativePosition::PerHead {
                options.attention.head_dim
            } else {
                channels
            } / 2;
            let (first, second) = match options.attention.relative {
                RelativePosition::Bias => {
                    (numbers(options.attention.heads * (2 * height - 1) * (2 * width - 1), 0.5), vec![0.0])
                }
                _ => (numbers(half * height, 0.5), numbers(half * width, 0.5)),
            };
            let out = options.attention.output(shape);
            let y = gpu.output(out.elements().unwrap() as usize, element.bytes());
            let [x_buffer, projections_buffer, first_buffer, second_buffer] =
                [&x, &projections, &first, &second].map(|values| gpu.input(values, element));
            let operator = SasaLayer::new(compiler::of(&gpu.device), options, element).unwrap();
            let tables = match options.attention.relative {
                RelativePosition::Bias => PositionTables::Bias(first_buffer.slice(..)),
                _ => PositionTables::rows_and_columns(first_buffer.slice(..), second_buffer.slice(..)),
            };
            let buffers = SasaLayerBuffers {
                x: x_buffer.slice(..),
                projections: projections_buffer.slice(..),
                tables,
                y: y.slice(),
                log_sum_exp: None,
            };
            gpu.recording(&operator.bind(&gpu.device, shape, buffers).unwrap());
            let (wide_first, wide_second) = (wide(&first), wide(&second));
            let is_bias = options.attention.relative == RelativePosition::Bias;
            let exact_tables = if is_bias {
                PositionTables::Bias(wide_first.as_slice())
            } else {
                PositionTables::rows_and_columns(wide_first.as_slice(), wide_second.as_slice())
            };
            let tables = if is_bias {
                PositionTables::Bias(first.as_slice())
            } else {
                PositionTables::rows_and_columns(first.as_slice(), second.as_slice())
            };
            let exact = reference::sasa_layer(shape, &options, &wide(&x), &wide(&projections), exact_tables).y;
            let baseline = reference::sasa_layer(shape, &options, &x, &projections, tables).y;
            // Values are up to about 4.
            let room = softmax_room(options.attention.keys(), 4.0);
            let what = format!("{element:?} {shape} {options:?}");
            assert_within_tolerance_with_room(&gpu.floats(&y, element), &exact, &baseline, element.into(), room, what);
        }
    }
}

#[test]
fn refuses_what_has_no_meaning() {
    let Some(gpu) = common::gpu() else { return };
    let attention = WindowAttentionOptions::new(2, 4, 3);
    let base = SasaLayerOptions::new(6, attention);
    let refused = |options: SasaLayerOptions, words: &[&str]| {
        let error =
            SasaLayer::new(compiler::of(&gpu.device), options, Element::F32).map(|_| ()).unwrap_err().to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    };
    refused(base.with_groups(4), &["sasa_layer", "groups", "4", "6"]);
    refused(
        SasaLayerOptions::new(6, attention.with_window(Size::new(0, 3))),
        &["sasa_layer", "rows.keys", "0", "at least 1"],
    );
    refused(
        SasaLayerOptions::new(6, attention.with_value_dim(5)),
        &["sasa_layer", "value_dim", "5", "4, the head_dim"],
    );
    let operator = SasaLayer::new(compiler::of(&gpu.device), base, Element::F32).unwrap();
    let x = gpu.upload("x", &[0f32; 256]).unwrap();
    let y = gpu.upload("y", &[0f32; 256]).unwrap();
    let tables = PositionTables::rows_and_columns(x.slice(..), x.slice(..));
    let buffers =
        SasaLayerBuffers { x: x.slice(..), projections: x.slice(..), tables, y: y.slice(..), log_sum_exp: None };
    let refused = |shape: Nchw, buffers: SasaLayerBuffers<'_>, words: &[&str]| {
        let error = operator.bind(&gpu.device, shape, buffers).unwrap_err().to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    };
    refused(Nchw::new(1, 7, 4, 4), buffers, &["[1, 7, 4, 4]", "6 channels"]);
    let shape = Nchw::new(1, 6, 4, 4);
    refused(shape, SasaLayerBuffers { projections: x.slice(..64), ..buffers }, &["projections", "64", "576"]);
    refused(shape, SasaLayerBuffers { y: x.slice(..), ..buffers }, &["y", "overlaps"]);
    // The attention within names the operator that the caller knows.
    let none = SasaLayerBuffers { tables: PositionTables::None, ..buffers };
    refused(shape, none, &["sasa_layer: `tables` is PositionTables::None, needs those of RelativePosition::PerHead"]);
}
