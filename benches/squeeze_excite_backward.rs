use visual_attention::{Epilogue, Nchw, wgpu};

use crate::common::Bench;
use crate::common::by_name::{ByName, Measured};
use crate::common::unfused::{Join, RELU, RELU_BACKWARD, SIGMOID, Unfused};

/// ResNet-50's four stages, with the reduced widths of r = 16.
const STAGES: [Nchw; 4] =
    [Nchw::new(1, 256, 56, 56), Nchw::new(1, 512, 28, 28), Nchw::new(1, 1024, 14, 14), Nchw::new(1, 2048, 7, 7)];

pub(crate) fn bench(bench: &mut Bench) {
    for &batch in bench.batches() {
        for stage in STAGES {
            let shape = Nchw { batch, ..stage };
            for epilogue in [Epilogue::Scale, Epilogue::Residual] {
                let problem = ByName {
                    operator: "squeeze_excite_backward",
                    options: &[("epilogue", epilogue.to_string())],
                    shapes: &[("features", shape.into()), ("reduce_weight", vec![shape.channels / 16, shape.channels])],
                    // The gate's own upstream gradient.
                    without: &["gate", "reduce_bias", "expand_bias"],
                };
                let case = format!("{epilogue:?} {shape}");
                let measured = bench.measure_by_name(&case, &problem);
                let (unfused, ends) = unfused(bench, shape, epilogue, &measured);
                let ends: Vec<_> = ends
                    .iter()
                    .map(|(name, end)| (end, measured.expected.get(name).expect("a reference").as_slice()))
                    .collect();
                bench.measure_unfused("squeeze_excite_backward", &case, measured.cost, &unfused, &ends);
            }
        }
    }
}

/// As a framework does it, which keeps pooled vectors, hidden vectors and gates of the forward pass. Returns every gradient by name.
fn unfused(
    bench: &Bench,
    shape: Nchw,
    epilogue: Epilogue,
    measured: &Measured,
) -> (Unfused, Vec<(&'static str, wgpu::Buffer)>) {
    let Nchw { batch, channels, .. } = shape;
    let pixels = shape.size().pixels();
    let (len, planes) = (shape.elements().expect("small"), u64::from(batch * channels));
    let hidden_len = u64::from(batch * (channels / 16));
    let [features, reduce, expand, upstream] =
        ["features", "reduce_weight", "expand_weight", "output_gradient"].map(|name| measured.input(name));

    let mut forward = Unfused::new(&bench.gpu);
    let pooled = forward.rows(Join::Mean, features, planes);
    let hidden = forward.linear(&pooled, reduce, batch);
    let hidden = forward.each(RELU, &[&hidden], hidden_len);
    let gate = forward.linear(&hidden, expand, batch);
    let gate = forward.each(SIGMOID, &[&gate], planes);
    bench.gpu.run(|pass| forward.record(pass)).expect("run");

    let mut backward = Unfused::new(&bench.gpu);
    let mut ends = Vec::new();
    let masked = (epilogue == Epilogue::Residual)
        .then(|| backward.each(RELU_BACKWARD, &[upstream, measured.input("output")], len));
    let upstream = masked.as_ref().unwrap_or(upstream);
    let products = backward.each("a[i] * b[i]", &[upstream, features], len);
    let of_gate = backward.rows(Join::Mean, &products, planes);
    let of_gate = backward.each(&format!("a[i] * f32(#{pixels}) * b[i] * (1.0 - b[i])"), &[&of_gate, &gate], planes);
    let [of_hidden, of_expand] = backward.linear_backward(&hidden, expand, &of_gate, batch);
    let of_hidden = backward.each(RELU_BACKWARD, &[&of_hidden, &hidden], hidden_len);
    let [of_pooled, of_reduce] = backward.linear_backward(&pooled, reduce, &of_hidden, batch);
    let scaled = backward.scale(upstream, &gate, shape);
    let spread = backward.each(&format!("a[i / #{pixels}] / f32(#{pixels})"), &[&of_pooled], len);
    let of_features = backward.each("a[i] + b[i]", &[&scaled, &spread], len);
    ends.push(("features_gradient", of_features));
    ends.push(("reduce_weight_gradient", of_reduce));
    ends.push(("expand_weight_gradient", of_expand));
    ends.extend(masked.map(|masked| ("identity_gradient", masked)));
    (backward, ends)
}
