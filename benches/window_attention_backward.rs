use visual_attention::reference::WindowAttentionSaved;
use visual_attention::{
    Border, Element, Ncthw, PositionTables, RelativePosition, WindowAttention, WindowAttentionBackward,
    WindowAttentionBackwardBuffers, WindowAttentionBuffers, WindowAttentionOptions, WindowAxis, reference,
};

use crate::common::ceiling::software;
use crate::common::unfused::Unfused;
use crate::common::unfused::windows::Windows;
use crate::common::{Bench, noise};

const OPERATOR: &str = "window_attention_backward";

/// Every row has the forward operator beside it, so that their times are of one run.
pub(crate) fn bench(bench: &mut Bench) {
    let plain = |heads, head_dim, k| {
        let scale = 1.0 / (head_dim as f32).sqrt();
        WindowAttentionOptions::new(heads, head_dim, k).with_relative(RelativePosition::None).with_scale(scale)
    };
    let image = |batch, options: &WindowAttentionOptions, side| Ncthw::new(batch, options.channels(), 1, side, side);
    for (heads, head_dim) in [(8, 8), (8, 32), (4, 64)] {
        for k in [3, 7] {
            let options = plain(heads, head_dim, k);
            case(bench, &format!("{heads}x{head_dim} k{k}"), image(1, &options, 28), options);
        }
    }
    let options = plain(8, 32, 7);
    case(bench, "8x32 k7", image(1, &options, 56), options);
    let embedded = options.with_relative(RelativePosition::PerHead);
    case(bench, "8x32 k7 embeddings", image(1, &options, 28), embedded);
    if !software(&bench.gpu) {
        case(bench, "8x32 k7", image(8, &options, 56), options);
        case(bench, "8x32 k7 embeddings", image(8, &options, 56), embedded);
    }
    let shift = |keys| WindowAxis::new(keys).with_border(Border::Shift);
    case(bench, "1x64 line 128", Ncthw::new(1, 64, 1, 1, 2048), WindowAttentionOptions::line(1, 64, shift(128)));
    let video = WindowAttentionOptions::volume(4, 16, [3, 7, 7].map(shift));
    case(bench, "4x16 video 3x7x7", Ncthw::new(1, 64, 4, 28, 28), video);
    let swin = WindowAttentionOptions::swin(3, 32, 7, 3);
    case(bench, "3x32 swin 7", image(1, &swin, 56), swin.with_relative(RelativePosition::None));
    case(bench, "3x32 swin 7 bias", image(1, &swin, 56), swin);
}

