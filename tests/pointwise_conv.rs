use visual_attention::wgpu::Limits;
use visual_attention::{Element, Nchw, PointwiseConv, PointwiseConvBuffers, PointwiseConvOptions, reference};

use crate::common::{self, Random, TestGpu, assert_exact, assert_within_tolerance, rounded, wide};
use crate::compiler;

#[test]
fn matches_reference() {
    let Some(gpu) = common::gpu() else { return };
    let options = |inputs, outputs, groups, stack, bias| {
        PointwiseConvOptions::new(inputs, outputs).with_groups(groups).with_stack(stack).with_bias(bias)
    };
    let cases = [
        (Nchw::new(1, 1, 1, 1), options(1, 1, 1, 1, false)),
        (Nchw::new(2, 3, 7, 9), options(3, 5, 1, 1, true)),
        (Nchw::new(1, 17, 16, 17), options(17, 9, 1, 3, false)),
        (Nchw::new(3, 64, 13, 5), options(64, 48, 1, 3, true)),
        (Nchw::new(1, 24, 15, 17), options(24, 40, 4, 2, true)),
        (Nchw::new(1, 12, 8, 33), options(12, 12, 12, 3, false)),
        (Nchw::new(1, 2048, 7, 7), options(2048, 16, 1, 1, true)),
        (Nchw::new(1, 6, 23, 45), options(6, 64, 2, 1, false)),
        // Four numbers to a load.
        (Nchw::new(1, 4, 2, 2), options(4, 1, 1, 1, false)),
        (Nchw::new(2, 16, 6, 6), options(16, 9, 1, 3, true)),
        (Nchw::new(1, 24, 14, 22), options(24, 39, 3, 2, true)),
        (Nchw::new(1, 8, 2, 130), options(8, 16, 2, 1, false)),
        (Nchw::new(3, 64, 14, 14), options(64, 48, 1, 3, true)),
    ];
    for element in gpu.elements() {
        for (seed, (shape, options)) in (0..).zip(cases) {
            let mut random = Random::new(seed);
            let fan = f32::from((options.inputs / options.groups) as u16).sqrt();
            let mut numbers = |len: u32, factor: f32| {
                let numbers: Vec<f32> = random.normal(len as usize).iter().map(|number| number * factor).collect();
                rounded(&numbers, element)
            };
            let x = numbers(shape.elements().unwrap() as u32, 1.0);
            let weights = numbers(options.stack * options.outputs * options.inputs / options.groups, 1.0 / fan);
            let bias = options.bias.then(|| numbers(options.stack * options.outputs, 1.0));
            let out = Nchw { channels: options.outputs, ..shape }.elements().unwrap() as usize;
            let operator = PointwiseConv::new(compiler::of(&gpu.device), options, element).unwrap();
            let (x_buffer, weights_buffer) = (gpu.input(&x, element), gpu.input(&weights, element));
            let bias_buffer = bias.as_ref().map(|bias| gpu.input(bias, element));
            let y: Vec<_> = (0..options.stack).map(|_| gpu.output(out, element.bytes())).collect();
            let buffers = PointwiseConvBuffers {
                x: x_buffer.slice(..),
                weights: weights_buffer.slice(..),
                bias: bias_buffer.as_ref().map(|bias| bias.slice(..)),
                y: [0, 1, 2].map(|stack: usize| y.get(stack).map(|y| y.slice())),
            };
            gpu.recording(&operator.bind(&gpu.device, shape, buffers).unwrap());
            let wide_bias = bias.as_ref().map(|bias| wide(bias));
            let exact = reference::pointwise_conv(shape, &options, &wide(&x), &wide(&weights), wide_bias.as_deref());
            let baseline = reference::pointwise_conv(shape, &options, &x, &weights, bias.as_deref());
            for (stack, y) in y.iter().enumerate() {
                let what = format!("{element:?} {shape} {options:?} {stack}");
                assert_within_tolerance(&gpu.floats(y, element), &exact[stack], &baseline[stack], element.into(), what);
            }
        }
    }
}

/// A workgroup has 8 outputs of 256 pixels.
#[test]
fn the_same_bits_however_the_work_is_divided() {
    let Some(gpu) = common::gpu() else { return };
    let limits = Limits { max_compute_workgroups_per_dimension: 2, ..Limits::default() };
    let Some(limited) = common::gpu_with(&limits) else { return };
    for shape in [Nchw::new(3, 6, 23, 27), Nchw::new(3, 8, 24, 28)] {
        let options = PointwiseConvOptions::new(shape.channels, 40).with_groups(2).with_stack(2);
        let mut random = Random::new(8);
        let x = random.normal(shape.elements().unwrap() as usize);
        let weights = random.normal((2 * 40 * shape.channels / 2) as usize);
        let run = |gpu: &TestGpu| {
            let [x, weights] = [&x, &weights].map(|numbers| gpu.input(numbers, Element::F32));
            let y = [0, 1].map(|_| gpu.output(40 * x.size() as usize / 4 / shape.channels as usize, 4));
            let buffers = PointwiseConvBuffers {
                x: x.slice(..),
                weights: weights.slice(..),
                bias: None,
                y: [Some(y[0].slice()), Some(y[1].slice()), None],
            };
            let operator = PointwiseConv::new(compiler::of(&gpu.device), options, Element::F32).unwrap();
            gpu.recording(&operator.bind(&gpu.device, shape, buffers).unwrap());
            y.map(|y| gpu.floats(&y, Element::F32)).concat()
        };
        assert_exact(&run(&limited), &run(gpu), shape);
    }
}

#[test]
fn refuses_what_has_no_meaning() {
    let Some(gpu) = common::gpu() else { return };
    let base = PointwiseConvOptions::new(6, 4);
    let refused = |options: PointwiseConvOptions, words: &[&str]| {
        let error =
            PointwiseConv::new(compiler::of(&gpu.device), options, Element::F32).map(|_| ()).unwrap_err().to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    };
    refused(base.with_groups(3), &["groups", "3", "a divisor of outputs, 4"]);
    refused(base.with_groups(0), &["groups", "0", "a divisor of inputs, 6"]);
    refused(base.with_stack(4), &["stack", "4", "1 to 3"]);
    refused(PointwiseConvOptions::new(6, 0), &["outputs", "0", "at least 1"]);
    refused(PointwiseConvOptions::new(40_000, 4), &["40000", "31774"]);

    let operator = PointwiseConv::new(compiler::of(&gpu.device), base, Element::F32).unwrap();
    let x = gpu.upload("x", &[0f32; 64]).unwrap();
    let y = gpu.upload("y", &[0f32; 64]).unwrap();
    let buffers =
        PointwiseConvBuffers { x: x.slice(..), weights: x.slice(..), bias: None, y: [Some(y.slice(..)), None, None] };
    let refused = |shape: Nchw, buffers: PointwiseConvBuffers<'_>, words: &[&str]| {
        let error = operator.bind(&gpu.device, shape, buffers).unwrap_err().to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    };
    let shape = Nchw::new(1, 6, 3, 3);
    refused(Nchw::new(1, 5, 3, 3), buffers, &["[1, 5, 3, 3]", "6 channels"]);
    refused(shape, PointwiseConvBuffers { bias: Some(x.slice(..)), ..buffers }, &["bias", "there", "absent"]);
    refused(shape, PointwiseConvBuffers { y: [None; 3], ..buffers }, &["y[0]", "absent", "there"]);
    refused(shape, PointwiseConvBuffers { weights: x.slice(..64), ..buffers }, &["weights", "64", "96"]);
}
