use visual_attention::{
    Border, Element, Nchw, PositionTables, RelativePosition, SasaLayer, SasaLayerBackward, SasaLayerBackwardBuffers,
    SasaLayerBuffers, SasaLayerOptions, Size, WindowAttentionOptions,
};

use crate::common::backward::assert_matches;
use crate::common::problems::Problem;
use crate::common::{self, EXP_ROOM, Random};
use crate::compiler;

/// One pixel, odd tails, several images, groups, and a stride.
#[test]
fn matches_reference() {
    let Some(gpu) = common::gpu() else { return };
    for element in gpu.elements() {
        for (seed, shape) in (0..).zip([Nchw::new(1, 4, 1, 1), Nchw::new(2, 12, 7, 9), Nchw::new(3, 8, 6, 5)]) {
            for relative in [RelativePosition::PerHead, RelativePosition::Bias] {
                for saved in [true, false] {
                    let problem = Problem::new("sasa_layer_backward", [("x", shape.into())]).with("relative", relative);
                    let problem = problem.with("inputs", shape.channels).with("heads", 2).with("head_dim", 4);
                    let problem = problem.with("window", "3,5").with("border", Border::Mask).with("scale", 0.5);
                    let problem = problem.with("groups", 2).with("stride", seed % 2 + 1);
                    let problem = if saved { problem } else { problem.without(&["log_sum_exp"]) };
                    assert_matches(gpu, &problem, element, seed, 16.0 * EXP_ROOM);
                }
            }
        }
    }
}

/// Without the forward operator's outputs they are computed again, by its own kernels.
#[test]
fn saved_outputs_and_computed_ones_give_the_same_bits() {
    let Some(gpu) = common::gpu() else { return };
    let (shape, mut random) = (Nchw::new(2, 6, 7, 5), Random::new(1));
    let attention = WindowAttentionOptions::new(2, 4, 3).with_stride(Size::new(2, 1)).with_scale(0.5);
    let options = SasaLayerOptions::new(6, attention);
    let out = attention.output(shape).elements().unwrap() as usize;
    let mut input = |len: usize| gpu.input(&random.normal(len), Element::F32);
    let (x, projections, rows, columns) = (input(2 * 6 * 35), input(3 * 8 * 6), input(2 * 3), input(2 * 3));
    let y_gradient = input(out);
    let [y, log_sum_exp] = [gpu.output(out, 4), gpu.output(out / 4, 4)];
    let layer = SasaLayer::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
    let buffers = SasaLayerBuffers {
        x: x.slice(..),
        projections: projections.slice(..),
        tables: PositionTables::rows_and_columns(rows.slice(..), columns.slice(..)),
        y: y.slice(),
        log_sum_exp: Some(log_sum_exp.slice()),
    };
    gpu.recording(&layer.bind(&gpu.device, shape, buffers).unwrap());

    let operator = SasaLayerBackward::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
    let run = |saved: [bool; 2]| {
        let results = [2 * 6 * 35, 3 * 8 * 6, 6, 6].map(|len| gpu.output(len, 4));
        let [of_x, of_projections, of_rows, of_columns] = &results;
        let buffers = SasaLayerBackwardBuffers {
            x: x.slice(..),
            projections: projections.slice(..),
            tables: PositionTables::rows_and_columns(rows.slice(..), columns.slice(..)),
            y: saved[0].then_some(y.slice()),
            log_sum_exp: saved[1].then_some(log_sum_exp.slice()),
            y_gradient: y_gradient.slice(..),
            x_gradient: Some(of_x.slice()),
            projections_gradient: Some(of_projections.slice()),
            tables_gradient: PositionTables::rows_and_columns(of_rows.slice(), of_columns.slice()),
        };
        let recording = operator.bind(&gpu.device, shape, buffers).unwrap();
        gpu.recording(&recording);
        let bits = |numbers: Vec<f32>| numbers.into_iter().map(f32::to_bits).collect::<Vec<_>>();
        (recording.dispatches().len(), results.map(|result| bits(gpu.floats(&result, Element::F32))))
    };
    let (dispatches, with) = run([true, true]);
    for saved in [[false, false], [true, false], [false, true]] {
        let (more, without) = run(saved);
        assert_eq!(more, dispatches + 1, "{saved:?}");
        assert!(with == without, "{saved:?}");
    }
}

#[test]
fn refuses_what_has_no_meaning() {
    let Some(gpu) = common::gpu() else { return };
    let attention = WindowAttentionOptions::new(2, 4, 3);
    let wrong = SasaLayerOptions::new(6, attention.with_value_dim(5));
    let error = SasaLayerBackward::new(compiler::of(&gpu.device), wrong, Element::F32).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("sasa_layer_backward: `value_dim`"), "{error}");
    let options = SasaLayerOptions::new(6, attention);
    let operator = SasaLayerBackward::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
    let numbers = gpu.upload("numbers", &[0f32; 256]).unwrap();
    let result = gpu.upload("result", &[0f32; 256]).unwrap();
    let tables = PositionTables::rows_and_columns(numbers.slice(..), numbers.slice(..));
    let base = SasaLayerBackwardBuffers {
        x: numbers.slice(..),
        projections: numbers.slice(..),
        tables,
        y: None,
        log_sum_exp: None,
        y_gradient: numbers.slice(..),
        x_gradient: Some(result.slice(..)),
        projections_gradient: None,
        tables_gradient: PositionTables::None,
    };
    let shape = Nchw::new(1, 6, 4, 4);
    let refused = |shape: Nchw, buffers: SasaLayerBackwardBuffers<'_>, words: &[&str]| {
        let error = operator.bind(&gpu.device, shape, buffers).unwrap_err().to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    };
    refused(Nchw::new(1, 7, 4, 4), base, &["sasa_layer_backward: shape of `x`", "6 channels"]);
    refused(shape, SasaLayerBackwardBuffers { y_gradient: numbers.slice(..64), ..base }, &["y_gradient", "512"]);
    refused(shape, SasaLayerBackwardBuffers { x_gradient: Some(numbers.slice(..)), ..base }, &["overlaps"]);
    refused(shape, SasaLayerBackwardBuffers { tables: PositionTables::None, ..base }, &["tables", "PerHead"]);
    let bias = PositionTables::Bias(result.slice(..));
    refused(shape, SasaLayerBackwardBuffers { tables_gradient: bias, ..base }, &["tables", "PerHead"]);

    let dispatches = |shape, buffers| operator.bind(&gpu.device, shape, buffers).unwrap().dispatches().len();
    assert_eq!(dispatches(shape, SasaLayerBackwardBuffers { x_gradient: None, ..base }), 0);
    // The sums over no image are zero.
    let empty = SasaLayerBackwardBuffers { projections_gradient: Some(result.slice(..)), x_gradient: None, ..base };
    assert_eq!(dispatches(Nchw::new(0, 6, 4, 4), empty), 1);
}