fn case(bench: &mut Bench, what: &str, shape: Ncthw, options: WindowAttentionOptions) {
    let what = format!("{what} {shape}");
    let forward = WindowAttention::new(&bench.gpu.device, options, Element::F32).expect("operator");
    let operator = WindowAttentionBackward::new(&bench.gpu.device, options, Element::F32).expect("operator");
    let specs = operator.tensors(shape).expect("shape");
    let tensors: Vec<_> = specs
        .iter()
        .map(|spec| {
            let numbers = noise(spec.elements().expect("small"));
            (spec.name, bench.gpu.upload("tensor", &numbers).expect("tensor"), numbers)
        })
        .collect();
    let find = |name: &str| tensors.iter().find(|(other, ..)| *other == name);
    let of = |name: &str| find(name).expect("a tensor").1.slice(..);
    let tables = |suffix: &str| match options.relative {
        RelativePosition::None => PositionTables::None,
        RelativePosition::Bias => PositionTables::Bias(of(&format!("tables.bias{suffix}"))),
        _ => PositionTables::rows_and_columns(
            of(&format!("tables.rows{suffix}")),
            of(&format!("tables.columns{suffix}")),
        ),
    };
    let buffers = WindowAttentionBuffers {
        q: of("q"),
        k: of("k"),
        v: of("v"),
        tables: tables(""),
        y: of("y"),
        log_sum_exp: Some(of("log_sum_exp")),
    };
    let forward_recording = forward.bind(&bench.gpu.device, shape, buffers).expect("bind");
    let buffers = WindowAttentionBackwardBuffers {
        q: of("q"),
        k: of("k"),
        v: of("v"),
        tables: tables(""),
        y: Some(of("y")),
        log_sum_exp: of("log_sum_exp"),
        y_gradient: of("y_gradient"),
        log_sum_exp_gradient: None,
        q_gradient: Some(of("q_gradient")),
        k_gradient: Some(of("k_gradient")),
        v_gradient: Some(of("v_gradient")),
        tables_gradient: tables("_gradient"),
    };
    let recording = operator.bind(&bench.gpu.device, shape, buffers).expect("bind");
    bench.gpu.run(|pass| forward_recording.record(pass)).expect("run");
    bench.gpu.run(|pass| recording.record(pass)).expect("run");

    let numbers = |name: &str| find(name).expect("a tensor").2.as_slice();
    let [y, log_sum_exp] = ["y", "log_sum_exp"].map(|name| -> Vec<f32> { bench.gpu.read(of(name)).expect("saved") });
    let saved = WindowAttentionSaved {
        q: numbers("q"),
        k: numbers("k"),
        v: numbers("v"),
        tables: match options.relative {
            RelativePosition::None => PositionTables::None,
            RelativePosition::Bias => PositionTables::Bias(numbers("tables.bias")),
            _ => PositionTables::rows_and_columns(numbers("tables.rows"), numbers("tables.columns")),
        },
        y: Some(&y),
        log_sum_exp: &log_sum_exp,
        y_gradient: numbers("y_gradient"),
        log_sum_exp_gradient: None,
    };
    let expected = reference::window_attention_backward(shape, &options, saved);
    for (name, expected) in [("q", &expected.q), ("k", &expected.k), ("v", &expected.v)] {
        let (_, buffer, _) = find(&format!("{name}_gradient")).expect("a tensor");
        bench.check(&format!("{what}, {name}"), Element::F32, buffer, expected);
    }
    bench.measure(OPERATOR, &what, "forward", forward.cost(shape), |pass| forward_recording.record(pass));
    bench.measure(OPERATOR, &what, "fused", operator.cost(shape), |pass| recording.record(pass));
    let times = ["forward", "fused"].map(|version| bench.median(OPERATOR, &what, version));
    if let [Some(once), Some(back)] = times {
        println!(
            "{what}: the gradients take {:.2} times as long as the output",
            back.as_secs_f64() / once.as_secs_f64()
        );
    }

    let buffer = |name: &str| &find(name).expect("a tensor").1;
    let tables = match options.relative {
        RelativePosition::None => PositionTables::None,
        RelativePosition::Bias => PositionTables::Bias(buffer("tables.bias")),
        _ => PositionTables::rows_and_columns(buffer("tables.rows"), buffer("tables.columns")),
    };
    let inputs = ["q", "k", "v"].map(buffer);
    let Some(windows) = Windows::new(bench, shape, &options, inputs, tables) else {
        println!("{what}: unfolded keys exceed a binding");
        return;
    };
    let mut unfused = Unfused::new(&bench.gpu);
    let ([of_q, of_k, of_v], of_tables) = windows.backward(&mut unfused, buffer("y_gradient"));
    let mut ends: Vec<(_, &[f32])> = vec![(&of_q, &expected.q), (&of_k, &expected.k), (&of_v, &expected.v)];
    let expected_tables: Vec<&[f32]> = match &expected.tables {
        PositionTables::None => Vec::new(),
        PositionTables::Bias(bias) => vec![bias],
        PositionTables::Axes { rows, columns, .. } => {
            [rows, columns].into_iter().flatten().map(Vec::as_slice).collect()
        }
    };
    ends.extend(of_tables.iter().map(|(_, table)| table).zip(expected_tables));
    bench.measure_unfused(OPERATOR, &what, operator.cost(shape), &unfused, &ends);
}
