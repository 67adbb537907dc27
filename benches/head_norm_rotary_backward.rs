use visual_attention::{
    Element, HeadNorm, HeadNormRotaryBackward, HeadNormRotaryBackwardBuffers, HeadNormRotaryOptions, Nchw, Ncthw,
    reference,
};

use crate::common::unfused::{Join, Unfused, by_pixel};
use crate::common::{Bench, noise};
use crate::head_norm_rotary::turns;

pub(crate) fn bench(bench: &mut Bench) {
    for (heads, shape) in [(4, Ncthw::new(1, 256, 1, 56, 56)), (4, Ncthw::new(1, 256, 8, 28, 28))] {
        let options = HeadNormRotaryOptions::new(heads)
            .with_norm(HeadNorm::Rms)
            .with_split(if shape.frames > 1 { [16, 24, 24] } else { [0, 32, 32] })
            .with_scale(0.125);
        let len = shape.elements().expect("small");
        let head_dim = u64::from(shape.channels / heads);
        let numbers = noise(2 * len);
        let ((x, y_gradient), weight) = (numbers.split_at(len as usize), noise(head_dim));
        let inputs = [x, &weight, y_gradient].map(|values| bench.gpu.upload("input", values).expect("input"));
        let outputs = [len, head_dim].map(|len| bench.gpu.buffer("gradient", len * 4).expect("gradient"));
        let operator = HeadNormRotaryBackward::new(&bench.gpu.device, options, Element::F32).expect("operator");
        let buffers = HeadNormRotaryBackwardBuffers {
            x: inputs[0].slice(..),
            weight: Some(inputs[1].slice(..)),
            y_gradient: inputs[2].slice(..),
            x_gradient: Some(outputs[0].slice(..)),
            weight_gradient: Some(outputs[1].slice(..)),
        };
        let recording = operator.bind(&bench.gpu.device, shape, buffers).expect("bind");
        bench.gpu.run(|pass| recording.record(pass)).expect("run");
        let what = format!("{heads} heads rms {shape}");
        let expected = reference::head_norm_rotary_backward(shape, &options, x, Some(&weight), y_gradient);
        bench.check(&what, Element::F32, &outputs[0], &expected.x);
        bench.check(&what, Element::F32, &outputs[1], &expected.weight);
        let cost = operator.cost(shape);
        bench.measure("head_norm_rotary_backward", &what, "fused", cost, |pass| recording.record(pass));

        let (positions, head_dim) = (shape.positions(), shape.channels / heads);
        let all = shape.batch * heads;
        let [own, other] = turns(bench, shape, &options);
        let [x, weight, y_gradient] = inputs.each_ref();
        let by_position = by_pixel(Nchw::new(all, head_dim, 1, positions as u32));
        let channel = format!("i / #{positions} % #{head_dim}");
        let mut forward = Unfused::new(&bench.gpu);
        let squares = forward.multiply(x, x);
        let mean = forward.across(Join::Mean, &squares, head_dim, positions);
        let root = format!("inverseSqrt(a[i] + {})", options.epsilon);
        let root = forward.each(&root, &[&mean], mean.size() / 4);
        let normal = forward.each(&format!("a[i] * b[{by_position}]"), &[x, &root], len);
        bench.gpu.run(|pass| forward.record(pass)).expect("run");

        // The rotation by the negative angle, the products with weight and scale, and the norm.
        let mut unfused = Unfused::new(&bench.gpu);
        let head = u64::from(head_dim) * positions;
        let partner = format!("select(i + #{positions}, i - #{positions}, i / #{positions} % #2 == #1)");
        let turned = format!("a[i] * b[i % #{head}] - a[{partner}] * c[i % #{head}]");
        let turned = unfused.each(&turned, &[y_gradient, &own, &other], len);
        let turned = unfused.each(&format!("a[i] * {}", options.scale), &[&turned], len);
        let products = unfused.multiply(&turned, &normal);
        let sums = unfused.rows(Join::Sum, &products, len / positions);
        let of_weight = unfused.across(Join::Sum, &sums, all, head_dim.into());
        let of_normal = unfused.each(&format!("a[i] * b[{channel}]"), &[&turned, weight], len);
        let products = unfused.multiply(&of_normal, &normal);
        let along = unfused.across(Join::Mean, &products, head_dim, positions);
        let of_x = format!("(a[i] - b[i] * c[{by_position}]) * d[{by_position}]");
        let of_x = unfused.each(&of_x, &[&of_normal, &normal, &along, &root], len);
        let ends: [(_, &[f32]); 2] = [(&of_x, &expected.x), (&of_weight, &expected.weight)];
        bench.measure_unfused("head_norm_rotary_backward", &what, cost, &unfused, &ends);
    }
}
