use visual_attention::{Element, Nchw, SasaStem, SasaStemBuffers, SasaStemOptions, Size, reference};

use crate::common::{self, Random, assert_exact, assert_within_tolerance_with_room, rounded, softmax_room, wide};
use crate::compiler;

const BASE: SasaStemOptions = SasaStemOptions::new(2, 4, 6);

#[test]
fn matches_reference() {
    let Some(gpu) = common::gpu() else { return };
    let cases = [
        (Nchw::new(1, 3, 9, 10), BASE),
        (Nchw::new(2, 3, 1, 1), SasaStemOptions::new(1, 19, 6)),
        (Nchw::new(1, 5, 7, 17), BASE.with_inputs(5).with_window(Size::new(3, 6)).with_mixtures(1)),
        (Nchw::new(1, 3, 6, 8), BASE.with_window(Size::new(2, 5)).with_padding(Size::new(1, 2))),
        (Nchw::new(2, 3, 12, 9), SasaStemOptions::new(8, 8, 1).with_padding(Size::new(0, 5)).with_scale(-0.4)),
    ];
    for element in gpu.elements() {
        for (seed, (shape, options)) in (0..).zip(cases) {
            let mut random = Random::new(seed);
            let mut numbers = |len: u32, factor: f32| {
                let numbers: Vec<f32> = random.normal(len as usize).iter().map(|number| number * factor).collect();
                rounded(&numbers, element)
            };
            let x = numbers(shape.elements().unwrap() as u32, 1.0);
            let projections = numbers((2 + options.mixtures) * options.channels() * options.inputs, 0.4);
            let row = numbers(options.embeddings * options.window.height, 0.7);
            let column = numbers(options.embeddings * options.window.width, 0.7);
            let mix = numbers(options.mixtures * options.embeddings, 0.7);
            let len = Nchw { channels: options.channels(), ..shape }.elements().unwrap() as usize;
            let y = gpu.output(len, element.bytes());
            let buffers = [&x, &projections, &row, &column, &mix].map(|values| gpu.input(values, element));
            let operator = SasaStem::new(compiler::of(&gpu.device), options, element).unwrap();
            let [x_buffer, projections_buffer, row_buffer, column_buffer, mix_buffer] = &buffers;
            let buffers = SasaStemBuffers {
                x: x_buffer.slice(..),
                projections: projections_buffer.slice(..),
                row: row_buffer.slice(..),
                column: column_buffer.slice(..),
                mix: mix_buffer.slice(..),
                y: y.slice(),
            };
            gpu.recording(&operator.bind(&gpu.device, shape, buffers).unwrap());
            let exact = reference::sasa_stem(
                shape,
                &options,
                &wide(&x),
                &wide(&projections),
                &wide(&row),
                &wide(&column),
                &wide(&mix),
            );
            let baseline = reference::sasa_stem(shape, &options, &x, &projections, &row, &column, &mix);
            // Two softmaxes, one inside the other, of values up to about 4.
            let room = softmax_room(options.window.pixels(), 4.0) + softmax_room(options.mixtures.into(), 4.0);
            let what = format!("{element:?} {shape} {options:?}");
            assert_within_tolerance_with_room(&gpu.floats(&y, element), &exact, &baseline, element.into(), room, what);
        }
    }
}

#[test]
fn refuses_what_has_no_meaning() {
    let Some(gpu) = common::gpu() else { return };
    let refused = |options: SasaStemOptions, words: &[&str]| {
        let error =
            SasaStem::new(compiler::of(&gpu.device), options, Element::F32).map(|_| ()).unwrap_err().to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    };
    refused(BASE.with_mixtures(0), &["mixtures", "0", "at least 1"]);
    refused(BASE.with_scale(f32::NAN), &["scale", "NaN", "finite"]);
    if common::is_software(gpu) {
        refused(BASE.with_window(Size::new(100, 100)), &["rounds", "32767", "window smaller"]);
    }
    let operator = SasaStem::new(compiler::of(&gpu.device), BASE, Element::F32).unwrap();
    let x = gpu.upload("x", &[0f32; 256]).unwrap();
    let y = gpu.upload("y", &[0f32; 256]).unwrap();
    let whole = x.slice(..);
    let buffers =
        SasaStemBuffers { x: whole, projections: whole, row: whole, column: whole, mix: whole, y: y.slice(..) };
    let error = operator.bind(&gpu.device, Nchw::new(1, 4, 3, 3), buffers).unwrap_err().to_string();
    assert!(error.contains("[1, 4, 3, 3]") && error.contains("3 channels"), "{error}");
    let buffers = SasaStemBuffers { mix: x.slice(..92), ..buffers };
    let error = operator.bind(&gpu.device, Nchw::new(1, 3, 3, 3), buffers).unwrap_err().to_string();
    assert!(error.contains("mix") && error.contains("92") && error.contains("96"), "{error}");
}

