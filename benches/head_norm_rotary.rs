use visual_attention::{
    Element, HeadNorm, HeadNormRotary, HeadNormRotaryBuffers, HeadNormRotaryOptions, Ncthw, reference, wgpu,
};

use crate::common::unfused::{Join, Unfused};
use crate::common::{Bench, noise};

/// An eager framework takes five operations: squares, their mean, the norm with its weight, and the two products of the rotation and their
/// sum in one.
pub(crate) fn bench(bench: &mut Bench) {
    for (heads, shape) in [(4, Ncthw::new(1, 256, 1, 56, 56)), (4, Ncthw::new(1, 256, 8, 28, 28))] {
        let options = HeadNormRotaryOptions::new(heads)
            .with_norm(HeadNorm::Rms)
            .with_split(if shape.frames > 1 { [16, 24, 24] } else { [0, 32, 32] })
            .with_scale(0.125);
        let len = shape.elements().expect("small");
        let head_dim = shape.channels / heads;
        let (x, weight) = (noise(len), noise(head_dim.into()));
        let x_buffer = bench.gpu.upload("x", &x).expect("x");
        let weight_buffer = bench.gpu.upload("weight", &weight).expect("weight");
        let y = bench.gpu.buffer("y", len * 4).expect("y");
        let operator = HeadNormRotary::new(&bench.gpu.device, options, Element::F32).expect("operator");
        let buffers =
            HeadNormRotaryBuffers { x: x_buffer.slice(..), weight: Some(weight_buffer.slice(..)), y: y.slice(..) };
        let recording = operator.bind(&bench.gpu.device, shape, buffers).expect("bind");
        bench.gpu.run(|pass| recording.record(pass)).expect("run");
        let what = format!("{heads} heads rms {shape}");
        let expected = reference::head_norm_rotary(shape, &options, &x, Some(&weight));
        bench.check(&what, Element::F32, &y, &expected);
        let cost = operator.cost(shape);
        bench.measure("head_norm_rotary", &what, "fused", cost, |pass| recording.record(pass));

        let positions = shape.positions();
        let [own, other] = turns(bench, shape, &options);
        let mut unfused = Unfused::new(&bench.gpu);
        let squares = unfused.each("a[i] * a[i]", &[&x_buffer], len);
        let mean = unfused.across(Join::Mean, &squares, head_dim, positions);
        let head = u64::from(head_dim) * positions;
        let normed = format!(
            "a[i] * inverseSqrt(b[i / #{head} * #{positions} + i % #{positions}] + {}) * c[i / #{positions} % #{head_dim}] * {}",
            options.epsilon, options.scale
        );
        let normed = unfused.each(&normed, &[&x_buffer, &mean, &weight_buffer], len);
        let partner = format!("select(i + #{positions}, i - #{positions}, i / #{positions} % #2 == #1)");
        let rotated = format!("a[i] * b[i % #{head}] + a[{partner}] * c[i % #{head}]");
        let rotated = unfused.each(&rotated, &[&normed, &own, &other], len);
        bench.measure_unfused("head_norm_rotary", &what, cost, &unfused, &[(&rotated, &expected)]);
    }
}

/// The factors of every channel of a head and position in the rotation: its own, and that of the channel that it makes a pair with.
pub(crate) fn turns(bench: &Bench, shape: Ncthw, options: &HeadNormRotaryOptions) -> [wgpu::Buffer; 2] {
    let one = Ncthw { batch: 1, channels: shape.channels / options.heads, ..shape };
    let rotation = HeadNormRotaryOptions::new(1).with_split(options.split);
    let even_channel = |at: usize| (at / shape.positions() as usize).is_multiple_of(2);
    let turned = |even: f32, odd: f32| {
        let pair = |at: usize| if even_channel(at) { even } else { odd };
        let numbers: Vec<f32> = (0..one.elements().expect("small") as usize).map(pair).collect();
        reference::head_norm_rotary(one, &rotation, &numbers, None)
    };
    // (1, 0) turns into (cos, sin), and (0, 1) into (-sin, cos).
    let (first, second) = (turned(1.0, 0.0), turned(0.0, 1.0));
    let own = |at: usize| if even_channel(at) { first[at] } else { second[at] };
    let other = |at: usize| if even_channel(at) { second[at] } else { first[at] };
    let own: Vec<f32> = (0..first.len()).map(own).collect();
    let other: Vec<f32> = (0..first.len()).map(other).collect();
    [own, other].map(|numbers| bench.gpu.upload("turns", &numbers).expect("turns"))
}