/// One pixel, so that its logit is the product of its own query and key, with signs of their own: -infinite, +infinite, NaN.
#[test]
fn infinite_and_nan_logits() {
    let Some(gpu) = common::gpu() else { return };
    let one = Size::new(1, 1);
    let options =
        SasaStemOptions::new(1, 1, 1).with_inputs(1).with_window(one).with_padding(Size::new(0, 0)).with_mixtures(1);
    let operator = SasaStem::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
    let zero = gpu.upload("table", &[0f32]).unwrap();
    let shape = Nchw::new(1, 1, 1, 1);
    for (x, key, expected) in
        [(f32::INFINITY, -1.0, 0.0), (f32::INFINITY, 1.0, f32::NAN), (f32::NAN, 1.0, f32::NAN), (2.0, -1.0, 2.0)]
    {
        let projections = [1.0, key, 1.0];
        let (input, weights) = (gpu.upload("x", &[x]).unwrap(), gpu.upload("projections", &projections).unwrap());
        let y = gpu.output(1, 4);
        let buffers = SasaStemBuffers {
            x: input.slice(..),
            projections: weights.slice(..),
            row: zero.slice(..),
            column: zero.slice(..),
            mix: zero.slice(..),
            y: y.slice(),
        };
        gpu.recording(&operator.bind(&gpu.device, shape, buffers).unwrap());
        assert_exact(&gpu.floats(&y, Element::F32), &[expected], format!("{x} times {key}"));
        let reference = reference::sasa_stem(shape, &options, &[x], &projections, &[0.0], &[0.0], &[0.0]);
        assert_exact(&reference, &[expected], format!("reference, {x} times {key}"));
    }
}

/// Two mixtures whose logits are 200 and 199: `exp` of either is infinite in f32.
#[test]
fn large_logits_of_the_mixture_are_stable() {
    let Some(gpu) = common::gpu() else { return };
    let options = SasaStemOptions::new(1, 1, 1)
        .with_inputs(1)
        .with_window(Size::new(1, 1))
        .with_padding(Size::new(0, 0))
        .with_mixtures(2);
    let (shape, projections) = (Nchw::new(1, 1, 1, 1), [1.0, 1.0, 3.0, 5.0]);
    let (row, column, mix) = ([150.0], [50.0], [1.0, 0.995]);
    let [x_in, projections_in, row_in, column_in, mix_in] =
        [&[1.0], projections.as_slice(), &row, &column, &mix].map(|numbers| gpu.input(numbers, Element::F32));
    let y = gpu.output(1, 4);
    let buffers = SasaStemBuffers {
        x: x_in.slice(..),
        projections: projections_in.slice(..),
        row: row_in.slice(..),
        column: column_in.slice(..),
        mix: mix_in.slice(..),
        y: y.slice(),
    };
    let operator = SasaStem::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
    gpu.recording(&operator.bind(&gpu.device, shape, buffers).unwrap());
    let tables = [projections.as_slice(), &row, &column, &mix].map(wide);
    let exact = reference::sasa_stem(shape, &options, &[1.0], &tables[0], &tables[1], &tables[2], &tables[3]);
    let baseline = reference::sasa_stem(shape, &options, &[1.0], &projections, &row, &column, &mix);
    let room = softmax_room(2, 5.0);
    assert_within_tolerance_with_room(
        &gpu.floats(&y, Element::F32),
        &exact,
        &baseline,
        Element::F32.into(),
        room,
        "200",
    );
}
